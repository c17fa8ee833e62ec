"""Banks of a plan's students, one after the other, and everything that is known after each.

What a plan knows does not depend on who chose its banks: a search, an earlier run's list, or a
stored row give the same `Tuned`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Protocol

import numpy as np

from softwidth._types import Array, Width
from softwidth.pace import Pace
from softwidth.specs import Student
from softwidth.trials import KINDS, LOSS_OF, Setting, Task, Trial, train

LOOK, HEAD = 4000.0, 36.0  # see `work_of`
BANK_SHARE, SHORTEST_BANK = 0.04, 0.5  # of the budget, and seconds, that a bank is to take

Combination = tuple[str, Width]  # label kind and width
Packed = tuple[str, Width, float, int, int]  # label kind, width, step size, first and last seed


class Ledger(Protocol):
    """Where trained students are kept, and found again."""

    def known(self, students: Sequence[Student]) -> dict[Student, Trial]:
        """Those that have been trained before."""

    def keep(self, trials: Sequence[Trial]) -> list[Trial]:
        """Keep these, all or none; as they will be found again."""


@dataclass(eq=False)
class Tuned:
    """All students so far; those of a curve are the ones at the chosen step size.

    Attributes
    ----------
    setting : Setting
    metric : {"error", "balanced", "kl"}
        The validation loss that chooses.
    tried : dict of (label kind, width) to dict of step size to dict of seed to Trial
    rounds : list of list of list of Packed
        The banks of every round, in the order in which they were trained.
    warnings : list of str
    """

    setting: Setting
    metric: str = "error"
    tried: dict[Combination, dict[float, dict[int, Trial]]] = field(default_factory=dict)
    rounds: list[list[list[Packed]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, trials: Iterable[Trial]) -> None:
        """Take in trained students."""
        for trial in trials:
            student = trial.student
            of_step = self.tried.setdefault((student.labels, student.width), {})
            of_step.setdefault(student.step_size, {})[student.seed] = trial

    def scores(self, combination: Combination) -> dict[float, tuple[float, float]]:
        """Validation loss and log loss of every step size, means over the first seeds."""
        first = range(self.setting.tuning_seeds)
        return {
            step: mean_score([trials[seed] for seed in first], self.metric)
            for step, trials in self.tried[combination].items()
            if all(seed in trials for seed in first)
        }

    def step_size(self, combination: Combination) -> float:
        """The step size of least validation loss; log loss decides between equals."""
        scores = self.scores(combination)
        return min(scores, key=scores.__getitem__)

    def trials(self, combination: Combination) -> list[Trial]:
        """The students at the chosen step size, as many for every label kind, by seed."""
        chosen = self.tried[combination][self.step_size(combination)]
        return [chosen[seed] for seed in self.seeds(combination[1])]

    def seeds(self, width: Width) -> list[int]:
        """Seeds that students of every label kind have at this width."""
        of_kinds = [self.tried[kind, width][self.step_size((kind, width))] for kind in KINDS]
        return sorted(set.intersection(*(set(trials) for trials in of_kinds)))

    @property
    def widths(self) -> tuple[Width, ...]:
        """All tried widths, rising."""
        return tuple(sorted({width for _, width in self.tried}))

    def losses(self, kind: str) -> list[Array]:
        """Validation losses by width, each (seeds, rows)."""
        of_row = LOSS_OF[self.metric]
        return [
            np.stack([trial.validation.losses[of_row] for trial in self.trials((kind, width))])
            for width in self.widths
        ]


class Trainer:
    """Trains what it is told to, notes what it took, and keeps every student.

    How students are made and what they cost (`made`, `work_at`) is a bank's here; whoever trains
    others has a trainer of his own that says these two otherwise.
    """

    def __init__(self, task: Task, tuned: Tuned, pace: Pace, ledger: Ledger | None = None) -> None:
        self.task, self.tuned, self.pace, self.ledger = task, tuned, pace, ledger

    def begin_round(self) -> None:
        """Banks from here on belong to a new round."""
        self.tuned.rounds.append([])

    def train(self, students: Sequence[Student], label: str, *, all_of_them: bool = True) -> None:
        """Train students in banks of some seconds each, so that little is lost and little overrun.

        Unless it must be `all_of_them`, banks that no longer fit into the budget are left out.
        """
        for bank in self._banks(students):
            if all_of_them or self.pace.needed(self.work(bank)) <= self.pace.room:
                self.train_bank(sorted(bank, key=_place), label)

    def _banks(self, students: Sequence[Student]) -> list[list[Student]]:
        """The students in their order, cut into banks of nearly equal work."""
        if not students:
            return []
        most = max(SHORTEST_BANK, BANK_SHARE * self.pace.budget)
        count = max(1, ceil(self.pace.needed(self.work(students)) / most))
        total, banks = self.work(students), [[students[0]]]
        done = self.work(students[:1])
        for student in students[1:]:
            if done >= len(banks) * total / count:
                banks.append([])
            banks[-1].append(student)
            done += self.work([student])
        return banks

    def train_bank(self, students: Sequence[Student], label: str) -> None:
        """Train one bank, but for students that are known already."""
        self.tuned.rounds[-1].append(pack(students))
        began = time.monotonic()
        known = {} if self.ledger is None else self.ledger.known(students)
        pending = [student for student in students if student not in known]
        trials = self.made(pending, label) if pending else []
        if self.ledger is not None and trials:
            trials = self.ledger.keep(_sharing(trials, time.monotonic() - began))
        found = known | {trial.student: trial for trial in trials}
        self.tuned.add(found[student] for student in students)
        earlier = sum(trial.seconds for trial in known.values())
        seconds = time.monotonic() - began
        self.pace.note(label, seconds, self.work(students), earlier=earlier)

    def made(self, students: Sequence[Student], label: str) -> list[Trial]:
        """These students, trained and looked at."""
        return train(self.task, list(students), self.tuned.setting, label)

    def work(self, students: Sequence[Student]) -> float:
        """What a bank of these takes, in the unit of `Pace`."""
        return self.work_at(Counter(student.width for student in students))

    def work_at(self, counts: Mapping[Width, float]) -> float:
        """What so many students of each width take."""
        return bank_work(self.task, self.tuned.setting.epochs, counts)


def bank_work(task: Task, epochs: float, counts: Mapping[Width, float]) -> float:
    """`work_of` so many students of each width."""
    neurons = sum(width * number for width, number in counts.items())
    return work_of(task, epochs, neurons, sum(counts.values()))


def work_of(task: Task, epochs: float, neurons: float, students: float) -> float:
    """Work of a bank in neurons x rows x epochs: a step costs the same for each, whatever the widths.

    Looking at a student costs the same whatever its width: beside a step's products it counts the
    more, the fewer features there are (measured: 0.4 us a held-out row and class pair, and 0.055 ns
    a feature, neuron and row).
    """
    held, K = len(task.validation.y) + len(task.test.y), task.soft.shape[1]
    look = LOOK * held * K / (task.X.shape[1] + HEAD)
    return neurons * len(task.y) * epochs + students * look


def pack(students: Sequence[Student]) -> list[Packed]:
    """Students in their order, those that differ by successive seeds in one entry.

    >>> pack([Student(4, seed, "soft", 1.0) for seed in range(3)])
    [('soft', 4, 1.0, 0, 2)]
    """
    packed: list[Packed] = []
    for student in students:
        same = (student.labels, student.width, student.step_size)
        if packed and packed[-1][:3] == same and packed[-1][4] == student.seed - 1:
            packed[-1] = (*same, packed[-1][3], student.seed)
        else:
            packed.append((*same, student.seed, student.seed))
    return packed


def unpack(packed: Iterable[Sequence[Any]]) -> list[Student]:
    """The students that `pack` has packed.

    >>> unpack([("soft", 4, 1.0, 1, 1)])
    [Student(width=4, seed=1, labels='soft', step_size=1.0, radius=inf, init='symmetric')]
    """
    return [
        Student(width, seed, kind, step_size)
        for kind, width, step_size, first, last in packed
        for seed in range(first, last + 1)
    ]


def _place(student: Student) -> tuple[int, Width, float, int]:
    """Where a student stands in its bank: those that `pack` puts in one entry side by side."""
    return KINDS.index(student.labels), student.width, student.step_size, student.seed


def _sharing(trials: Sequence[Trial], seconds: float) -> list[Trial]:
    """The trials, all that their bank took shared out among them."""
    scale = seconds / max(sum(trial.seconds for trial in trials), 1e-9)
    return [replace(trial, seconds=scale * trial.seconds) for trial in trials]


def mean_score(trials: Sequence[Trial], metric: str) -> tuple[float, float]:
    """Mean validation loss of some students, then their mean log loss, which decides between equals."""
    loss, log_loss = np.mean([trial.score(metric) for trial in trials], axis=0)
    return float(loss), float(log_loss)
