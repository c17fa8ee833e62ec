"""The students of a plan: what they learn from, how they are trained, what they do on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from softwidth._types import Array, Labels
from softwidth.bank import Bank, measures, stacked_logits
from softwidth.labels import Targets, make_targets
from softwidth.network import Network
from softwidth.specs import Student
from softwidth.tasks import split_rows
from softwidth.training import train_bank

KINDS = ("hard", "soft", "argmax")  # `argmax` tells softness from better labels
MOMENTUM, SCHEDULE = 0.9, "cosine"


@dataclass(frozen=True, eq=False)
class Task:
    """What the students of a plan learn from, and the rows that choose between them."""

    X: Array  # (N, D)
    y: Labels
    soft: Array  # (N, K)
    X_val: Array
    y_val: Labels

    @property
    def targets(self) -> dict[str, Targets]:
        """What each label kind trains on."""
        K = self.soft.shape[1]
        return {kind: make_targets(kind, self.y, self.soft, n_classes=K) for kind in KINDS}


@dataclass(frozen=True, eq=False)
class Trial:
    """One trained student."""

    student: Student
    network: Network
    diverged: bool
    mistakes: np.ndarray[Any, Any]  # (N_val,) bool
    log_loss: float  # on validation rows, nats
    curve: dict[str, Array]  # cross_entropy, kl, error by epoch

    @property
    def score(self) -> tuple[float, float]:
        """Validation error, then log loss."""
        return float(self.mistakes.mean()), self.log_loss


@dataclass(frozen=True)
class Setting:
    """How all students of a plan are trained."""

    rows: int
    epochs: int
    batch_size: int
    tuning_seeds: int  # students per step size; the other seeds are trained at the chosen one only


def with_rows(task: Task, rows: int, seed: int) -> Task:
    """The task on so many of its rows, stratified."""
    if rows == len(task.y):
        return task
    chosen, _ = split_rows(task.y, rows, seed=seed, name="budget")
    return replace(task, X=task.X[chosen], y=task.y[chosen], soft=task.soft[chosen])


def train(task: Task, students: list[Student], setting: Setting, label: str | None) -> list[Trial]:
    """Train students of a plan and look at them on the validation rows."""
    bank = train_bank(
        task.X,
        task.y,
        task.targets,
        students,
        epochs=setting.epochs,
        batch_size=setting.batch_size,
        momentum=MOMENTUM,
        schedule=SCHEDULE,
        progress_label=label,
    )
    if bank.interrupted:
        raise KeyboardInterrupt
    return _trials(bank, task)


def _trials(bank: Bank, task: Task, chunk: int = 64) -> list[Trial]:
    curves = {m: bank.epoch_means(m).astype(np.float32) for m in ("cross_entropy", "kl", "error")}
    trials = []
    for start in range(0, len(bank), chunk):
        members = range(start, min(start + chunk, len(bank)))
        logits = stacked_logits([bank.networks[m] for m in members], task.X_val)
        losses = measures(logits, task.y_val)["log_loss"]
        wrong = predicted(logits) != task.y_val
        for m, loss, mistakes in zip(members, losses, wrong, strict=True):
            gone = bank.status[m] == "diverged" or not np.isfinite(loss)
            trials.append(
                Trial(
                    bank.students[m],
                    _own(bank.networks[m]),
                    gone,
                    mistakes | gone,  # a student that diverged knows nothing
                    np.inf if gone else float(loss),
                    {name: curve[m] for name, curve in curves.items()},
                )
            )
    return trials


def _own(network: Network) -> Network:
    """The network with weights of its own: a bank's are views that keep all of it alive."""
    return Network(
        network.W.copy(), network.A.copy(), network.b.copy(), network.scale, network.bias
    )


def predicted(logits: Array) -> Labels:
    """Class ids (S, N) from logits (S, N, C)."""
    if logits.shape[-1] == 1:
        return (logits[..., 0] > 0).astype(np.int64)
    return logits.argmax(axis=-1)
