"""Least widths, savings and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import isotonic_regression
from scipy.stats import t as student_t

from softwidth._checks import ArgumentError
from softwidth.least_width import by_row, decide, loss_intervals
from softwidth.ratio import not_ruled_out
from softwidth.resampling import monotone, seed_weights

WIDTHS = (2, 4, 8, 16)


def draw_mistakes(rng, errors, seeds=5, rows=400, noise=0.0):
    """Independent mistakes (widths, seeds, rows) at the given error per width."""
    shift = noise * rng.standard_normal((1, seeds, 1))
    return rng.random((len(errors), seeds, rows)) < np.asarray(errors)[:, None, None] + shift


def plain_interval(mistakes, rng, draws=2000):
    """The bootstrap of rows and of seeds, written as a loop."""
    S, N = mistakes.shape
    means = []
    for _ in range(draws):
        of_rows = mistakes[:, rng.integers(N, size=N)].mean()
        taken = mistakes[rng.integers(S, size=S - 1)].mean() - mistakes.mean()
        means.append(of_rows + taken * np.sqrt((S - 1) / rng.chisquare(S - 1)))
    return np.quantile(means, [0.025, 0.975])


def error_intervals(mistakes):
    """Intervals (K, W, 2) from mistakes (K, W, S, N)."""
    return loss_intervals(list(np.moveaxis(mistakes, 1, 0)), range(2, 2 + 2 * mistakes.shape[1], 2))


def test_interval_equals_the_plain_loop():
    rng = np.random.default_rng(0)
    mistakes = draw_mistakes(rng, [0.2], noise=0.05)
    fast = error_intervals(mistakes[None])[0, 0]
    slow = plain_interval(mistakes[0], rng)
    # Two bootstraps of 2,000 draws: an end has a standard error of about 3 % of the interval.
    np.testing.assert_allclose(fast, slow, atol=0.12 * np.diff(slow)[0])


def test_interval_covers_the_true_error():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        low, high = error_intervals(draw_mistakes(rng, [0.2], rows=300)[None])[0, 0]
        covered += low <= 0.2 <= high
    assert covered >= 0.9 * 200


@settings(deadline=None, max_examples=50)
@given(arrays(float, (3, 6), elements=st.floats(0, 1)))
def test_monotone_is_the_nearest_falling_curve(errors):
    smooth = monotone(errors)
    assert (np.diff(smooth, axis=1) <= 1e-12).all()
    np.testing.assert_allclose(smooth.mean(axis=1), errors.mean(axis=1), atol=1e-9)
    distance = ((smooth - errors) ** 2).sum(axis=1)
    for row, curve in zip(errors, smooth, strict=True):
        peer = isotonic_regression(row, increasing=False).x
        np.testing.assert_allclose(curve, peer, atol=1e-12)
    sorted_down = -np.sort(-errors, axis=1)  # another falling curve, never nearer
    assert (distance <= ((sorted_down - errors) ** 2).sum(axis=1) + 1e-12).all()


def test_least_width_by_hand():
    hard, soft = np.zeros((4, 1, 100), bool), np.zeros((4, 1, 100), bool)
    for wrong, counts in ((hard, (40, 30, 20, 10)), (soft, (30, 15, 9, 9))):
        for w, count in enumerate(counts):
            wrong[w, 0, :count] = True
    found = decide({"hard": hard, "soft": soft}, WIDTHS, tolerance=0.01)
    assert found.target == pytest.approx(0.10)
    assert (found.least["hard"].width, found.least["soft"].width) == (16, 8)
    assert found.saving("hard", "soft").ratio == 2


def test_unreached_target_is_said_and_counts_as_a_lower_bound():
    rng = np.random.default_rng(2)
    mistakes = {
        "hard": draw_mistakes(rng, [0.5, 0.5, 0.5, 0.5]),
        "soft": draw_mistakes(rng, [0.1, 0.1, 0.1, 0.1]),
    }
    found = decide(mistakes, WIDTHS, tolerance=0.05)
    assert found.least["hard"].width is None
    assert found.least["hard"].interval == (None, None)
    saving = found.saving("hard", "soft")
    assert saving.at_least
    assert saving.ratio == 16 / found.least["soft"].width
    assert not found.saving("soft", "hard").at_least


def test_no_difference_is_seldom_called_one():
    rng, called = np.random.default_rng(3), 0
    for _ in range(100):
        errors = [0.3, 0.22, 0.2, 0.195]
        mistakes = {kind: draw_mistakes(rng, errors) for kind in ("hard", "soft")}
        low, high = decide(mistakes, WIDTHS, tolerance=0.01).saving("hard", "soft").interval
        called += not low <= 1 <= high
    assert called <= 7


def test_real_difference_is_found_and_its_width_covered():
    rng, covered, called = np.random.default_rng(4), 0, 0
    hard, soft = [0.4, 0.32, 0.26, 0.15], [0.3, 0.15, 0.145, 0.14]  # target 0.17: widths 16 and 4
    for _ in range(50):
        mistakes = {
            "hard": draw_mistakes(rng, hard, seeds=10, rows=2000),
            "soft": draw_mistakes(rng, soft, seeds=10, rows=2000),
        }
        found = decide(mistakes, WIDTHS, tolerance=0.03)
        low, high = found.saving("hard", "soft").interval
        called += low > 1
        covered += low <= 4 <= high
    assert covered >= 45
    assert called >= 47


def test_draws_of_a_row_stay_together():
    rng = np.random.default_rng(5)
    hard_rows = rng.random(100) < 0.3  # wrong under every draw of the noise, or under none
    mistakes = np.repeat(hard_rows, 8)[None, None, None, :]
    apart = np.diff(error_intervals(mistakes))[0, 0, 0]
    together = np.diff(error_intervals(by_row(mistakes, 8)))[0, 0, 0]
    # Eight equal draws say no more than one: the honest interval is sqrt(8) times as wide.
    assert together / apart == pytest.approx(8**0.5, rel=0.1)


def test_widths_may_have_different_numbers_of_seeds():
    rng = np.random.default_rng(6)
    cells = [draw_mistakes(rng, [0.3, 0.25], seeds=seeds, noise=0.05) for seeds in (3, 40)]
    losses = {kind: [cell[k] for cell in cells] for k, kind in enumerate(("hard", "soft"))}
    found = decide(losses, [2, 4], tolerance=0.01)
    for k, kind in enumerate(("hard", "soft")):
        np.testing.assert_allclose(found.errors[kind], [c[k].mean() for c in cells], rtol=1e-6)
    with pytest.raises(ArgumentError, match="`losses`"):
        decide({"hard": losses["hard"], "soft": losses["soft"][::-1]}, [2, 4], tolerance=0.01)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_few_seeds_vary_as_student_has_it(seeds):
    rng, widths, covered = np.random.default_rng(7), [], 0
    for number in range(400):
        means = rng.standard_normal(seeds)
        weights = seed_weights(np.random.default_rng(number), seeds)[1:]
        low, high = np.quantile(weights @ means, [0.025, 0.975])
        covered += low <= 0 <= high
        error = means.std(ddof=1) / np.sqrt(seeds)
        widths.append((high - low) / (2 * student_t.ppf(0.975, seeds - 1) * error))
    assert np.mean(widths) == pytest.approx(1, abs=0.1)
    assert covered >= 0.91 * 400  # without Student's spread 0.81, 0.88 and 0.92 of them


def test_between_tried_widths_all_that_is_not_ruled_out_is_in_the_interval():
    rng = np.random.default_rng(8)
    mistakes = {
        "hard": draw_mistakes(rng, [0.5, 0.5, 0.1, 0.1], rows=4000),
        "soft": draw_mistakes(rng, [0.5, 0.1, 0.1, 0.1], rows=4000),
    }
    found = decide(mistakes, WIDTHS, tolerance=0.05, between=True)
    assert found.least["hard"].interval == (6, 8)
    assert found.least["soft"].interval == (4, 4)
    saving = found.saving("hard", "soft")
    assert saving.ratio == 2
    assert saving.interval == (1.5, 2.0)
    assert decide(mistakes, WIDTHS, tolerance=0.05).least["hard"].interval == (8, 8)


def least_ratio_of_all(found, of, over):
    """The least ratio of tried widths that is not ruled out, every pair of places tested."""
    ends, W = [*found.widths, found.widths[-1]], len(found.widths)
    place = {width: p for p, width in enumerate([*found.widths, None])}
    lowest, highest = place[found.least[of].interval[0]], place[found.least[over].interval[1]]
    return min(
        1.0 if i == j == W else ends[i] / ends[j]
        for i in range(lowest, W + 1)
        for j in range(highest + 1)
        if not_ruled_out(found.gap_draws[of], found.gap_draws[over], i, j)
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_interval_of_a_saving_is_that_of_all_pairs_tested(seed):
    rng = np.random.default_rng([17, seed])
    falling = np.sort(rng.uniform(0.1, 0.3, (2, 4)))[:, ::-1]
    losses = {k: draw_mistakes(rng, e) for k, e in zip(("hard", "soft"), falling, strict=True)}
    found = decide(losses, WIDTHS, tolerance=0.01)
    saving = found.saving("hard", "soft")
    assert saving.interval == (
        min(saving.ratio, least_ratio_of_all(found, "hard", "soft")),
        max(saving.ratio, 1 / least_ratio_of_all(found, "soft", "hard")),
    )


def test_a_better_teacher_may_set_the_target():
    rng = np.random.default_rng(9)
    mistakes = {kind: draw_mistakes(rng, [0.3, 0.2, 0.2, 0.2]) for kind in ("hard", "soft")}
    teacher = (rng.random((1, 400)) < 0.1).astype(float)
    found = decide(mistakes, WIDTHS, tolerance=0.01, others=teacher)
    assert found.target == pytest.approx(teacher.mean() + 0.01)
    assert found.least["soft"].width is None
    worse = decide(mistakes, WIDTHS, tolerance=0.01, others=teacher + 0.5)
    assert worse.least["soft"].width is not None


def test_bad_shapes_are_named():
    one = np.zeros((2, 3, 4), bool)
    with pytest.raises(ArgumentError, match="`losses`"):
        decide({"hard": one, "soft": one[:, :2]}, [2, 4], tolerance=0.1)
    with pytest.raises(ArgumentError, match="`widths`"):
        decide({"hard": one, "soft": one}, [4, 2], tolerance=0.1)
    with pytest.raises(ArgumentError, match="`tolerance`"):
        decide({"hard": one, "soft": one}, [2, 4], tolerance=-1)
