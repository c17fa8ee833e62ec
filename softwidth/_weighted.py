"""Compiled cross-entropies of rows that do not all weigh the same.

Apart from `_losses`, whose one logarithm per piece of rows needs equal weights: here every row has
its own. A row of weight 0 adds nothing whatever its logits are, as long as they are finite.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from softwidth._losses import REORDER, clear, exp_nonpositive, highest_logit


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def weighted_binary_loss(f, t, y, w, gain):  # type: ignore[no-untyped-def]
    """``sum_i w_i CE_i`` and ``sum_i w_i [mistake]``; ``f`` becomes ``gain w (q - t)``."""
    one = f.dtype.type(1)
    loss, mistakes = 0.0, 0.0
    for i in range(len(f)):
        v, weight = f[i], w[i]
        e = exp_nonpositive(-abs(v))
        loss += weight * (np.log1p(np.float64(e)) + max(v, f.dtype.type(0)) - t[i] * v)
        right = v if y[i] == 1 else -v
        mistakes += 0 if right > 0 else weight
        f[i] = gain * weight * ((one if v >= 0 else e) / (one + e) - t[i])
    return loss, mistakes


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def weigh_mistakes(F, y, w):  # type: ignore[no-untyped-def]
    """Weight of the samples whose right class is not strictly above all others."""
    mistakes = 0.0
    for i in range(F.shape[1]):
        rivals = 0
        for k in range(F.shape[0]):
            rivals += 1 if not F[y[i], i] > F[k, i] else 0
        mistakes += w[i] if rivals > 1 else 0
    return mistakes


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def weighted_multiclass_loss(F, T, y, w, gain, top):  # type: ignore[no-untyped-def]
    """The same for K logits; ``F`` becomes ``gain w (softmax(F) - T)``."""
    K, n = F.shape
    mistakes, loss = weigh_mistakes(F, y, w), 0.0
    highest_logit(F, top)
    for k in range(K):
        for i in range(n):
            shifted = F[k, i] - top[i]
            loss -= w[i] * T[k, i] * shifted
            F[k, i] = exp_nonpositive(shifted)
    total = top[:n]
    clear(total)
    for k in range(K):
        for i in range(n):
            total[i] += F[k, i]
    for i in range(n):
        loss += w[i] * np.log(np.float64(total[i]))
    for k in range(K):
        for i in range(n):
            F[k, i] = gain * w[i] * (F[k, i] / total[i] - T[k, i])
    return loss, mistakes


@njit(nogil=True, cache=True, error_model="numpy")
def weighted_loss(F, T, y, w, gain, top):  # type: ignore[no-untyped-def]
    """Either of them, by the number of logits."""
    if F.shape[0] == 1:
        return weighted_binary_loss(F[0], T[0], y, w, gain)
    return weighted_multiclass_loss(F, T, y, w, gain, top)
