"""The words follow the numbers."""

from __future__ import annotations

import numpy as np

from softwidth.advice import recommend
from softwidth.least_width import decide

WIDTHS = (2, 4, 8, 16)


def decision(hard, soft, argmax=None, rows=3000):
    rng = np.random.default_rng(0)
    errors = {"hard": hard, "soft": soft, "argmax": argmax or hard}
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


def test_unreached_width_is_a_bound():
    found = recommend(decision([0.4, 0.4, 0.4, 0.4], [0.1, 0.1, 0.1, 0.1]), [])
    assert "hard labels would need more than 16" in found.reason
    assert "at least 8-fold" in found.reason
