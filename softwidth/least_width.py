"""Least widths and their ratio from students' mistakes, with intervals over seeds and held-out rows.

One statistic, twice: on the rows as they are (the estimate) and on `DRAWS` nested bootstrap draws
(the interval). A draw takes seeds and rows with replacement, the same ones for every label kind and
width: students that share a seed started from the same weights and answer for the same rows, so
differences between label kinds are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from softwidth._checks import ArgumentError, check_number
from softwidth._types import Array

DRAWS = 2000
LEVEL = 0.95
DRAW_BYTES = 2**26  # of the row counts of one block of draws


@dataclass(frozen=True)
class LeastWidth:
    """The least width of one label kind.

    Attributes
    ----------
    width : int or None
        Least tried width that meets the target; ``None`` where none does.
    interval : tuple of (int or None)
        95 % interval; a ``None`` stands for "wider than all that were tried".
    """

    width: int | None
    interval: tuple[int | None, int | None]


@dataclass(frozen=True)
class Saving:
    """A ratio of two least widths, with its 95 % interval.

    Attributes
    ----------
    ratio : float
    interval : tuple of float
    at_least : bool
        The wider of the two did not meet the target at any tried width, so that the ratio is a
        lower bound: the largest tried width stands in for it.
    """

    ratio: float
    interval: tuple[float, float]
    at_least: bool


@dataclass(frozen=True, eq=False)
class Decision:
    """What `decide` found; all errors are shares of mistakes on the rows given.

    Attributes
    ----------
    widths : tuple of int
    errors : dict of str to ndarray, shape (widths,)
        Mean over seeds and rows, per label kind.
    intervals : dict of str to ndarray, shape (widths, 2)
    target : float
        The least error of a monotone curve of the kinds that set the target, plus the tolerance.
    least : dict of str to LeastWidth
    """

    widths: tuple[int, ...]
    errors: dict[str, Array]
    intervals: dict[str, Array]
    target: float
    least: dict[str, LeastWidth]
    _numbers: dict[str, Array]  # per kind: position of the least width, estimate first, then draws

    def saving(self, of: str, over: str) -> Saving:
        """Least width of the label kind `of` divided by that of `over`.

        Where neither meets the target in a draw the ratio is 1: nothing tells them apart.
        """
        top = len(self.widths) - 1
        wide, narrow = (
            np.array(self.widths)[np.minimum(self._numbers[kind], top)] for kind in (of, over)
        )
        ratio = wide / narrow
        low, high = _interval(ratio[1:])
        beyond, reached = self._numbers[of][0] > top, self._numbers[over][0] <= top
        return Saving(float(ratio[0]), (float(low), float(high)), bool(beyond and reached))


def decide(
    mistakes: Mapping[str, Array],
    widths: Sequence[int],
    *,
    tolerance: float,
    target_kinds: Sequence[str] = ("hard", "soft"),
    seed: int = 0,
) -> Decision:
    """Least width per label kind whose error is within `tolerance` of the best.

    Parameters
    ----------
    mistakes : mapping of str to ndarray, shape (widths, seeds, N)
        Per label kind: who is wrong where, or the share of a row's draws on which (`by_row`). All
        kinds share widths, seeds and rows.
    widths : sequence of int
        Tried widths, rising.
    tolerance : float
        How far above the best error still counts as good enough.
    target_kinds : sequence of str
        The kinds whose best error sets the target.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Decision

    Raises
    ------
    ArgumentError
        Shapes that differ between kinds, or widths that do not rise.

    Examples
    --------
    >>> wrong = np.zeros((2, 1, 4), bool)
    >>> wrong[0, 0, :2] = True
    >>> found = decide({"hard": wrong, "soft": wrong[[1, 1]]}, [2, 4], tolerance=0.1)
    >>> found.target, found.least["hard"].width, found.least["soft"].width
    (0.1, 4, 2)
    >>> found.saving("hard", "soft").ratio
    2.0
    """
    check_number("tolerance", tolerance, low=0)
    kinds = list(mistakes)
    stacked = _stack(mistakes, widths)
    errors = np.concatenate([_means(stacked)[None], _draws(stacked, seed)])  # (1 + DRAWS, K, W)
    smooth = monotone(errors)
    setters = [kinds.index(kind) for kind in target_kinds]
    target = smooth[:, setters].min(axis=(1, 2)) + tolerance
    # A mean of means is exact to 1e-12 only; a curve that touches the target has met it.
    meets = smooth <= target[:, None, None] + 1e-12
    number = np.where(meets.any(axis=2), meets.argmax(axis=2), len(widths))
    numbers = {kind: number[:, k] for k, kind in enumerate(kinds)}
    return Decision(
        widths=tuple(widths),
        errors={kind: errors[0, k] for k, kind in enumerate(kinds)},
        intervals={kind: _interval(errors[1:, k]).T for k, kind in enumerate(kinds)},
        target=float(target[0]),
        least={kind: _least(of_kind, widths) for kind, of_kind in numbers.items()},
        _numbers=numbers,
    )


def by_row(mistakes: Array, draws: int) -> Array:
    """Share of mistakes of every row (..., N / draws) from mistakes (..., N) in runs of `draws`.

    >>> by_row(np.array([True, False, True, True]), 2).tolist()
    [0.5, 1.0]
    """
    return mistakes.reshape(*mistakes.shape[:-1], -1, draws).mean(axis=-1)


def error_intervals(mistakes: Array, *, seed: int = 0) -> Array:
    """95 % intervals (K, W, 2) over seeds and rows of errors, from mistakes (K, W, S, N)."""
    return np.moveaxis(_interval(_draws(np.asarray(mistakes, np.float32), seed)), 0, -1)


def monotone(errors: Array) -> Array:
    """The nearest curves (..., W) that never rise with the width (isotonic regression).

    >>> monotone(np.array([0.3, 0.1, 0.2])).round(2).tolist()
    [0.3, 0.15, 0.15]
    """
    flat = errors.reshape(-1, errors.shape[-1])
    rising = np.flatnonzero((np.diff(flat, axis=1) > 0).any(axis=1))
    smooth = flat.copy()
    for row in rising:
        smooth[row] = isotonic_regression(flat[row], increasing=False).x
    return smooth.reshape(errors.shape)


def _stack(mistakes: Mapping[str, Array], widths: Sequence[int]) -> Array:
    shapes = {array.shape for array in mistakes.values()}
    if len(shapes) != 1 or next(iter(shapes))[0] != len(widths) or 0 in next(iter(shapes)):
        raise ArgumentError(
            "mistakes", shapes, f"must have one shape ({len(widths)} widths, seeds, rows) per kind."
        )
    if (np.diff(widths) <= 0).any():
        raise ArgumentError("widths", list(widths), "must rise.")
    return np.stack([np.asarray(array, np.float32) for array in mistakes.values()])


def _means(stacked: Array) -> Array:
    return stacked.mean(axis=(-2, -1), dtype=np.float64)


def _draws(stacked: Array, seed: int) -> Array:
    """Mean errors (DRAWS, K, W) of nested bootstrap draws from mistakes (K, W, S, N)."""
    K, W, S, N = stacked.shape
    rng = np.random.default_rng(seed)
    by_row = np.ascontiguousarray(stacked.reshape(-1, N).T)
    means = np.empty((DRAWS, K, W))
    block = max(1, DRAW_BYTES // (8 * N))
    for start in range(0, DRAWS, block):
        draws = slice(start, min(start + block, DRAWS))
        size = draws.stop - start
        rows = _resampled(rng, size, N).astype(np.float32)
        seeds = _resampled(rng, size, S)
        means[draws] = np.einsum("bkws,bs->bkw", (rows @ by_row).reshape(size, K, W, S), seeds)
    return means


def _resampled(rng: np.random.Generator, draws: int, n: int) -> Array:
    """Weights (draws, n) of n things drawn with replacement, each row summing to 1."""
    drawn = rng.integers(n, size=(draws, n)) + n * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * n).reshape(draws, n) / n


def _interval(draws: Array) -> Array:
    """The middle 95 % along the first axis: lower ends, then upper ends."""
    tail = (1 - LEVEL) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=0)


def _least(numbers: Array, widths: Sequence[int]) -> LeastWidth:
    """From positions of least widths (estimate first) to widths; past the end is None."""
    tail = (1 - LEVEL) / 2
    # Whole positions, never between two tried widths.
    low = np.quantile(numbers[1:], tail, method="lower")
    high = np.quantile(numbers[1:], 1 - tail, method="higher")
    width, lowest, highest = (
        widths[int(number)] if number < len(widths) else None for number in (numbers[0], low, high)
    )
    return LeastWidth(width, (lowest, highest))
