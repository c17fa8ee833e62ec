"""Teachers: a wide network, the limiting kernel, any classifier with ``predict_proba``."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from scipy.special import softmax

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_integer,
    check_matrix,
    check_memory,
    check_number,
    check_same_length,
    check_weights,
)
from softwidth._mapped import take_rows
from softwidth._types import Array, Labels
from softwidth.bank import Bank
from softwidth.calibration import fit_temperature
from softwidth.distributions import one_hot
from softwidth.kernels import limiting_kernel
from softwidth.network import Network, check_features
from softwidth.specs import Student
from softwidth.tasks import split_rows
from softwidth.training import train_bank


class Teacher(Protocol):
    """Anything with scikit-learn's two methods."""

    def fit(self, X: Array, y: Labels) -> Any:
        """Learn from rows and class ids."""

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, shape (N, K)."""


def check_teacher(teacher: Any) -> Any:
    """`teacher`, once it has scikit-learn's two methods.

    Raises
    ------
    ArgumentError
        Naming the method that it lacks.
    """
    for method in ("fit", "predict_proba"):
        if not callable(getattr(teacher, method, None)):
            raise ArgumentError("teacher", teacher, f"must have a method `{method}`.")
    return teacher


class WideTeacher:
    """A wide two-layer network trained on hard labels by mini-batches with momentum.

    Parameters
    ----------
    width : int
        Neurons; the paper's teacher has 512.
    epochs : int or None
        ``None``: 10, and more where that is fewer than `LEAST_STEPS` steps.
    batch_size : int or None
        ``None``: 128 from 4,000 rows on, otherwise 64.
    step_size : float or None
        ``None``: what `tune` finds on the rows that it is fitted to.
    momentum : float
        With a cosine schedule.
    seconds : float or None
        How long a fit, or its tuning, may take: fewer epochs where that is too short, then fewer
        rows, but at least two epochs of 2,000 rows, and three epochs of tuning.
    seed : int
    """

    LEAST_STEPS, LEAST_EPOCHS = 2000, 10
    STEP_SIZES = (3.16, 10.0, 31.6, 100.0, 316.0)
    TUNING_ROWS, FEWEST_TUNING, FEWEST_EPOCHS, FEWEST_ROWS = 4000, 3, 2, 2000

    def __init__(
        self,
        width: int = 512,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        step_size: float | None = None,
        momentum: float = 0.9,
        seconds: float | None = None,
        seed: int = 0,
    ) -> None:
        self.width, self.epochs, self.batch_size = width, epochs, batch_size
        self.step_size, self.momentum = step_size, momentum
        self.seconds, self.seed = seconds, seed
        self.rate: float | None = None  # rows x epochs a second, once tuned

    def fit(self, X: Array, y: Labels, sample_weight: Any = None) -> WideTeacher:
        """Train on rows and labels, and what each row counts for.

        Raises
        ------
        ArgumentError
            Malformed rows or labels, or labels of one class only.
        """
        self._check()
        X = check_matrix("X", X)
        tuned = self if self.step_size else self.tune(X, y, sample_weight)
        self.classes_, ids = _as_ids(y, len(X))
        few = tuned._affordable_rows(ids)
        if few is not None:
            X, ids = take_rows(X, few), ids[few]
            sample_weight = None if sample_weight is None else np.asarray(sample_weight)[few]
        epochs, steps = tuned._epochs(ids), [tuned.step_size or 0]
        bank = tuned._train(X, ids, sample_weight, steps, epochs, "training the teacher")
        self.network: Network = bank.networks[0]
        return self

    def tune(self, X: Array, y: Labels, sample_weight: Any = None) -> WideTeacher:
        """A copy with the step size of least log loss on rows set apart, and its rate of work.

        On at most `TUNING_ROWS` rows and for at most twice the least epochs: enough to tell half
        decades apart.
        """
        self._check()
        X = check_matrix("X", X)
        ids = _as_ids(y, len(X))[1]
        few = len(ids) <= self.TUNING_ROWS
        rows = np.arange(len(ids)) if few else self._part(ids, self.TUNING_ROWS)
        judge, learn = self._halves(ids[rows])
        X, own = take_rows(X, rows), ids[rows][learn]
        w = None
        if sample_weight is not None:
            w = check_weights("sample_weight", sample_weight, len(ids))[rows]
        epochs = self._epochs(own) if few else min(self._epochs(own), 2 * self.LEAST_EPOCHS)
        of_learn, of_judge = (None if w is None else w[part] for part in (learn, judge))
        epochs, bank = self._tuning_bank(take_rows(X, learn), own, of_learn, epochs)
        found = bank.evaluate(take_rows(X, judge), ids[rows][judge], sample_weight=of_judge)
        losses = found["log_loss"]
        best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
        tuned = copy.copy(self)
        tuned.step_size = self.STEP_SIZES[best]
        tuned.rate = len(own) * epochs * len(self.STEP_SIZES) / bank.seconds
        return tuned

    def _tuning_bank(self, X: Array, y: Labels, weight: Any, wanted: int) -> tuple[int, Bank]:
        """All step sizes, and for how many epochs: a few tell how many more `seconds` allow."""
        train = partial(self._train, X, y, weight, self.STEP_SIZES, label="tuning the teacher")
        least = min(wanted, self.FEWEST_TUNING)
        if self.seconds is not None and least < wanted:
            bank = train(least)
            allowed = int(least * self.seconds / bank.seconds)
            if allowed <= 2 * least:
                return least, bank
            wanted = min(wanted, allowed)
        return wanted, train(wanted)

    def _check(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), low=1)
        if self.step_size is not None:
            check_number("step_size", self.step_size, low=0, open_low=True)
        check_integer("seed", self.seed)

    def _halves(self, ids: Labels) -> tuple[Labels, Labels]:
        """Rows that judge step sizes, a fifth or one of each class, and rows that learn."""
        counts = np.bincount(ids)
        if counts.min() < 2:
            wish = "has a class with a single row: a step size cannot be chosen. Give `step_size`."
            raise ArgumentError("y", f"{len(ids)} rows", wish)
        return split_rows(ids, max(len(ids) // 5, len(counts)), seed=self.seed)

    def _part(self, y: Labels, n: int) -> Labels:
        return split_rows(y, n, seed=self.seed)[0]

    def _affordable_rows(self, ids: Labels) -> Labels | None:
        """A part of the rows where `seconds` do not allow the fewest epochs on all; else None."""
        if self.epochs or not (self.rate and self.seconds):
            return None
        allowed = max(self.FEWEST_ROWS, int(self.seconds * self.rate / self.FEWEST_EPOCHS))
        return self._part(ids, allowed) if allowed < len(ids) else None

    def _batch(self, y: Labels) -> int:
        return int(self.batch_size or 0) or (64 if len(y) < 4000 else 128)

    def _epochs(self, y: Labels) -> int:
        wanted = max(self.LEAST_EPOCHS, -(-self.LEAST_STEPS * self._batch(y) // len(y)))
        if self.rate and self.seconds:
            allowed = int(self.seconds * self.rate / len(y))
            wanted = min(wanted, max(self.FEWEST_EPOCHS, allowed))
        return int(self.epochs or wanted)

    def _train(
        self,
        X: Array,
        y: Labels,
        weight: Any,
        step_sizes: Sequence[float],
        epochs: int,
        label: str,
    ) -> Bank:
        bank = train_bank(
            X,
            y,
            {"hard": one_hot(y, int(y.max()) + 1)},
            [Student(self.width, seed=self.seed, step_size=step_size) for step_size in step_sizes],
            sample_weight=weight,
            epochs=epochs,
            batch_size=self._batch(y),
            momentum=self.momentum,
            schedule="cosine",
            progress_label=label,
        )
        if bank.interrupted:
            raise KeyboardInterrupt
        return bank

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, shape (N, K)."""
        return self.network.predict_proba(X).astype(np.float64)


class KernelTeacher:
    """Support-vector machines on the limiting kernel, calibrated on scores out of fold.

    Two classes: a sigmoid of the score (Platt 1999). More: one machine for each class against the
    rest, and the softmax of their scores at the temperature of least log loss. (On digits, 1,000
    rows: log loss 0.09 on fresh rows; one machine for every two classes and a logistic regression
    on their scores had 0.23 at best.)

    Parameters
    ----------
    C : float
        Penalty of a violated margin.
    folds : int
        Folds of the calibration.

    Notes
    -----
    It holds an n x n kernel and, while it is calibrated, parts of it: 16 n² bytes, asked for before
    they are computed.
    """

    BYTES_A_PAIR = 16
    MOST_STEPS = (
        10_000_000  # of a machine: as LIBSVM itself has it; for scikit-learn there is no end
    )
    ROWS_AT_A_TIME = 1024  # of predictions: one block of the kernel between new and own rows

    def __init__(self, C: float = 10.0, *, folds: int = 3) -> None:
        self.C, self.folds = C, folds

    def fit(self, X: Array, y: Labels) -> KernelTeacher:
        """Learn from rows and labels.

        Raises
        ------
        ArgumentError
            Malformed rows or labels, labels of one class only, or a class with a single row.
        MemoryLimitError
            If the kernel matrix does not fit; the message says how much is needed.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.model_selection import cross_val_predict
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.svm import SVC

        C = check_number("C", self.C, low=0, open_low=True)
        most_folds = check_integer("folds", self.folds, low=2)
        X = check_matrix("X", X)
        self.classes_, ids = _as_ids(y, len(X))
        what, needed = f"a kernel teacher of {len(X)} rows", self.BYTES_A_PAIR * len(X) ** 2
        check_memory(what, needed, wish="a wide teacher needs far less")
        folds = int(min(most_folds, np.bincount(ids).min()))
        if folds < 2:
            raise ArgumentError("y", f"{len(ids)} rows", "has a class with a single row.")
        machine = SVC(kernel="precomputed", C=C, max_iter=self.MOST_STEPS)
        if len(self.classes_) > 2:
            machine = OneVsRestClassifier(machine)
        K = limiting_kernel(X)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                scores = cross_val_predict(machine, K, ids, cv=folds, method="decision_function")
                self.X, self.machine = X, machine.fit(K, ids)
            except ConvergenceWarning:
                wish = f"has rows that a kernel teacher cannot tell apart in {self.MOST_STEPS:,} steps: rows of unit norm, or a smaller `C`, would do."
                raise ArgumentError("X", X, wish) from None
        self.calibrate = _sigmoid(scores, ids) if scores.ndim == 1 else _softmax(scores, ids)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, shape (N, K)."""
        X = check_features(X, self.X.shape[1], self.X.dtype)
        blocks = np.array_split(X, -(-len(X) // self.ROWS_AT_A_TIME))
        kernels = (limiting_kernel(block, self.X) for block in blocks)
        scores = [self.machine.decision_function(K) for K in kernels]
        return self.calibrate(np.concatenate(scores))


def _sigmoid(scores: Array, ids: Labels) -> Callable[[Array], Array]:
    """Probabilities (N, 2) from scores (N,), as Platt fits them.

    The targets are not 0 and 1 but 1/(n0 + 2) and (n1 + 1)/(n1 + 2), which keeps scores that
    separate the classes from being trusted without end.
    """
    from sklearn.linear_model import LogisticRegression

    n0, n1 = np.bincount(ids, minlength=2)
    target = np.where(ids == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    twice, sides = np.tile(scores, 2)[:, None], np.repeat([1, 0], len(scores))
    weights = np.concatenate([target, 1 - target])
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(twice, sides, sample_weight=weights)
    return partial(_through, fitted)


def _through(fitted: Any, scores: Array) -> Array:
    return np.asarray(fitted.predict_proba(scores[:, None]))


def _softmax(scores: Array, ids: Labels) -> Callable[[Array], Array]:
    """Probabilities (N, K) from scores (N, K): their softmax at the best temperature."""
    temperature = fit_temperature(softmax(scores, axis=1), ids)
    return partial(_tempered, temperature)


def _tempered(temperature: float, scores: Array) -> Array:
    return np.asarray(softmax(scores / temperature, axis=1))


def _as_ids(y: Any, n: int) -> tuple[np.ndarray[Any, Any], Labels]:
    """The sorted classes of the labels of n rows, and each label's place among them."""
    wish = "must be a vector of labels of one kind."
    try:
        labels = np.asarray(y)
    except ValueError:  # rows of unequal length
        raise ArgumentError("y", y, wish) from None
    if labels.ndim != 1 or len(labels) == 0:
        raise ArgumentError("y", labels, "must be a non-empty vector of labels.")
    check_same_length("y", labels, "X", n)  # before anything looks at labels only declared
    try:
        classes, ids = np.unique(labels, return_inverse=True)
    except TypeError:  # labels that cannot be sorted
        raise ArgumentError("y", y, wish) from None
    if len(classes) < 2:
        wish = "has one class only: a teacher has nothing to tell apart."
        raise ArgumentError("y", f"{len(labels)} rows", wish)
    return classes, ids


TEACHERS: dict[str, Callable[[], Teacher]] = {"wide": WideTeacher, "kernel": KernelTeacher}


def make_teacher(name: str, *, seconds: float | None = None) -> Teacher:
    """The built-in teacher called `name`, untrained; `seconds` that a fit may take where it can tell."""
    teacher = TEACHERS[check_choice("teacher", name, TEACHERS)]()
    if isinstance(teacher, WideTeacher):
        teacher.seconds = seconds
    return teacher
