"""A straight line through gains of several groups, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from softwidth._types import Array
from softwidth.resampling import LEVEL
from softwidth.studies._gains import interval

LEAST_SPREAD = 0.1  # points: no gain is known better than this


def weighted_slope(
    lines: Sequence[Mapping[str, Any]], x: Sequence[float], comparisons: int, by: str | None = None
) -> tuple[float, float, float]:
    """Points of gain for a unit of `x`, by weighted least squares, with 95 % ends.

    Weights are the gains' own inverse variances; what the line leaves unexplained widens the
    interval (a factor of at least 1, Birge 1932), as groups differ in more than this.

    Parameters
    ----------
    lines : sequence of mapping
        One a group, see `_gains.groups`.
    x : sequence of float
        Of each.
    comparisons : int
        For how many the lines' intervals hold together (Bonferroni).
    by : str, optional
        Every value of this column has a height of its own, and all have one slope.
    """
    y = np.array([line["mean_gain"] for line in lines])
    spread = np.array([np.diff(interval(line))[0] for line in lines])
    deviation = np.maximum(spread, LEAST_SPREAD) / (2 * _normal_end(comparisons))
    names = [str(line[by]) if by else "" for line in lines]
    w, x_left, y_left = deviation**-2, np.array(x, float), y.astype(float)
    for name in set(names):
        own = np.array([each == name for each in names])
        for values in (x_left, y_left):
            values[own] -= np.average(values[own], weights=w[own])
    total = float((w * x_left**2).sum())
    b = float((w * x_left * y_left).sum()) / total
    freedom = max(len(lines) - 1 - len(set(names)), 1)
    chi = _chi(y_left - b * x_left, deviation) / freedom
    error = _normal_end(1) * np.sqrt(max(chi, 1.0) / total)
    return b, float(b - error), float(b + error)


def _chi(left: Array, deviation: Array) -> float:
    return float((left**2 / deviation**2).sum())


def _normal_end(comparisons: int) -> float:
    from scipy.stats import norm

    return float(norm.isf((1 - LEVEL) / comparisons / 2))
