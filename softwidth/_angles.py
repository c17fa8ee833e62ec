"""Compiled: from inner products to the limiting kernel, in place, with a vectorised arc cosine.

``arccos(a) = sqrt(1 - a) p(a)`` on [0, 1] with a smooth p, here its Chebyshev interpolant: the
nearest singularity is a = -1, so every degree gains a factor 3 + sqrt(8) = 5.8 of accuracy. Working
with |cos| keeps the digits of both ends: near -1 it is the small angle to -x that is computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.polynomial import chebyshev

from softwidth._types import Array

PIECE = 256  # entries of a row at a time: they and their temporaries stay in the first-level cache
# Below this 1 - |cos| the inner product has lost the angle's digits, and the vectors are compared:
# an error e of the cosine is one of e / sqrt(2 (1 - |cos|)) of the angle.
TOO_CLOSE = {"float32": 5e-3, "float64": 1e-7}
DEGREE = {"float32": 9, "float64": 22}  # 5.8**-9 = 1e-7, 5.8**-22 = 2e-17


def _ratio(t: Array) -> Array:
    """``arccos(a) / sqrt(1 - a)`` at ``a = (t + 1) / 2``."""
    root = np.sqrt((1 - t) / 2)
    return np.asarray(2 * np.arcsin(root / np.sqrt(2)) / root)


def coefficients(dtype: Any) -> Array:
    """Of the polynomial in ``t = 2 a - 1``, highest power first."""
    name = np.dtype(dtype).name
    nodes = chebyshev.chebpts1(DEGREE[name] + 1)
    series = chebyshev.chebfit(nodes, _ratio(nodes), DEGREE[name])
    return np.ascontiguousarray(chebyshev.cheb2poly(series)[::-1], dtype=dtype)


@njit(nogil=True, cache=True, fastmath={"contract", "nsz"}, error_model="numpy")
def to_kernel(K, X, Z, x_inverse, z_inverse, poly, too_close) -> None:  # type: ignore[no-untyped-def]
    """``K = X Zᵀ`` becomes ``K (pi - angle) / (2 pi)``; inverses of norms are 0 for rows of zeros."""
    n, m = K.shape
    real = K.dtype.type
    one, two, pi = real(1), real(2), real(np.pi)
    a, p = np.empty(PIECE, K.dtype), np.empty(PIECE, K.dtype)
    for i in range(n):
        for j0 in range(0, m, PIECE):
            w = min(PIECE, m - j0)
            row = K[i, j0 : j0 + w]
            scale = x_inverse[i] * z_inverse[j0 : j0 + w]
            for j in range(w):
                a[j] = min(abs(row[j] * scale[j]), one)
                p[j] = poly[0]
            for k in range(1, len(poly)):
                coefficient = poly[k]
                for j in range(w):
                    p[j] = p[j] * (two * a[j] - one) + coefficient
            close = 0
            for j in range(w):
                small = np.sqrt(one - a[j]) * p[j]
                opening = pi - small if row[j] >= 0 else small
                close += 1 if one - a[j] < too_close else 0
                row[j] *= opening / (two * pi)
            if close:
                for j in range(w):
                    if one - a[j] < too_close and scale[j] > 0:
                        row[j] = closely(X[i], Z[j0 + j], row[j])


@njit(nogil=True, cache=True, error_model="numpy")
def closely(x, z, value):  # type: ignore[no-untyped-def]
    """The kernel of two nearly (anti)parallel rows in double precision; `value` tells which.

    ``angle = 2 arcsin(‖x/‖x‖ - z/‖z‖‖ / 2)``, with a sum for opposite rows.
    """
    xx, zz, xz = 0.0, 0.0, 0.0
    for d in range(len(x)):
        xx += np.float64(x[d]) ** 2
        zz += np.float64(z[d]) ** 2
        xz += np.float64(x[d]) * np.float64(z[d])
    x_norm, z_norm = np.sqrt(xx), np.sqrt(zz)
    sign = 1.0 if xz >= 0 else -1.0
    square = 0.0
    for d in range(len(x)):
        square += (x[d] / x_norm - sign * z[d] / z_norm) ** 2
    small = 2 * np.arcsin(min(np.sqrt(square) / 2, 1.0))
    opening = np.pi - small if sign > 0 else small
    return xz * opening / (2 * np.pi)


@njit(nogil=True, cache=True)
def mirror(K, i0, i1) -> None:  # type: ignore[no-untyped-def]
    """Copy the rows ``i0:i1`` left of the diagonal to the columns ``i0:i1`` above it, by tiles."""
    tile = 32
    for a in range(i0, i1, tile):
        for b in range(0, i1, tile):
            for i in range(a, min(a + tile, i1)):
                for j in range(b, min(b + tile, i)):
                    K[j, i] = K[i, j]
