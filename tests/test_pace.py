"""Rates and budgets."""

from __future__ import annotations

import time

import pytest

from softwidth.pace import Pace, default_batch, default_epochs


def test_rate_is_work_by_seconds_of_all_banks():
    pace = Pace(10.0)
    pace.note("a", 2.0, 100.0)
    pace.note("b", 1.0, 200.0)
    pace.note("teacher", 5.0)  # no bank: spent, but no rate
    assert pace.needed(50.0) == pytest.approx(0.5)
    assert pace.affordable(2.0) == pytest.approx(200.0)
    assert pace.affordable(-1.0) == 0
    assert pace.needed(150.0) == pytest.approx(2.0)  # no less than the smaller bank took
    assert pace.needed(400.0) == pytest.approx(4.0)
    assert pace.spent == {"a": 2.0, "b": 1.0, "teacher": 5.0}


def test_what_an_earlier_run_took_counts_as_spent():
    pace = Pace(10.0)
    pace.note("a", 1.0, 10.0, earlier=4.0)
    assert pace.spent == {"a": 5.0}
    assert pace.left < 6.0
    assert pace.needed(20.0) == pytest.approx(10.0)


def test_left_runs_down():
    pace = Pace(1.0)
    first = pace.left
    time.sleep(0.01)
    assert 0 < pace.left < first <= 1.0


@pytest.mark.parametrize("n", [1, 5, 200, 999, 1000, 4000, 60000, 10**6])
def test_defaults_take_enough_steps_but_not_for_ever(n):
    steps = default_epochs(n) * -(-n // default_batch(n))
    assert 10 <= default_epochs(n) <= 100
    assert steps >= 2000 or default_epochs(n) == 100
