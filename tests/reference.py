"""The ten-line double-precision versions that the bank is held against."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.special import log_softmax

from softwidth._types import Array
from softwidth.network import Network

Batches = list[np.ndarray] | None


def log_probabilities(F: Array) -> Array:
    """Of K classes from K logits, or of two from one: the other's logit is then 0."""
    return log_softmax(np.hstack([0 * F, F]) if F.shape[1] == 1 else F, axis=1)


def project(W: Array, start: Array, ball: float) -> Array:
    """Every neuron at most `ball` from its start."""
    distance = np.linalg.norm(W - start, axis=1, keepdims=True)
    return start + (W - start) * np.minimum(1, ball / np.maximum(distance, 1e-300))


def train_one(
    network: Network,
    X: Array,
    P: Array,
    step_sizes: Iterable[float],
    *,
    radius: float = np.inf,
    momentum: float = 0.0,
    batches: Batches = None,
) -> tuple[Array, list[float]]:
    """Hidden weights after projected gradient descent, and the cross-entropy before every step."""
    start, W, velocity, losses = network.W, network.W.copy(), 0.0 * network.W, []
    for t, step_size in enumerate(step_sizes):
        rows = slice(None) if batches is None else batches[t]
        H = X[rows] @ W.T
        log_q = log_probabilities(network.scale * np.maximum(H, 0) @ network.A)
        losses.append(float(-np.mean(np.sum(P[rows] * log_q, axis=1))))
        q = np.exp(log_q)
        residual = (q - P[rows])[:, 1:] if network.A.shape[1] == 1 else q - P[rows]
        G = network.scale * (residual @ network.A.T) * (H > 0)
        velocity = momentum * velocity - step_size * G.T @ X[rows] / len(q)
        W = project(W + velocity, start, radius / np.sqrt(network.width))
    return W, losses


def train_all(
    network: Network,
    X: Array,
    P: Array,
    step_sizes: Iterable[float],
    *,
    train_output: bool,
    radius: float = np.inf,
    momentum: float = 0.0,
    batches: Batches = None,
) -> tuple[Network, list[float]]:
    """The same for networks with an output layer that learns or with biases (or both)."""
    X = np.hstack([X, np.ones((len(X), 1))]) if network.bias else X
    W, A, b, scale, losses = network.W, network.A, network.b, network.scale, []
    velocities = [0.0 * W, 0.0 * A, 0.0 * b]
    for t, step_size in enumerate(step_sizes):
        rows = slice(None) if batches is None else batches[t]
        H = X[rows] @ W.T
        log_q = log_probabilities(scale * np.maximum(H, 0) @ A + b)
        losses.append(float(-np.mean(np.sum(P[rows] * log_q, axis=1))))
        q = np.exp(log_q)
        residual = ((q - P[rows])[:, 1:] if A.shape[1] == 1 else q - P[rows]) / len(q)
        G = scale * (residual @ A.T) * (H > 0)
        gradients = [
            G.T @ X[rows],
            train_output * scale * np.maximum(H, 0).T @ residual,
            network.bias * residual.sum(axis=0),
        ]
        velocities = [
            momentum * v - step_size * g for v, g in zip(velocities, gradients, strict=True)
        ]
        W = project(W + velocities[0], network.W, radius / np.sqrt(network.width))
        A, b = A + velocities[1], b + velocities[2]
    return Network(W, A, b, scale, network.bias), losses


def batches_of(n: int, batch: int | None, epochs: int, order_seed: int) -> Batches:
    """The rows of every step, in the order that a recipe's seed stands for."""
    if batch is None:
        return None
    orders = [np.random.default_rng([order_seed, e]).permutation(n) for e in range(epochs)]
    return [order[i : i + batch] for order in orders for i in range(0, n, batch)]
