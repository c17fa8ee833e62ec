"""Measures of predictions against scikit-learn or a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from softwidth.calibration import (
    BINS,
    accuracy,
    calibration_bins,
    calibration_by_chance,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    mean_distance,
)
from softwidth.distributions import temper


def predictions(seed, n, K, softness=0.5):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(K, softness), n)
    return P, (rng.random((n, 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1)


pairs = st.builds(
    predictions, seed=st.integers(0, 2**32 - 1), n=st.integers(1, 200), K=st.integers(2, 6)
)


@given(pairs)
def test_measures_are_scikit_learns(pair):
    P, y = pair
    K = P.shape[1]
    assert accuracy(P, y) == pytest.approx(metrics.accuracy_score(y, P.argmax(axis=1)))
    ours, theirs = log_loss(P, y), metrics.log_loss(y, P, labels=range(K))
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@given(pairs)
def test_distance_is_half_the_distance_to_the_one_hot_row(pair):
    P, y = pair
    by_hand = np.mean([abs(P[i] - np.eye(P.shape[1])[y[i]]).sum() / 2 for i in range(len(y))])
    assert mean_distance(P, y) == pytest.approx(by_hand, abs=1e-9)


def test_probability_zero_costs_much_and_not_everything():
    assert log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(15 * np.log(10))


@given(pairs, st.integers(1, 30))
def test_calibration_error_is_a_loop_over_bins(pair, bins):
    P, y = pair
    error, shares = 0.0, []
    for b in range(bins):
        rows = [i for i in range(len(y)) if b / bins < P[i].max() <= (b + 1) / bins]
        shares.append(len(rows) / len(y))
        if rows:
            right = np.mean([P[i].argmax() == y[i] for i in rows])
            sure = np.mean([P[i].max() for i in rows])
            error += len(rows) / len(y) * abs(right - sure)
    assert expected_calibration_error(P, y, bins) == pytest.approx(error, abs=1e-9)
    np.testing.assert_allclose(calibration_bins(P, y, bins)[:, 0], shares)


@given(pairs)
def test_one_bin_compares_the_means(pair):
    P, y = pair
    difference = abs(P.max(axis=1).mean() - accuracy(P, y))
    assert expected_calibration_error(P, y, bins=1) == pytest.approx(difference, abs=1e-9)


def test_sure_and_right_is_calibrated():
    y = np.arange(30) % 3
    assert expected_calibration_error(np.eye(3)[y], y) == 0
    assert calibration_bins(np.eye(3)[y], y)[-1].tolist() == [1, 1, 1]


@pytest.mark.parametrize(("n", "K"), [(40, 2), (150, 3), (1000, 10)])
def test_calibrated_predictions_stay_within_chance(n, K):
    beyond = 0
    for seed in range(100):
        P, y = predictions(seed, n, K)
        limit = calibration_by_chance(P[:, None], np.random.default_rng(seed))
        beyond += expected_calibration_error(P, y) > limit
    assert beyond <= 4  # three deviations: a few in a thousand, and room for 50 draws


def test_what_is_too_sure_leaves_chance_behind_once_rows_are_enough():
    P, y = predictions(0, 1000, 3)
    sharp = temper(P, 0.4)
    limit = calibration_by_chance(sharp[:, None], np.random.default_rng(0))
    assert expected_calibration_error(sharp, y) > limit
    assert limit < 0.07


def test_repeated_predictions_of_a_row_share_its_label():
    """Copies of a row tell nothing new: chance stays where it was, while it would halve."""
    P, _ = predictions(1, 100, 2)
    once, copied, as_if_new = (
        calibration_by_chance(rows, np.random.default_rng(0))
        for rows in (P[:, None], np.repeat(P[:, None], 4, axis=1), np.repeat(P, 4, axis=0)[:, None])
    )
    assert copied == pytest.approx(once, rel=0.2)  # other draws of labels
    assert as_if_new < 0.75 * once


def test_number_of_bins_is_one_constant():
    P, y = predictions(2, 50, 2)
    assert calibration_bins(P, y).shape == (BINS, 3)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_temperature_is_the_best_of_a_fine_grid(seed, K):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(K, 0.7), 60)
    y = (rng.random((60, 1)) > temper(P, rng.uniform(0.3, 4)).cumsum(axis=1)[:, :-1]).sum(axis=1)
    weights = rng.random(60) + 0.1
    grid = np.geomspace(0.01, 100, 1501)
    losses = [
        -(weights * np.log(np.maximum(temper(P, T)[np.arange(60), y], 1e-15))).sum()
        + np.log(T) ** 2 / 2
        for T in grid
    ]
    found = fit_temperature(P, y, weights)
    assert found == pytest.approx(grid[int(np.argmin(losses))], rel=0.01)


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 3.0])
def test_a_known_temperature_is_recovered(sharpness):
    rng = np.random.default_rng(0)
    P = rng.dirichlet([1, 1, 1], 20_000)
    y = (rng.random((len(P), 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1)
    assert fit_temperature(temper(P, 1 / sharpness), y) == pytest.approx(sharpness, rel=0.04)


def test_a_teacher_that_is_always_right_is_not_made_sure_without_end():
    y = np.arange(70) % 2
    P = 0.96 * np.eye(2)[y] + 0.02
    T = fit_temperature(P, y)
    assert 0.2 < T < 1
    many = fit_temperature(np.tile(P, (1000, 1)), np.tile(y, 1000))
    assert many < T  # with evidence it may
