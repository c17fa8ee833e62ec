"""Paired bootstrap draws of mean losses over seeds and held-out rows.

A draw takes rows with replacement, the same ones for every label kind, width and anybody else who
answers for them, and per width seeds with replacement, the same ones for every label kind:
students that share width and seed started from the same weights, so differences between label
kinds are paired. Widths may have different numbers of seeds.

The two parts add up: what other rows would have changed for the mean student, and what other seeds
would have changed on these rows. Chance that belongs to one student on one row is in both, twice in
all; seeds drawn on rows that are drawn themselves would count it three times (Owen 2007, the
pigeonhole bootstrap).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._types import Array, Width
from softwidth.balance import Shares

DRAWS = 2000
LEVEL = 0.95
DRAW_BYTES = 2**26  # of the row weights of one block of draws


@dataclass(frozen=True, eq=False)
class Draws:
    """Mean losses: the data as they are first, then one bootstrap draw after the other.

    Attributes
    ----------
    means : ndarray, shape (1 + DRAWS, kinds, widths)
    of_seeds : ndarray, shape (1 + DRAWS, kinds, widths)
        The same draws of seeds with the rows as they are.
    others : ndarray, shape (1 + DRAWS, others)
        Of those who have no seeds, such as a teacher.
    """

    means: Array
    of_seeds: Array
    others: Array


def nested_draws(
    cells: Sequence[Array],
    widths: Sequence[Width],
    *,
    others: Array | None = None,
    shares: Shares | None = None,
    seed: int = 0,
) -> Draws:
    """Draws of the mean losses of students of some widths.

    Parameters
    ----------
    cells : sequence of ndarray, each of shape (kinds, seeds, N)
        The losses by row of one width; the number of seeds may differ between widths.
    widths : sequence of int or float
        They number the random streams: what is drawn for one width does not depend on which
        others there are.
    others : ndarray, shape (others, N), optional
        Losses by row without seeds.
    shares : Shares, optional
        What a row counts for; by default all count alike. A drawn row brings its share along, and
        rows of a stratum are drawn among themselves.
    seed : int
    """
    K, W = len(cells[0]), len(cells)
    students = [cell.mean(axis=1, dtype=np.float64) for cell in cells]  # the mean one's losses
    rest = [] if others is None else [np.asarray(others, np.float64)]
    by_row = np.ascontiguousarray(np.concatenate([*students, *rest]).T, np.float32)
    drawn = _over_all_rows(np.random.default_rng([seed, 0]), by_row, shares)
    of_rows = np.concatenate([over_rows(by_row.T, shares)[None], drawn])
    of_kinds = of_rows[:, : K * W].reshape(1 + DRAWS, W, K).swapaxes(1, 2)
    of_seeds = np.empty_like(of_kinds)
    for w, (width, cell) in enumerate(zip(widths, cells, strict=True)):
        weights = seed_weights(np.random.default_rng([seed, *_stream(width)]), cell.shape[1])
        of_seeds[:, :, w] = weights @ over_rows(cell, shares).T
    # A mean is neither below nor above all losses, however far a draw of two seeds goes.
    ends = min(cell.min() for cell in cells), max(cell.max() for cell in cells)
    means = np.clip(of_kinds + of_seeds - of_kinds[0], *ends)
    return Draws(means, np.clip(of_seeds, *ends), of_rows[:, K * W :])


def _stream(width: Width) -> tuple[int, ...]:
    """What numbers the draws of a width.

    >>> _stream(16), _stream(0.25)
    ((16,), (1, 4))
    """
    return width.as_integer_ratio() if isinstance(width, float) else (int(width),)


def over_rows(losses: Array, shares: Shares | None = None) -> Array:
    """Mean losses (...) over the last axis, the rows as they are and count."""
    if shares is None:
        return losses.mean(axis=-1, dtype=np.float64)
    return np.asarray(losses.astype(np.float64) @ shares.of_row)


def seed_weights(rng: np.random.Generator, n: int, draws: int = DRAWS) -> Array:
    """Weights (1 + draws, n) of n seeds: equal ones first, then those of the draws; rows sum to 1.

    A draw takes ``n - 1`` of ``n``: the variance of its mean is then the unbiased ``s²/n`` of a mean of
    n, where n of n would give ``(n - 1)/n`` of it (Rao and Wu 1988): a third less for three seeds.
    Its distance from the mean is divided by the root of an independent ``chi²(n-1)/(n-1)``: few seeds
    do not know their own variance, so that a draw must vary as Student's t with ``n - 1`` degrees of
    freedom and not as a normal variable, 1.4 times as far at 95 % for five seeds. Differences of
    such means then vary as Behrens and Fisher have it. Weights may be negative.
    """
    equal = np.full((1, n), 1 / n)
    if n == 1:
        return np.ones((1 + draws, 1))
    taken = resampled_weights(rng, draws, n, n - 1)
    spread = np.sqrt((n - 1) / rng.chisquare(n - 1, size=(draws, 1)))
    return np.concatenate([equal, equal + spread * (taken - equal)])


def resampled_weights(rng: np.random.Generator, draws: int, n: int, taken: int) -> Array:
    """Weights (draws, n) of n things of which `taken` are drawn with replacement; rows sum to 1."""
    drawn = rng.integers(n, size=(draws, taken)) + n * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * n).reshape(draws, n) / taken


def _over_all_rows(rng: np.random.Generator, by_row: Array, shares: Shares | None) -> Array:
    """Means (DRAWS, columns) of resampled rows of `by_row` (N, columns), stratum by stratum."""
    if shares is None:
        return _over_rows(rng, by_row)
    columns = by_row.shape[1]
    total = np.zeros((DRAWS, columns))
    for rows in shares.strata():
        weight = shares.of_row[rows]
        # With its weight as one more column, a draw's sums become a mean of the rows drawn.
        weighed = np.column_stack([by_row[rows] * weight[:, None], weight]).astype(np.float32)
        sums = _over_rows(rng, np.ascontiguousarray(weighed))
        total += weight.sum() * sums[:, :columns] / sums[:, columns:]
    return total


def _over_rows(rng: np.random.Generator, by_row: Array) -> Array:
    """Means (DRAWS, columns) of resampled rows of `by_row` (N, columns), in blocks of draws."""
    N = len(by_row)
    block = max(1, DRAW_BYTES // (8 * N))
    sizes = [min(block, DRAWS - start) for start in range(0, DRAWS, block)]
    parts = [resampled_weights(rng, n, N, N).astype(np.float32) @ by_row for n in sizes]
    return np.concatenate(parts).astype(np.float64)


def middle(draws: Array) -> Array:
    """The middle 95 % along the first axis: lower ends, then upper ends."""
    tail = (1 - LEVEL) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=0)


def monotone(errors: Array, weights: Any = None) -> Array:
    """The nearest curves (..., W) that never rise with the width (isotonic regression).

    Parameters
    ----------
    errors : ndarray, shape (..., W)
    weights : array_like, shape (W,), optional
        How much every width counts, such as its number of seeds.

    Examples
    --------
    >>> monotone(np.array([0.3, 0.1, 0.2])).round(2).tolist()
    [0.3, 0.15, 0.15]
    >>> monotone(np.array([0.3, 0.1, 0.2]), [1, 1, 3]).round(3).tolist()
    [0.3, 0.175, 0.175]
    """
    weights = np.ones(errors.shape[-1]) if weights is None else np.asarray(weights, float)
    sums = np.cumsum(errors * weights, axis=-1)
    smooth = np.full(errors.shape, np.inf)
    # g_i = min over a <= i of the max over b >= i of the mean of a..b: for all draws at once, a
    # hundred times as fast as a pass over each (pool adjacent violators) for a dozen widths.
    for a in range(errors.shape[-1]):
        before = sums[..., a - 1 : a] if a else 0.0
        means = (sums[..., a:] - before) / np.cumsum(weights[a:])
        highest = np.maximum.accumulate(means[..., ::-1], axis=-1)[..., ::-1]
        smooth[..., a:] = np.minimum(smooth[..., a:], highest)
    return smooth
