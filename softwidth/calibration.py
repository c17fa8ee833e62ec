"""How soft labels or predictions stand to the class ids: distance, calibration, temperature.

`weight`, shape (N,), is what each row counts for; without it all count alike.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from softwidth._types import Array, Labels
from softwidth.distributions import temper

BINS = 15  # of confidence
HOTTEST = 100.0  # temperature; 1/100 is the coldest
DRAWS = 50  # of labels, for what chance would do


def mean_distance(P: Array, y: Labels, weight: Array | None = None) -> float:
    """Mean of ``1 - p_y``: for two classes mean ``|p - y|``, the softness left in the labels.

    >>> mean_distance(np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0, 1]))
    0.2
    """
    return float(np.average(1 - P[np.arange(len(y)), y], weights=weight).round(12))


def accuracy(P: Array, y: Labels, weight: Array | None = None) -> float:
    """Share of rows whose top class is the class id."""
    return float(np.average(P.argmax(axis=1) == y, weights=weight))


def log_loss(P: Array, y: Labels) -> float:
    """Mean of ``-ln p_y`` in nats, probabilities held at 1e-15 or more."""
    return float(-np.mean(np.log(np.maximum(P[np.arange(len(y)), y], 1e-15))))


def calibration_bins(
    P: Array, y: Labels, bins: int = BINS, *, weight: Array | None = None
) -> Array:
    """Rows by confidence, shape (bins, 3): share of the rows, mean confidence, accuracy.

    Confidence is the top probability; bins are equal steps of (0, 1]; an empty bin is zeros.
    """
    confidence, right = P.max(axis=1), P.argmax(axis=1) == y
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    weight = np.ones(len(right)) if weight is None else weight
    count, sure, hits = (
        np.bincount(bin_of, weights=values, minlength=bins)
        for values in (weight, weight * confidence, weight * right)
    )
    filled = np.where(count > 0, count, 1)
    return np.stack([count / weight.sum(), sure / filled, hits / filled], axis=1)


def expected_calibration_error(
    P: Array, y: Labels, bins: int = BINS, *, weight: Array | None = None
) -> float:
    """``sum_b share_b |accuracy_b - confidence_b|`` (Naeini, Cooper and Hauskrecht 2015).

    >>> expected_calibration_error(np.array([[0.2, 0.8]] * 5), np.array([1, 1, 1, 1, 0]))
    0.0
    """
    share, confidence, hits = calibration_bins(P, y, bins, weight=weight).T
    return float(np.sum(share * abs(hits - confidence)).round(12))


def calibration_by_chance(
    P: Array, rng: np.random.Generator, bins: int = BINS, *, weight: Array | None = None
) -> float:
    """The calibration error up to which so few rows say nothing: mean and three deviations.

    Of labels drawn from the predictions themselves, which are then calibrated: 100 rows of
    confidence 0.5 to 1 show 0.1 on average.

    Parameters
    ----------
    P : ndarray, shape (V, R, K)
        R predictions for each of V rows, which have one label between them: no more is known from
        all of them than from V rows, so each draw takes one of the R.
    rng : numpy Generator
    weight : ndarray, shape (V,), optional
    """
    errors = []
    for _ in range(DRAWS):
        drawn = P[:, rng.integers(P.shape[1])]
        y = (rng.random((len(P), 1)) > drawn.cumsum(axis=1)[:, :-1]).sum(axis=1)
        errors.append(expected_calibration_error(drawn, y, bins, weight=weight))
    return float(np.mean(errors) + 3 * np.std(errors))


def fit_temperature(P: Array, y: Labels, weights: Array | None = None) -> float:
    """The temperature that makes predictions as sure as they should be (Guo et al. 2017).

    Least ``-sum_i w_i ln p_i[y_i](T) + (ln T)²/2``: the log loss, and a prior that is worth one
    row or two. Without it a teacher that is right on every row would be made surer without end.

    Parameters
    ----------
    P : ndarray, shape (N, K)
        Probabilities of rows that the teacher has not learned from.
    y : ndarray, shape (N,)
        Their class ids.
    weights : ndarray, shape (N,), optional
        How many rows each of them counts for; 1 by default.

    Returns
    -------
    float
        Within 1/100 .. 100.
    """
    w, own = np.ones(len(y)) if weights is None else weights, np.arange(len(y))

    def loss(log_t: float) -> float:
        p = temper(P, float(np.exp(log_t)))[own, y]
        return float(-w @ np.log(np.maximum(p, 1e-15)) + log_t**2 / 2)

    bound = np.log(HOTTEST)
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))
