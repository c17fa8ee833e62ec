"""The ten-line double-precision version that the bank is held against."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from softwidth._types import Array
from softwidth.network import Network, probabilities


def train_one(
    network: Network,
    X: Array,
    P: Array,
    step_sizes: Iterable[float],
    *,
    radius: float = np.inf,
    momentum: float = 0.0,
    batches: list[np.ndarray] | None = None,
) -> tuple[Array, list[float]]:
    """Hidden weights after projected gradient descent, and the cross-entropy before every step."""
    start, W, velocity, losses = network.W, network.W.copy(), 0.0 * network.W, []
    for t, step_size in enumerate(step_sizes):
        rows = slice(None) if batches is None else batches[t]
        H = X[rows] @ W.T
        q = probabilities(network.scale * np.maximum(H, 0) @ network.A)
        losses.append(float(-np.mean(np.sum(P[rows] * np.log(q), axis=1))))
        residual = (q - P[rows])[:, 1:] if network.A.shape[1] == 1 else q - P[rows]
        G = network.scale * (residual @ network.A.T) * (H > 0)
        velocity = momentum * velocity - step_size * G.T @ X[rows] / len(q)
        W = W + velocity
        distance = np.linalg.norm(W - start, axis=1, keepdims=True)
        ball = radius / np.sqrt(network.width)
        W = start + (W - start) * np.minimum(1, ball / np.maximum(distance, 1e-300))
    return W, losses
