"""Which ratios of two least widths cannot be ruled out.

The ratio is no smooth function of anything measured: it jumps where one curve passes the target.
The share of draws with a smaller ratio is therefore no measure of doubt: where two curves are both
close to the target, "the one meets it and the other does not" is a quarter of the draws, true or not,
and a twentieth passes for proof too often. So pairs of least widths are tested one by one, and the
interval is made of those that pass: its end is wrong only where the true pair is ruled out.
"""

from __future__ import annotations

import numpy as np

from softwidth._types import Array
from softwidth.resampling import LEVEL

RIDGE = 1e-9  # of the variances, so that curves that move as one have an inverse


def not_ruled_out(first: Array, second: Array, i: int, j: int) -> bool:
    """Whether the first least width may be at place i or less while the second is at j or more.

    That is: the first curve meets the target at i and the second does not at ``j - 1``. Of the two
    gaps this is the quadrant ``x <= 0 <= y``, a cone, so the test is the likelihood ratio's for it
    (Perlman 1969): the squared distance to the cone in the metric of the draws, which sees that two
    paired curves move together, against what the draws would make of its least favourable point,
    the corner. Without a ``j - 1``, or with an i beyond all widths, one of the conditions falls away.

    Parameters
    ----------
    first, second : ndarray, shape (targets, 1 + draws, W)
        Gaps to the target, the estimate first. A pair passes if it does by any of the targets.
    i, j : int
        Places from 0 to W, which is beyond all widths.

    Returns
    -------
    bool
    """
    W = first.shape[2]
    return any(
        _passes(x[:, i] if i < W else None, y[:, j - 1] if j else None)
        for x, y in zip(first, second, strict=True)
    )


def _passes(x: Array | None, y: Array | None) -> bool:
    """Whether ``x <= 0 <= y`` cannot be ruled out; the estimate first, then the draws."""
    if x is None and y is None:
        return True
    z = np.stack([axis for axis in (x, y) if axis is not None])
    signs = [sign for sign, axis in ((1.0, x), (-1.0, y)) if axis is not None]
    z = z * np.array(signs)[:, None]  # the cone is now where nothing is positive
    if (z[:, 0] <= 0).all():
        return True
    moves = z[:, :1] - z[:, 1:]  # what the estimate is off by, if the truth is the corner
    spread = np.atleast_2d(np.cov(moves)) + 1e-18 * np.eye(len(z))
    spread[np.diag_indices(len(z))] *= 1 + RIDGE
    found, drawn = _distance(z[:, :1], spread)[0], _distance(moves, spread)
    return bool((drawn >= found).mean() >= (1 - LEVEL) / 2)


def _distance(points: Array, spread: Array) -> Array:
    """Squared distances (n,) of points (1 or 2, n) to where nothing is positive, in a metric.

    >>> _distance(np.array([[3.0, 3.0, -1.0], [4.0, -9.0, -1.0]]), np.eye(2)).tolist()
    [25.0, 9.0, 0.0]
    """
    if len(points) == 1:
        return np.asarray(np.maximum(points[0], 0) ** 2 / spread[0, 0])
    (a, b), c = np.diag(spread), spread[0, 1]
    x, y = points
    corner = (b * x**2 - 2 * c * x * y + a * y**2) / (a * b - c**2)
    # On the edge x = 0 the nearest point has y less what goes with x; it must not be positive.
    on_x = np.where(y - c / a * x <= 0, x**2 / a, corner)
    on_y = np.where(x - c / b * y <= 0, y**2 / b, corner)
    inside = (x <= 0) & (y <= 0)
    return np.asarray(np.where(inside, 0.0, np.minimum(on_x, on_y)))
