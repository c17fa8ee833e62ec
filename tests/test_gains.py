"""Verdicts on gains: the rule by made-up tables, the slope by another way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from softwidth.studies import clean_limit, find_study, initialisation, label_noise, teacher
from softwidth.studies._gains import everywhere, groups, sign
from softwidth.studies._slope import _normal_end


def line(mean, half, row=0, **more):
    ends = {
        f"{name}{end}": value
        for name in ("mean_gain", "beyond", "ahead")
        for end, value in (("", mean), ("_low", mean - half), ("_high", mean + half))
    }
    least = {"least_width": 4, "saving": 2.0, "saving_low": 1.0, "saving_high": 4.0}
    return {
        "row": row, "data": "digits", "width": 2, "labels": "soft", "saving_at_least": False,
        **ends, **least, **more,
    }  # fmt: skip


gain = st.floats(-5, 5).map(lambda x: round(x, 2))


@given(st.lists(st.tuples(gain, st.floats(0.01, 3)), min_size=1, max_size=6))
def test_a_verdict_needs_all_and_one_loss_refutes(drawn):
    lines = [line(mean, half, row) for row, (mean, half) in enumerate(drawn)]
    found = everywhere(lines, lambda each: f"group {each['row']}", "Soft labels win")
    if any(mean + half < 0 for mean, half in drawn):
        assert found.word == "refuted"
    elif all(mean - half > 0 for mean, half in drawn):
        assert found.word == "supported"
    else:
        assert found.word == "undecided"
    assert found.effect == min(mean for mean, _ in drawn)
    assert [said.rows for said in found.said] == [(row,) for row in range(len(drawn))]


def table(*lines):
    """Every group also with hard labels and a second width, which no verdict may be read from."""
    rows = []
    for each in lines:
        other = {**each, "width": 8}
        hard = {**line(0, 0), **{key: each[key] for key in each if key not in line(0, 0)}, "labels": "hard"}  # fmt: skip
        rows += [hard, other, each]
    return pd.DataFrame(rows).drop(columns="row")


def test_a_group_is_told_by_its_narrowest_width():
    made = table(line(1, 0.5, init="he"), line(2, 0.5, init="symmetric"))
    found = groups(made, ("data", "init"))
    assert [(each["init"], each["width"], each["row"]) for each in found] == [("he", 2, 2), ("symmetric", 2, 5)]  # fmt: skip
    assert all(made["labels"][each["row"]] == "soft" for each in found)


def test_one_start_that_loses_refutes():
    won, lost = line(2, 0.5, init="symmetric"), line(-2, 0.5, init="he")
    assert initialisation.judge(table(won, {**won, "init": "he"})).word == "supported"
    assert initialisation.judge(table(won, lost)).word == "refuted"


@pytest.mark.parametrize(
    ("memorised", "word"), [((0.1, 0.5), "supported"), ((3, 0.5), "refuted"), ((0.7, 0.5), "undecided")]
)  # fmt: skip
def test_a_teacher_that_memorised_must_not_win(memorised, word):
    held = line(2, 0.5, teacher="wide", role=teacher.HELD_OUT)
    other = line(*memorised, teacher="in-sample", role=teacher.MEMORISED)
    assert teacher.judge(table(held, other)).word == word


def test_votes_are_judged_by_shares_against_majority():
    same = line(2, 0.5, rate=0.3, way=label_noise.SAME, votes=3)
    cheap = line(-9, 0.5, rate=0.3, way=label_noise.CHEAP, votes=3)
    made = table(same, cheap)
    found = label_noise.judge(made)
    assert found.word == "supported"
    made.loc[made.way == label_noise.SAME, ["beyond_low", "beyond_high"]] = [-3.0, -1.0]
    assert label_noise.judge(made).word == "refuted"


def test_the_slope_is_that_of_weighted_least_squares():
    rng = np.random.default_rng(0)
    softness, deviation = np.linspace(0.01, 0.4, 7), rng.uniform(0.3, 1, 7)
    gains = 15 * softness + 0.5 + deviation * rng.normal(size=7)
    half = _normal_end(clean_limit.COMPARISONS) * deviation
    lines = [line(g, h, softness=s, noise=s) for g, h, s in zip(gains, half, softness, strict=True)]
    slope, low, high = clean_limit.slope(lines)
    best, cov = curve_fit(
        lambda x, a, b: a + b * x, 10 * softness, gains, sigma=deviation, absolute_sigma=True
    )
    assert slope == pytest.approx(best[1], rel=1e-6)
    left = (gains - best[0] - best[1] * 10 * softness) / deviation
    factor = max(1.0, np.sqrt((left**2).sum() / 5))
    assert (high - low) / 2 == pytest.approx(1.959964 * factor * np.sqrt(cov[1, 1]), rel=1e-4)
    assert clean_limit.judge(table(*lines)).effect == pytest.approx(slope)


def test_signs_are_those_of_intervals():
    assert [sign(line(mean, 1)) for mean in (-2, 0.5, 2)] == [-1, 0, 1]


def test_a_study_with_a_dash_is_a_module_with_an_underscore():
    assert find_study("both-layers").__name__.endswith("both_layers")
