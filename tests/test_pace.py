"""Rates and budgets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_the_clock_is_read_when_something_is_noted():
    pace = Pace(1.0)
    time.sleep(0.01)
    assert pace.left == 1.0
    pace.note("a", 0.005)
    assert 0 < pace.left <= 0.99


class Memory:
    """A journal in a dictionary."""

    def __init__(self):
        self.steps = {}

    def find(self, what, number):
        return self.steps.get((what, number))

    def write(self, step):
        self.steps[step.what, step.number] = step


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 50), st.floats(0, 9)), min_size=1),
    st.integers(0, 20),
)
def test_a_plan_taken_up_again_sees_the_clock_that_it_saw(steps, broken_off):
    """Whatever speed it has now: seconds left, rates and what was spent are those of the first run."""
    journal, started = Memory(), time.monotonic()
    first = Pace(100.0, started - 20)  # a slow start
    first.note("data", 20.0)
    first.keep_in(journal)
    seen = []
    for what, seconds, work in steps[:broken_off]:
        first.note(what, seconds, work)
        seen.append((first.left, list(first.banks), dict(first.spent)))
    again = Pace(100.0)
    again.note("data", 0.1)
    again.keep_in(journal)
    for (what, seconds, work), (left, banks, spent) in zip(steps, seen, strict=False):
        again.note(what, seconds / 7, work)
        assert (again.left, again.banks, again.spent) == (left, banks, spent)
    before = again.now
    assert not again.recall("a") or broken_off < 0
    again.note("later", 1.0)
    assert before <= again.now < before + 1.0


@pytest.mark.parametrize("n", [1, 5, 200, 999, 1000, 4000, 60000, 10**6])
def test_defaults_take_enough_steps_but_not_for_ever(n):
    steps = default_epochs(n) * -(-n // default_batch(n))
    assert 10 <= default_epochs(n) <= 100
    assert steps >= 2000 or default_epochs(n) == 100
