"""From answers at a few numbers of rows to the answer at another one: a power law with scatter.

``log2 w(n) = a + b log2 n + e``, with ``e ~ N(0, tau^2)`` at every n on its own: what a power law leaves
out, and the luck of the rows. `a` is free, ``b ~ N(0, SLOPE^2)``, ``tau`` is half-normal of scale `SCATTER`:
three points alone say next to nothing of how well a line fits them (one degree of freedom). What is
measured comes as draws (a bootstrap: the likelihood); the law weighs each draw by how well it
agrees with a line, and draws the value at the other n given it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import halfnorm

from softwidth._types import Array
from softwidth.resampling import middle

# Said before any forecast was looked at: two standard deviations of the slope are a width that
# doubles, or halves, with the rows; half an octave is as far as a grid of doubling widths can be off.
SLOPE, SCATTER = 0.5, 0.5
FREE = 30.0  # octaves: the prior of `a`, flat to all intents
SCATTERS = 40  # values of tau that stand for its prior
DRAWS = 20_000


@dataclass(frozen=True)
class Law:
    """What a power law says: medians and middle 95 %, each (low, middle, high).

    Attributes
    ----------
    values : ndarray, shape (places, 3)
        In octaves, at the places asked for.
    slope : ndarray, shape (3,)
        Octaves of width an octave of rows.
    """

    values: Array
    slope: Array


def power_law(x: Array, draws: Array, at: Array, *, seed: int = 0) -> Law:
    """Predictive intervals of new answers, scatter included.

    Parameters
    ----------
    x : ndarray, shape (P,)
        Octaves of rows where it was measured.
    draws : ndarray, shape (B, P)
        Octaves of width: draws of what was measured.
    at : ndarray, shape (A,)
        Octaves of rows to predict at.
    seed : int

    Examples
    --------
    >>> law = power_law(np.array([-3.0, -2, -1]), np.array([[2.0, 3, 4]]), np.array([0.0]))
    >>> law.values.round(1).tolist(), law.slope.round(1).tolist()
    ([[3.3, 5.0, 5.4]], [0.3, 1.0, 1.1])
    """
    taus = SCATTER * halfnorm.ppf((np.arange(SCATTERS) + 0.5) / SCATTERS)
    line = FREE**2 + SLOPE**2 * np.multiply.outer(x, x)
    covariances = line + taus[:, None, None] ** 2 * np.eye(len(x))  # (tau, P, P)
    inverse = np.linalg.inv(covariances)
    centred = draws - draws.mean()
    fit = np.einsum("bp,tpq,bq->bt", centred, inverse, centred)
    weights = -0.5 * (fit + np.linalg.slogdet(covariances)[1])
    weights = np.exp(weights - weights.max())
    rng = np.random.default_rng([seed, 2])
    chosen = rng.choice(weights.size, DRAWS, p=(weights / weights.sum()).ravel())
    of_draw, of_tau = np.divmod(chosen, SCATTERS)
    # Of the new answers and the slope: covariance with the measured ones, and variance.
    covers = np.vstack([FREE**2 + SLOPE**2 * np.multiply.outer(at, x), SLOPE**2 * x])  # (A + 1, P)
    own = np.append(FREE**2 + SLOPE**2 * at**2, SLOPE**2) + np.multiply.outer(
        taus**2, np.append(np.ones(len(at)), 0.0)
    )
    gain = covers @ inverse  # (tau, A + 1, P)
    spread = np.sqrt(own - np.einsum("tap,ap->ta", gain, covers))
    mean = np.einsum("dap,dp->da", gain[of_tau], centred[of_draw])
    new = mean + spread[of_tau] * rng.standard_normal(mean.shape)
    new[:, :-1] += draws.mean()
    found = np.stack([*middle(new), np.median(new, axis=0)])[[0, 2, 1]].T
    return Law(found[:-1], found[-1])
