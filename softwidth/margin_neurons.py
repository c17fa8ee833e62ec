"""The sup-norm margin of drawn neurons, by the iteratively reweighted SVM of THEORY.md section 3.

For K logits the norm of a map at a neuron is ``Σ_k ‖v_k‖`` (THEORY.md section 7), and the dual value
is ``mean_r max_k ‖u_rk‖``. Since ``(Σ_k ‖v_k‖)² = min Σ_k ‖v_k‖²/λ_k`` over λ in the simplex, every
neuron and class has one weight ``ω = λ/c``, and the kernel of the next SVM is the neurons' own,
weighted by ω. One logit is the case of one class, λ = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._ascent import gated_sums
from softwidth._types import Array
from softwidth.kernels import finite_kernel
from softwidth.margin_grams import Constraints
from softwidth.margin_svm import NEW_ROWS, check_fits, minimise

Rows = np.ndarray[Any, Any]

BLOCK = 2**22  # numbers in an array of activations: 32 MiB
MOST_ROUNDS = 100
STALLED = 10  # rounds without a hundredth less of the gap
NEAR, FAR = (
    0.02,
    0.05,
)  # of the margin: constraints so near to the least join, and so far from it leave
FLOOR = 1e-4  # least c, of the mean: where no row is active u is 0, and 1/c has no limit


@dataclass(frozen=True, eq=False)
class Neurons:
    """Drawn neurons as they act on constraints.

    Attributes
    ----------
    constraints : Constraints
    W : ndarray, shape (m, D), float64
        Different neurons.
    share : ndarray, shape (m,)
        Part of the mean that is each neuron's: ``1/m`` if all are different.
    """

    constraints: Constraints
    W: Array
    share: Array

    def active(self, rows: Rows) -> Array:
        """``1(w_rᵀx > 0)`` as numbers, shape (rows, m)."""
        return (self._X(rows) @ self.W.T > 0).astype(np.float64)

    def silent_rows(self) -> Rows:
        """Rows for which no neuron is active."""
        rows = np.arange(len(self.constraints.X))
        heard = [self.active(rows[part]).any(axis=1) for part in self._parts(rows)]
        return np.flatnonzero(~np.concatenate(heard))

    def gram(self, chosen: Rows, omega: Array) -> Array:
        """``Q`` of the chosen constraints, neurons and classes weighted by `omega` (m, C)."""
        rows, which = self.constraints.of_rows(chosen)
        P, X = self.active(rows), self._X(rows)
        inner, Q = X @ X.T, np.zeros((len(chosen), len(chosen)))
        for directions, weight in zip(self.constraints.directions[chosen].T, omega.T, strict=True):
            scaled = P * np.sqrt(weight * self.share)
            K = scaled @ scaled.T  # a product with itself: BLAS computes one triangle
            K *= inner
            if len(rows) < len(chosen) or not np.array_equal(which, np.arange(len(rows))):
                K = K[np.ix_(which, which)]
            K *= directions[:, None]
            K *= directions
            Q += K
        return Q

    def map(self, chosen: Rows, alpha: Array) -> Array:
        """``u_rk = Σ_c α_c e_ck x_c 1(w_rᵀx_c > 0)``, shape (m, C, D)."""
        rows, coefficients = self.constraints.coefficients(chosen, alpha)
        u = np.zeros((len(self.W), coefficients.shape[1], self.W.shape[1]))
        for part in self._parts(rows):
            P, X = self.active(rows[part]), self._X(rows[part])
            for k, weights in enumerate(coefficients[part].T):
                u[:, k] += (P * weights[:, None]).T @ X
        return u

    def field(self, v: Array) -> Array:
        """``e_cᵀ mean_r v_r x_c 1(w_rᵀx_c > 0)`` of every constraint, shape (c,)."""
        return self.fields(v, np.ones((1, len(v))))[0]

    def fields(self, v: Array, factors: Array) -> list[Array]:
        """The fields of ``factors[s, r] v_r`` for every s: products of one, sums of each."""
        everything = np.arange(len(self.constraints.X))
        F = np.empty((len(factors), len(everything), v.shape[1]))
        weights = factors * self.share
        for part in self._parts(everything):
            X = self._X(everything[part])
            H, sums = X @ self.W.T, np.empty((len(X), len(factors)))
            for k in range(v.shape[1]):
                gated_sums(H, X @ v[:, k].T, weights, sums)
                F[:, part, k] = sums.T
        return [self.constraints.values(logits) for logits in F]

    def _X(self, rows: Rows) -> Array:
        return self.constraints.X[rows].astype(np.float64)

    def _parts(self, rows: Rows) -> list[slice]:
        size = max(1, BLOCK // len(self.W))
        return [slice(start, start + size) for start in range(0, len(rows), size)]

    def dual_value(self, chosen: Rows, alpha: Array) -> float:
        """``mean_r max_k ‖u_rk‖``: no margin is larger, α of the simplex."""
        return float(self.share @ sizes(self.map(chosen, alpha)).max(axis=1))


class FiniteGram:
    """``K_m(x, x') eᵀe'`` with the kernel of drawn neurons: the `margin_svm.Gram` of the L2 norm."""

    def __init__(self, neurons: Neurons) -> None:
        self.neurons, self.constraints = neurons, neurons.constraints

    @property
    def n(self) -> int:
        """Number of constraints."""
        return self.constraints.n

    def block(self, rows: Rows, columns: Rows) -> Array:
        """``Q[rows, columns]``."""
        C, neurons = self.constraints, self.neurons
        (i, of_i), (j, of_j) = C.of_rows(rows), C.of_rows(columns)
        weights = neurons.share * len(neurons.W)
        K = finite_kernel(C.X[i], neurons.W, C.X[j], weights=weights)
        return C.spread(K[np.ix_(of_i, of_j)], rows, columns)

    def field(self, columns: Rows, beta: Array, *, precise: bool = True) -> Array:
        """``Q[:, columns] @ beta``, always in double precision."""
        return self.neurons.field(self.neurons.map(columns, beta))


def sizes(v: Array) -> Array:
    """``‖v_rk‖``, shape (m, C)."""
    return np.asarray(np.linalg.norm(v, axis=2))


def into_ball(v: Array) -> Array:
    """Factors of each neuron's map, (2, m): onto the sphere ``Σ_k ‖v_rk‖ = 1``, and only if outside."""
    total = np.maximum(sizes(v).sum(axis=1), np.finfo(float).tiny)
    return np.stack([1 / total, 1 / np.maximum(total, 1)])


@dataclass(eq=False)
class Pair:
    """The best witnesses so far: α for the upper end, v for the lower.

    Attributes
    ----------
    support, alpha : ndarray, shape (V,)
        Constraints and their weights in the simplex.
    v : ndarray, shape (m, C, D)
    """

    support: Rows
    alpha: Array
    v: Array
    lower: float = 0.0
    upper: float = np.inf

    @property
    def gap(self) -> float:
        """``1 - lower/upper``."""
        return 1 - self.lower / self.upper if self.upper > 0 else 0.0

    def offer_alpha(self, support: Rows, alpha: Array, value: float) -> None:
        """Keep it if it is better."""
        if value < self.upper:
            self.support, self.alpha, self.upper = support, alpha, value


def reweighted(
    neurons: Neurons, start: Rows, *, gap: float, on_round: Callable[[Pair], bool]
) -> Pair:
    """Alternate the SVM on the weighted kernel and the weights until the gap is closed.

    Parameters
    ----------
    neurons : Neurons
    start : ndarray
        First working set of constraints: the support of the kernel margin, say.
    gap : float
        Relative, at which to stop.
    on_round : callable
        Sees the best pair of every round; True stops here.

    Raises
    ------
    MemoryLimitError
        A working set that does not fit; the message says how much is needed.
    """
    m, D, C = *neurons.W.shape, neurons.constraints.directions.shape[1]
    working, omega = np.sort(start), np.full((m, C), 1 / C)
    beta: Array = np.zeros(len(working))
    best, gaps = Pair(working[:0], beta[:0], np.zeros((m, C, D))), [1.0]
    for _ in range(MOST_ROUNDS):
        check_fits(len(working))
        beta = _weighted_svm(neurons, working, omega, beta)
        support = np.flatnonzero(beta)
        alpha = beta[support] / beta.sum()
        u = neurons.map(working[support], alpha)
        best.offer_alpha(working[support], alpha, float(neurons.share @ sizes(u).max(axis=1)))
        field = _offer_maps(best, neurons, omega[:, :, None] * u)
        gaps.append(best.gap)
        stalled = len(gaps) > STALLED and gaps[-1] > 0.99 * gaps[-1 - STALLED]
        if on_round(best) or best.gap <= gap or stalled:
            break
        working, beta = _next_working(working, beta, field, best.upper)
        omega = _reweighted(omega, sizes(u))
    return best


def _weighted_svm(neurons: Neurons, working: Rows, omega: Array, beta: Array) -> Array:
    """β of the weighted kernel, begun from the last one at the scale that is best for this one."""
    Q = neurons.gram(working, omega)
    square = beta @ Q @ beta
    return minimise(Q, beta * (beta.sum() / square) if square > 0 else beta)


def _offer_maps(best: Pair, neurons: Neurons, v: Array) -> Array:
    """The field of the better of two feasible maps: put on the sphere, and clipped to the ball."""
    factors = into_ball(v)
    fields = neurons.fields(v, factors)
    least = [float(field.min()) for field in fields]
    better = int(np.argmax(least))
    if least[better] > best.lower:
        best.v, best.lower = v * factors[better][:, None, None], least[better]
    return fields[better]


def _next_working(working: Rows, beta: Array, field: Array, margin: float) -> tuple[Rows, Array]:
    """Constraints near the least value join; those without a multiplier far from it leave."""
    least = field[working].min()
    stays = (beta > 0) | (field[working] < least + FAR * margin)
    near = np.setdiff1d(np.flatnonzero(field < least + NEAR * margin), working)
    near = near[np.argsort(field[near], kind="stable")[:NEW_ROWS]]
    together = np.concatenate([working[stays], near])
    order = np.argsort(together)
    return together[order], np.concatenate([beta[stays], np.zeros(len(near))])[order]


def _reweighted(omega: Array, norms: Array) -> Array:
    """``λ_k ← λ_k ‖u_k‖ / Σ_j λ_j ‖u_j‖`` and ``c² ← Σ_k λ_k ‖u_k‖²``: exact for each, the other fixed."""
    products = omega * norms
    total = products.sum(axis=1, keepdims=True)
    shares = np.divide(
        products, total, out=np.full_like(omega, 1 / omega.shape[1]), where=total > 0
    )
    c = np.sqrt((shares * norms**2).sum(axis=1, keepdims=True))
    return shares / np.maximum(c, FLOOR * c.mean())
