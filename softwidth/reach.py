"""How far the linearised network can get from its start: the exact part of every certificate.

A comparator ``W*`` and a bound on how far each neuron moves give, for every row, an interval that
holds ``f*_t(x) = ⟨∇f_t(x), W*⟩`` at every step t of the run (docs/theory.md).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from softwidth._checks import (
    ArgumentError,
    as_type,
    check_finite,
    check_lengths,
    check_numeric,
)
from softwidth._types import Array
from softwidth.network import Network

BLOCK_BYTES = 2**24  # of one (rows, width) temporary; about eight live at a time
ROUNDING = 1e-9  # relative slack of a reach: a projected neuron may stand outside by rounding
FARTHEST = 1e150  # an infinite reach; its product with a row of zeros is then still a number


class Reach(NamedTuple):
    """What `reach_of` finds for every row and logit.

    ``start - down <= f*_t <= start + up`` and ``|f*_t - start| <= flips`` at every step; ``gain``
    bounds ``‖∇f_k,t(x)‖²`` and its counterpart for any combination of logits with weights of sum 1.
    """

    start: Array  # (N, C) ⟨∇f_0(x), W*⟩
    up: Array  # (N, C)
    down: Array  # (N, C)
    flips: Array  # (N, C)
    gain: Array  # (N,)


def comparator(network: Network, v: Any) -> Array:
    """``w*_r - w_r(0) = scale Σ_k A[r, k] v_k(w_r(0))``, shape (width, D), double precision.

    Raises
    ------
    ArgumentError
        A network with biases, or a map that is not of shape (width, D) for one logit,
        (width, K, D) for K.
    """
    if network.bias:
        raise ArgumentError("network", "one with biases", "must have none: theory covers none.")
    m, C, D = network.width, network.A.shape[1], network.W.shape[1]
    v = check_numeric("v", v)
    shape = (m, D) if C == 1 else (m, C, D)
    if v.shape != shape:
        raise ArgumentError("v", v, f"must have shape {shape}: the map at every neuron.")
    v = check_finite("v", as_type("v", v, np.float64)).reshape(m, C, D)
    check_lengths("v", v.reshape(m, C * D))
    return network.scale * np.einsum("rk,rkd->rd", network.A.astype(np.float64), v)


def reach_of(network: Network, moved: Array, X: Array, radius: float | Array) -> Reach:
    """Intervals of the linearised logits, by blocks of rows of bounded memory.

    Parameters
    ----------
    network : Network
        At its start.
    moved : ndarray, shape (width, D)
        ``W* - W(0)``.
    X : ndarray, shape (N, D), double precision
    radius : float or ndarray, shape (width,)
        How far a neuron is from its start at most, at any step.
    """
    N, C = len(X), network.A.shape[1]
    reach = np.minimum(np.asarray(radius) * (1 + ROUNDING), FARTHEST)
    W, A = network.W.astype(np.float64), network.scale * network.A.astype(np.float64)
    start, up, down, flips = np.empty((4, N, C))
    out = Reach(start, up, down, flips, np.empty(N))
    rows = max(1, BLOCK_BYTES // (8 * network.width))
    for first in range(0, N, rows):
        part = slice(first, first + rows)
        for whole, block in zip(out, _block(W, A, moved, X[part], reach), strict=True):
            whole[part] = block
    return out


def _block(W: Array, A: Array, moved: Array, X: Array, reach: Array) -> Reach:
    H, M = X @ W.T, X @ moved.T  # (n, width) activations at the start, and what W* adds
    norms = np.linalg.norm(X, axis=1)
    active = H > 0
    near = np.abs(H) <= reach * norms[:, None]  # only these can ever flip
    # A flip takes an active neuron's part away, or brings in one that was not there.
    change = np.where(near, np.where(active, -(H + M), H + M), 0)
    gain, loss = np.maximum(change, 0), np.maximum(-change, 0)
    plus, minus = np.maximum(A, 0), np.maximum(-A, 0)
    return Reach(
        start=np.where(active, H + M, 0) @ A,
        up=gain @ plus + loss @ minus,
        down=gain @ minus + loss @ plus,
        flips=np.where(near, np.abs(H) + np.abs(M), 0) @ np.abs(A),
        gain=norms**2 * ((active | near) @ (A**2).max(axis=1)),
    )
