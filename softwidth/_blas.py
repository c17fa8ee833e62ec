"""Matrix products inside compiled loops: BLAS gemm, accumulating in place, without Python.

numba's own ``np.dot`` cannot add to its output. A step of gradient descent is an addition, and one
that goes straight from the product into the weights saves a pass over all of them. scipy publishes
the addresses of its BLAS; registered under a name they can be called from cached machine code.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

_SYMBOLS = {types.float32: "softwidth_sgemm", types.float64: "softwidth_dgemm"}
for _symbol in _SYMBOLS.values():
    _address = get_cython_function_address("scipy.linalg.cython_blas", _symbol.split("_")[1])
    llvmlite.binding.add_symbol(_symbol, _address)


@intrinsic
def _gemm(typing_context, flags, sizes, factors, addresses):  # type: ignore[no-untyped-def]
    """Call gemm, which takes every argument by address, with these values.

    ``(transA, transB), (m, n, k, lda, ldb, ldc), (alpha, beta), (A, B, C)``: written as machine
    code because arrays made only to be pointed at took 2 s more to compile.
    """
    symbol = _SYMBOLS[factors.dtype]

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        flags, sizes, factors, addresses = (cgutils.unpack_tuple(builder, a) for a in arguments)

        def slot(value: Any, bits: int | None = None) -> Any:
            small = value if bits is None else builder.trunc(value, ir.IntType(bits))
            return cgutils.alloca_once_value(builder, small)

        trans_a, trans_b = (slot(flag, 8) for flag in flags)
        m, n, k, lda, ldb, ldc = (slot(size, 32) for size in sizes)
        alpha, beta = (slot(factor) for factor in factors)
        A, B, C = (builder.inttoptr(address, alpha.type) for address in addresses)
        passed = [trans_a, trans_b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in passed])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, symbol), passed)
        return context.get_dummy_value()

    return types.void(flags, sizes, factors, addresses), generate


_NO, _YES = ord("N"), ord("T")


@njit(nogil=True, cache=True)
def activations(W, X, out) -> None:  # type: ignore[no-untyped-def]
    """``out[:, :n] = W @ X.T`` for C-ordered ``W (H, D)``, ``X (n, D)``, ``out (H, >= n)``.

    BLAS reads columns first, so it sees the transposes: ``outᵀ = X Wᵀ``.
    """
    n, D = X.shape
    _gemm(
        (_YES, _NO),
        (n, W.shape[0], D, D, D, out.shape[1]),
        (W.dtype.type(1), W.dtype.type(0)),
        (X.ctypes.data, W.ctypes.data, out.ctypes.data),
    )


@njit(nogil=True, cache=True)
def add_outer(G, X, alpha, beta, out) -> None:  # type: ignore[no-untyped-def]
    """``out = alpha G[:, :n] @ X + beta out`` for C-ordered ``G (H, >= n)``, ``X (n, D)``."""
    n, D = X.shape
    _gemm(
        (_NO, _NO),
        (D, G.shape[0], n, D, G.shape[1], D),
        (G.dtype.type(alpha), G.dtype.type(beta)),
        (X.ctypes.data, G.ctypes.data, out.ctypes.data),
    )
