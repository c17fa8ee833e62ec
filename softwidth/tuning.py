"""Students of every label kind at some widths, each with the step size that validation rows choose.

All label kinds get the same seeds, steps, rows and rules: a coarse grid first, then the neighbours
of the best step size until the best one has a worse neighbour, half a decade away, on either side.
Where neighbouring widths have been tuned, their step sizes and the neighbours of these are the grid.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from softwidth._types import Width
from softwidth.pace import Pace, default_batch, default_epochs
from softwidth.plan_spec import PlanSpec
from softwidth.specs import Student
from softwidth.trainer import Combination, Trainer, bank_work
from softwidth.trials import KINDS, Rows, Setting, Task, train, with_rows

STEPS_PER_DECADE = 2
TUNING_SEEDS = 3  # fewer before epochs are
EXTRA_STEPS = 3.0  # neighbours tried, on average: room left for them in the budget
MEASURED_STEPS = 50
FEWEST_EPOCHS = 3  # before rows are left out instead
FEWEST_ROWS = 1000  # whatever the budget: fewer would say nothing
USABLE = 0.8  # of the room that is planned with, at most: speed is known from one bank only
COARSE = (
    0.5  # of the seconds left for the first round, if this is enough: the rest is for the search
)

# Of so many epochs of so many students of each width, in the unit of `Pace`.
Work = Callable[[float, Mapping[Width, float]], float]


def tune(trainer: Trainer, spec: PlanSpec, widths: Sequence[Width]) -> None:
    """Train all label kinds at these widths, `spec.seeds` each, at step sizes chosen on the way.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    """
    tuner = _Tuner(trainer, spec, widths)
    tuner.try_steps({combination: tuner.grid(combination) for combination in tuner.combinations})
    while pending := tuner.neighbours():
        tuner.try_steps(pending)
    add_seeds(trainer, dict.fromkeys(widths, spec.seeds), "training the other seeds")


def add_seeds(trainer: Trainer, wanted: Mapping[Width, int], label: str) -> None:
    """Train so many seeds in all of every label kind, by width, at the chosen step sizes.

    Seed by seed, so that what no longer fits into the budget are the last seeds of all.
    """
    tuned = trainer.tuned
    chosen = {(k, w): tuned.step_size((k, w)) for w in wanted for k in KINDS}
    students = [
        Student(width, seed, kind, step_size)
        for seed in range(max(wanted.values(), default=0))
        for (kind, width), step_size in chosen.items()
        if seed < wanted[width] and seed not in tuned.tried[kind, width][step_size]
    ]
    trainer.train(students, label, all_of_them=False)


class _Tuner:
    def __init__(self, trainer: Trainer, spec: PlanSpec, widths: Sequence[Width]) -> None:
        self.trainer, self.spec, self.tuned = trainer, spec, trainer.tuned
        self.first_seeds = range(trainer.tuned.setting.tuning_seeds)
        self.combinations = [(kind, width) for kind in KINDS for width in widths]
        self.tuned_widths = [width for width in self.tuned.widths if width not in widths]

    def grid(self, combination: Combination) -> list[float]:
        """Step sizes to begin with."""
        if self.spec.step_sizes or not self.tuned_widths:
            return list(first_steps(self.spec))
        kind, width = combination
        below = [w for w in self.tuned_widths if w < width][-1:]
        above = [w for w in self.tuned_widths if w > width][:1]
        best = {self.tuned.step_size((kind, w)) for w in below + above}
        near = {_next_step(step, by) for step in best for by in (-1, 1)}
        return sorted(step for step in best | near if self._allowed(step))

    def try_steps(self, pending: Mapping[Combination, Sequence[float]]) -> None:
        """Train the pending step sizes with the first seeds."""
        students = [
            Student(width, seed, kind, step_size)
            for (kind, width), step_sizes in pending.items()
            for step_size in step_sizes
            for seed in self.first_seeds
        ]
        self.trainer.train(students, "choosing step sizes")

    def neighbours(self) -> dict[Combination, list[float]]:
        """Untried neighbours of the best step size of every combination."""
        if self.spec.step_sizes is not None:
            return {}
        pending = {c: steps for c in self.combinations if (steps := self._untried(c))}
        seeds, more = len(self.first_seeds), self.spec.seeds - len(self.first_seeds)
        wanted: Counter[Width] = Counter()
        for _, width in self.combinations:
            wanted[width] += more
        for (_, width), steps in pending.items():
            wanted[width] += seeds * len(steps)
        trainer = self.trainer
        if pending and trainer.pace.needed(trainer.work_at(wanted)) > trainer.pace.room:
            self.tuned.warnings.append(
                f"The budget ended the search for step sizes: {len(pending)} of "
                f"{len(self.combinations)} curve points have a neighbour that was not tried."
            )
            return {}
        return pending

    def _untried(self, combination: Combination) -> list[float]:
        scores, best = self.tuned.scores(combination), self.tuned.step_size(combination)
        near = [_next_step(best, -1), _next_step(best, 1)]
        return [step for step in near if step not in scores and self._allowed(step)]

    def _allowed(self, step_size: float) -> bool:
        low, high = self.spec.step_limits
        return low <= step_size <= high


def _next_step(step_size: float, by: int) -> float:
    """The step size `by` places further on the grid of whole fractions of a decade.

    >>> _next_step(10.0, 1), _next_step(31.6, -1)
    (31.6, 10.0)
    """
    place = round(STEPS_PER_DECADE * np.log10(step_size)) + by
    return float(f"{10 ** (place / STEPS_PER_DECADE):.3g}")


def choose_setting(task: Task, spec: PlanSpec, pace: Pace) -> tuple[Setting, list[str]]:
    """The setting of a plan whose students are trained in banks."""
    batch = default_batch(len(task.y))
    _measure(task, spec, pace, batch)
    return fit_setting(len(task.y), batch, spec, pace, partial(bank_work, task))


def fit_setting(
    N: int, batch: int, spec: PlanSpec, pace: Pace, work: Work
) -> tuple[Setting, list[str]]:
    """Tuning seeds, epochs and if need be rows that fit into the budget, in this order."""
    wanted = spec.epochs or default_epochs(N)
    most = min(TUNING_SEEDS, spec.seeds)
    for share, seeds in [*((COARSE, s) for s in range(most, 0, -1)), (USABLE, 1)]:
        counts = first_students(spec, seeds)
        if pace.needed(work(wanted, counts)) <= share * pace.room:
            return Setting(N, wanted, batch, seeds, spec.bias), []
    # What one epoch on one row takes of what is affordable once all students are looked at.
    looking = work(0, counts)
    epoch = work(1, counts) - looking
    affordable = pace.affordable(USABLE * pace.room) - looking
    epochs = int(affordable / epoch)
    if epochs >= FEWEST_EPOCHS:
        told = f"The budget allows {epochs} of {wanted} epochs: widths may come out too large."
        return Setting(N, epochs, batch, 1, spec.bias), [told]
    rows = min(N, max(int(affordable * N / (epoch * FEWEST_EPOCHS)), FEWEST_ROWS))
    needed = pace.needed(work(wanted, counts)) / USABLE + spec.budget - pace.room
    told = (
        f"The budget allows {FEWEST_EPOCHS} epochs on {rows:,} of the {N:,} students' rows only: a "
        f"rough answer; --budget {needed:.0f} would do."
    )
    return Setting(rows, FEWEST_EPOCHS, batch, 1, spec.bias), [told]


def first_steps(spec: PlanSpec) -> tuple[float, ...]:
    """Step sizes that a plan begins with."""
    return spec.step_sizes or spec.coarse_steps


def usual_steps(spec: PlanSpec) -> float:
    """Step sizes tried for every label kind and width, on average."""
    return len(first_steps(spec)) + (0.0 if spec.step_sizes else EXTRA_STEPS)


def first_students(spec: PlanSpec, tuning_seeds: int) -> dict[Width, float]:
    """Number of all students of the first round by width, as far as one can tell."""
    students = (tuning_seeds * usual_steps(spec) + spec.seeds - tuning_seeds) * len(KINDS)
    return dict.fromkeys(spec.first_widths, students)


def _some(rows: Rows, n: int = 200) -> Rows:
    """A few held-out rows: looking at all of them takes longer than the epoch that is timed."""
    P, weight = (None if a is None else a[:n] for a in (rows.P, rows.weight))
    return Rows(rows.X[:n], rows.y[:n], P, weight=weight)


def _measure(task: Task, spec: PlanSpec, pace: Pace, batch: int) -> None:
    """Time an epoch of a bank like those to come on some rows, once compiled."""
    if pace.recall("compiling") and pace.recall("measuring the pace"):
        return
    students = [Student(w, s, kind) for kind in KINDS for w in spec.first_widths for s in range(3)]
    rows = min(len(task.y), 64 * batch)
    few = replace(
        with_rows(task, rows, spec.seed), validation=_some(task.validation), test=_some(task.test)
    )
    began = time.monotonic()
    train(few, students[:1], Setting(rows, 1, batch, 1, spec.bias), None)
    pace.note("compiling", time.monotonic() - began)
    began = time.monotonic()
    epochs = max(1, MEASURED_STEPS * batch // rows)
    train(few, students, Setting(rows, epochs, batch, 1, spec.bias), None)
    work = bank_work(few, epochs, Counter(student.width for student in students))
    pace.note("measuring the pace", time.monotonic() - began, work)
