"""Students of every label kind and width, each with the step size that validation rows choose.

All label kinds get the same seeds, steps, rows and rules: a coarse grid first, then the neighbours
of the best step size until the best one has a worse neighbour, half a decade away, on either side.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from softwidth.pace import Pace, default_batch, default_epochs
from softwidth.plan_spec import PlanSpec
from softwidth.specs import Student
from softwidth.trials import KINDS, Setting, Task, Trial, train, with_rows

STEP_SIZES = (1.0, 10.0, 100.0)
STEPS_PER_DECADE = 2
STEP_LIMITS = (0.01, 10000.0)
TUNING_SEEDS = 3  # fewer before epochs are
EXTRA_STEPS = 3.0  # neighbours tried, on average: room left for them in the budget
FEWEST_EPOCHS = 3  # before rows are left out instead
FEWEST_ROWS = 1000  # whatever the budget: fewer would say nothing
USABLE = 0.8  # of the seconds left that are planned with; the rest is for evaluation and the page

Combination = tuple[str, int]  # label kind and width


@dataclass(eq=False)
class Tuned:
    """The students at their chosen step sizes, and what was tried on the way."""

    setting: Setting
    trials: dict[Combination, list[Trial]] = field(default_factory=dict)
    scores: dict[Combination, dict[float, tuple[float, float]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def step_size(self, combination: Combination) -> float:
        """The step size of least validation error; log loss decides between equals."""
        scores = self.scores[combination]
        return min(scores, key=scores.__getitem__)

    def mistakes(self, kind: str, widths: Sequence[int]) -> np.ndarray[Any, Any]:
        """Validation mistakes of a label kind, shape (widths, seeds, N_val)."""
        return np.stack([[t.mistakes for t in self.trials[kind, width]] for width in widths])


def tune(task: Task, spec: PlanSpec, pace: Pace) -> Tuned:
    """Train all label kinds and widths of a plan within what is left of the budget.

    Parameters
    ----------
    task : Task
    spec : PlanSpec
    pace : Pace
        Gets to know what was spent.

    Returns
    -------
    Tuned

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    """
    setting, warnings = _setting(task, spec, pace)
    tuner = _Tuner(task, spec, pace, Tuned(setting, warnings=warnings))
    tuner.try_steps({combination: list(tuner.grid) for combination in tuner.combinations})
    while pending := tuner.neighbours():
        tuner.try_steps(pending)
    tuner.finish()
    return tuner.tuned


class _Tuner:
    def __init__(self, task: Task, spec: PlanSpec, pace: Pace, tuned: Tuned) -> None:
        self.spec, self.pace, self.tuned = spec, pace, tuned
        self.task = with_rows(task, tuned.setting.rows, spec.seed)
        self.grid = _grid(spec)
        self.first_seeds = range(tuned.setting.tuning_seeds)
        self.combinations = [(kind, width) for kind in KINDS for width in spec.widths]

    def try_steps(self, pending: Mapping[Combination, list[float]]) -> None:
        """Train the pending step sizes with the first seeds; keep the best students so far."""
        students = [
            Student(width, seed, kind, step_size)
            for (kind, width), step_sizes in pending.items()
            for step_size in step_sizes
            for seed in self.first_seeds
        ]
        trials = self._train(students, "choosing step sizes")
        for start in range(0, len(trials), len(self.first_seeds)):
            self._keep_if_best(trials[start : start + len(self.first_seeds)])

    def _keep_if_best(self, trials: list[Trial]) -> None:
        student = trials[0].student
        combination, step_size = (student.labels, student.width), student.step_size
        error, loss = np.mean([trial.score for trial in trials], axis=0)
        self.tuned.scores.setdefault(combination, {})[step_size] = (float(error), float(loss))
        if self.tuned.step_size(combination) == step_size:
            self.tuned.trials[combination] = trials

    def neighbours(self) -> dict[Combination, list[float]]:
        """Untried neighbours of the best step size of every combination."""
        if self.spec.step_sizes is not None:
            return {}
        pending = {c: steps for c in self.combinations if (steps := self._untried(c))}
        neurons = sum(width * len(steps) for (_, width), steps in pending.items())
        work = self._work(neurons * len(self.first_seeds) + self._neurons_to_finish())
        if pending and self.pace.needed(work) > USABLE * self.pace.left:
            self.tuned.warnings.append(
                f"The budget ended the search for step sizes: {len(pending)} of "
                f"{len(self.combinations)} curve points have a neighbour that was not tried."
            )
            return {}
        return pending

    def _untried(self, combination: Combination) -> list[float]:
        tried, best = self.tuned.scores[combination], self.tuned.step_size(combination)
        near = [_next_step(best, -1), _next_step(best, 1)]
        return [step for step in near if step not in tried and _allowed(step)]

    def _neurons_to_finish(self) -> int:
        more = self.spec.seeds - len(self.first_seeds)
        return more * sum(width for _, width in self.combinations)

    def finish(self) -> None:
        """Train the remaining seeds at the chosen step sizes."""
        students = [
            Student(width, seed, kind, self.tuned.step_size((kind, width)))
            for kind, width in self.combinations
            for seed in range(len(self.first_seeds), self.spec.seeds)
        ]
        for trial in self._train(students, "training the other seeds") if students else []:
            self.tuned.trials[trial.student.labels, trial.student.width].append(trial)

    def _train(self, students: list[Student], label: str) -> list[Trial]:
        began = time.monotonic()
        trials = train(self.task, students, self.tuned.setting, label)
        work = self._work(sum(student.width for student in students))
        self.pace.note(label, time.monotonic() - began, work)
        return trials

    def _work(self, neurons: int) -> float:
        return float(neurons) * len(self.task.y) * self.tuned.setting.epochs


def _next_step(step_size: float, by: int) -> float:
    """The step size `by` places further on the grid of whole fractions of a decade.

    >>> _next_step(10.0, 1), _next_step(31.6, -1)
    (31.6, 10.0)
    """
    place = round(STEPS_PER_DECADE * np.log10(step_size)) + by
    return float(f"{10 ** (place / STEPS_PER_DECADE):.3g}")


def _allowed(step_size: float) -> bool:
    return STEP_LIMITS[0] <= step_size <= STEP_LIMITS[1]


def _grid(spec: PlanSpec) -> tuple[float, ...]:
    return spec.step_sizes or STEP_SIZES


def _setting(task: Task, spec: PlanSpec, pace: Pace) -> tuple[Setting, list[str]]:
    """Tuning seeds, epochs and if need be rows that fit into the budget, in this order."""
    N = len(task.y)
    batch, wanted = default_batch(N), spec.epochs or default_epochs(N)
    _measure(task, spec, pace, batch)
    affordable = pace.affordable(USABLE * pace.left)  # rows x epochs x neurons
    for tuning_seeds in range(min(TUNING_SEEDS, spec.seeds), 0, -1):
        neurons = _neurons(spec, tuning_seeds)
        if affordable >= neurons * N * wanted:
            return Setting(N, wanted, batch, tuning_seeds), []
    epochs = int(affordable / (neurons * N))
    if epochs >= FEWEST_EPOCHS:
        told = f"The budget allows {epochs} of {wanted} epochs: widths may come out too large."
        return Setting(N, epochs, batch, 1), [told]
    rows = min(N, max(int(affordable / (neurons * FEWEST_EPOCHS)), FEWEST_ROWS))
    needed = pace.needed(_neurons(spec, 1) * N * wanted) / USABLE + spec.budget - pace.left
    told = (
        f"The budget allows {FEWEST_EPOCHS} epochs on {rows:,} of the {N:,} students' rows only: a "
        f"rough answer; --budget {needed:.0f} would do."
    )
    return Setting(rows, FEWEST_EPOCHS, batch, 1), [told]


def _neurons(spec: PlanSpec, tuning_seeds: int) -> float:
    """Neurons of all students that will be trained, as far as one can tell."""
    extra = 0.0 if spec.step_sizes else EXTRA_STEPS
    students = tuning_seeds * (len(_grid(spec)) + extra) + spec.seeds - tuning_seeds
    return students * sum(spec.widths) * len(KINDS)


def _measure(task: Task, spec: PlanSpec, pace: Pace, batch: int) -> None:
    """Time an epoch of a bank like those to come on some rows, once compiled."""
    students = [Student(w, s, kind) for kind in KINDS for w in spec.widths for s in range(3)]
    rows = min(len(task.y), 64 * batch)
    few = with_rows(task, rows, spec.seed)
    began = time.monotonic()
    train(few, students[:1], Setting(rows, 1, batch, 1), None)
    compiled = time.monotonic()
    train(few, students, Setting(rows, 1, batch, 1), None)
    pace.note("compiling", compiled - began)
    neurons = sum(student.width for student in students)
    pace.note("measuring the pace", time.monotonic() - compiled, float(neurons) * rows)
