"""Whether soft labels stand in the order of the labels, row by row and column by column.

The statistic is ``S = sum_i P[i, y_i]``, what the soft labels give to the labels. Two accounts of
the data bound it from both sides:

- *honest*: every label was drawn from its own row of P. Chernoff's bound on a tail of S under this
  account holds for any number of rows and any K.
- *chance*: the rows of P are in random order. The mean and variance of S are then known exactly
  (Hoeffding 1951).

An order is called wrong only where the honest account is ruled out and chance, or another order,
is not: soft labels that are weak, or few, or of rare classes are never accused for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln

from softwidth._types import Array, Labels

RULED_OUT = np.log(1e-4)  # log-probability below which an account is given up
BEYOND_LUCK = 4.0  # standard errors above chance that another order must reach
LIKE_CHANCE = 3.0  # standard errors above chance up to which the given order says nothing
SLACK = 0.5  # share of what soft labels claim to know that honest ones may be wrong about
BLOCK = 2**16  # rows whose moments are held at a time
SLOPES = np.geomspace(0.01, 1000, 36)  # of the exponential in Chernoff's bound


def with_slack(P: Array) -> Array:
    """Soft labels that claim less: mixed with their mean."""
    return (1 - SLACK) * P + SLACK * P.mean(axis=0)


def at_frequencies(P: Array, frequency: Array, rounds: int = 20) -> Array:
    """Soft labels reweighted by class until their mean is the classes' frequency, as near as it goes.

    No order of rows changes the mean, so a teacher that is wrong about it alone is not to be blamed
    for the order (Saerens, Latinne and Decaestecker 2002).
    """
    for _ in range(rounds):
        P = P * (frequency / np.maximum(P.mean(axis=0), 1e-300))
        total = P.sum(axis=1, keepdims=True)  # 0 where a row spoke for absent classes only
        P = np.where(total > 0, P / np.maximum(total, 1e-300), frequency)
    return P


def as_claims(votes: Array) -> Array:
    """What vote counts say of one more vote: shares drawn to the mean share, the more the fewer.

    With ``rho`` the correlation of two votes on one row and V of them, ``(rho v + (1 - rho) mean) /
    (rho V + 1 - rho)``, the mean of a Dirichlet-multinomial account: shares of two votes claim too
    much. `rho` is taken two standard errors low, and classes without a vote are not impossible.

    >>> as_claims(np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0], [1.0, 1.0]])).tolist()
    [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """
    V, K = votes.sum(axis=1, keepdims=True), votes.shape[1]
    mean = (votes.sum(axis=0) + 1) / (votes.sum() + K)
    rho = _correlation(votes[V[:, 0] > 1], float(mean @ mean))
    return (rho * votes + (1 - rho) * mean) / (rho * V + 1 - rho)


def _correlation(votes: Array, chance: float) -> float:
    """Of two votes on one row: how much more often they agree than by chance, at the least."""
    if len(votes) == 0:
        return 0.0
    V = votes.sum(axis=1)
    agree = (votes * (votes - 1)).sum(axis=1) / (V * (V - 1))
    # One row more that agrees and one that does not: a few equal rows are no certainty.
    share = (agree.sum() + 1) / (len(votes) + 2)
    error = np.sqrt(share * (1 - share) / (len(votes) + 2))
    return float(np.clip((share - 2 * error - chance) / (1 - chance), 0, 1))


def log_moments(P: Array, score: Array) -> Array:
    """``sum_i ln sum_k P[i, k] exp(t score[i, k])`` for every slope t, shape (T,)."""
    total = np.zeros(len(SLOPES))
    for start in range(0, len(P), BLOCK):
        p, s = P[start : start + BLOCK], score[start : start + BLOCK]
        largest = s.max(axis=1, keepdims=True)
        for place, t in enumerate(SLOPES):
            moments = (p * np.exp(t * (s - largest))).sum(axis=1)
            total[place] += np.log(np.maximum(moments, 1e-300)).sum() + t * largest.sum()
    return total


def log_tail(moments: Array, total: float) -> float:
    """Chernoff's bound on ``ln P(sum_i score[i, Y_i] >= total)`` for ``Y_i`` drawn from ``P[i]``.

    ``min_t sum_i ln sum_k P[i, k] exp(t score[i, k]) - t total`` over slopes t > 0, and never above
    0. A coarse grid of slopes loses little, and holds like any other.

    >>> fair, heads = np.full((10, 2), 0.5), np.array([[0.0, 1.0]] * 10)
    >>> round(float(np.exp(log_tail(log_moments(fair, heads), 10)) * 2**10), 3)  # ten heads
    1.0
    """
    return min(0.0, float((moments - SLOPES * total).min()))


def above_chance(score: Array, y: Labels) -> float:
    """Standard errors of ``sum_i score[i, y_i]`` above its mean over all orders of the rows.

    0 where every order gives the same sum.
    """
    N, counts = len(y), np.bincount(y, minlength=score.shape[1])
    centred = score - score.mean(axis=0)
    centred = centred - (centred @ counts)[:, None] / N
    variance = float((centred**2 @ counts).sum()) / max(N - 1, 1)
    if variance <= 1e-12 * N:
        return 0.0
    total = float(centred[np.arange(N), y].sum())
    return total / float(np.sqrt(variance))


@dataclass(frozen=True)
class RowOrder:
    """Rows from `start` on that say nothing of their labels though they claim to."""

    start: int
    shift: int | None  # by how many rows the soft labels come late, where a shift explains it


def wrong_rows(P: Array, y: Labels) -> RowOrder | None:
    """Whether the soft labels stand in another row order, all of them or from some row on."""
    P = at_frequencies(P, np.bincount(y, minlength=P.shape[1]) / len(y))
    given, claimed = P[np.arange(len(y)), y], with_slack(P)
    beyond = given - P @ (np.bincount(y, minlength=P.shape[1]) / len(y))
    for start in _starts(beyond):
        moments = log_moments(claimed[start:], -P[start:])
        honest = log_tail(moments, -float(given[start:].sum()))
        if honest < RULED_OUT and _like_chance(P[start:], y[start:]):
            return RowOrder(start, _shift(P[start:], y[start:]))
    return None


def _starts(beyond: Array) -> list[int]:
    """Where an order may begin to be wrong: at the first row, or where scores surely drop.

    `beyond` is what the soft labels give to each label above chance; twentieths of the rows are
    looked at.
    """
    n = len(beyond)
    drops = {}
    for start in range(n // 20, n, max(n // 20, 1)):
        before, after = beyond[:start], beyond[start:]
        if min(len(before), len(after)) > 10:
            error = np.sqrt(before.var() / len(before) + after.var() / len(after))
            drops[start] = (before.mean() - after.mean()) / max(error, 1e-12)
    best = max(drops, key=lambda start: drops[start], default=0)
    return [0, best] if drops.get(best, 0.0) > BEYOND_LUCK + 1 else [0]


def _like_chance(P: Array, y: Labels) -> bool:
    """Whether other orders of the rows would give other sums, and the given one is none of the best."""
    varies = len(np.unique(y)) > 1 and bool(np.ptp(P, axis=0).max() > 1e-9)
    return varies and above_chance(P, y) < LIKE_CHANCE


def _shift(P: Array, y: Labels, most: int = 20) -> int | None:
    """The shift by which the soft labels speak for the labels again, if there is one."""
    shifts = [s for s in range(-most, most + 1) if s and abs(s) < len(y)]
    if not shifts:
        return None
    scores = [above_chance(np.roll(P, -s, axis=0), y) for s in shifts]
    best = int(np.argmax(scores))
    return shifts[best] if scores[best] > BEYOND_LUCK + 1 else None


def wrong_columns(P: Array, y: Labels) -> dict[int, int]:
    """Which column each class should have taken: only the classes whose own is surely another's.

    The best assignment of columns to classes falls into cycles. Each is judged by what it gains,
    ``sum_i P[i, column(y_i)] - P[i, y_i]``, against both accounts, with room for all cycles of its
    length that could have been chosen.
    """
    K, claimed = P.shape[1], with_slack(P)
    found: dict[int, int] = {}
    for cycle in _cycles(_best_columns(P, y)):
        score = np.zeros_like(P)
        for label, column in cycle.items():
            score[:, label] = P[:, column] - P[:, label]
        choices = _log_cycles(K, len(cycle))
        gained = float(score[np.arange(len(y)), y].sum())
        sure = above_chance(score, y) > BEYOND_LUCK + np.sqrt(2 * choices)
        if sure and log_tail(log_moments(claimed, score), gained) < RULED_OUT - choices:
            found |= cycle
    return found


def _log_cycles(K: int, length: int) -> float:
    """Logarithm of the number of cycles of a length among K columns, ``K! / (K - L)! / L``."""
    return float(gammaln(K + 1) - gammaln(K - length + 1) - np.log(length))


def _best_columns(P: Array, y: Labels) -> Labels:
    """The column for every class that gives the labels most; its own where that is as good."""
    given = np.zeros((P.shape[1], P.shape[1]))
    np.add.at(given, y, P)
    given[np.diag_indices_from(given)] += 1e-9 * len(y)
    return np.asarray(linear_sum_assignment(-given)[1])


def _cycles(column_of: Labels) -> list[dict[int, int]]:
    """The cycles of a permutation that move something."""
    left, cycles = set(np.flatnonzero(column_of != np.arange(len(column_of))).tolist()), []
    while left:
        cycle, k = {}, min(left)
        while k in left:
            left.remove(k)
            cycle[k] = int(column_of[k])
            k = cycle[k]
        cycles.append(cycle)
    return cycles
