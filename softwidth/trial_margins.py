"""Certified margins of students' rows as trials of a sweep: made once, kept under the hash of their spec."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from softwidth._checks import check_integer, check_number
from softwidth.margins import margin
from softwidth.store import Row
from softwidth.trial_data import Prepared, prepare
from softwidth.trial_spec import TrialSpec

DATA = ("source", "only", "positive", "pair", "target", "noise", "flip", "data_seed", "student_rows", "keep", "keep_fraction", "digest")  # fmt: skip
GAP, LIMIT = 1e-2, 12_000
ROW_WORK = (
    1000.0  # multiply-adds that a pair of rows costs: their kernel, and its part of the pivots
)


@dataclass(frozen=True)
class MarginSpec:
    """Whose kernel margin, and how exactly.

    Attributes
    ----------
    data : TrialSpec
        Its data settings say which rows; all others count for nothing.
    gap : float
        Relative, see `margins.margin`.
    limit : int
        Rows used at most; of more, the upper end holds for all and the lower end for those used.
    """

    data: TrialSpec
    gap: float = GAP
    limit: int = LIMIT

    def __post_init__(self) -> None:
        check_number("gap", self.gap, low=0, high=1)
        check_integer("limit", self.limit, low=2)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: what the id is the hash of.

        >>> MarginSpec(TrialSpec.of(width=2)) == MarginSpec(TrialSpec.of(width=2, seed=1))
        False
        >>> MarginSpec(TrialSpec.of(width=2)).as_dict() == MarginSpec(TrialSpec.of(width=8)).as_dict()
        True
        """
        given = self.data.as_dict()
        own = {name: given[name] for name in DATA if name in given}
        return {"measure": "kernel margin", "gap": self.gap, "limit": self.limit, "seed": 0, **own}

    def rows(self) -> TrialSpec:
        """The same data without teacher and student: two such specs that are equal have equal rows."""
        given = self.as_dict()
        return TrialSpec.of(width=2, **{name: given[name] for name in DATA if name in given})


@dataclass(frozen=True)
class MarginTrials:
    """`experiments.Experiment` of `MarginSpec`. Metrics: those of `Margin.as_dict`."""

    name: str = "margins"

    def cost(self, spec: MarginSpec) -> float:
        """Multiply-adds, about."""
        return ROW_WORK * float(min(spec.data.student_rows or spec.limit, spec.limit)) ** 2

    def together(self, spec: MarginSpec) -> str:
        """Everything about the data."""
        return str(spec.rows())

    def prepare(self, spec: MarginSpec) -> Prepared:
        """The students' rows."""
        return prepare(spec.rows())

    def run(self, prepared: Prepared, specs: Sequence[MarginSpec]) -> list[Row]:
        """One after another."""
        return [self._row(prepared, spec) for spec in specs]

    def _row(self, prepared: Prepared, spec: MarginSpec) -> Row:
        began, data = time.perf_counter(), prepared.dataset
        n = len(data.y_train)
        found = margin(
            data.X_train, data.y_train, gap=spec.gap, n_classes=data.n_classes,
            limit=spec.limit if spec.limit < n else None,
        ).as_dict()  # fmt: skip
        del found["seconds"]  # equal specs give equal rows
        metrics = {"status": "solved", "rows": n, **found}
        return Row.of(spec.as_dict(), self.name, metrics, seconds=time.perf_counter() - began)
