"""Least widths of a study's students: those of the planner, from stored rows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from softwidth._checks import ArgumentError
from softwidth.least_width import decide
from softwidth.studies._least import least_columns, least_widths

ROWS = 1000


def student(errors, seed, width):
    """A stored row of a student that is wrong on about so many of its test rows."""
    wrong = np.random.default_rng([seed, width]).random(ROWS) < errors
    return SimpleNamespace(
        curves={"test_wrong": np.packbits(wrong)}, metrics={"test_rows": ROWS}
    )  # fmt: skip


def students(errors, seeds=10):
    return {
        (width, kind): [student(error, seed, width) for seed in range(seeds)]
        for kind, of_kind in errors.items()
        for width, error in of_kind.items()
    }


def test_a_saving_of_four_is_found_with_its_interval():
    found = least_widths(
        students(
            {
                "hard": {2: 0.4, 4: 0.3, 8: 0.2, 16: 0.101},
                "soft": {2: 0.2, 4: 0.1, 8: 0.1, 16: 0.1},
            }
        )
    )
    told = least_columns(found, "soft")
    assert (told["least_width"], told["saving"]) == (4, 4.0)
    assert told["saving_low"] > 1
    assert not told["saving_at_least"]
    assert least_columns(found, "hard")["saving"] == 1


def test_beyond_all_widths_is_infinite_and_the_saving_a_bound():
    found = least_widths(students({"hard": {2: 0.4, 4: 0.3}, "soft": {2: 0.1, 4: 0.1}}))
    hard, soft = (least_columns(found, kind) for kind in ("hard", "soft"))
    assert hard["least_width"] == hard["least_high"] == np.inf
    assert soft["saving_at_least"]
    assert soft["saving"] == 2


def test_it_is_the_planners_rule():
    """The same losses by hand give the same places, draw by draw."""
    given = students({"hard": {2: 0.3, 4: 0.2}, "soft": {2: 0.22, 4: 0.19}})
    losses = {
        kind: [
            np.stack(
                [np.unpackbits(row.curves["test_wrong"], count=ROWS) for row in given[w, kind]]
            )
            for w in (2, 4)
        ]
        for kind in ("hard", "soft")
    }
    by_hand = decide(losses, (2, 4), tolerance=0.01)
    found = least_widths(given)
    for kind in ("hard", "soft"):
        assert (found.places[kind] == by_hand.places[kind]).all()


def test_kinds_of_unequal_seeds_cannot_be_paired():
    given = students({"hard": {2: 0.3}, "soft": {2: 0.2}})
    given[2, "soft"] = given[2, "soft"][:3]
    with pytest.raises(ArgumentError, match="alike for every kind"):
        least_widths(given)
