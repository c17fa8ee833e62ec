"""Teachers: a wide network, the limiting kernel, any classifier with ``predict_proba``."""

from __future__ import annotations

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

    Its step size is chosen on rows set apart, from half decades, by least log loss.

    Parameters
    ----------
    width : int
        Neurons; the paper's teacher has 512.
    epochs : int or None
        ``None``: 10, and more where that is fewer than 3,000 steps.
    batch_size, momentum : int, float
        Its training, with a cosine schedule.
    step_size : float or None
        ``None``: what `tune` finds on the rows that it is fitted to.
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
        batch_size: int = 64,
        step_size: float | None = None,
        momentum: float = 0.9,
        seed: int = 0,
    ) -> None:
        self.width, self.epochs, self.batch_size = width, epochs, batch_size
        self.step_size, self.momentum, self.seed = step_size, momentum, seed

    def fit(self, X: Array, y: Labels) -> WideTeacher:
        """Train on rows and class ids ``0 .. K-1``."""
        step_size = self.step_size or self.tune(X, y).step_size or 0.0
        bank = self._train(X, y, [step_size], "training the teacher")
        self.network: Network = bank.networks[0]
        return self

    def tune(self, X: Array, y: Labels) -> WideTeacher:
        """A copy with the best of `STEP_SIZES` on a part of at most `TUNING_ROWS` rows."""
        part = np.arange(len(y)) if len(y) <= self.TUNING_ROWS else self._part(y, self.TUNING_ROWS)
        judge = self._part(y[part], max(len(part) // 5, len(np.unique(y))))
        learn = np.setdiff1d(np.arange(len(part)), judge)
        bank = self._train(X[part][learn], y[part][learn], self.STEP_SIZES, "tuning the teacher")
        losses = bank.evaluate(X[part][judge], y[part][judge])["log_loss"]
        best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
        return WideTeacher(
            self.width,
            epochs=self.epochs,
            batch_size=self.batch_size,
            step_size=self.STEP_SIZES[best],
            momentum=self.momentum,
            seed=self.seed,
        )

    def _part(self, y: Labels, n: int) -> Labels:
        return split_rows(y, n, seed=self.seed)[0]

    def _train(self, X: Array, y: Labels, step_sizes: Sequence[float], label: str) -> Bank:
        few = -(-self.LEAST_STEPS * self.batch_size // len(y))
        bank = train_bank(
            X,
            y,
            {"hard": one_hot(y, int(y.max()) + 1)},
            [Student(self.width, seed=self.seed, step_size=step_size) for step_size in step_sizes],
            epochs=self.epochs or max(self.LEAST_EPOCHS, few),
            batch_size=self.batch_size,
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


def make_teacher(name: str) -> Teacher:
    """The built-in teacher called `name`, untrained."""
    return TEACHERS[check_choice("teacher", name, TEACHERS)]()
