"""The students of a plan: what they learn from, how they are trained, what they do on held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from softwidth._mapped import take_rows
from softwidth._types import Array, Labels
from softwidth.balance import Shares, balanced_shares
from softwidth.bank import Bank, log_likelihoods, stacked_logits
from softwidth.calibration import calibration_bins, expected_calibration_error
from softwidth.distributions import entropy
from softwidth.examples import Examples
from softwidth.labels import Targets, make_targets
from softwidth.least_width import by_row
from softwidth.network import Network, with_bias_column
from softwidth.specs import Student
from softwidth.tasks import split_rows
from softwidth.training import train_bank

KINDS = ("hard", "soft", "argmax")  # `argmax` tells softness from better labels
LOSS_OF = {"error": "error", "balanced": "error", "kl": "kl"}  # by row, of each metric
MOMENTUM, SCHEDULE = 0.9, "cosine"
CHUNK_BYTES = 2**26  # of the predictions that are looked at together
LEAST_LIKELY = np.log(1e-15)  # a probability of 0 would make one row outweigh all others


@dataclass(frozen=True, eq=False)
class Rows:
    """Held-out rows, with soft labels (N, K) where there are some.

    They come in runs of `draws` draws of the noise on one row. `weight` (N,) is what each counts
    for; without it all count alike.
    """

    X: Array  # (N, D)
    y: Labels
    P: Array | None = None
    draws: int = 1
    weight: Array | None = None

    def shares(self, metric: str) -> Shares | None:
        """What a row, all its draws together, counts for in a metric; None where all count alike."""
        weight = None if self.weight is None else self.weight[:: self.draws]
        if metric == "balanced":
            return balanced_shares(self.y[:: self.draws], weight)
        return None if weight is None else Shares(weight / weight.sum())


@dataclass(frozen=True, eq=False)
class Task:
    """What the students of a plan learn from, the rows that choose between them, and the others.

    `weight` (N,) is what a row counts for in training, `factors` (K,) what a vote for a class does.
    """

    X: Array  # (N, D)
    y: Labels
    soft: Array  # (N, K)
    validation: Rows
    test: Rows
    weight: Array | None = None
    factors: Array | None = None

    @property
    def targets(self) -> dict[str, Targets]:
        """What each label kind trains on, before classes are weighed."""
        K = self.soft.shape[1]
        return {kind: make_targets(kind, self.y, self.soft, n_classes=K) for kind in KINDS}

    @property
    def lessons(self) -> list[tuple[dict[str, Any], Array | None]]:
        """What each label kind trains on and its rows' weights, by kinds that share the weights.

        A vote for class k weighs ``c_k``, so that with soft labels ``p`` the best prediction is
        proportional to ``c_k p_k``: hard labels of weighed rows lead to the same.
        """
        if self.factors is None:
            return [(dict(self.targets), self.weight)]
        weight = np.ones(len(self.y)) if self.weight is None else self.weight
        weighed = {
            kind: Examples(self.X, of_kind.P, weight).with_class_weights(self.factors)
            for kind, of_kind in self.targets.items()
        }
        return [({kind: examples.P}, examples.weight) for kind, examples in weighed.items()]


@dataclass(frozen=True, eq=False)
class Seen:
    """What one student says of some rows.

    Attributes
    ----------
    losses : dict of str to ndarray, shape (rows,)
        Means over a row's draws: ``error`` and, where there are soft labels, ``kl`` in nats.
    means : dict of str to float
        Of the rows as they weigh: ``error``, ``balanced`` (mean over classes of the error on each),
        ``log_loss`` in nats, ``brier`` (sum over classes), ``ece`` and, where there are soft
        labels, ``kl``, ``manhattan`` (sum over classes) and ``entropy_correlation``.
    bins : ndarray, shape (bins, 3)
        As `calibration.calibration_bins`.
    alike : bool
        All rows got one answer, as from a student whose neurons have all died.
    """

    losses: dict[str, Array]
    means: dict[str, float]
    bins: Array
    alike: bool = False


@dataclass(frozen=True, eq=False)
class Trial:
    """One trained student.

    Its step size was too large if its weights are no numbers, or if it gives all validation rows one
    answer: on hard tasks the dead make fewer mistakes than others, and would pass for the best.
    """

    student: Student
    diverged: bool
    validation: Seen
    test: Seen  # reported, and never chosen by
    curve: dict[str, Array]  # cross_entropy, kl, error by epoch
    seconds: float  # its share of its bank's

    def score(self, metric: str = "error") -> tuple[float, float]:
        """Mean validation loss, then log loss."""
        if self.diverged:
            return (np.inf if metric == "kl" else 1.0), np.inf
        return self.validation.means[metric], self.validation.means["log_loss"]


@dataclass(frozen=True)
class Setting:
    """How all students of a plan are trained."""

    rows: int
    epochs: int
    batch_size: int
    tuning_seeds: int  # students per step size; the other seeds are trained at the chosen one only
    bias: bool = False  # hidden and output biases, trained; theorems speak of students without


def with_rows(task: Task, rows: int, seed: int) -> Task:
    """The task on so many of its rows, stratified."""
    if rows == len(task.y):
        return task
    chosen, _ = split_rows(task.y, rows, seed=seed, name="budget")
    weight = None if task.weight is None else task.weight[chosen]
    return replace(
        task, X=take_rows(task.X, chosen), y=task.y[chosen], soft=task.soft[chosen], weight=weight
    )


def train(task: Task, students: list[Student], setting: Setting, label: str | None) -> list[Trial]:
    """Train students of a plan and look at them on the held-out rows."""
    return [
        trial for bank in _banks(task, students, setting, label) for trial in _trials(bank, task)
    ]


def trained(
    task: Task, students: list[Student], setting: Setting, label: str | None
) -> dict[Student, Network]:
    """The networks of students of a plan."""
    banks = _banks(task, students, setting, label)
    return {s: n for bank in banks for s, n in zip(bank.students, bank.networks, strict=True)}


def _banks(
    task: Task, students: list[Student], setting: Setting, label: str | None
) -> Iterator[Bank]:
    """The students trained, those whose rows weigh the same together."""
    for targets, weight in task.lessons:
        own = [student for student in students if student.labels in targets]
        if own:
            yield _bank(task, targets, weight, own, setting, label)


def _bank(
    task: Task,
    targets: Mapping[str, Any],
    weight: Array | None,
    students: list[Student],
    setting: Setting,
    label: str | None,
) -> Bank:
    bank = train_bank(
        task.X,
        task.y,
        targets,
        students,
        sample_weight=weight,
        epochs=setting.epochs,
        batch_size=setting.batch_size,
        momentum=MOMENTUM,
        schedule=SCHEDULE,
        bias=setting.bias,
        progress_label=label,
    )
    if bank.interrupted:
        raise KeyboardInterrupt
    return bank


def _trials(bank: Bank, task: Task) -> Iterator[Trial]:
    curves = {m: bank.epoch_means(m).astype(np.float32) for m in ("cross_entropy", "kl", "error")}
    seen = {name: list(_look(bank, rows)) for name, rows in vars(task).items() if isinstance(rows, Rows)}  # fmt: skip
    neurons = sum(student.width for student in bank.students)
    for m, student in enumerate(bank.students):
        validation, test = seen["validation"][m], seen["test"][m]
        unknown = not np.isfinite(validation.means["log_loss"])
        yield Trial(
            student,
            bank.status[m] == "diverged" or unknown or validation.alike,
            validation,
            test,
            {name: curve[m] for name, curve in curves.items()},
            bank.seconds * student.width / neurons,
        )


def _look(bank: Bank, rows: Rows) -> Iterator[Seen]:
    """What every student of a bank says of some rows."""
    K = bank.n_classes
    size = max(1, CHUNK_BYTES // (16 * len(rows.X) * K))
    X = with_bias_column(rows.X, bank.networks[0].bias)
    for start in range(0, len(bank), size):
        members = range(start, min(start + size, len(bank)))
        logits = stacked_logits([bank.networks[m] for m in members], X)
        for m, log_q in zip(members, log_likelihoods(logits.astype(np.float64)), strict=True):
            yield look(log_q, rows, gone=bank.status[m] == "diverged")


def look(log_q: Array, rows: Rows, *, gone: bool = False) -> Seen:
    """Losses and calibration of log probabilities (N, K) on some rows.

    A student that diverged (`gone`) knows nothing: it is wrong on every row.
    """
    gone = gone or bool(np.isnan(log_q).any())
    log_q = np.maximum(np.nan_to_num(log_q, nan=LEAST_LIKELY), LEAST_LIKELY)
    own = log_q[np.arange(len(rows.y)), rows.y]
    q = np.exp(log_q)
    wrong = (q.argmax(axis=1) != rows.y) | gone
    mean = partial(np.average, weights=rows.weight)
    losses = {"error": wrong}
    means = {
        "log_loss": np.inf if gone else float(-mean(own)),
        "brier": float(mean(np.sum(q**2, axis=1) - 2 * np.exp(own) + 1)),
        "ece": expected_calibration_error(q, rows.y, weight=rows.weight),
    }
    if rows.P is not None:
        losses["kl"] = -np.einsum("nk,nk->n", rows.P, log_q) - entropy(rows.P)
        means |= {
            "kl": float(mean(losses["kl"])),
            "manhattan": float(mean(abs(rows.P - q).sum(axis=1))),
            "entropy_correlation": _correlation(entropy(rows.P), entropy(q), mean),
        }
    by_class = balanced_shares(rows.y, rows.weight)
    means |= {"error": float(mean(wrong)), "balanced": by_class.mean(wrong)}
    small = {name: by_row(loss, rows.draws).astype(np.float32) for name, loss in losses.items()}
    alike = len(log_q) > 1 and bool((log_q == log_q[0]).all())
    return Seen(small, means, calibration_bins(q, rows.y, weight=rows.weight), alike)


def _correlation(a: Array, b: Array, mean: Callable[[Array], float]) -> float:
    """Pearson's, 0 where one of them does not vary."""
    a, b = a - mean(a), b - mean(b)
    spread = np.sqrt(mean(a**2) * mean(b**2))
    return float(mean(a * b) / spread) if spread > 1e-12 else 0.0
