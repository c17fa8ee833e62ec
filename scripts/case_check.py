"""What a plan says, and the same from rows that it never saw, by students that it never trained.

The plan chose widths, label kinds and step sizes. Here new students (other seeds) learn from the
same rows at all of its widths and chosen step sizes, and answer for the other half of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from softwidth._types import Array
from softwidth.least_width import Decision, Gain, LeastWidth, Saving, decide
from softwidth.plan_record import Plan
from softwidth.resampling import middle, monotone, nested_draws
from softwidth.specs import Student
from softwidth.trials import KINDS, Rows, Trial, train

FIRST_SEED = 1_000_000  # no search comes near it
BANK_NEURONS = 20_000  # trained together


@dataclass(frozen=True, eq=False)
class Side:
    """Losses of students on some rows, and the decision that these make."""

    losses: dict[str, list[Array]]  # by kind and width, each (seeds, rows)
    decision: Decision

    def loss(self, kind: str, width: int) -> dict[str, Any]:
        """Mean loss at a width, with interval."""
        place = self.decision.widths.index(width)
        return _told(
            "loss", self.decision.errors[kind][place], self.decision.intervals[kind][place]
        )

    def difference(self, width: int) -> dict[str, Any]:
        """Loss with hard labels minus loss with soft ones at a width, paired."""
        place, hard, soft = self.decision.widths.index(width), *map(KINDS.index, ("hard", "soft"))
        drawn = self._means[:, hard, place] - self._means[:, soft, place]
        return _told("difference", drawn[0], middle(drawn[1:]))

    def excess(self, kind: str, width: int) -> dict[str, Any]:
        """Loss at a width above the best of any kind at the widest, as targets are set."""
        place = self.decision.widths.index(width)
        seeds = [cell.shape[0] for cell in self.losses[kind]]
        best = monotone(self._means, np.array(seeds, float))[:, :, -1].min(axis=1)
        drawn = self._means[:, KINDS.index(kind), place] - best
        return _told("excess", drawn[0], middle(drawn[1:]))

    @cached_property
    def _means(self) -> Array:
        cells = [np.stack(cell) for cell in zip(*(self.losses[k] for k in KINDS), strict=True)]
        return nested_draws(cells, self.decision.widths).means


def planned(found: Plan) -> Side:
    """The plan's own students on its validation rows."""
    return Side({kind: found.tuned.losses(kind) for kind in KINDS}, found.decision)


def held_out(found: Plan, rows: Rows, seeds: int) -> tuple[Side, dict[str, list[Trial]]]:
    """New students on rows that the plan never saw; and themselves by kind, width after width."""
    tuned, spec = found.tuned, found.spec
    task = replace(found.search.trainer.task, validation=rows, test=Rows(rows.X[:1], rows.y[:1]))
    students = [
        Student(width, FIRST_SEED + seed, kind, tuned.step_size((kind, width)))
        for width in tuned.widths
        for kind in KINDS
        for seed in range(seeds)
    ]
    trials = [
        trial
        for bank in _banks(students)
        for trial in train(task, bank, tuned.setting, "new students for the other half")
    ]
    of_kind = {kind: [t for t in trials if t.student.labels == kind] for kind in KINDS}
    losses = {
        kind: list(
            np.array([t.validation.losses[spec.metric] for t in own]).reshape(
                len(tuned.widths), seeds, -1
            )
        )
        for kind, own in of_kind.items()
    }
    decision = decide(
        losses,
        tuned.widths,
        tolerance=spec.tolerance,
        target_kinds=KINDS,
        between=not spec.fixed,
        seed=spec.seed,
    )
    return Side(losses, decision), of_kind


def _banks(students: Sequence[Student]) -> list[list[Student]]:
    """Whole banks of about `BANK_NEURONS`."""
    banks: list[list[Student]] = [[]]
    for student in students:
        if banks[-1] and sum(s.width for s in banks[-1]) + student.width > BANK_NEURONS:
            banks.append([])
        banks[-1].append(student)
    return banks


def inside(value: float | None, interval: Sequence[float | None]) -> bool:
    """Whether a least width or a saving lies in an interval; None is wider than all that were tried."""
    low, high, value = (np.inf if end is None else end for end in (*interval, value))
    return bool(low <= value <= high)


def verdict(said: Saving | Gain, seen: Saving | Gain) -> str:
    """Of advice: ``confirmed``, ``not confirmed``, ``contradicted``, or a difference that it ``missed``."""
    advice, later = (_sign(found) for found in (said, seen))
    if advice == later:
        return "confirmed"
    if advice == 0:
        return "missed"
    return "not confirmed" if later == 0 else "contradicted"


def _sign(found: Saving | Gain) -> int:
    """1: soft labels pay, -1: hard labels do better, 0: no measurable difference, or none that matters."""
    if isinstance(found, Gain):
        return int(np.sign(found.value)) if found.matters else 0
    low, high = found.interval
    return int(low > 1) - int(high < 1)


def width_fields(name: str, least: LeastWidth) -> dict[str, Any]:
    """A least width and its interval as fields of a table."""
    return _told(name, least.width, least.interval)


def saving_fields(name: str, saving: Saving) -> dict[str, Any]:
    """A saving and its interval as fields of a table."""
    return {**_told(name, saving.ratio, saving.interval), f"{name}_at_least": saving.at_least}


def gain_fields(name: str, gain: Gain) -> dict[str, Any]:
    """A gain at equal width and its interval as fields of a table."""
    return {**_told(name, gain.value, gain.interval), f"{name}_matters": gain.matters}


def prior_fields(guess: dict[str, Any] | None, measured: Saving) -> dict[str, Any]:
    """The guess before training, and whether the measured saving lies in it; empty without a guess."""
    if guess is None:
        return {**_told("prior", None, (None, None)), "prior_unlike": None, "prior_inside": None}
    return {
        **_told("prior", guess["saving"], guess["interval"]),
        "prior_unlike": " ".join(guess["unlike"]),
        "prior_inside": inside(measured.ratio, guess["interval"]),
    }


def _told(name: str, value: Any, interval: Any) -> dict[str, Any]:
    return {name: value, f"{name}_low": interval[0], f"{name}_high": interval[1]}
