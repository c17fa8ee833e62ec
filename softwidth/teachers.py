"""Teachers: a wide network, the limiting kernel, any classifier with ``predict_proba``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from softwidth._checks import ArgumentError, MemoryLimitError, check_choice
from softwidth._types import Array, Labels
from softwidth.bank import Bank
from softwidth.kernels import limiting_kernel
from softwidth.labels import one_hot
from softwidth.network import Network
from softwidth.specs import Student
from softwidth.tasks import split_rows
from softwidth.training import train_bank


class Teacher(Protocol):
    """Anything with scikit-learn's two methods."""

    def fit(self, X: Array, y: Labels) -> Any:
        """Learn from rows and class ids."""

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, shape (N, K)."""


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
        How long a fit may take: fewer epochs where that is too short, but at least two.
    seed : int
    """

    LEAST_STEPS, LEAST_EPOCHS = 2000, 10
    STEP_SIZES = (3.16, 10.0, 31.6, 100.0, 316.0)
    TUNING_ROWS = 4000

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

    def fit(self, X: Array, y: Labels) -> WideTeacher:
        """Train on rows and class ids ``0 .. K-1``."""
        tuned = self if self.step_size else self.tune(X, y)
        bank = tuned._train(X, y, [tuned.step_size or 0], tuned._epochs(y), "training the teacher")
        self.network: Network = bank.networks[0]
        return self

    def tune(self, X: Array, y: Labels) -> WideTeacher:
        """A copy with the step size of least log loss on rows set apart, and its rate of work.

        On at most `TUNING_ROWS` rows and for at most twice the least epochs: enough to tell half
        decades apart.
        """
        part = np.arange(len(y)) if len(y) <= self.TUNING_ROWS else self._part(y, self.TUNING_ROWS)
        judge = self._part(y[part], max(len(part) // 5, len(np.unique(y))))
        learn = np.setdiff1d(np.arange(len(part)), judge)
        own = y[part][learn]
        few = len(y) <= self.TUNING_ROWS
        epochs = self._epochs(own) if few else min(self._epochs(own), 2 * self.LEAST_EPOCHS)
        bank = self._train(X[part][learn], own, self.STEP_SIZES, epochs, "tuning the teacher")
        losses = bank.evaluate(X[part][judge], y[part][judge])["log_loss"]
        best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
        tuned = copy.copy(self)
        tuned.step_size = self.STEP_SIZES[best]
        tuned.rate = len(own) * epochs * len(self.STEP_SIZES) / bank.seconds
        return tuned

    def _part(self, y: Labels, n: int) -> Labels:
        return split_rows(y, n, seed=self.seed)[0]

    def _batch(self, y: Labels) -> int:
        return self.batch_size or (64 if len(y) < 4000 else 128)

    def _epochs(self, y: Labels) -> int:
        wanted = max(self.LEAST_EPOCHS, -(-self.LEAST_STEPS * self._batch(y) // len(y)))
        if self.rate and self.seconds:
            wanted = min(wanted, max(2, int(self.seconds * self.rate / len(y))))
        return self.epochs or wanted

    def _train(
        self, X: Array, y: Labels, step_sizes: Sequence[float], epochs: int, label: str
    ) -> Bank:
        bank = train_bank(
            X,
            y,
            {"hard": one_hot(y, int(y.max()) + 1)},
            [Student(self.width, seed=self.seed, step_size=step_size) for step_size in step_sizes],
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
    """A support-vector machine on the limiting kernel with sigmoid calibration (Platt 1999).

    Parameters
    ----------
    C : float
        Penalty of a violated margin.
    folds : int
        Folds of the calibration.

    Notes
    -----
    It holds an n x n kernel: 8 n² bytes, asked for before it is computed.
    """

    def __init__(self, C: float = 10.0, *, folds: int = 3) -> None:
        self.C, self.folds = C, folds

    def fit(self, X: Array, y: Labels) -> KernelTeacher:
        """Learn from rows and class ids.

        Raises
        ------
        MemoryLimitError
            If the kernel matrix does not fit; the message says how much is needed.
        """
        import psutil
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_predict
        from sklearn.svm import SVC

        needed, free = 16 * len(X) ** 2, psutil.virtual_memory().available
        if needed > free:
            raise MemoryLimitError(
                f"a kernel teacher of {len(X)} rows needs {needed / 2**30:.1f} GiB and "
                f"{free / 2**30:.1f} GiB are free; use --teacher wide."
            )
        folds = int(min(self.folds, np.bincount(y)[np.unique(y)].min()))
        if folds < 2:
            raise ArgumentError("y", f"{len(y)} rows", "has a class with a single row.")
        K, machine = limiting_kernel(X), SVC(kernel="precomputed", C=self.C)
        scores = cross_val_predict(machine, K, y, cv=folds, method="decision_function")
        self.X, self.classes_ = X, np.unique(y)
        self.machine = machine.fit(K, y)
        self.sigmoid = LogisticRegression(C=1e6).fit(_columns(scores), y)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, shape (N, K)."""
        scores = self.machine.decision_function(limiting_kernel(X, self.X))
        return np.asarray(self.sigmoid.predict_proba(_columns(scores)))


def _columns(scores: Array) -> Array:
    return scores.reshape(len(scores), -1)


TEACHERS: dict[str, Callable[[], Teacher]] = {"wide": WideTeacher, "kernel": KernelTeacher}


def make_teacher(name: str, *, seconds: float | None = None) -> Teacher:
    """The built-in teacher called `name`, untrained; `seconds` that a fit may take where it can tell."""
    teacher = TEACHERS[check_choice("teacher", name, TEACHERS)]()
    if isinstance(teacher, WideTeacher):
        teacher.seconds = seconds
    return teacher
