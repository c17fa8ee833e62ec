"""How soft labels or predictions stand to the class ids: distance, calibration, divergence."""

from __future__ import annotations

import numpy as np

from softwidth._types import Array, Labels


def mean_distance(P: Array, y: Labels) -> float:
    """Mean of ``1 - p_y``: for two classes mean ``|p - y|``, the softness left in the labels.

    >>> mean_distance(np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0, 1]))
    0.2
    """
    return float(np.mean(1 - P[np.arange(len(y)), y]).round(12))


def accuracy(P: Array, y: Labels) -> float:
    """Share of rows whose top class is the class id."""
    return float(np.mean(P.argmax(axis=1) == y))


def log_loss(P: Array, y: Labels) -> float:
    """Mean of ``-ln p_y`` in nats, probabilities held at 1e-15 or more."""
    return float(-np.mean(np.log(np.maximum(P[np.arange(len(y)), y], 1e-15))))


def calibration_bins(P: Array, y: Labels, bins: int = 15) -> Array:
    """Rows by confidence, shape (bins, 3): share of the rows, mean confidence, accuracy.

    Confidence is the top probability; bins are equal steps of (0, 1]; an empty bin is zeros.
    """
    confidence, right = P.max(axis=1), P.argmax(axis=1) == y
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count, sure, hits = (
        np.bincount(bin_of, weights=weights, minlength=bins)
        for weights in (np.ones(len(y)), confidence, right)
    )
    filled = np.maximum(count, 1)
    return np.stack([count / len(y), sure / filled, hits / filled], axis=1)


def expected_calibration_error(P: Array, y: Labels, bins: int = 15) -> float:
    """``sum_b share_b |accuracy_b - confidence_b|`` (Naeini, Cooper and Hauskrecht 2015).

    >>> expected_calibration_error(np.array([[0.2, 0.8]] * 5), np.array([1, 1, 1, 1, 0]))
    0.0
    """
    share, confidence, hits = calibration_bins(P, y, bins).T
    return float(np.sum(share * abs(hits - confidence)).round(12))
