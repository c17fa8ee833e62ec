"""Soft labels from teachers: who has seen what, how sure they are, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import random_problem
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from softwidth._checks import ArgumentError, MemoryLimitError
from softwidth.calibration import expected_calibration_error, log_loss
from softwidth.classifiers import classifier
from softwidth.distributions import temper
from softwidth.lessons import cross_fit, fit_temperature, row_margins, teach
from softwidth.teachers import KernelTeacher, WideTeacher


def task(seed=0, n=200, K=3, scale=4.0, D=5):
    """Rows of unit norm, labels drawn from known probabilities, and these."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, D))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    logits = scale * X[:, :K]
    P = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (rng.random((n, 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return X.astype(np.float32), y, P


def split(n_students=120, n_val=80, **settings):
    X, y, P = task(n=n_students + n_val + 200, **settings)
    a, b = n_students, n_students + n_val
    held = {"X_val": X[a:b], "y_val": y[a:b], "n_classes": P.shape[1]}
    return X[:a], y[:a], held, (X[b:], y[b:])


class Spy(ClassifierMixin, BaseEstimator):
    """A classifier that remembers the rows that it learned from and those that it was asked for."""

    def fit(self, X, y):
        self.learned, self.asked = {row.tobytes() for row in X}, []
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        self.asked += [row.tobytes() for row in X]
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def spies():
    made = []

    def make():
        made.append(Spy())
        return made[-1]

    return make, made


# --- who has seen what


@given(st.integers(2, 6), st.integers(0, 99))
def test_every_row_is_labelled_once_by_a_teacher_that_has_not_seen_it(folds, seed):
    X, y, P = task(seed)
    make, _ = spies()
    _, teachers = cross_fit(make, X, y, folds=folds, n_classes=P.shape[1], seed=seed)
    assert len(teachers) == folds
    asked = [row for spy in teachers for row in spy.asked]
    assert sorted(asked) == sorted(row.tobytes() for row in X)
    for spy in teachers:
        assert not spy.learned & set(spy.asked)
        assert len(spy.learned) + len(spy.asked) == len(X)


def test_nearest_neighbour_repeats_noise_in_sample_and_cannot_out_of_fold():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((400, 5)).astype(np.float32), rng.integers(0, 2, 400)
    held = {"X_val": X[300:], "y_val": y[300:], "n_classes": 2}
    nearest = lambda: KNeighborsClassifier(1)  # noqa: E731
    own = teach(nearest, X[:300], y[:300], in_sample=True, **held)
    fitted = teach(nearest, X[:300], y[:300], **held)
    assert own.health.accuracy == 1
    assert abs(fitted.health.accuracy - 0.5) < 5 * 0.5 / np.sqrt(300)
    assert any("memorised" in warning for warning in own.health.warnings(own.regime))
    assert not any("memorised" in warning for warning in fitted.health.warnings(fitted.regime))


def test_teacher_of_larger_data_never_sees_the_students_rows():
    X, y, held, others = split()
    make, made = spies()
    lesson = teach(make, X, y, others=others, **held)
    assert lesson.regime == "larger data"
    (spy,) = (spy for spy in made if hasattr(spy, "learned"))
    assert spy.learned == {row.tobytes() for row in others[0]}


def test_in_sample_teacher_learns_the_students_rows_and_no_others():
    X, y, held, _ = split()
    make, made = spies()
    lesson = teach(make, X, y, in_sample=True, **held)
    assert lesson.regime == "in-sample"
    assert [spy.learned for spy in made if hasattr(spy, "learned")] == [
        {row.tobytes() for row in X}
    ]


def test_folds_are_seeded():
    X, y, _ = task()
    first, again, other = (
        cross_fit(LogisticRegression, X, y, folds=4, n_classes=3, seed=seed)[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert abs(first - other).max() > 1e-3


# --- how sure


class Noisy(ClassifierMixin, BaseEstimator):
    """The true logits, thrice too large, and on every fit other noise: sure and often wrong."""

    fits = 0

    def fit(self, X, y):
        Noisy.fits += 1
        self.classes_, self.number = np.arange(3), Noisy.fits
        return self

    def predict_proba(self, X):
        directions = np.random.default_rng(self.number).standard_normal((X.shape[1], 3))
        logits = 3 * (4.0 * X[:, :3] + 2.5 * X @ directions)
        P = np.exp(logits - logits.max(axis=1, keepdims=True))
        return P / P.sum(axis=1, keepdims=True)


def test_temperature_is_that_of_the_teachers_that_label_and_not_of_their_mean():
    """What calibrates one teacher on fresh rows is what was fitted; their average needs less."""
    X, y, held, (X_fresh, y_fresh) = split(n_students=400, n_val=100, seed=3)
    X_fresh, y_fresh, _ = task(99, n=4000)
    Noisy.fits = 0
    lesson = teach(Noisy, X, y, folds=5, **held)
    teachers = []
    for number in range(1, 6):
        teachers.append(Noisy().fit(X, y))
        teachers[-1].number = number
    each = np.stack([teacher.predict_proba(X_fresh) for teacher in teachers])
    one = fit_temperature(each.reshape(-1, 3), np.tile(y_fresh, 5))
    mean = fit_temperature(each.mean(axis=0), y_fresh)
    assert mean < 0.75 * one
    assert lesson.health.temperature == pytest.approx(one, rel=0.2)
    raw, _ = cross_fit(Noisy, X, y, folds=5, n_classes=3)
    assert log_loss(lesson.soft, y) < log_loss(raw, y)


def test_soft_labels_come_near_the_truth():
    """In nats from the probabilities that the labels were drawn from; hard labels are far."""
    X, y, P = task(1, n=1000)
    held = {"X_val": X[800:], "y_val": y[800:], "n_classes": 3}
    for make in (lambda: LogisticRegression(C=10), lambda: WideTeacher(64, step_size=10.0)):
        soft = teach(make, X[:800], y[:800], **held).soft
        np.testing.assert_allclose(soft.sum(axis=1), 1)
        excess = np.mean((P[:800] * np.log(P[:800] / soft)).sum(axis=1))
        entropy_of_hard = np.mean(-np.log(P[np.arange(800), y[:800]]))
        assert 0 <= excess < 0.1 * entropy_of_hard


def test_repeated_draws_of_a_row_count_once():
    X, y, held, _ = split()
    often = {**held, "X_val": held["X_val"].repeat(3, axis=0), "y_val": held["y_val"].repeat(3)}
    once = teach(LogisticRegression, X, y, **held)
    again = teach(LogisticRegression, X, y, draws=3, **often)
    assert again.health.temperature == pytest.approx(once.health.temperature, rel=1e-3)
    assert again.health.calibration_error == pytest.approx(once.health.calibration_error, abs=1e-3)
    assert again.health.calibration_by_chance == pytest.approx(
        once.health.calibration_by_chance, rel=0.2
    )


def test_health_is_measured_on_validation_rows_after_the_temperature():
    X, y, held, others = split()
    lesson = teach(LogisticRegression, X, y, others=others, **held)
    teacher = LogisticRegression().fit(*others)
    P = temper(teacher.predict_proba(held["X_val"]), lesson.health.temperature)
    assert lesson.health.calibration_error == pytest.approx(
        expected_calibration_error(P, held["y_val"]), abs=1e-6
    )
    assert lesson.health.train_accuracy == pytest.approx(teacher.score(*others))
    assert lesson.health.held_out_accuracy == pytest.approx(
        teacher.score(held["X_val"], held["y_val"])
    )
    np.testing.assert_allclose(
        lesson.soft, temper(teacher.predict_proba(X), lesson.health.temperature), atol=1e-6
    )


def test_forest_in_sample_has_memorised_and_cross_fitted_has_not():
    X, y, held, _ = split(n_students=300, scale=2.0)
    forest = lambda: RandomForestClassifier(40, random_state=0)  # noqa: E731
    own = teach(forest, X, y, in_sample=True, **held)
    fitted = teach(forest, X, y, **held)
    (warning,) = (w for w in own.health.warnings(own.regime) if "memorised" in w)
    assert "Cross-fit" in warning
    assert own.health.train_accuracy == 1
    assert own.health.distance < 0.6 * fitted.health.distance
    assert not any("memorised" in w for w in fitted.health.warnings(fitted.regime))


# --- classes, rows and teachers that do not fit


def test_classes_that_a_teacher_has_not_seen_get_their_column():
    X, y, held, _ = split()
    some = y != 1
    lesson = teach(LogisticRegression, X[some], y[some], **held)
    assert lesson.soft.shape == (some.sum(), 3)
    assert (lesson.soft[:, 1] == 0).all()
    wide = teach(lambda: WideTeacher(16, step_size=10.0, epochs=5), X[some], y[some], **held)
    assert (wide.soft[:, 1] == 0).all()
    top = y != 2
    kernel = teach(KernelTeacher, X[top], y[top], **held)
    assert (kernel.soft[:, 2] == 0).all()


class Broken(Spy):
    """Probabilities spoilt in a way that is told."""

    def __init__(self, how="fine"):
        self.how = how

    def predict_proba(self, X):
        P = super().predict_proba(X)
        return {
            "fine": P,
            "nan": np.where(np.arange(len(P))[:, None] == 3, np.nan, P),
            "negative": P * [[3, -1, 1]],
            "not one": 0.5 * P,
            "rows": P[:-1],
            "columns": P[:, :2] * 1.5,
            "one column": P[:, 0],
            "votes": np.ones_like(P),
            "text": P.astype(str),
            "none": None,
        }[self.how]


@pytest.mark.parametrize(
    "how",
    ["nan", "negative", "not one", "rows", "columns", "one column", "votes", "text", "none"],
)
@pytest.mark.parametrize("settings", [{}, {"in_sample": True}])
def test_probabilities_that_are_none_are_our_error(how, settings):
    X, y, held, _ = split()
    assert teach(lambda: Broken("fine"), X, y, **settings, **held).soft.shape == (120, 3)
    with pytest.raises(ArgumentError, match="`teacher`"):
        teach(lambda: Broken(how), X, y, **settings, **held)


class TextClasses(Spy):
    def fit(self, X, y):
        super().fit(X, y)
        self.classes_ = np.array(["a", "b", "c"])
        return self


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (SVC, "must have a method `predict_proba`"),
        (object, "must have a method `fit`"),
        (lambda: None, "must have a method `fit`"),
        (TextClasses, "`classes_`"),
    ],
)
def test_what_is_no_teacher_is_our_error(make, says):
    X, y, held, others = split()
    for settings in ({}, {"in_sample": True}, {"others": others}):
        with pytest.raises(ArgumentError, match=says):
            teach(make, X, y, **settings, **held)


def test_one_teacher_for_all_folds_is_refused():
    X, y, held, _ = split()
    only = LogisticRegression()
    with pytest.raises(ArgumentError, match="new teacher at every call"):
        teach(lambda: only, X, y, **held)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a | {"y": a["y"][:-1]}, "`y` .*as many rows as `X`"),
        (lambda a: a | {"X": a["X"] * np.nan}, "`X` .*NaN"),
        (lambda a: a | {"y": a["y"] + 1}, "`y` .*class id"),
        (lambda a: a | {"y": a["y"] * 0}, "`y` .*one class only"),
        (lambda a: a | {"X": a["X"][:0], "y": a["y"][:0]}, "`X`"),
        (lambda a: a | {"X_val": a["X_val"][:, 1:]}, "`X_val` .*5 columns"),
        (lambda a: a | {"y_val": a["y_val"][1:]}, "`y_val`"),
        (lambda a: a | {"folds": 1}, "`folds`"),
        (lambda a: a | {"folds": 60}, "`folds` .*rarest class"),
        (lambda a: a | {"draws": 3}, "`draws`"),
        (lambda a: a | {"n_classes": 1}, "`n_classes`"),
        (lambda a: a | {"others": (a["X"][:, 1:], a["y"])}, "`X_others` .*columns"),
        (lambda a: a | {"others": (a["X"], a["y"][1:])}, "`y_others`"),
        (lambda a: a | {"others": (a["X"], a["y"] * 0)}, "one class only"),
    ],
)
def test_arrays_that_do_not_fit_are_named(change, says):
    X, y, held, _ = split()
    with pytest.raises(ArgumentError, match=says):
        teach(LogisticRegression, **change({"X": X, "y": y, **held}))


# --- margins of rows


def test_row_margins_are_those_of_the_out_of_fold_probabilities():
    X, y, P = task(n=150, K=3, scale=8)
    margins = row_margins(X, y, n_classes=3)
    soft, _ = cross_fit(KernelTeacher, X, y, folds=5, n_classes=3)
    for i in range(150):
        others = [soft[i, k] for k in range(3) if k != y[i]]
        assert margins[i] == pytest.approx(soft[i, y[i]] - max(others))
    # Rows that the truth is sure of have larger margins than rows of two minds.
    sure = P.max(axis=1)
    assert margins[sure > 0.9].mean() > margins[sure < 0.6].mean() + 0.2


def test_rows_for_which_no_kernel_fits_say_how_much_it_needs():
    X, y = np.zeros((200_000, 1), np.float32) + 1, np.arange(200_000) % 2
    with pytest.raises(MemoryLimitError, match=r"160000 rows needs 390,625 MiB and"):
        row_margins(X, y)


def test_a_teacher_whose_own_arithmetic_overflows_teaches_without_a_warning():
    X, y, _ = random_problem(3)
    soft, _ = cross_fit(classifier("logistic", {"C": 1e300}), X, y, folds=2, n_classes=2)
    assert np.allclose(soft.sum(axis=1), 1)


def test_a_teacher_that_cannot_learn_from_so_few_rows_is_named():
    X, y, _ = random_problem(3, N=12)
    with pytest.raises(ArgumentError, match=r"`teacher` .=MLPClassifier. cannot learn from 6 rows"):
        cross_fit(classifier("network", {}), X, y, folds=2, n_classes=2)
