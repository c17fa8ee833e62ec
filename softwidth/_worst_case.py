"""The largest loss that any logits within given ends can have."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, xlogy

from softwidth._types import Array


def worst_cross_entropy(P: Array, low: Array, high: Array) -> Array:
    """``max CE(p_i, f)`` in nats over ``low_i <= f <= high_i``; for K logits an upper bound, (N,).

    Cross-entropy is convex in the logit, so one logit's largest is at an end. For K logits,
    ``CE = Σ_j p_j ln Σ_k exp(f_k - f_j)`` and every difference is at most ``high_k - low_j``.

    Examples
    --------
    >>> worst_cross_entropy(np.array([[0.0, 1.0]]), np.array([[-1.0]]), np.array([[2.0]])).round(4)
    array([1.3133])
    >>> both = np.array([[-0.5, 0.5]])
    >>> worst_cross_entropy(np.array([[0.0, 1.0]]), both, both).round(4)  # no freedom: CE itself
    array([0.3133])
    """
    if low.shape[1] == 1:
        ends = [
            P[:, 0] * np.logaddexp(0, f[:, 0]) + P[:, 1] * np.logaddexp(0, -f[:, 0])
            for f in (low, high)
        ]
        return np.maximum(*ends)
    total = np.zeros(len(P))
    for j in range(P.shape[1]):
        ahead = high - low[:, j : j + 1]
        ahead[:, j] = 0
        total += P[:, j] * logsumexp(ahead, axis=1)
    return total


def worst_kl(P: Array, low: Array, high: Array) -> Array:
    """``max KL(p_i ‖ f)`` in nats over ``low_i <= f <= high_i``; for K logits an upper bound, (N,).

    For K logits the lesser of two bounds: `worst_cross_entropy` less the entropy, good for labels
    near one-hot, and ``(max_k e_k - min_k e_k)²/8``, e the distance from ``ln p``, good near p
    (the log-partition function's second derivative along e is a variance).
    """
    kl = worst_cross_entropy(P, low, high) + xlogy(P, P).sum(axis=1)
    if low.shape[1] > 1:
        inside = (P > 0).all(axis=1)
        log_p = np.log(P[inside])
        spread = (high[inside] - log_p).max(axis=1) - (low[inside] - log_p).min(axis=1)
        with np.errstate(over="ignore"):  # the other bound is the lesser then
            kl[inside] = np.minimum(kl[inside], spread**2 / 8)
    return np.maximum(kl, 0)
