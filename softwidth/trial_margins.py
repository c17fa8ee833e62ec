"""Margins of students' rows, and how far a start is from its limit, as trials of a sweep.

Made once, kept under the hash of their spec: certified margins (of the limit, or of the neurons of a
start), and the deviation of a start's features that the paper's Lemma 6 bounds.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_integer,
    check_number,
    check_width,
)
from softwidth._types import Array
from softwidth.margin_record import signed_weights
from softwidth.margins import margin
from softwidth.network import initialise
from softwidth.store import Row
from softwidth.transport import GatedMap, constant, expansion
from softwidth.trial_data import Prepared, prepare
from softwidth.trial_spec import TrialSpec

DATA = ("source", "only", "positive", "pair", "target", "noise", "flip", "data_seed", "student_rows", "keep", "keep_fraction", "digest")  # fmt: skip
MEASURES = ("kernel margin", "sup margin", "deviation")
GAP, LIMIT = 1e-2, 12_000
ROW_WORK = (
    1000.0  # multiply-adds that a pair of rows costs: their kernel, and its part of the pivots
)
BLOCK = 2**22  # numbers in an array of activations: 32 MiB


def data_settings(spec: TrialSpec) -> dict[str, Any]:
    """Those that say which rows.

    >>> list(data_settings(TrialSpec.of(width=2, step_size=3.0)))
    ['source', 'noise', 'flip', 'data_seed']
    """
    given = spec.as_dict()
    return {name: given[name] for name in DATA if name in given}


def rows_only(spec: TrialSpec) -> TrialSpec:
    """The same data without teacher and student: two of these that are equal have equal rows."""
    return TrialSpec.of(width=2, **data_settings(spec))


@dataclass(frozen=True)
class MarginSpec:
    """What is measured of whose rows, and how exactly.

    Attributes
    ----------
    data : TrialSpec
        Its data settings say which rows; all others count for nothing.
    measure : {"kernel margin", "sup margin", "deviation"}
    width : int or None
        Of the start that is measured; None is the limit, of which there is no deviation.
    seed : int
        Of the start.
    gap : float
        Relative, see `margins.margin`.
    limit : int
        Rows used at most; of more, the upper end holds for all and the lower end for those used.
    """

    data: TrialSpec
    measure: str = MEASURES[0]
    width: int | None = None
    seed: int = 0
    gap: float = GAP
    limit: int = LIMIT

    def __post_init__(self) -> None:
        check_choice("measure", self.measure, MEASURES)
        check_integer("seed", self.seed)
        check_number("gap", self.gap, low=0, high=1)
        check_integer("limit", self.limit, low=2)
        if self.width is not None:
            check_width("width", self.width, paired=True)
        elif self.measure == "deviation":
            raise ArgumentError(
                "width", None, "must be that of a start: the limit has no deviation."
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: what the id is the hash of.

        >>> MarginSpec(TrialSpec.of(width=2)) == MarginSpec(TrialSpec.of(width=2, seed=1))
        False
        >>> MarginSpec(TrialSpec.of(width=2)).as_dict() == MarginSpec(TrialSpec.of(width=8)).as_dict()
        True
        """
        of_start = {} if self.width is None else {"width": self.width}
        return {
            "measure": self.measure,
            "gap": self.gap,
            "limit": self.limit,
            "seed": self.seed,
            **of_start,
            **data_settings(self.data),
        }


@dataclass(frozen=True)
class MarginTrials:
    """`experiments.Experiment` of `MarginSpec`.

    Metrics of margins are those of `Margin.as_dict`; of deviations `expansion` and `constant`, the
    largest ``|f_v,m(x_i) - f_v(x_i)|`` over the rows of two maps of norm 1 at most: the kernel
    teacher's, and the one direction between the classes' means.
    """

    name: str = "margins"

    def cost(self, spec: MarginSpec) -> float:
        """Multiply-adds, about."""
        rows = float(min(spec.data.student_rows or spec.limit, spec.limit))
        return ROW_WORK * rows**2 + rows**2 * (spec.width or 0)

    def together(self, spec: MarginSpec) -> str:
        """Everything about the data."""
        return str(rows_only(spec.data))

    def prepare(self, spec: MarginSpec) -> Prepared:
        """The students' rows."""
        return prepare(rows_only(spec.data))

    def run(self, prepared: Prepared, specs: Sequence[MarginSpec]) -> list[Row]:
        """One after another."""
        maps = functools.cache(lambda: comparisons(prepared))
        return [self._row(prepared, spec, maps) for spec in specs]

    def _row(self, prepared: Prepared, spec: MarginSpec, maps: Any) -> Row:
        began = time.perf_counter()
        if spec.measure == "deviation":
            found = _deviations(prepared, spec, maps())
        else:
            found = _margin(prepared, spec)
        rows, features = prepared.dataset.X_train.shape
        metrics = {"status": "solved", "rows": rows, "features": features, **found}
        return Row.of(spec.as_dict(), self.name, metrics, seconds=time.perf_counter() - began)


def _margin(prepared: Prepared, spec: MarginSpec) -> dict[str, Any]:
    data = prepared.dataset
    found = margin(
        data.X_train, data.y_train, spec.measure.split()[0], spec.width, gap=spec.gap, seed=spec.seed,
        n_classes=data.n_classes, limit=spec.limit if spec.limit < len(data.y_train) else None,
    ).as_dict()  # fmt: skip
    del found["seconds"]  # equal specs give equal rows
    return found


def comparisons(prepared: Prepared) -> dict[str, tuple[GatedMap, Array]]:
    """Maps of norm 1 at most, by name, with what they give the rows in the limit."""
    data = prepared.dataset
    if data.n_classes > 2:
        raise ArgumentError("data", data.name, "must have two classes, of which Lemma 6 speaks.")
    X, signs = data.X_train.astype(np.float64), 2.0 * data.y_train - 1
    found = margin(X, data.y_train, gap=GAP)
    mean = signs @ X
    maps = {
        "expansion": expansion(X, signed_weights(found, data.y_train)).scaled(1.0),
        "constant": constant(mean[None] / np.linalg.norm(mean)),
    }
    return {name: (v, v.logits(X)[:, 0]) for name, v in maps.items()}


def _deviations(
    prepared: Prepared, spec: MarginSpec, maps: dict[str, tuple[GatedMap, Array]]
) -> dict[str, float]:
    X = prepared.dataset.X_train.astype(np.float64)
    W = initialise(int(spec.width or 0), X.shape[1], seed=spec.seed).W
    return {
        name: float(np.abs(features_mean(X, W, v.at(W)) - limit).max())
        for name, (v, limit) in maps.items()
    }


def features_mean(X: Array, W: Array, V: Array) -> Array:
    """``(1/m) Σ_r v_rᵀx 1(w_rᵀx > 0)`` of every row, shape (N,).

    >>> features_mean(np.eye(2), np.array([[1.0, -1.0], [1.0, 1.0]]), np.ones((2, 2))).tolist()
    [1.0, 0.5]
    """
    rows = max(1, BLOCK // len(W))
    parts = [X[start : start + rows] for start in range(0, len(X), rows)]
    return np.concatenate([((part @ W.T > 0) * (part @ V.T)).mean(axis=1) for part in parts])
