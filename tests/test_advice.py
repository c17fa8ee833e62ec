"""The words follow the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from softwidth.advice import recommend
from softwidth.least_width import decide

WIDTHS = (2, 4, 8, 16)


def decision(hard, soft, argmax=None, rows=3000):
    rng = np.random.default_rng(0)
    errors = {"hard": hard, "soft": soft, "argmax": hard if argmax is None else argmax}
    u = rng.random((3, rows))
    wrong = {kind: u < np.asarray(e)[:, None, None] for kind, e in errors.items()}
    return decide(wrong, WIDTHS, tolerance=0.01)


def test_soft_pays_and_the_control_splits_the_gain():
    found = recommend(
        decision([0.4, 0.3, 0.2, 0.1], [0.3, 0.1, 0.1, 0.1], [0.4, 0.2, 0.1, 0.1]), []
    )
    assert (found.labels, found.width) == ("soft", 4)
    assert "the saving is 4-fold" in found.reason
    assert "better labels 2-fold, softness 2-fold" in found.reason


def test_hard_does_better_and_the_reason_is_given():
    found = recommend(decision([0.3, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]), ["The teacher erred."])
    assert (found.labels, found.width) == ("hard", 4)
    assert found.reason.endswith("The teacher erred.")


def test_no_difference_is_called_none():
    errors = [0.3, 0.2, 0.1, 0.1]
    found = recommend(decision(errors, errors), ["Too few rows."])
    assert (found.labels, found.width) == ("either", 8)
    assert "covers 1" in found.reason


def test_a_gain_at_equal_width_is_told_where_no_width_is_saved():
    falls = np.array([0.40, 0.36, 0.32, 0.28])  # both kinds are best at the widest
    decided = decision(falls, falls - 0.02, falls - 0.01)
    found = recommend(decided, ["Too few rows."])
    won, softness = (100 * decided.gain("soft", kind).value for kind in ("hard", "argmax"))
    assert (found.labels, found.width) == ("either", 16)
    assert found.reason.startswith("No measurable saving of width")
    assert f"soft labels are better all the same: {won:.2g} points of error" in found.reason
    assert f"softness makes {softness:.2g} points of error" in found.reason
    assert "Too few rows." not in found.reason
    against = recommend(decision(falls - 0.02, falls), ["Too few rows."])
    assert f"hard labels are better all the same: {won:.2g} points" in against.reason
    assert against.reason.endswith("Too few rows.")


def test_a_gain_is_the_mean_of_paired_differences():
    rng = np.random.default_rng(1)
    losses = {kind: rng.random((4, 3, 500)) for kind in ("hard", "soft", "argmax")}
    losses["soft"] -= 0.05
    found = decide(losses, WIDTHS, tolerance=0.01).gain("soft", "hard")
    pairs = (losses["hard"] - losses["soft"]).mean(axis=(0, 1))  # (rows,)
    assert found.value == pytest.approx(pairs.mean(), abs=1e-6)
    assert found.matters
    assert not decide(losses, WIDTHS, tolerance=0.06).gain("soft", "hard").matters
    low, high = found.interval
    assert low < found.value < high
    assert high - low > 2 * 1.96 * pairs.std() / np.sqrt(500)  # rows, and the seeds beside them
    same = decide(losses, WIDTHS, tolerance=0.01).gain("soft", "soft")
    assert (same.value, same.interval, same.matters) == (0, (0, 0), False)


def test_unreached_width_is_a_bound():
    found = recommend(decision([0.4, 0.4, 0.4, 0.4], [0.1, 0.1, 0.1, 0.1]), [])
    assert "hard labels would need more than 16" in found.reason
    assert "at least 8-fold" in found.reason
