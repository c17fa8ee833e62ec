"""The scikit-learn face: its own checks, and what they do not know of."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from softwidth import SoftLabelClassifier
from softwidth._checks import ArgumentError
from softwidth.tasks import row_hashes
from softwidth.training import train_bank

QUICK = {"width": 8, "epochs": 20, "step_size": 10.0, "random_state": 0}


@parametrize_with_checks([SoftLabelClassifier(width=16)])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X, y


@pytest.fixture(scope="module")
def noisy():
    """Rows whose label is drawn from a known distribution."""
    X, _ = make_classification(600, 8, n_informative=6, random_state=0)
    p = 1 / (1 + np.exp(-2 * np.tanh(X[:, 0] + X[:, 1])))
    y = (np.random.default_rng(0).random(len(X)) < p).astype(int)
    return X, y, np.stack([1 - p, p], axis=1)


def test_learns_digits(digits):
    X, y = digits
    model = SoftLabelClassifier(32, random_state=0).fit(X[:1000], y[:1000])
    assert model.score(X[1000:], y[1000:]) > 0.88  # a line through the pixels has 0.89
    assert min(model.step_scores_.values()) == model.step_scores_[model.step_size_]


def test_soft_labels_bring_probabilities_nearer_to_the_truth(noisy):
    X, y, P = noisy
    settings = {"width": 16, "random_state": 0}
    truth, off = P[300:], {}
    for name, target in (("hard", y[:300]), ("soft", P[:300])):
        model = SoftLabelClassifier(**settings).fit(X[:300], target)
        off[name] = abs(model.predict_proba(X[300:]) - truth).mean()
    assert off["soft"] < 0.8 * off["hard"]


def test_one_hot_rows_are_labels(digits):
    X, y = digits[0][:200], digits[1][:200]
    hard = SoftLabelClassifier(**QUICK).fit(X, y)
    soft = SoftLabelClassifier(**QUICK).fit(X, np.eye(10)[y])
    np.testing.assert_array_equal(hard.predict_proba(X), soft.predict_proba(X))
    assert soft.score(X, np.eye(10)[y]) == hard.score(X, y)


def test_votes_are_their_shares(noisy):
    X, _, P = noisy
    votes = np.random.default_rng(1).multinomial(5, P)
    one, two = (SoftLabelClassifier(**QUICK).fit(X, t) for t in (votes, votes / 5))
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    for scheme in ("sampled", "multipass", "argmax", "tempered(2)", "mixed(0.5, 1)"):
        model = SoftLabelClassifier(**QUICK, labels=scheme).fit(X, votes)
        assert model.labels_ == scheme
        assert model.score(X, votes) > 0.6


def test_weights_in_mini_batches_are_rows_repeated(noisy):
    X, _, P = noisy
    weight = np.random.default_rng(2).integers(0, 4, len(X))
    settings = {**QUICK, "step_size": None, "batch_size": 16}
    weighted = SoftLabelClassifier(**settings).fit(X, P, sample_weight=weight)
    again = np.random.default_rng(3).permutation(np.repeat(np.arange(len(X)), weight))
    repeated = SoftLabelClassifier(**settings).fit(X[again], P[again])
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6, atol=1e-9
    )
    assert weighted.step_size_ == repeated.step_size_


def test_balanced_classes_are_classes_of_equal_weight(noisy):
    X, y, _ = noisy
    rare = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:20]])
    X, y = X[rare], y[rare]
    counts = np.bincount(y)
    balanced = SoftLabelClassifier(**QUICK, class_weight="balanced").fit(X, y)
    by_hand = SoftLabelClassifier(**QUICK).fit(X, y, sample_weight=1 / counts[y])
    named = SoftLabelClassifier(**QUICK, class_weight=dict(enumerate(1 / counts))).fit(X, y)
    for other in (by_hand, named):
        np.testing.assert_allclose(
            balanced.predict_proba(X), other.predict_proba(X), rtol=1e-6, atol=1e-9
        )
    plain = SoftLabelClassifier(**QUICK).fit(X, y)
    assert balanced.predict(X).sum() > plain.predict(X).sum()


def test_pipelines_grids_clones_and_pickles(noisy):
    X, y, P = noisy
    model = make_pipeline(StandardScaler(), SoftLabelClassifier(**QUICK))
    for target in (y, P):
        grid = {"softlabelclassifier__width": [4, 8]}
        found = GridSearchCV(clone(model), grid, cv=2).fit(X, target)
        assert found.best_params_["softlabelclassifier__width"] in (4, 8)
        again = pickle.loads(pickle.dumps(found.best_estimator_))  # noqa: S301 - our own
        np.testing.assert_array_equal(again.predict_proba(X), found.predict_proba(X))


def test_names_of_columns(noisy):
    X, _, P = noisy
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(8)])
    model = SoftLabelClassifier(**QUICK).fit(frame, pd.DataFrame(P, columns=["no", "yes"]))
    assert model.feature_names_in_.tolist() == frame.columns.tolist()
    assert set(model.predict(frame)) == {"no", "yes"}
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"width": 7}, "must be even"),
        ({"labels": "sotf"}, "did you mean 'soft'"),
        ({"labels": "soft"}, "must be given for the scheme"),
        ({"step_size": -1.0}, "step_size"),
        ({"step_size": 1e30}, "training diverged"),
        ({"class_weight": {5: 1.0}}, "class_weight"),
        ({"class_weight": "equal"}, "class_weight"),
        ({"validation_fraction": 1.0, "step_size": None}, "must leave rows for training"),
        ({"normalise": 1}, "True or False"),
    ],
)
def test_settings_that_cannot_be_used(noisy, settings, told):
    X, y, _ = noisy
    with pytest.raises(ArgumentError, match=told):
        SoftLabelClassifier(**{**QUICK, **settings}).fit(X[:50], y[:50])


def test_labels_that_are_none(noisy):
    X, _, P = noisy
    with pytest.raises(ArgumentError, match="sums to neither"):
        SoftLabelClassifier(**QUICK).fit(X, 0.3 * P)
    with pytest.raises(ArgumentError, match="must name the 2 columns"):
        SoftLabelClassifier(**QUICK, classes=["a"]).fit(X, P)
    with pytest.raises(ArgumentError, match="must have as many rows"):
        SoftLabelClassifier(**QUICK).fit(X, P[:-1])
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        SoftLabelClassifier(**QUICK).fit(csr_matrix(X), P)


def test_width_from_a_plan(noisy):
    X, y, P = noisy
    weight = np.linspace(1, 3, len(X))
    model = SoftLabelClassifier("auto", budget=6.0, random_state=0).fit(X, P, sample_weight=weight)
    planned = model.plan_.soft_labels.dataset.weight_train
    assert planned.max() / planned.min() > 2
    advice = model.plan_.recommendation
    assert model.labels_ == ("soft" if advice.labels == "either" else advice.labels)
    assert model.network_.width == model.width_
    assert advice.width in (None, model.width_)
    with pytest.raises(ArgumentError, match="weighs classes alike or not at all"):
        SoftLabelClassifier("auto", class_weight={0: 2.0}).fit(X, y)


def parts(n, size=50):
    return [slice(start, start + size) for start in range(0, n, size)]


def test_parts_are_the_bank_step_by_step(noisy):
    X, _, P = noisy
    model = SoftLabelClassifier(8, step_size=3.0, momentum=0.0, batch_size=600, random_state=3)
    for _ in range(4):
        model.partial_fit(X, P)
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    order = np.argsort(np.array(row_hashes(rows)))  # the order that equal rows are found in
    bank = train_bank(
        rows[order],
        P[order].argmax(axis=1),
        {"labels": P[order]},
        [replace(model.student_)],
        epochs=4,
        dtype="float64",
    )
    assert model.passes_ == 4
    np.testing.assert_allclose(model.decision_function(X), bank.logits(rows)[0, :, 0], atol=1e-12)


def test_learns_digits_in_parts(digits):
    X, y = digits
    model = SoftLabelClassifier(32, batch_size=16, random_state=0)
    for part in parts(1000, 250) * 20:
        model.partial_fit(X[part], y[part], classes=range(10))
    assert model.score(X[1000:], y[1000:]) > 0.88


def test_parts_go_on_from_a_fit(noisy):
    X, y, _ = noisy
    model = SoftLabelClassifier(**QUICK).fit(X[:300], y[:300])
    before = model.decision_function(X)
    assert model.partial_fit(X[300:], y[300:]).passes_ == 1
    moved = abs(model.decision_function(X) - before).max()
    assert 0 < moved < abs(before).max()
    assert SoftLabelClassifier(**QUICK).fit(X[:300], y[:300]).passes_ == 0


def test_names_of_parts(noisy):
    X, y, P = noisy
    words = np.array(["no", "yes"])[y]
    model = SoftLabelClassifier(**QUICK).partial_fit(X[:9], ["yes"] * 9, classes=["yes", "no"])
    assert model.classes_.tolist() == ["no", "yes"]
    model.partial_fit(X, words).partial_fit(X, pd.DataFrame(P, columns=["no", "yes"]))
    assert model.labels_ == "soft"
    assert clone(model).partial_fit(X, P).partial_fit(X, y).labels_ == "hard"
    before = model.decision_function(X)
    for told, y_given, classes in [
        ("did you mean 'yes'", ["yess"] * len(X), None),
        ("those of the first call", words, ["no", "maybe"]),
        ("those of the first call", pd.DataFrame(P, columns=["yes", "no"]), None),
    ]:
        with pytest.raises(ArgumentError, match=told):
            model.partial_fit(X, y_given, classes=classes)
    assert np.array_equal(model.decision_function(X), before)
    assert model.passes_ == 3


@pytest.mark.parametrize(
    ("settings", "classes", "told"),
    [
        ({"width": "auto"}, [0, 1], "`width`.*all rows at once"),
        ({"class_weight": "balanced"}, [0, 1], "`class_weight`.*all rows at once"),
        ({}, None, "`classes`.*first call"),
        ({}, [1], "at least two classes"),
        ({}, [0, [1]], "`classes`"),
        ({}, [0, "one"], "`y`|`classes`"),
        ({"step_size": 1e30}, [0, 1], "diverged"),
    ],
)
def test_parts_that_cannot_be(noisy, settings, classes, told):
    X, y, _ = noisy
    model = SoftLabelClassifier(**{**QUICK, **settings})
    with pytest.raises(ArgumentError, match=told):
        model.partial_fit(X, y, classes=classes)
    assert not hasattr(model, "network_")
