"""The width and the labels that a plan recommends for an estimator's rows."""

from __future__ import annotations

from typing import Any

from softwidth._checks import check_weights
from softwidth._types import Array, Labels
from softwidth.lessons import cross_fit
from softwidth.plan_labels import FOLDS
from softwidth.plan_record import Plan
from softwidth.planner import plan
from softwidth.teachers import make_teacher

TEACHER_SHARE = 0.3  # of the budget, as in a plan


def plan_student(
    X: Array,
    y: Labels,
    soft: Any,
    *,
    sample_weight: Any = None,
    balanced: bool = False,
    bias: bool = False,
    budget: float,
    seed: int,
) -> tuple[Plan, int, str, Any]:
    """A plan of these rows; its width, its labels, and the soft labels of all rows if it wants them.

    Where nothing can be told from anything the labels are those that were given. Soft labels that
    were not given come from a wide teacher, cross-fitted: a plan has them for its own part of the
    rows only.
    """
    arrays = {"X": X, "y": y, "soft": soft, "sample_weight": sample_weight}
    given = {name: array for name, array in arrays.items() if array is not None}
    class_weight = "balanced" if balanced else None
    made = plan(
        given, budget=float(budget), seed=seed % 2**16, class_weight=class_weight, bias=bias
    )
    advice = made.recommendation
    own = "hard" if soft is None else "soft"
    labels = own if advice.labels == "either" else advice.labels
    width = int(advice.width or made.tuned.widths[-1])
    if labels == "soft" and soft is None:
        weight = None if sample_weight is None else check_weights("sample_weight", sample_weight, len(y))  # fmt: skip
        soft = _soft_labels(X, y, weight, TEACHER_SHARE * budget / FOLDS)
    return made, width, labels, soft


def _soft_labels(X: Array, y: Labels, weight: Array | None, seconds: float) -> Array:
    soft, _ = cross_fit(
        lambda: make_teacher("wide", seconds=seconds),
        X,
        y,
        folds=FOLDS,
        n_classes=int(y.max()) + 1,
        sample_weight=weight,
    )
    return soft
