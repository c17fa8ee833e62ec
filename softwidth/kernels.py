"""Limiting and finite-width neural tangent kernels of the hidden layer (THEORY.md section 2).

Both are computed by blocks of rows into one array: no second array of its size is ever held.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_dtype,
    check_finite,
    check_lengths,
    check_matrix,
    check_memory,
    check_numeric,
    check_same_length,
)
from softwidth._cores import blas_threads, usable_cores
from softwidth._types import Array

BLOCK = 512  # rows at a time: products of this size run at full speed, temporaries stay small
DTYPES = ("float32", "float64")


def limiting_kernel(X: Any, Z: Any = None, *, dtype: Any = np.float64) -> Array:
    """``K(x, z) = xᵀz (pi - angle(x, z)) / (2 pi)``, shape (N, M).

    The first-order arc-cosine derivative kernel (Cho and Saul 2009). Accurate to 1e-15 (float64)
    or 1e-6 (float32) of the product of norms; near opposite rows, where the kernel itself goes to
    0 with the angle t to ``-x``, to 1e-15 / t of its own value: 1e-7 where t is 1e-8.

    Parameters
    ----------
    X : array_like, shape (N, D)
    Z : array_like, shape (M, D), optional
        `X` itself by default: then one triangle is computed and mirrored.
    dtype : {"float32", "float64"}

    Returns
    -------
    ndarray, shape (N, M)

    Raises
    ------
    ArgumentError
        If an input is not a finite matrix, or the columns differ.
    MemoryLimitError
        If the kernel does not fit into the free memory.

    Examples
    --------
    >>> limiting_kernel([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]).tolist()
    [[0.5, 0.0, -0.0]]
    """
    from softwidth._angles import TOO_CLOSE, coefficients, to_kernel

    X, Z, symmetric = _inputs(X, Z, dtype)
    x_inverse, z_inverse = _inverse_norms(X), _inverse_norms(Z)
    poly, too_close = coefficients(X.dtype), X.dtype.type(TOO_CLOSE[X.dtype.name])

    def fill(rows: slice, columns: slice, block: Array) -> None:
        np.matmul(X[rows], Z[columns].T, out=block)
        inverses = x_inverse[rows], z_inverse[columns]
        to_kernel(block, X[rows], Z[columns], *inverses, poly, too_close)

    return _by_blocks(fill, len(X), len(Z), X.dtype, symmetric=symmetric)


def finite_kernel(
    X: Any, W: Any, Z: Any = None, *, weights: Any = None, dtype: Any = np.float64
) -> Array:
    """``K_m(x, z) = xᵀz (1/m) sum_r weights_r 1(w_rᵀx > 0) 1(w_rᵀz > 0)``, shape (N, M).

    Parameters
    ----------
    X, Z : array_like, shapes (N, D) and (M, D)
        `Z` is `X` by default.
    W : array_like, shape (m, D)
        Neurons at their start.
    weights : array_like, shape (m,), optional
        1 by default.
    dtype : {"float32", "float64"}

    Raises
    ------
    ArgumentError
        If an input is not a finite matrix, the columns differ, or `weights` has another length.
    MemoryLimitError
        If the kernel does not fit into the free memory.

    Notes
    -----
    For the symmetric initialisation give one neuron of each pair: twins have the same activations.
    Besides the kernel, the patterns of activation are held: ``2 N m`` or ``(2 N + M) m`` numbers.

    Examples
    --------
    >>> finite_kernel([[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [-1.0, 1.0]]).tolist()
    [[0.5, 0.0], [0.0, 4.0]]
    """
    X, Z, symmetric = _inputs(X, Z, dtype)
    W = check_lengths("W", check_matrix("W", W, dtype=X.dtype))
    if W.shape[1] != X.shape[1]:
        raise ArgumentError("W", W, f"must have {X.shape[1]} columns, as X has.")
    P = active(X, W)
    Q = P if symmetric else active(Z, W)
    scaled = P * _mean_weights(weights, len(W)).astype(X.dtype)

    def fill(rows: slice, columns: slice, block: Array) -> None:
        np.matmul(X[rows], Z[columns].T, out=block)
        block *= scaled[rows] @ Q[columns].T

    return _by_blocks(fill, len(X), len(Z), X.dtype, symmetric=symmetric)


def active(X: Array, W: Array) -> Array:
    """``1(w_rᵀx > 0)`` as numbers, shape (N, m)."""
    return (X @ W.T > 0).astype(X.dtype)


def _mean_weights(weights: Any, m: int) -> Array:
    """``weights_r / m``."""
    if weights is None:
        return np.full(m, 1 / m)
    array = check_finite("weights", check_numeric("weights", weights, dtype=np.float64))
    if array.ndim != 1:
        raise ArgumentError("weights", array, "must hold one number for each neuron.")
    check_same_length("weights", array, "W", m)
    return array / m


def _inputs(X: Any, Z: Any, dtype: Any) -> tuple[Array, Array, bool]:
    check_choice("dtype", check_dtype("dtype", dtype).name, DTYPES)
    X = check_lengths("X", check_matrix("X", X, dtype=dtype))
    if Z is None:
        return X, X, True
    Z = check_lengths("Z", check_matrix("Z", Z, dtype=dtype))
    if X.shape[1] != Z.shape[1]:
        raise ArgumentError("Z", Z, f"must have {X.shape[1]} columns, as X has.")
    return X, Z, False


def _inverse_norms(X: Array) -> Array:
    norms = np.linalg.norm(X, axis=1)
    return np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)


def _by_blocks(
    fill: Callable[[slice, slice, Array], None], n: int, m: int, dtype: Any, *, symmetric: bool
) -> Array:
    """An (n, m) array that `fill` writes by blocks of rows, on all cores; one triangle if symmetric."""
    from softwidth._angles import mirror

    check_memory(f"a kernel of {n} x {m} rows", n * m * np.dtype(dtype).itemsize)
    K = np.empty((n, m), dtype)

    def work(start: int) -> None:
        end = min(start + BLOCK, n)
        rows, columns = slice(start, end), slice(0, end if symmetric else m)
        fill(rows, columns, K[rows, columns])
        if symmetric:
            mirror(K, start, end)

    # The last blocks of a triangle are the largest: first come, and none is left to wait for.
    starts = range(0, n, BLOCK)[::-1]
    with blas_threads(1), ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(work, starts))
    return K
