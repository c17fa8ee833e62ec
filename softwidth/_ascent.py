"""Compiled pieces of the support-vector solver: greedy coordinate steps, and taking out a block."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def lower_block(Q, chosen, out) -> None:  # type: ignore[no-untyped-def]
    """The lower triangle of ``Q[chosen][:, chosen]``; NumPy's way gathers both, and slower."""
    for a in range(len(chosen)):
        row = Q[chosen[a]]
        for b in range(a + 1):
            out[a, b] = row[chosen[b]]


@njit(nogil=True, cache=True, fastmath={"contract", "nsz", "reassoc"})
def greedy_steps(Q, beta, slope, steps) -> None:  # type: ignore[no-untyped-def]
    """Coordinate steps of ``min ½ βᵀQβ - 1ᵀβ over β ≥ 0``, each where it gains most.

    `beta` and its ``slope = Qβ - 1`` are updated in place. A step to the best value of one
    coordinate gains ``t (slope - t Q_jj / 2)``, t the change of minus β_j: at most β_j.
    """
    n = len(beta)
    diagonal, inverse, gains = np.empty(n), np.empty(n), np.empty(n)
    for j in range(n):  # once: strided reads at every step would take four fifths of the time
        diagonal[j] = Q[j, j] if Q[j, j] > 0 else 1e300
        inverse[j] = 1 / diagonal[j]
    for _ in range(steps):
        most = 0.0
        for j in range(n):
            free, held = slope[j] * inverse[j], beta[j]
            t = free if free < held else held
            gains[j] = t * (slope[j] - 0.5 * t * diagonal[j])
            most = gains[j] if gains[j] > most else most
        if not most > 0:
            return
        best = np.argmax(gains)
        t = min(slope[best] * inverse[best], beta[best])
        beta[best] -= t
        row = Q[best]
        for j in range(n):
            slope[j] -= t * row[j]


@njit(nogil=True, cache=True, fastmath={"contract", "nsz", "reassoc"})
def gated_sums(H, G, weights, out) -> None:  # type: ignore[no-untyped-def]
    """``out[i, s] = Σ_r weights[s, r] G[i, r] 1(H[i, r] > 0)``, without a mask of the gates' size."""
    n, m = H.shape
    for i in range(n):
        for s in range(len(weights)):
            total = 0.0
            for r in range(m):
                total += weights[s, r] * (G[i, r] if H[i, r] > 0 else 0.0)
            out[i, s] = total


@njit(nogil=True, cache=True, fastmath={"contract", "nsz", "reassoc"})
def precise_sums(K, coefficients, out) -> None:  # type: ignore[no-untyped-def]
    """``out = K @ coefficients`` for single-precision K, summed in double precision without a copy."""
    n, m = K.shape
    for i in range(n):
        for k in range(out.shape[1]):
            total = 0.0
            for j in range(m):
                total += np.float64(K[i, j]) * coefficients[k, j]
            out[i, k] = total
