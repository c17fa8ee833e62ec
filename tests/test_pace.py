"""Rates and budgets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth.pace import (
    DECIDING,
    FADING,
    PAGE,
    RECORD,
    Pace,
    counted_from,
    default_batch,
    default_epochs,
    started_pace,
)


def test_rate_is_seconds_by_work_of_the_last_banks():
    pace = Pace(10.0)
    assert pace.needed(50.0) == 0
    pace.note("a", 2.0, 100.0)
    assert pace.needed(50.0) == pytest.approx(1.0)
    pace.note("b", 1.0, 200.0)
    pace.note("teacher", 5.0)  # no bank: spent, but no rate
    rate = (FADING * 2 + 1) / (FADING * 100 + 200)
    assert pace.needed(50.0) == pytest.approx(50 * rate)
    assert pace.affordable(2.0) == pytest.approx(2 / rate)
    assert pace.affordable(-1.0) == 0
    assert pace.spent == {"a": 2.0, "b": 1.0, "teacher": 5.0}


@given(st.floats(1.5, 20), st.lists(st.floats(1, 100), min_size=10, max_size=10))
def test_the_rate_follows_a_machine_that_becomes_slower(factor, works):
    pace = Pace(1000.0)
    for work in works:
        pace.note("before", work, work)
    assert pace.needed(1.0) == pytest.approx(1.0)
    for _ in range(20):
        pace.note("after", factor, 1.0)
    told = pace.needed(1.0)
    assert 1 < told < factor * (1 + 1e-9)
    for _ in range(40):
        pace.note("after", factor, 1.0)
    assert told < pace.needed(1.0)
    assert pace.needed(1.0) == pytest.approx(factor, rel=0.02)


def test_what_comes_after_the_search_is_kept_free():
    with counted_from(time.monotonic() - 2):
        pace = started_pace(20.0)
    assert pace.left == pytest.approx(18, abs=0.1)
    assert pace.room == pytest.approx(18 - PAGE * 2, abs=0.1)
    pace.note(DECIDING, 0.5)
    pace.after = 3.0
    assert pace.room == pytest.approx(18 - PAGE * 2 - RECORD * 0.5 - 3, abs=0.1)


def test_a_command_counts_from_its_start_but_what_is_inside_does_not():
    began = time.monotonic() - 7
    with counted_from(began):
        assert started_pace(1.0).started == began
        assert Pace(1.0).started > began + 6
    assert started_pace(1.0).started > began + 6
    assert started_pace(1.0).room == 1.0


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


def test_time_is_kept_for_the_first_decision_on_many_rows():
    pace = Pace(100.0)
    pace.expect_to_judge_by(160_000)
    assert pace.room == pytest.approx(100 - RECORD * 8, abs=0.1)
    pace.note(DECIDING, 2.0)
    assert pace.room == pytest.approx(100 - RECORD * 2, abs=0.1)
