"""Compiled cross-entropies: the loss of a piece of samples, and its gradient in the logits."""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, overload

LOG_EVERY = 32  # K**32 must stay below the largest double: K <= 10**9
REORDER = {"reassoc", "contract", "nsz"}  # sums may be vectorised; NaN and inf keep their meaning


@intrinsic
def _exponent_shifted(typing_context, x, k):  # type: ignore[no-untyped-def]
    """``x * 2**k`` by adding ``k`` to the exponent bits of a positive float32 `x`."""
    from llvmlite import ir

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        bits = builder.bitcast(arguments[0], ir.IntType(32))
        shift = builder.shl(arguments[1], ir.Constant(ir.IntType(32), 23))
        return builder.bitcast(builder.add(bits, shift), ir.FloatType())

    return types.float32(types.float32, types.int32), generate


def exp_nonpositive(x: float) -> float:
    """``exp(x)`` for ``x <= 0``; float32 to 2e-7 relative, in a form that LLVM vectorises."""
    return float(np.exp(x))


@overload(exp_nonpositive, inline="always")
def _exp_for_dtype(x):  # type: ignore[no-untyped-def]
    if x != types.float32:

        def library(x):  # type: ignore[no-untyped-def]
            return np.exp(x)

        return library

    # exp(x) = 2**k exp(r), |r| <= ln(2)/2; ln 2 in two parts, the first exact in float32 times k.
    inverse_ln2 = np.float32(1 / np.log(2))
    ln2_high = np.float32(0.693359375)
    ln2_low = np.float32(np.log(2) - 0.693359375)
    half, one, lowest = np.float32(0.5), np.float32(1), np.float32(-87)
    # Taylor to degree 7: its remainder at ln(2)/2 is 5e-9 relative, below float32's rounding.
    c7, c6, c5, c4, c3 = (np.float32(1 / n) for n in (5040, 720, 120, 24, 6))

    def compute(x):  # type: ignore[no-untyped-def]
        x = x if x > lowest else lowest
        k = np.int32(x * inverse_ln2 - half)
        r = x - np.float32(k) * ln2_high - np.float32(k) * ln2_low
        tail = c3 + r * (c4 + r * (c5 + r * (c6 + r * c7)))
        return _exponent_shifted(one + r * (one + r * (half + r * tail)), k)

    return compute


@njit(nogil=True, cache=True)
def clear(vector) -> None:  # type: ignore[no-untyped-def]
    """Zero a vector; numba's slice assignment costs seconds of compilation in its place."""
    for i in range(len(vector)):
        vector[i] = 0


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def binary_loss(f, t, y, gain):  # type: ignore[no-untyped-def]
    """Cross-entropy and mistakes of a piece; ``f`` becomes ``gain (q - t)``.

    ``CE = ln(1 + e^-|f|) + max(f, 0) - t f``; the logarithms are those of one product of factors
    in (1, 2], at most 2**CHUNK, so a piece costs a single logarithm.
    """
    one = f.dtype.type(1)
    product, linear, mistakes = 1.0, 0.0, 0
    for i in range(len(f)):
        v = f[i]
        e = exp_nonpositive(-abs(v))
        product *= 1.0 + np.float64(e)
        linear += max(v, f.dtype.type(0)) - t[i] * v
        right = v if y[i] == 1 else -v
        mistakes += 0 if right > 0 else 1
        f[i] = gain * ((one if v >= 0 else e) / (one + e) - t[i])
    return np.log(product) + linear, mistakes


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def count_mistakes(F, y):  # type: ignore[no-untyped-def]
    """Samples whose right class is not strictly above all others: a tie is a mistake."""
    K, w = F.shape
    mistakes = 0
    for i in range(w):
        rivals = 0
        for k in range(K):
            rivals += 1 if not F[y[i], i] > F[k, i] else 0
        mistakes += 1 if rivals > 1 else 0
    return mistakes


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def highest_logit(F, top) -> None:  # type: ignore[no-untyped-def]
    """``top[i] = max_k F[k, i]``."""
    K, w = F.shape
    for i in range(w):
        top[i] = F[0, i]
    for k in range(1, K):
        for i in range(w):
            top[i] = F[k, i] if F[k, i] > top[i] else top[i]


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def sum_of_logs(values):  # type: ignore[no-untyped-def]
    """``sum_i ln values[i]`` of values in [1, K], by one logarithm per `LOG_EVERY` factors."""
    total, product = 0.0, 1.0
    for i in range(len(values)):
        product *= np.float64(values[i])
        if i % LOG_EVERY == LOG_EVERY - 1:
            total += np.log(product)
            product = 1.0
    return total + np.log(product)


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def multiclass_loss(F, T, y, gain, top):  # type: ignore[no-untyped-def]
    """Cross-entropy and mistakes of a piece; ``F`` becomes ``gain (softmax(F) - T)``."""
    K, w = F.shape
    mistakes, loss = count_mistakes(F, y), 0.0
    highest_logit(F, top)
    for k in range(K):
        for i in range(w):
            shifted = F[k, i] - top[i]
            loss -= T[k, i] * shifted
            F[k, i] = exp_nonpositive(shifted)
    total = top[:w]
    clear(total)
    for k in range(K):
        for i in range(w):
            total[i] += F[k, i]
    for k in range(K):
        for i in range(w):
            F[k, i] = gain * (F[k, i] / total[i] - T[k, i])
    return loss + sum_of_logs(total), mistakes
