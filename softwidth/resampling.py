"""Nested, paired bootstrap draws of mean losses over seeds and held-out rows.

A draw takes rows with replacement, the same ones for every label kind, width and anybody else who
answers for them, and per width seeds with replacement, the same ones for every label kind:
students that share width and seed started from the same weights, so differences between label
kinds are paired. Widths may have different numbers of seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._types import Array
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
    others : ndarray, shape (1 + DRAWS, others)
        Of those who have no seeds, such as a teacher.
    """

    means: Array
    others: Array


def nested_draws(
    cells: Sequence[Array],
    widths: Sequence[int],
    *,
    others: Array | None = None,
    shares: Shares | None = None,
    seed: int = 0,
) -> Draws:
    """Bootstrap draws of the mean losses of students of some widths.

    Parameters
    ----------
    cells : sequence of ndarray, each of shape (kinds, seeds, N)
        The losses by row of one width; the number of seeds may differ between widths.
    widths : sequence of int
        They number the random streams: what is drawn for one width does not depend on which
        others there are.
    others : ndarray, shape (others, N), optional
        Losses by row without seeds.
    shares : Shares, optional
        What a row counts for; by default all count alike. A drawn row brings its share along, and
        rows of a stratum are drawn among themselves.
    seed : int
    """
    K, N = cells[0].shape[0], cells[0].shape[2]
    others = np.empty((0, N), np.float32) if others is None else np.asarray(others, np.float32)
    by_row = np.concatenate([*(cell.reshape(-1, N) for cell in cells), others]).T
    by_row = np.ascontiguousarray(by_row, np.float32)
    rng = np.random.default_rng([seed, 0])
    resampled = np.concatenate(
        [over_rows(by_row.T, shares)[None], _over_all_rows(rng, by_row, shares)]
    )
    means, start = np.empty((1 + DRAWS, K, len(cells))), 0
    for w, (width, cell) in enumerate(zip(widths, cells, strict=True)):
        size = K * cell.shape[1]
        of_width = resampled[:, start : start + size].reshape(1 + DRAWS, K, -1)
        weights = seed_weights(np.random.default_rng([seed, int(width)]), cell.shape[1])
        means[:, :, w] = np.einsum("bks,bs->bk", of_width, weights)
        start += size
    return Draws(means, resampled[:, start:])


def over_rows(losses: Array, shares: Shares | None = None) -> Array:
    """Mean losses (...) over the last axis, the rows as they are and count."""
    if shares is None:
        return losses.mean(axis=-1, dtype=np.float64)
    return np.asarray(losses.astype(np.float64) @ shares.of_row)


def seed_draws(
    cells: Sequence[Array],
    widths: Sequence[int],
    *,
    shares: Shares | None = None,
    seed: int = 0,
) -> Array:
    """The same draws of seeds, the rows as they are: (1 + DRAWS, kinds, widths)."""
    means = []
    for width, cell in zip(widths, cells, strict=True):
        weights = seed_weights(np.random.default_rng([seed, int(width)]), cell.shape[1])
        means.append(weights @ over_rows(cell, shares).T)
    return np.stack(means, axis=2)


def seed_weights(rng: np.random.Generator, n: int) -> Array:
    """Weights (1 + DRAWS, n) of n seeds: equal ones first, then those of the draws.

    A draw takes ``n - 1`` of ``n``: the variance of its mean is then the unbiased ``s²/n`` of a mean of
    n, where n of n would give ``(n - 1)/n`` of it (Rao and Wu 1988): a third less for three seeds.
    """
    equal = np.full((1, n), 1 / n)
    return np.concatenate([equal, resampled_weights(rng, DRAWS, n, max(1, n - 1))])


def resampled_weights(rng: np.random.Generator, draws: int, n: int, taken: int) -> Array:
    """Weights (draws, n) of n things of which `taken` are drawn with replacement; rows sum to 1."""
    if n == 1:
        return np.ones((draws, 1))
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
