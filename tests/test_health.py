"""Words on soft labels: when they are said, and when not."""

from __future__ import annotations

import numpy as np
import pytest

from softwidth.health import Health, measure_health

GOOD = Health(
    train_accuracy=0.9,
    held_out_accuracy=0.89,
    accuracy=0.9,
    distance=0.15,
    held_out_distance=0.16,
    calibration_error=0.02,
)


def changed(**values):
    return Health(**{**GOOD.as_dict(), **values})


def test_good_health_is_silent():
    for regime in ("in-sample", "cross-fitted", "larger data", "from file"):
        assert GOOD.warnings(regime) == []


def test_memorising_takes_both_signs():
    both = {"train_accuracy": 1.0, "held_out_accuracy": 0.8, "distance": 0.05}
    (warning,) = changed(**both, held_out_distance=0.25).warnings("in-sample")
    assert "memorised" in warning
    assert "--regime cross-fitted" in warning
    for number in ("100.0%", "80.0%", "0.050", "0.250"):
        assert number in warning
    assert changed(**both, held_out_distance=0.06).warnings("in-sample") == []  # not surer
    assert changed(**{**both, "train_accuracy": 0.81}).warnings("in-sample") == []  # not righter
    assert changed(**{**both, "train_accuracy": None}).warnings("in-sample") == []
    assert changed(**both, held_out_distance=0.25).warnings("larger data") == []


def test_almost_hard_labels_are_named():
    (warning,) = changed(distance=0.01, accuracy=1.0).warnings("cross-fitted")
    assert "almost hard (mean |p - y| = 0.010)" in warning


@pytest.mark.parametrize(
    ("error", "chance", "said"),
    [
        (0.04, None, False),
        (0.06, None, True),
        (0.06, 0.1, False),
        (0.2, 0.1, True),
        (None, None, False),
    ],
)
def test_calibration_is_named_where_chance_does_not_explain_it(error, chance, said):
    health = changed(calibration_error=error, calibration_by_chance=chance)
    assert bool(health.warnings("cross-fitted")) == said


def test_measures_with_and_without_held_out_rows():
    rng = np.random.default_rng(0)
    soft, y = rng.dirichlet([1, 1], 50), rng.integers(0, 2, 50)
    alone = measure_health(soft, y)
    assert alone.held_out_accuracy is alone.calibration_error is None
    both = measure_health(soft, y, soft, y, train_accuracy=0.7, temperature=2.0)
    assert both.distance == both.held_out_distance == alone.distance
    assert (both.train_accuracy, both.temperature) == (0.7, 2.0)
    assert both.calibration_by_chance > 0


def test_small_validation_sets_do_not_accuse_calibrated_teachers():
    """100 rows of confidence 0.5 to 1 show an error of 0.1 by chance alone."""
    accused = large = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        p = rng.random(100)
        P, y = np.stack([1 - p, p], axis=1), (rng.random(100) < p).astype(int)
        health = measure_health(P, y, P, y)
        large += health.calibration_error > 0.05
        accused += bool(health.warnings("cross-fitted"))
    assert large > 50
    assert accused <= 2


def test_labels_that_a_majority_made_say_nothing_of_calibration():
    """Shares of 0.7 are right 7 times of 10 as chances, and every time as the label's maker."""
    rng = np.random.default_rng(0)
    votes = rng.multinomial(10, [0.5, 0.3, 0.2], size=600) + rng.random((600, 3)) / 100
    P = votes / votes.sum(axis=1, keepdims=True)
    majority, drawn = P.argmax(axis=1), (rng.random((600, 1)) < P.cumsum(axis=1)).argmax(axis=1)
    health = measure_health(P[:300], majority[:300], P[300:], majority[300:])
    assert health.calibration_error > 0.2
    assert health.warnings("from file") == []
    shy = P**0.2 / (P**0.2).sum(axis=1, keepdims=True)
    (warning,) = measure_health(shy[:300], drawn[:300], shy[300:], drawn[300:]).warnings(
        "from file"
    )
    assert "miscalibrated" in warning
