"""One student's way over a piece of samples: its logits forward, its gradient back."""

from __future__ import annotations

from numba import njit

from softwidth._losses import REORDER, clear


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def student_logits(H, c0, c1, A, scale, b, F) -> None:  # type: ignore[no-untyped-def]
    """``F[k, i] = b_k + scale sum_r A[r, k] max(0, H[r, c0 + i])`` for one student.

    Written so that NaN passes: weights that overflowed must show in the loss, not vanish from it.
    """
    w = c1 - c0
    for k in range(A.shape[1]):
        logits = F[k, :w]
        clear(logits)
        for r in range(A.shape[0]):
            a = A[r, k]
            h = H[r, c0:c1]
            for i in range(w):
                logits[i] += a * (0 if h[i] < 0 else h[i])
        for i in range(w):
            logits[i] = scale * logits[i] + b[k]


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def student_gradient(H, c0, c1, A, scale, F, g) -> None:  # type: ignore[no-untyped-def]
    """``H`` becomes the loss's gradient with respect to it (times the gain already in ``F``)."""
    w = c1 - c0
    C = A.shape[1]
    for r in range(A.shape[0]):
        h = H[r, c0:c1]
        if C == 1:
            a = scale * A[r, 0]
            f = F[0, :w]
            for i in range(w):
                h[i] = a * f[i] if h[i] > 0 else 0
        else:
            clear(g[:w])
            for k in range(C):
                a = scale * A[r, k]
                f = F[k, :w]
                for i in range(w):
                    g[i] += a * f[i]
            for i in range(w):
                h[i] = g[i] if h[i] > 0 else 0


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def add_output_step(H, c0, c1, scale, F, A_step) -> None:  # type: ignore[no-untyped-def]
    """Add this piece to the gradient step of the output weights; call before `H` is replaced."""
    for r in range(A_step.shape[0]):
        h = H[r, c0:c1]
        for k in range(A_step.shape[1]):
            total = F.dtype.type(0)
            for i in range(c1 - c0):
                total += F[k, i] * (h[i] if h[i] > 0 else 0)
            A_step[r, k] += scale * total


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def add_bias_step(F, b_step) -> None:  # type: ignore[no-untyped-def]
    """Add this piece to the gradient step of the output biases."""
    for k in range(F.shape[0]):
        for i in range(F.shape[1]):
            b_step[k] += F[k, i]


@njit(nogil=True, cache=True)
def equal_twins(H, n) -> None:  # type: ignore[no-untyped-def]
    """Give twins, which start with the same weights, the same activations to the last bit.

    BLAS does not: at the edges of its blocks it adds in another order, and 1 bank of 10 then had
    a start that was not 0 exactly.
    """
    for r in range(0, H.shape[0], 2):
        for i in range(n):
            H[r + 1, i] = H[r, i]
