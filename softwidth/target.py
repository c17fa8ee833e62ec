"""How far curves lie from their target, where the target is a best that is itself measured.

The least of several noisy losses is too low, and the least in a bootstrap draw of them is too low
once more: taken at its word, a draw calls widths too narrow that are not. So a width is called too
narrow by the highest target that the draws allow, and wide enough by the lowest: as in multiple
comparisons with the best (Hsu 1984), and by the two ends of a stepwise interval for the least
effective dose (Hsu and Berger 1999).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from softwidth._types import Array
from softwidth.resampling import monotone

# Who is the best in fewer of the draws is not: what this costs of the 5 % is a tenth, as Romano,
# Shaikh and Wolf (2014) advise for choosing inequalities before testing them.
SELDOM = 0.005
HIGH, LOW = 0, 1  # the two targets


def gaps_to_target(
    means: Array, seeds: Sequence[int], setters: Sequence[int], others: Array, tolerance: float
) -> tuple[Array, float]:
    """Monotone curves minus the highest and minus the lowest target that the draws allow.

    A curve falls, so its widest width has its least loss, and so has the mean over the widest few
    where they are level: all such means of all setters, and the others, are candidates ``c`` for
    the best, ``min_c f_c``. With estimates ``f̂_c`` and those of a draw ``f*_c``, a draw's targets are
    ``min_c f̂_c + max_c (f*_c - f̂_c)`` over the candidates that may be the best, and ``min_c f*_c``;
    the first is never less. What is known of the best is at most the first: for errors
    ``e_c = f̂_c - f_c``, ``min_c f_c <= min_c f̂_c + max_c (-e_c)``, with equality where all are equal.

    Parameters
    ----------
    means : ndarray, shape (draws, K, W)
        Mean losses, the estimate first.
    seeds : sequence of int
        By width: what it weighs where neighbours are averaged.
    setters : sequence of int
        Kinds whose best sets the target.
    others : ndarray, shape (draws, others)
        Losses of others that set it too.
    tolerance : float

    Returns
    -------
    gaps : ndarray, shape (2, draws, K, W)
    target : float
        The estimate.
    """
    weights = np.array(seeds, float)
    candidates = _level_ends(means[:, setters], weights).reshape(len(means), -1)
    candidates = np.concatenate([candidates, others], axis=1)
    lowest = candidates.min(axis=1)
    share = np.bincount(candidates.argmin(axis=1), minlength=candidates.shape[1]) / len(means)
    share[candidates[0].argmin()] = 1.0
    highest = lowest[0] + (candidates - candidates[0])[:, share >= SELDOM].max(axis=1)
    targets = np.stack([highest, lowest]) + tolerance
    return monotone(means, weights) - targets[..., None, None], float(targets[LOW, 0])


def _level_ends(means: Array, weights: Array) -> Array:
    """Means (..., W) over the widths from each to the widest."""
    sums = np.cumsum((means * weights)[..., ::-1], axis=-1)[..., ::-1]
    return np.asarray(sums / np.cumsum(weights[::-1])[::-1])
