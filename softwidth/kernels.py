"""The limiting neural tangent kernel of the hidden layer (THEORY.md section 2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from softwidth._checks import ArgumentError, check_matrix
from softwidth._types import Array

BLOCK = 2048  # rows of the left matrix at a time: temporaries stay a small part of the result


def limiting_kernel(X: Any, Z: Any = None, *, dtype: Any = np.float64) -> Array:
    """``K(x, z) = xᵀz (pi - angle(x, z)) / (2 pi)``, shape (N, M).

    The first-order arc-cosine derivative kernel (Cho and Saul 2009), by blocks of rows.

    Parameters
    ----------
    X : array_like, shape (N, D)
    Z : array_like, shape (M, D), optional
        `X` itself by default.
    dtype : dtype
        ``float32`` or ``float64``.

    Raises
    ------
    ArgumentError
        If an input is not a finite matrix, or the columns differ.

    Examples
    --------
    >>> limiting_kernel([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]).tolist()
    [[0.5, 0.0, -0.0]]
    """
    X = check_matrix("X", X, dtype=dtype)
    Z = X if Z is None else check_matrix("Z", Z, dtype=dtype)
    if X.shape[1] != Z.shape[1]:
        raise ArgumentError("Z", Z, f"must have {X.shape[1]} columns, as X has.")
    K = np.empty((len(X), len(Z)), X.dtype)
    norms = np.linalg.norm(Z, axis=1)
    for start in range(0, len(X), BLOCK):
        rows = slice(start, start + BLOCK)
        np.matmul(X[rows], Z.T, out=K[rows])
        scale = np.linalg.norm(X[rows], axis=1)[:, None] * norms
        cosine = np.divide(K[rows], scale, out=np.zeros_like(scale), where=scale > 0)
        K[rows] *= (np.pi - np.arccos(np.clip(cosine, -1, 1))) / (2 * np.pi)
    return K
