"""The target is a best that is itself measured: intervals that know it, in the long run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from softwidth.least_width import decide
from softwidth.ratio import _distance
from softwidth.resampling import monotone
from softwidth.target import HIGH, LOW, gaps_to_target

WIDTHS = (2, 4, 8, 16, 32)
KINDS = ("hard", "soft", "argmax")


def by_hand(means, others, tolerance, seldom=0.005):
    """Targets of every draw, with loops over candidates."""
    draws, kinds, widths = means.shape
    candidates = [means[:, k, w:].mean(axis=1) for k in range(kinds) for w in range(widths)]
    candidates += list(others.T)
    least = np.array([min(c[b] for c in candidates) for b in range(draws)])
    shares = [sum(c[b] == least[b] for b in range(draws)) / draws for c in candidates]
    kept = [c for c, s in zip(candidates, shares, strict=True) if s >= seldom or c[0] == least[0]]
    most = [least[0] + max(c[b] - c[0] for c in kept) for b in range(draws)]
    return np.array([most, least]) + tolerance


@settings(deadline=None, max_examples=40)
@given(arrays(float, (12, 2, 3), elements=st.floats(0, 1)), arrays(float, (12, 1), elements=st.floats(0, 1)))  # fmt: skip
def test_targets_are_those_of_the_formula(means, others):
    rng = np.random.default_rng(0)
    means, others = means + 1e-6 * rng.random(means.shape), others + 1e-6 * rng.random(others.shape)
    gaps, target = gaps_to_target(means, [5, 5, 5], [0, 1], others, 0.1)
    targets = monotone(means)[:, 0, 0] - gaps[:, :, 0, 0]
    np.testing.assert_allclose(targets, by_hand(means, others, 0.1), atol=1e-9)
    assert target == pytest.approx(targets[LOW, 0])
    assert (targets[HIGH] >= targets[LOW] - 1e-12).all()
    # The lowest target is the least of the monotone curves and the others.
    least = np.minimum(monotone(means)[:, :, -1].min(axis=1), others.min(axis=1))
    np.testing.assert_allclose(targets[LOW], least + 0.1, atol=1e-9)


def mistakes(rng, errors, seeds, rows, spread=0.06):
    """Of students whose own errors vary by `spread`, on rows that are hard or easy for all alike."""
    hardness = 0.5 * (rng.random(rows) - 0.5)
    own = spread * rng.standard_normal((len(errors), seeds, 1))
    return rng.random((len(errors), seeds, rows)) < np.asarray(errors)[:, None, None] + own + hardness * np.asarray(errors)[:, None, None]  # fmt: skip


def repeated(curves, *, seeds, tolerance, repetitions=120, rows=150):
    """Decisions on data of these error curves, drawn again and again."""
    for repetition in range(repetitions):
        rng = np.random.default_rng(repetition)
        losses = {kind: mistakes(rng, curves[kind], seeds, rows) for kind in KINDS}
        yield decide(losses, WIDTHS, tolerance=tolerance, target_kinds=KINDS, seed=repetition)


def covers(interval, value):
    low, high = (np.inf if end is None else end for end in interval)
    return low <= value <= high


def test_a_width_that_just_meets_a_level_best_is_seldom_ruled_out():
    level = {kind: [0.5, 0.3599, 0.3, 0.3, 0.3] for kind in KINDS}  # target 0.36: width 4
    found = list(repeated(level, seeds=4, tolerance=0.06))
    for kind in ("hard", "soft"):
        # A target that every draw takes for the least of its losses covers 4 in 60 to 80 % here.
        assert sum(covers(f.least[kind].interval, 4) for f in found) >= 0.9 * len(found)
    called = sum(not covers(f.saving("hard", "soft").interval, 1) for f in found)
    assert called <= 0.07 * len(found)


def test_where_both_curves_pass_close_to_the_target_the_true_ratio_is_left():
    near = {"hard": [0.35, 0.258, 0.2, 0.2, 0.2], "soft": [0.35, 0.262, 0.2, 0.2, 0.2]}
    near["argmax"] = near["soft"]  # target 0.26: widths 4 and 8
    found = list(repeated(near, seeds=10, tolerance=0.06, rows=400, repetitions=80))
    assert sum(covers(f.least["hard"].interval, 4) for f in found) >= 0.9 * len(found)
    assert sum(covers(f.saving("hard", "soft").interval, 0.5) for f in found) >= 0.93 * len(found)


def test_a_kind_beside_itself_saves_nothing():
    rng = np.random.default_rng(0)
    one = mistakes(rng, [0.5, 0.4, 0.3, 0.28, 0.26], 3, 100)
    found = decide(dict.fromkeys(KINDS, one), WIDTHS, tolerance=0.03)
    assert found.saving("hard", "soft").interval == (1.0, 1.0)


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.9])
def test_distance_to_the_cone_is_the_least_one(correlation):
    rng = np.random.default_rng(3)
    spread = np.array([[1.0, 2 * correlation], [2 * correlation, 4.0]])
    points = 3 * rng.standard_normal((2, 20))
    inverse = np.linalg.inv(spread)
    for point, found in zip(points.T, _distance(points, spread), strict=True):
        off = lambda q, p=point: (p - q) @ inverse @ (p - q)  # noqa: E731
        best = minimize(off, [-1.0, -1.0], bounds=[(None, 0), (None, 0)], tol=1e-12)
        assert found == pytest.approx(best.fun, abs=1e-5)


def test_a_saving_is_covered_and_found():
    curves = {"hard": [0.5, 0.45, 0.4, 0.37, 0.24], "soft": [0.5, 0.28, 0.21, 0.2, 0.2]}
    curves["argmax"] = curves["hard"]  # target 0.3: widths 32 and 4
    found = list(repeated(curves, seeds=12, tolerance=0.1, rows=300, repetitions=60))
    savings = [f.saving("hard", "soft") for f in found]
    assert sum(covers(s.interval, 8) for s in savings) >= 0.9 * len(found)
    assert sum(s.interval[0] > 1 for s in savings) >= 0.8 * len(found)
