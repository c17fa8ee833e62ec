"""Forecasts: the law against its own simulation, subsamples that are nested, and a user's path."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_page import HOSTILE, Browser
from test_plan_store import no_training

from softwidth import cli, forecasts
from softwidth._checks import ArgumentError, DataFileError
from softwidth.forecast_page import forecast_page
from softwidth.forecast_text import print_forecast
from softwidth.forecasts import _nested, forecast
from softwidth.pace import Pace
from softwidth.plan_labels import soft_labels
from softwidth.plan_spec import PlanSpec
from softwidth.planner import decide_plan, load_task, search_widths, task_of
from softwidth.power_law import SCATTER, SLOPE, power_law
from softwidth.store import open_store
from softwidth.tasks import with_training_rows

QUICK = {
    "pair": [3, 8],
    "widths": [2, 8],
    "seeds": 2,
    "rounds": 0,
    "epochs": 8,
    "step_sizes": [10.0],
}
X = np.array([-3.0, -2.0, -1.0])


def test_intervals_hold_what_the_law_itself_makes():
    """Truths drawn from the prior, measured without error: a 95 % interval holds 95 % of them."""
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        slope, scatter = SLOPE * rng.standard_normal(), SCATTER * abs(rng.standard_normal())
        y = 4 + slope * np.append(X, 0.0) + scatter * rng.standard_normal(4)
        ((low, _, high),) = power_law(X, y[None, :3], np.array([0.0])).values
        inside.append(low <= y[3] <= high)
    assert stats.binomtest(sum(inside), 400, 0.95).pvalue > 0.001


def test_the_law_is_bayes_rule_by_brute_force():
    """Prior draws weighted by how close they come to the measured values."""
    rng = np.random.default_rng(1)
    y, blur, n = np.array([2.0, 3.5, 3.0]), 0.15, 2_000_000
    slope, scatter = SLOPE * rng.standard_normal(n), SCATTER * abs(rng.standard_normal(n))
    lines = slope[:, None] * np.append(X, 0.0) + scatter[:, None] * rng.standard_normal((n, 4))
    # A free intercept is one that fits best: integrated out, it leaves the differences.
    apart = (y - y.mean()) - (lines[:, :3] - lines[:, :3].mean(axis=1, keepdims=True))
    weights = np.exp(-0.5 * (apart**2).sum(axis=1) / blur**2)
    new = lines[:, 3] + y.mean() - lines[:, :3].mean(axis=1)
    order = np.argsort(new)
    shares = np.cumsum(weights[order]) / weights.sum()
    by_force = new[order][np.searchsorted(shares, [0.025, 0.5, 0.975])]
    draws = y + blur * rng.standard_normal((4000, 3))
    assert power_law(X, draws, np.array([0.0])).values[0] == pytest.approx(by_force, abs=0.12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 12), min_size=2, max_size=5), st.floats(-5, 5))
def test_a_factor_on_all_widths_is_one_on_the_forecast(octaves, shift):
    x, draws = -np.arange(len(octaves), 0, -1.0), np.array([octaves])
    at = np.array([0.0])
    before, after = (power_law(x, d, at).values for d in (draws, draws + shift))
    assert after == pytest.approx(before + shift, abs=1e-6)
    low, middle, high = before[0]
    assert low <= middle <= high


@settings(max_examples=25, deadline=None)
@given(st.integers(20, 200), st.integers(2, 4), st.integers(0, 9))
def test_subsamples_are_nested_and_stratified(n, classes, seed):
    y = np.arange(n) % classes
    sizes = [n // 8 + classes, n // 4 + classes, n // 2 + classes]
    parts = _nested(y, sizes, seed)
    assert [len(part) for part in parts] == sizes
    for small, large in zip(parts, [*parts[1:], np.arange(n)], strict=True):
        assert set(small) <= set(large)
        counts = np.bincount(y[small], minlength=classes)
        assert counts.max() - counts.min() <= 2


@pytest.fixture(scope="module")
def digits():
    return forecast("digits", check=True, teacher="kernel", budget=6000, **QUICK)


def test_every_point_is_the_plan_of_its_rows(digits):
    """The same pieces put together by hand."""
    spec = PlanSpec.of({**QUICK, "teacher": "kernel"})
    dataset = load_task("digits", spec)
    (rows, *_) = _nested(dataset.y_train, [point.rows for point in digits.points], 0)
    labels = soft_labels(with_training_rows(dataset, rows), spec)
    task = task_of(labels, spec)
    tuned = search_widths(task, spec, Pace(6000)).trainer.tuned
    by_hand, point = decide_plan(task, tuned, spec), digits.points[0]
    assert point.rows == len(dataset.y_train) // 8
    for kind in ("hard", "soft"):
        np.testing.assert_array_equal(by_hand.places[kind], point.decision.places[kind])
    assert digits.measured.rows == digits.rows == len(dataset.y_train)


def untimed(found):
    """The record without the seconds of any run."""
    record = found.as_dict()
    points = [{**point, "seconds": None} for point in record["points"]]
    return {**record, "points": points, "seconds": None, "measured": None}


@pytest.mark.parametrize("regime", ["cross-fitted", "larger-data"])
def test_a_second_forecast_only_reads(regime, tmp_path):
    """Also the shares of the budget are those of the first, which was slower."""
    asked = {**QUICK, "rounds": 1, "teacher": "kernel", "regime": regime, "budget": 30}
    asked |= {"student_rows": 120} if regime == "larger-data" else {}
    first = forecast("digits", store=tmp_path / "f.sqlite", **asked)
    with no_training():
        again = forecast("digits", store=tmp_path / "f.sqlite", **asked)
    assert untimed(again) == untimed(first)


def test_a_forecast_that_was_broken_off_goes_on(tmp_path, monkeypatch):
    place, asked = tmp_path / "f.sqlite", {**QUICK, "teacher": "kernel", "budget": 6000}
    law = forecasts.search_widths
    calls = []

    def stopped(*given, **settings):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return law(*given, **settings)

    monkeypatch.setattr(forecasts, "search_widths", stopped)
    with pytest.raises(KeyboardInterrupt, match="students are in"):
        forecast("digits", store=place, **asked)
    monkeypatch.setattr(forecasts, "search_widths", law)
    with open_store(place) as store:
        kept = {row.id for row in store.rows()}
    found = forecast("digits", store=place, **asked)
    with open_store(place) as store:
        assert kept < {row.id for row in store.rows()}
    assert untimed(found) == untimed(forecast("digits", **asked))


def test_record_and_page_say_the_same(digits):
    record = json.loads(json.dumps(digits.as_dict(), allow_nan=False))
    low, high = record["saving"]["interval"]
    assert low <= record["saving"]["ratio"] <= high
    last = [row for row in record["fan"] if row["what"] == "saving"][-1]
    assert (last["rows"], last["low"], last["high"]) == (record["rows"], low, high)
    page = forecast_page(record)
    assert record["recommendation"]["reason"].split(";")[0] in page
    assert "Measured afterwards" in page


def test_a_teacher_of_other_rows_is_the_same_at_every_size():
    asked = {**QUICK, "teacher": "kernel", "student_rows": 80, "regime": "larger-data"}
    found = forecast("digits", **asked)
    assert [point.rows for point in found.points] == [10, 20, 40]
    assert found.rows == 80
    assert found.regime == "larger data"
    assert len({point.distance for point in found.points}) == 1


def test_labels_from_a_file_and_more_rows_than_there_are():
    rng = np.random.default_rng(0)
    p = rng.random(160)
    data = {"X": rng.standard_normal((160, 3)), "y": (rng.random(160) < p).astype(int), "soft": p}
    found = forecast(data, rows=10_000, **{**QUICK, "pair": None})
    n = len(found.dataset.y_train)
    assert [point.rows for point in found.points] == [n // 4, n // 2, n]
    assert found.regime == "from file"
    low, high = found.widths["soft"].interval
    assert low < (high or np.inf)  # six octaves further, nobody can be sure


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"shares": [0.5]}, "shares"),
        ({"shares": [0.5, 0.25]}, "shares"),
        ({"shares": [0.5, 1.0]}, "shares"),
        ({"shares": [0, 0.5]}, "shares"),
        ({"rows": 0}, "rows"),
        ({"rows": 10_000, "check": True}, "check"),
        ({"shares": [0.001, 0.5]}, "shares"),
        ({"colour": 1}, "setting"),
    ],
)
def test_what_cannot_be_forecast_is_refused(asked, said):
    with pytest.raises(ArgumentError, match=f"`{said}`"):
        forecast("digits", **{**QUICK, **asked})


def test_forecast_from_the_command_line(tmp_path, capsys):
    quick = ["--pair", "3,8", "--widths", "2,8", "--seeds", "2", "--rounds", "0", "--epochs", "5"]
    asked = ["forecast", "digits", "--teacher", "kernel", "--shares", "0.25,0.5", *quick]
    assert cli.main([*asked, "--out", str(tmp_path), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "forecast.json").read_text())
    again = tmp_path / "again.html"
    made = ["report", str(tmp_path / "forecast.json"), "--out", str(again)]
    assert cli.main([*made, "--figure", str(tmp_path / "width.svg")]) == 0
    assert again.read_text() == (tmp_path / "forecast.html").read_text()
    capsys.readouterr()
    assert cli.main(["forecast", "--shares", "half"]) == 2
    assert "`shares`" in capsys.readouterr().err


def test_forecast_for_a_person(digits, tmp_path, capsys):
    print_forecast(digits.as_dict(), tmp_path / "forecast.html")
    out = " ".join(capsys.readouterr().out.split())
    assert "forecast" in out
    assert "Measured afterwards" in out


def test_page_of_hostile_values_is_quiet(digits, chromium, tmp_path):
    stored = digits.as_dict()
    stored["data"] |= {"name": HOSTILE, "notes": [HOSTILE]}
    stored["warnings"] = [HOSTILE]
    done = Browser(chromium, tmp_path).run(forecast_page(stored), "--dump-dom")
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count('data-drawn="yes"') == 2


@pytest.mark.parametrize(
    "broken", [{}, {"points": []}, {"points": [{"rows": 0, "widths": [2]}]}, {"rows": float("nan")}]
)
def test_what_is_no_forecast_is_one_error(broken):
    with pytest.raises(DataFileError, match="not a stored forecast"):
        forecast_page(broken)
