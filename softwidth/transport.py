"""Transport maps v(z) whose function f_v is known in closed form (THEORY.md section 3).

A theorem about labels ``s(f_v(x))`` needs f_v without sampling error, so the maps here are sums of
constant vectors switched on by half spaces, ``v_k(z) = Σ_j u_jk 1(zᵀg_j > 0)``: then
``f_vk(x) = Σ_j u_jkᵀx P(zᵀg_j > 0, zᵀx > 0)``. The kernel expansion (support-vector machine or
ridge on the limiting kernel) is the case ``g_j = x_j``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_finite,
    check_matrix,
    check_number,
    check_numeric,
    check_same_length,
)
from softwidth._types import Array


@dataclass(frozen=True, eq=False)
class GatedMap:
    """``v_k(z) = Σ_j directions[j, k] 1(zᵀ gates[j] > 0)``.

    Attributes
    ----------
    directions : ndarray, shape (J, C, D)
        C is 1 for one logit, otherwise the number of classes.
    gates : ndarray, shape (J, D)
        A gate of zeros is always open.
    """

    directions: Array
    gates: Array

    def at(self, W: Array) -> Array:
        """The map at neurons (width, D): shape (width, D) for one logit, else (width, K, D)."""
        is_open = (W @ self.gates.T > 0) | ~self.gates.any(axis=1)
        v = np.tensordot(is_open.astype(np.float64), self.directions, axes=1)
        return v[:, 0] if v.shape[1] == 1 else v

    def logits(self, X: Array) -> Array:
        """``f_v`` on the rows of `X` (N, D), exact: shape (N, C).

        >>> constant([[0.0, 2.0]]).logits(np.array([[0.8, 0.6]])).tolist()  # uᵀx / 2
        [[0.6]]
        """
        F = np.zeros((len(X), self.directions.shape[1]))
        for u, g in zip(self.directions, self.gates, strict=True):
            F += both_active(X, g)[:, None] * (X @ u.T)
        return F

    def norm(self) -> float:
        """An upper bound of ``max_z Σ_k ‖v_k(z)‖``, by the triangle inequality."""
        return float(np.linalg.norm(self.directions, axis=2).sum())

    def scaled(self, radius: float) -> GatedMap:
        """The same map with `norm` equal to `radius`.

        >>> constant([[3.0, 4.0]]).scaled(1.0).norm()
        1.0
        """
        factor = check_number("radius", radius, low=0) / max(self.norm(), np.finfo(float).tiny)
        return GatedMap(factor * self.directions, self.gates)


def both_active(X: Array, g: Array) -> Array:
    """``P(zᵀx > 0, zᵀg > 0) = (π - angle(x, g)) / 2π`` for every row of `X`, z ~ N(0, I).

    The angle by ``2 atan2(‖a-b‖, ‖a+b‖)`` of the unit vectors, which keeps its digits where they
    are (anti)parallel; 1/2 for an open gate, g = 0. (A row of zeros has no logit whatever stands
    here.)

    >>> both_active(np.eye(2), np.array([1.0, 0.0])).tolist()
    [0.5, 0.25]
    """
    if not g.any():
        return np.full(len(X), 0.5)
    a, b = _unit(X), _unit(g[None])
    angle = 2 * np.arctan2(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))
    return (np.pi - angle) / (2 * np.pi)


def _unit(X: Array) -> Array:
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms > 0, norms, 1)


def constant(u: Any) -> GatedMap:
    """The map ``v_k(z) = u_k`` of a linear teacher, ``f_vk(x) = u_kᵀx/2``.

    Parameters
    ----------
    u : array_like, shape (C, D)

    Raises
    ------
    ArgumentError
        If `u` is not a finite matrix.
    """
    u = check_matrix("u", u, dtype=np.float64)
    return GatedMap(u[None], np.zeros((1, u.shape[1])))


def expansion(X: Any, coefficients: Any) -> GatedMap:
    """The map of a kernel expansion: ``f_vk(x) = Σ_j coefficients[j, k] K(x_j, x)``.

    ``v_k(z) = Σ_j coefficients[j, k] x_j 1(zᵀx_j > 0)``, and K the limiting kernel of THEORY.md
    section 2. With the dual weights of a kernel margin, signed by the labels, this is its kernel teacher,
    up to a factor (`GatedMap.scaled`).

    Parameters
    ----------
    X : array_like, shape (J, D)
    coefficients : array_like, shape (J,) or (J, K)

    Raises
    ------
    ArgumentError
        Inputs that are not finite, or of different lengths.

    Examples
    --------
    >>> expansion([[1.0, 0.0]], [2.0]).logits(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [[1.0], [0.0]]
    """
    X = check_matrix("X", X, dtype=np.float64)
    beta = check_numeric("coefficients", coefficients, dtype=np.float64)
    check_same_length("coefficients", beta, "X", len(X))
    if beta.ndim not in (1, 2):
        raise ArgumentError("coefficients", beta, "must have shape (J,) or (J, K).")
    check_finite("coefficients", beta)
    return GatedMap(beta.reshape(len(X), -1, 1) * X[:, None], X)


def aligned(v: Any, radius: float) -> Array:
    """The best map for a direction: ``radius · u/‖u‖`` at every neuron, 0 where u is 0.

    Of K logits ``‖u‖`` is the sum of their norms, as THEORY.md section 7 has it.

    By minimax the sup-norm margin's map is of this form (THEORY.md section 3). Its f_v has no closed
    form; `certificates` need none where labels are given.

    Parameters
    ----------
    v : array_like, shape (width, D) or (width, K, D)
        A map at neurons, ``u(w_r)``.
    radius : float

    Raises
    ------
    ArgumentError
        If `v` is no finite array of such a shape.

    Examples
    --------
    >>> aligned([[3.0, 4.0], [0.0, 0.0]], radius=2.0).tolist()
    [[1.2, 1.6], [0.0, 0.0]]
    """
    radius = check_number("radius", radius, low=0)
    u = check_numeric("v", v, dtype=np.float64)
    if u.ndim not in (2, 3) or u.size == 0:
        raise ArgumentError("v", u, "must have shape (width, D), or (width, K, D) for K logits.")
    norms = np.linalg.norm(check_finite("v", u), axis=-1, keepdims=True)
    norms = norms.sum(axis=1, keepdims=True) if u.ndim == 3 else norms
    return radius * (u / np.where(norms > 0, norms, 1))
