"""The built-in teachers on their own."""

from __future__ import annotations

import pickle

import numpy as np
import psutil
import pytest
from problems import random_problem
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.model_selection import cross_val_predict
from sklearn.svm import SVC

from softwidth._checks import ArgumentError, MemoryLimitError
from softwidth.calibration import expected_calibration_error, log_loss
from softwidth.data import load
from softwidth.kernels import limiting_kernel
from softwidth.specs import Student
from softwidth.tasks import split_rows
from softwidth.teachers import TEACHERS, KernelTeacher, WideTeacher, make_teacher
from softwidth.training import train_bank

QUICK = {"width": 32, "step_size": 30.0, "epochs": 10}


@pytest.fixture(scope="module")
def digits():
    return load("digits", limit=500)


@pytest.fixture(scope="module")
def parity():
    return load("digits", positive=[1, 3, 5, 7, 9], limit=500)


def makers():
    return [lambda: WideTeacher(**QUICK), KernelTeacher]


@pytest.mark.parametrize("make", makers(), ids=["wide", "kernel"])
def test_teachers_learn_two_classes_and_ten(make, digits, parity):
    for data, least in ((digits, 0.9), (parity, 0.93)):
        teacher = make().fit(data.X_train, data.y_train)
        P = teacher.predict_proba(data.X_test)
        assert P.shape == (len(data.y_test), data.n_classes)
        np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-6)
        assert np.mean(P.argmax(axis=1) == data.y_test) > least
        np.testing.assert_array_equal(teacher.classes_, range(data.n_classes))


@pytest.mark.parametrize("make", makers(), ids=["wide", "kernel"])
def test_labels_may_be_text_and_have_gaps(make, digits):
    some = np.isin(digits.y_train, [2, 5, 9])
    X, y = digits.X_train[some], digits.y_train[some]
    names = np.array(["zero", "one", "two", "", "", "five", "", "", "", "nine"])
    teachers = [make().fit(X, labels) for labels in (y, names[y])]
    assert teachers[0].classes_.tolist() == [2, 5, 9]
    assert teachers[1].classes_.tolist() == ["five", "nine", "two"]
    P, Q = (teacher.predict_proba(digits.X_test) for teacher in teachers)
    assert P.shape[1] == 3
    kept = np.isin(digits.y_test, [2, 5, 9])
    right = teachers[1].classes_[Q[kept].argmax(axis=1)] == names[digits.y_test[kept]]
    assert right.mean() > 0.9


@pytest.mark.parametrize("make", makers(), ids=["wide", "kernel"])
def test_same_rows_same_teacher(make, parity):
    first, second = (
        make().fit(parity.X_train, parity.y_train).predict_proba(parity.X_test) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("make", makers(), ids=["wide", "kernel"])
def test_teachers_travel(make, digits):
    teacher = make().fit(digits.X_train, digits.y_train)
    again = pickle.loads(pickle.dumps(teacher))  # noqa: S301 - our own
    np.testing.assert_array_equal(
        again.predict_proba(digits.X_val), teacher.predict_proba(digits.X_val)
    )


@pytest.mark.parametrize("make", makers(), ids=["wide", "kernel"])
@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        (np.ones((6, 2)), np.zeros(6), "one class only"),
        (np.ones((6, 2)), [], "`y`"),
        (np.ones((6, 2)), np.zeros((6, 2)), "`y`"),
        (np.ones((6, 2)), [0, 1, 0, 1, 0], "`y`|`X`|`targets"),
        (np.full((6, 2), np.nan), [0, 1] * 3, "`X` .*NaN"),
        (np.ones(6), [0, 1] * 3, "`X` .*matrix"),
    ],
)
def test_rows_that_cannot_be_learned_are_our_error(make, X, y, says):
    with pytest.raises(ArgumentError, match=says):
        make().fit(X, y)


@pytest.mark.parametrize("make", makers(), ids=["wide", "kernel"])
def test_rows_of_another_width_are_our_error(make, parity):
    teacher = make().fit(parity.X_train, parity.y_train)
    for X in (parity.X_test[:, 1:], parity.X_test * np.nan, parity.X_test[0], []):
        with pytest.raises(ArgumentError, match="`X`"):
            teacher.predict_proba(X)


# --- the wide teacher


def test_step_size_is_the_best_of_its_grid_on_rows_set_apart(parity):
    teacher = WideTeacher(width=16, epochs=4)
    tuned = teacher.tune(parity.X_train, parity.y_train)
    judge, learn = split_rows(parity.y_train, 100, seed=0)
    losses = []
    for step_size in WideTeacher.STEP_SIZES:
        bank = train_bank(
            parity.X_train[learn],
            parity.y_train[learn],
            {"hard": np.eye(2)[parity.y_train[learn]]},
            [Student(16, step_size=step_size)],
            epochs=4,
            batch_size=64,
            momentum=0.9,
            schedule="cosine",
        )
        P = bank.networks[0].predict_proba(parity.X_train[judge])
        losses.append(-np.log(P[np.arange(100), parity.y_train[judge]]).mean())
    assert tuned.step_size == WideTeacher.STEP_SIZES[int(np.argmin(losses))]
    assert teacher.step_size is None  # the original stays as it was


def test_time_that_a_fit_may_take_bounds_its_epochs():
    teacher = WideTeacher(seconds=10)
    y = np.zeros(1000, int)
    assert teacher._epochs(y) == 128  # 2,000 steps of 64 rows
    teacher.rate = 5000.0  # rows a second: 50,000 rows in ten seconds
    assert teacher._epochs(y) == 50
    teacher.rate = 1.0
    assert teacher._epochs(y) == 2
    assert WideTeacher(epochs=7)._epochs(y) == 7
    assert WideTeacher()._epochs(np.zeros(60_000, int)) == 10


def test_tuning_needs_two_rows_of_every_class():
    X = np.eye(3)
    with pytest.raises(ArgumentError, match=r"single row.* Give `step_size`"):
        WideTeacher().fit(X, [0, 0, 1])
    WideTeacher(4, step_size=1.0, epochs=1).fit(X, [0, 0, 1])
    four = WideTeacher(4, epochs=1).fit(np.eye(4), [0, 0, 1, 1])
    assert four.predict_proba(np.eye(4)).shape == (4, 2)


# --- the kernel teacher


def test_kernel_teacher_is_a_support_vector_machine_with_a_sigmoid(parity):
    X, y = parity.X_train.astype(float), parity.y_train
    teacher = KernelTeacher(C=3.0).fit(parity.X_train, y)
    machine = SVC(C=3.0, kernel=limiting_kernel).fit(X, y)
    scores = machine.decision_function(parity.X_test.astype(float))
    own = teacher.machine.decision_function(limiting_kernel(parity.X_test, parity.X_train))
    np.testing.assert_allclose(own, scores, atol=1e-6)
    out_of_fold = cross_val_predict(
        SVC(C=3.0, kernel=limiting_kernel), X, y, cv=3, method="decision_function"
    )
    # Platt's a and b by minimising his objective directly.
    n1, n0 = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

    def loss(ab):
        p = expit(ab[0] * out_of_fold + ab[1])
        return -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum()

    a, b = minimize(loss, [1.0, 0.0], tol=1e-10).x
    np.testing.assert_allclose(
        teacher.predict_proba(parity.X_test)[:, 1], expit(a * scores + b), atol=1e-3
    )


def test_several_classes_have_a_machine_each_and_one_temperature(digits):
    X, y = digits.X_train, digits.y_train
    teacher = KernelTeacher().fit(X, y)
    new, own = limiting_kernel(digits.X_test, X), limiting_kernel(X)
    scores = np.stack(
        [
            SVC(kernel="precomputed", C=10.0).fit(own, y == k).decision_function(new)
            for k in range(10)
        ],
        axis=1,
    )
    P = teacher.predict_proba(digits.X_test)
    ratio = np.log(P[:, 1:] / P[:, :1]) / (scores[:, 1:] - scores[:, :1])
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-4)
    assert log_loss(P, digits.y_test) < 0.2
    assert expected_calibration_error(P, digits.y_test) < 0.05


def test_predictions_in_blocks_are_the_same(parity, monkeypatch):
    teacher = KernelTeacher().fit(parity.X_train, parity.y_train)
    whole = teacher.predict_proba(parity.X_test)
    monkeypatch.setattr(KernelTeacher, "ROWS_AT_A_TIME", 7)
    np.testing.assert_allclose(teacher.predict_proba(parity.X_test), whole, atol=1e-9)


def test_separable_rows_give_finite_probabilities_without_a_warning():
    X = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    P = KernelTeacher().fit(X, [0] * 20 + [1] * 20).predict_proba(X)
    assert np.isfinite(P).all()
    assert (P.argmax(axis=1) == [0] * 20 + [1] * 20).all()


def test_a_class_with_a_single_row_cannot_be_calibrated():
    with pytest.raises(ArgumentError, match="single row"):
        KernelTeacher().fit(np.eye(3), [0, 0, 1])


def test_kernel_that_does_not_fit_says_how_much_it_needs(monkeypatch):
    X = np.random.default_rng(0).standard_normal((3000, 2)).astype(np.float32)
    free = psutil.virtual_memory()._replace(available=100 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(MemoryLimitError, match=r"3000 rows needs 137 MiB and 100 MiB are free"):
        KernelTeacher().fit(X, np.arange(3000) % 2)


# --- by name


def test_teachers_by_name():
    for name in TEACHERS:
        assert type(make_teacher(name)) is TEACHERS[name]
    assert make_teacher("wide", seconds=3).seconds == 3
    with pytest.raises(ArgumentError, match="did you mean 'kernel'"):
        make_teacher("kernal")


def test_a_teacher_keeps_to_its_seconds_by_epochs_then_by_rows(parity, monkeypatch):
    """By the rate that it measured, whatever this machine's is."""
    trained = []

    def note(self, X, y, weight, step_sizes, epochs, label):
        trained.append((len(y), epochs, len(step_sizes)))
        bank = train_bank(X[:64], y[:64], {"hard": np.eye(2)[y[:64]]}, [Student(4)] * 5, epochs=1)
        bank.seconds = len(y) * epochs * len(step_sizes) / 1000  # rows x epochs a second
        return bank

    monkeypatch.setattr(WideTeacher, "_train", note)
    monkeypatch.setattr(WideTeacher, "FEWEST_ROWS", 100)
    X, y = parity.X_train, parity.y_train
    for seconds, epochs in ((1000.0, 256), (10.0, 20), (0.5, 2)):
        trained.clear()
        teacher = WideTeacher(seconds=seconds, epochs=None).fit(X, y)
        assert hasattr(teacher, "network")
        *tuning, (rows, last, one) = trained
        assert one == 1
        assert last == pytest.approx(epochs, abs=2)
        assert rows == (len(y) if seconds > 1 else 250)
        own = [r * e * n / 1000 for r, e, n in tuning]
        least = tuning[0][0] * WideTeacher.FEWEST_TUNING * 5 / 1000
        assert tuning[0][1] == WideTeacher.FEWEST_TUNING
        assert sum(own[1:]) <= max(seconds, least)


@pytest.mark.parametrize("make", [KernelTeacher, WideTeacher])
def test_labels_of_another_length_are_told_by_it(make):
    with pytest.raises(ArgumentError, match="must have as many rows as `X`"):
        make().fit(np.eye(3), [0, 1])


def test_a_kernel_teacher_ends(monkeypatch):
    monkeypatch.setattr(KernelTeacher, "MOST_STEPS", 3)
    X, y, _ = random_problem(0)
    with pytest.raises(ArgumentError, match="cannot tell apart in 3 steps"):
        KernelTeacher().fit(X, y)
