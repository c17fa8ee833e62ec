"""Matrix products inside compiled loops: BLAS gemm, accumulating in place, without Python.

numba's own ``np.dot`` cannot add to its output. A step of gradient descent is an addition, and one
that goes straight from the product into the weights saves a pass over all of them. scipy publishes
the addresses of its BLAS; registered under a name they can be called from cached machine code.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numpy as np
from numba import njit, types
from numba.extending import get_cython_function_address, overload


def _external(routine: str, real: Any) -> Any:
    symbol = f"softwidth_{routine}"
    address = get_cython_function_address("scipy.linalg.cython_blas", routine)
    llvmlite.binding.add_symbol(symbol, address)
    char, integer, number = map(types.CPointer, (types.int8, types.int32, real))
    return types.ExternalFunction(
        symbol,
        types.void(
            char, char, integer, integer, integer, number, number, integer,
            number, integer, number, number, integer,
        ),
    )  # fmt: skip


_sgemm = _external("sgemm", types.float32)
_dgemm = _external("dgemm", types.float64)


def _gemm(flags, sizes, factors, A, B, C) -> None:  # type: ignore[no-untyped-def]
    raise NotImplementedError("compiled code only")


@overload(_gemm)
def _gemm_for_dtype(flags, sizes, factors, A, B, C):  # type: ignore[no-untyped-def]
    routine = _sgemm if A.dtype == types.float32 else _dgemm

    def call(flags, sizes, factors, A, B, C):  # type: ignore[no-untyped-def]
        routine(
            flags.ctypes, flags[1:].ctypes,
            sizes.ctypes, sizes[1:].ctypes, sizes[2:].ctypes,
            factors.ctypes, A.ctypes, sizes[3:].ctypes, B.ctypes, sizes[4:].ctypes,
            factors[1:].ctypes, C.ctypes, sizes[5:].ctypes,
        )  # fmt: skip

    return call


_NO, _YES = ord("N"), ord("T")


@njit(nogil=True, cache=True)
def _arguments(dtype):  # type: ignore[no-untyped-def]
    """Room for gemm's arguments, all of which BLAS takes by address."""
    return np.empty(2, np.int8), np.empty(6, np.int32), np.empty(2, dtype)


@njit(nogil=True, cache=True)
def activations(W, X, out) -> None:  # type: ignore[no-untyped-def]
    """``out[:, :n] = W @ X.T`` for C-ordered ``W (H, D)``, ``X (n, D)``, ``out (H, >= n)``.

    BLAS reads columns first, so it sees the transposes: ``outᵀ = X Wᵀ``.
    """
    n, D = X.shape
    flags, sizes, factors = _arguments(W.dtype)
    flags[0], flags[1] = _YES, _NO
    sizes[0], sizes[1], sizes[2] = n, W.shape[0], D
    sizes[3], sizes[4], sizes[5] = D, D, out.shape[1]
    factors[0], factors[1] = 1, 0
    _gemm(flags, sizes, factors, X, W, out)


@njit(nogil=True, cache=True)
def add_outer(G, X, alpha, beta, out) -> None:  # type: ignore[no-untyped-def]
    """``out = alpha G[:, :n] @ X + beta out`` for C-ordered ``G (H, >= n)``, ``X (n, D)``."""
    n, D = X.shape
    flags, sizes, factors = _arguments(G.dtype)
    flags[0], flags[1] = _NO, _NO
    sizes[0], sizes[1], sizes[2] = D, G.shape[0], n
    sizes[3], sizes[4], sizes[5] = D, G.shape[1], D
    factors[0], factors[1] = alpha, beta
    _gemm(flags, sizes, factors, X, G, out)
