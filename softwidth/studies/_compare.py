"""Paired differences between two kinds of students, over seeds and test rows together."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError
from softwidth._types import Array
from softwidth.resampling import LEVEL, resampled_weights, seed_weights
from softwidth.store import Row
from softwidth.trial_measures import mistakes

Counts = np.ndarray[Any, np.dtype[np.uint8]]

DRAWS = 4000
BLOCK = 500  # draws at a time


@dataclass(frozen=True)
class Difference:
    """Mean difference of test errors, and where it lies.

    Attributes
    ----------
    mean : float
        Error of the first minus error of the second.
    interval : tuple of float
        At level ``1 - 0.05/comparisons`` (Bonferroni).
    """

    mean: float
    interval: tuple[float, float]

    @property
    def sign(self) -> int:
        """1 or -1 where the interval leaves no doubt, else 0."""
        return (self.interval[0] > 0) - (self.interval[1] < 0)


def wrong(rows: Sequence[Row], draws: int = 1, split: str = "test") -> Array:
    """Share of mistakes by seed and held-out row (S, N); repeated draws of a row are averaged."""
    stacked = np.stack([mistakes(row, split) for row in rows])
    return np.asarray(stacked.reshape(len(rows), -1, draws).mean(axis=2, dtype=np.float32))


def difference(first: Array, second: Array, *, comparisons: int = 1, seed: int = 0) -> Difference:
    """Paired by seed and row: students of one seed started alike and answer for the same rows.

    Parameters
    ----------
    first, second : ndarray, shape (S, N)
        Share of mistakes.
    comparisons : int
        How many such differences are looked at together.

    Raises
    ------
    ArgumentError
        Two shapes.

    Examples
    --------
    >>> a, b = np.ones((3, 50)), np.zeros((3, 50))
    >>> difference(a, b).mean, difference(a, b).sign
    (1.0, 1)
    """
    if first.shape != second.shape:
        raise ArgumentError("second", second.shape, f"must have the shape {first.shape}.")
    D = (first - second).astype(np.float32)
    if not D.any():  # a kind beside itself
        return Difference(0.0, (0.0, 0.0))
    S, N = D.shape
    mean = float(D.mean(dtype=np.float64))
    of_row, of_seed = (D.mean(axis=axis, dtype=np.float64) for axis in (0, 1))
    means = [
        rows.astype(np.float32) @ of_row / N + seeds @ of_seed - mean
        for rows, seeds in _weights(S, N, seed)
    ]
    tail = (1 - LEVEL) / comparisons / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Difference(mean, (float(low), float(high)))


@functools.lru_cache(maxsize=2)
def _weights(S: int, N: int, seed: int) -> list[tuple[Counts, Array]]:
    """Blocks of how often each row was drawn, and of the seeds' weights.

    Equal shapes have equal draws: a table of hundred differences over 10,000 rows makes them once,
    in a byte a number.
    """
    rng = np.random.default_rng(seed)
    blocks = []
    for _ in range(DRAWS // BLOCK):
        rows = np.rint(N * resampled_weights(rng, BLOCK, N, N)).astype(np.uint8)
        blocks.append((rows, seed_weights(rng, S, BLOCK)[1:]))
    return blocks


def more_than_chance(count: int, trials: int, rate: float, level: float = 0.05) -> bool:
    """Whether so many of the trials are more than a rate allows (binomial, one-sided).

    >>> more_than_chance(1, 40, 0.01), more_than_chance(4, 40, 0.01)
    (False, True)
    """
    from scipy.stats import binomtest

    return bool(binomtest(count, max(trials, 1), rate, alternative="greater").pvalue < level)
