"""What a trained bank says of new rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import banks, problems, random_problem

from softwidth._checks import ArgumentError
from softwidth.bank import log_likelihoods, measures, stacked_logits
from softwidth.network import initialise, probabilities
from softwidth.specs import Student
from softwidth.training import train_bank


@pytest.fixture(scope="module")
def trained():
    X, y, targets = random_problem(0, K=3)
    students = [Student(8, seed=1), Student(4, seed=2, labels="soft"), Student(16, seed=3)]
    return train_bank(X, y, targets, students, epochs=5), X, y, targets


@given(
    problem=problems(),
    students=banks(),
    course=st.fixed_dictionaries(
        {"bias": st.booleans(), "dtype": st.sampled_from(["float32", "float64"])}
    ),
    block=st.integers(1, 70),
)
def test_logits_are_those_of_each_network(problem, students, course, block):
    X, y, targets = problem
    bank = train_bank(X, y, targets, students, epochs=2, **course)
    tolerance = 1e-4 if course["dtype"] == "float32" else 1e-12
    apart = np.stack([network.logits(X) for network in bank.networks])
    np.testing.assert_allclose(bank.logits(X), apart, atol=tolerance, rtol=tolerance)
    if not course["bias"]:
        X = X.astype(course["dtype"])
        blocked = stacked_logits(bank.networks, X, block)
        np.testing.assert_allclose(blocked, apart, atol=tolerance, rtol=tolerance)


def test_chunks_are_not_seen(trained, monkeypatch):
    bank, X, y, _ = trained
    whole, measured = bank.logits(X), bank.evaluate(X, y)
    monkeypatch.setattr("softwidth.bank.LOGIT_BYTES", 1)
    np.testing.assert_allclose(bank.logits(X), whole, atol=1e-6)
    np.testing.assert_allclose(bank.evaluate(X, y)["log_loss"], measured["log_loss"], atol=1e-6)


def test_members_come_in_the_order_asked(trained):
    bank, X, _, _ = trained
    np.testing.assert_array_equal(bank.logits(X, [2, 0, 2]), bank.logits(X)[[2, 0, 2]])
    np.testing.assert_array_equal(bank.logits(X, np.array([1])), bank.logits(X)[[1]])
    assert len(bank) == 3


@given(problem=problems(), students=banks())
def test_measures_are_their_definitions(problem, students):
    X, y, targets = problem
    P = targets["soft"]
    bank = train_bank(X, y, targets, students, epochs=3, dtype="float64")
    measured = bank.evaluate(X, y, P)
    for s, network in enumerate(bank.networks):
        q = np.clip(network.predict_proba(X), 1e-300, None)
        ids = np.arange(len(y))
        expected = {
            "error": np.mean([row.argmax() != label for row, label in zip(q, y, strict=True)]),
            "log_loss": -np.mean(np.log(q[ids, y])),
            "brier": np.mean(np.sum((q - np.eye(P.shape[1])[y]) ** 2, axis=1)),
            "kl": np.mean(np.sum(P * np.log(P / q), axis=1)),
        }
        for name, value in expected.items():
            assert measured[name][s] == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_last_loss_of_training_is_the_held_out_measure_one_step_on():
    """A history holds what was before each step: the end of 5 epochs is seen in the sixth."""
    X, y, targets = random_problem(0, K=3)
    students = [Student(8), Student(8, labels="soft")]
    five, six = (
        train_bank(X, y, targets, students, epochs=epochs, dtype="float64") for epochs in (5, 6)
    )
    assert five.evaluate(X, y)["log_loss"][0] == pytest.approx(six.cross_entropy[0, -1])
    assert five.evaluate(X, y, targets["soft"])["kl"][1] == pytest.approx(six.kl[1, -1])
    for f, mistakes in zip(five.logits(X), six.error[:, -1], strict=True):
        right = [row[c] > np.delete(row, c).max() for row, c in zip(f, y, strict=True)]
        assert mistakes == pytest.approx(1 - np.mean(right))  # rows without a living neuron tie


@given(f=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=4))
def test_log_likelihoods_neither_overflow_nor_lose_digits(f):
    log_q = log_likelihoods(np.array([f]))
    assert np.isfinite(log_q).all()
    np.testing.assert_allclose(np.exp(log_q).sum(), 1)
    np.testing.assert_allclose(np.exp(log_q), probabilities(np.array([f])), atol=1e-12)


def test_a_student_that_knows_nothing_is_wrong_everywhere():
    y = np.zeros(5, int)
    for C in (1, 3):
        measured = measures(np.full((1, 5, C), np.nan), y, np.full((5, max(2, C)), 1 / max(2, C)))
        assert measured["error"] == 1
        assert np.isnan(measured["log_loss"]).all()
    for f in (np.inf, -np.inf, 1e30):
        assert measures(np.full((1, 5, 1), f), y)["error"] == (1 if f > 0 else 0)


BAD_X = [
    (np.zeros((40, 5)), r"`X` .* must have 6 columns"),
    (
        np.full((40, 6), np.inf),
        r"`X` .* has NaN or infinite entries in rows 0, 1, 2, 3, 4 and 35 more",
    ),
    (np.zeros((40, 6), object), r"`X` .* must hold real numbers, not entries of type object"),
    (np.zeros((0, 6)), r"`X` .* must be a matrix"),
    (np.zeros(6), r"`X` .* must be a matrix"),
    (None, r"`X` .* must hold real numbers"),
    (7, r"`X` .* must be a matrix"),
    ([[1, 2], [3]], r"`X` .* must hold numbers, every row as many"),
]


@pytest.mark.parametrize(("X", "message"), BAD_X)
def test_rows_that_cannot_be_used(trained, X, message):
    bank, _, y, _ = trained
    with pytest.raises(ArgumentError, match=message):
        bank.logits(X)
    with pytest.raises(ArgumentError, match=message):
        bank.evaluate(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(39, int), r"`y` \(=39 rows\) must have as many rows as `X` \(40\)"),
        (np.full(40, 3), r"`y` \(=3\) must be a class id from 0 to 2 \(rows 0, 1, 2, 3, 4 and 35"),
        (np.full(40, -1), r"`y` \(=-1\) must be a class id"),
        (np.full(40, 0.5), r"`y` \(=0\.5\) must be a class id"),
        (np.full(40, np.nan), r"`y` \(=nan\) must be a class id"),
        (np.zeros((40, 1)), r"`y` .* must be a non-empty vector of class ids"),
        (["a"] * 40, r"`y` .* must hold real numbers"),
        ([], r"`y` .* must be a non-empty vector"),
        (None, r"`y` .* must hold real numbers"),
    ],
)
def test_labels_that_cannot_be_used(trained, y, message):
    bank, X, _, _ = trained
    with pytest.raises(ArgumentError, match=message):
        bank.evaluate(X, y)


@pytest.mark.parametrize(
    ("P", "message"),
    [
        (np.full((39, 3), 1 / 3), r"`P` \(=39 rows\) must have as many rows as `X` \(40\)"),
        (np.full((40, 2), 1 / 2), r"`P` .* must have 3 columns, one for each class"),
        (np.full((40, 3), 0.5), r"`P` .* sums to neither 1 \(probabilities\) nor whole votes"),
        (np.tile([-0.5, 1, 0.5], (40, 1)), r"`P` .* has negative entries in rows 0"),
        (np.full((40, 3), np.nan), r"`P` .* has NaN or infinite entries"),
        ([["x"] * 3] * 40, r"`P` .* must hold real numbers"),
    ],
)
def test_soft_labels_that_cannot_be_used(trained, P, message):
    bank, X, y, _ = trained
    with pytest.raises(ArgumentError, match=message):
        bank.evaluate(X, y, P)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], r"`members` \(=\[\]\) must be a list of at least one student"),
        ([3], r"`members` \(=\[3\]\) must hold numbers of students, from 0 to 2"),
        ([-1], r"`members` \(=\[-1\]\) must hold numbers of students"),
        ([0.5], r"`members` \(=\[0\.5\]\) must be a list"),
        ("all", r"`members` .* must hold real numbers"),
        (1, r"`members` \(=1\) must be a list"),
    ],
)
def test_members_that_are_none(trained, members, message):
    bank, X, _, _ = trained
    with pytest.raises(ArgumentError, match=message):
        bank.logits(X, members)


def test_metric_that_is_none(trained):
    with pytest.raises(
        ArgumentError, match=r"`metric` \(=errors\) is unknown; did you mean 'error'"
    ):
        trained[0].epoch_means("errors")


def test_networks_predict_what_the_bank_does(trained):
    bank, X, _, _ = trained
    q = bank.networks[0].predict_proba(X)
    np.testing.assert_allclose(q, probabilities(bank.logits(X)[0]), atol=1e-6)
    assert initialise(4, 6, 3).predict_proba(X) == pytest.approx(1 / 3)


def test_rows_of_another_type_get_the_same_logits():
    """Compiled code read float64 rows beside float32 weights as it should not."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6))
    students = [Student(width, labels="hard") for width in (2, 8)]
    y = (X[:, 0] > 0).astype(int)
    bank = train_bank(X, y, {"hard": np.eye(2)[y]}, students, epochs=1, batch_size=8)
    expected = np.stack([network.logits(X.astype(np.float32)) for network in bank.networks])
    assert stacked_logits(bank.networks, X) == pytest.approx(expected, abs=1e-5)


def test_rows_without_the_column_of_the_bias_are_refused():
    """Compiled code took the weights' rows to be as long as those of `X`, and read others'."""
    with pytest.raises(ArgumentError, match=r"must have 4 columns, that of the bias included"):
        stacked_logits([initialise(2, 3, bias=True)], np.ones((5, 3)))
