"""Studies at toy size, their protocol, and what they keep."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth import studies
from softwidth._checks import ArgumentError
from softwidth.cli import main
from softwidth.store import open_store, spec_id
from softwidth.studies import Scale, run_study
from softwidth.studies._cells import cell_lines, cell_name
from softwidth.studies._compare import difference
from softwidth.studies._tuned import tuned
from softwidth.trial_spec import TrialSpec


def test_every_study_has_all_of_its_parts():
    for name in studies.NAMES:
        study = studies.find_study(name)
        for part in ("CLAIM", "COST", "LAST", "measure", "judge", "draw"):
            assert getattr(study, part)


@pytest.mark.parametrize("name", studies.NAMES)
def test_the_last_verdict_told_is_the_one_kept(name):
    kept = Path(__file__).parents[1] / "results" / f"{name}.json"
    if not kept.exists():
        assert studies.find_study(name).LAST == "not run yet"
        return
    found = json.loads(kept.read_text())
    assert not found["smoke"]
    parts = (found[key] for key in ("word", "sentence", "effect", "interval", "unit"))
    assert studies.Verdict(*parts).told == studies.find_study(name).LAST
    table = pd.read_csv(kept.with_suffix(".csv"))
    again = studies.find_study(name).judge(table)
    assert again.word == found["word"]
    assert again.effect == pytest.approx(found["effect"], rel=1e-6, abs=1e-5)


def test_an_unknown_study_is_answered_with_the_nearest():
    with pytest.raises(ArgumentError, match="did you mean 'table1'"):
        studies.find_study("tabel1")


@pytest.mark.parametrize("name", studies.NAMES)
def test_a_study_runs_at_toy_size_and_then_only_reads(name, tmp_path, capsys):
    command = ["study", name, "--smoke", "--json", "--store", str(tmp_path / "s.sqlite")]
    assert main([*command, "--out", str(tmp_path / "first")]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["word"] in ("supported", "refuted", "undecided")
    assert first["students"] > 0
    assert main([*command, "--out", str(tmp_path / "second"), "--engine", "local:2"]) == 0
    for suffix in ("csv", "svg"):
        texts = [(tmp_path / run / f"{name}.{suffix}").read_bytes() for run in ("first", "second")]
        assert texts[0] == texts[1]
    table = pd.read_csv(tmp_path / "first" / f"{name}.csv")
    assert {"data", "width", "seeds", "spec"} <= set(table.columns)
    trained = {"labels", "step_size"} <= set(table.columns)
    assert trained or name == "separability"  # the only one without students
    judged = studies.find_study(name).judge(table)
    assert {row for said in (judged, *judged.said) for row in said.rows} <= set(table.index)
    assert all(said.rows for said in (judged, *judged.said))
    ways_back(tmp_path, name, table)


def ways_back(folder, name, table):
    """From every line of a table to the rows in the store that it was made of."""
    text = (folder / "first" / f"{name}.specs.jsonl").read_text()
    lines = {line["spec"]: line for line in map(json.loads, text.splitlines())}
    with open_store(folder / "s.sqlite", read_only=True) as store:
        for line in table.to_dict("records"):
            ids = studies.stored_ids(lines[line["spec"]])
            rows = store.get(ids)
            assert len(ids) == len(set(ids)) == len(rows) >= line["seeds"]
            for row in rows.values():
                assert row.spec["width"] == line["width"]
                assert row.spec.get("step_size") == line.get("step_size")


def test_the_list_on_the_command_line(capsys):
    assert main(["study", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in listed] == list(studies.NAMES)
    assert all(set(each) == {"name", "claim", "cost", "verdict"} for each in listed)
    assert main(["study", "list"]) == 0


def test_bad_input_is_one_line(capsys, tmp_path):
    store = ["--store", str(tmp_path / "s.sqlite")]
    for arguments, says in (
        (["tabel1"], "did you mean 'table1'"),
        (["radius", "--smoke", "--data", "digist"], "digits"),
        (["radius", "--smoke", "--data", ""], "`data`"),
        (["radius", "--smoke", "--data", "digits,digits"], "`data`"),
        (["radius", "--smoke", "--engine", "locl:2"], "engine"),
    ):
        assert main(["study", *arguments, *store]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert says in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["radius", "--data", "nonsense"],
        ["radius", "--data", "wine"],  # which has no odd digits
        ["sample-size", "--data", "wine"],
        ["certificate", "--data", "wine"],
        ["multiclass", "--data", "wine"],  # too few rows
        ["scaling", "--data", "mnist"],
        ["robustness", "--data", "circle(8)"],
        ["vgg-cifar10", "--data", "wine"],
    ],
)
def test_a_study_that_is_refused_leaves_nothing(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["study", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("softwidth: `")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_stored_study_needs_neither_its_engine_nor_its_data(tmp_path, monkeypatch):
    asked = {"store": tmp_path / "rows.sqlite", "scale": Scale(smoke=True)}
    first = run_study("clean-limit", **asked)
    monkeypatch.setattr("softwidth.data.load", None)
    again = run_study("clean-limit", **asked, engine="tcp://127.0.0.1:9")
    assert again.verdict == first.verdict


def test_what_is_no_engine_leaves_no_store(tmp_path):
    with pytest.raises(ArgumentError, match="`engine`"):
        run_study("clean-limit", store=tmp_path / "rows.sqlite", scale=Scale(smoke=True), engine=object())  # fmt: skip
    assert list(tmp_path.iterdir()) == []


# --- the protocol


class Landscape:
    """Answers for students whose validation error is least at a known step size."""

    def __init__(self, best):
        self.best, self.asked = best, []

    def __call__(self, specs):
        self.asked += specs
        return [
            SimpleNamespace(
                spec=spec.as_dict(),
                metrics={
                    "status": "trained",
                    "val_error": abs(np.log10(spec.step_size / self.best[spec.labels])) / 10,
                    "val_log_loss": 0.5,
                },
            )
            for spec in specs
        ]


@given(st.floats(-2, 3), st.floats(-2, 3))
def test_every_label_kind_gets_its_own_best_step_size(hard, soft):
    """Within a quarter of a decade, also up to a decade beyond the grid's edge."""
    ask = Landscape({"hard": 10**hard, "soft": 10**soft})
    base = TrialSpec.of(width=2, teacher="wide")
    found = tuned(ask, base, seeds=4, labels=["hard", "soft"])
    for (cell, rows), best in zip(found, (hard, soft), strict=True):
        assert [row.spec["seed"] for row in rows] == [0, 1, 2, 3]
        steps = {row.spec["step_size"] for row in rows}
        assert len(steps) == 1
        assert abs(np.log10(steps.pop()) - best) <= 0.26
        assert {row.spec["labels"] for row in rows} == {cell.labels}


def test_both_kinds_are_tuned_with_equal_effort_within_the_grid():
    ask = Landscape({"hard": 1.0, "soft": 10.0})
    tuned(
        ask, TrialSpec.of(width=2, teacher="wide"), seeds=4, tuning_seeds=3, labels=["hard", "soft"]
    )
    tried = {
        kind: len({(s.seed, s.step_size) for s in ask.asked if s.labels == kind})
        for kind in ("hard", "soft")
    }
    assert tried["hard"] == tried["soft"] == 3 * 7 + 1


def test_settings_that_follow_the_seed_draw_anew_for_every_student():
    """Tuned and told students alike; their cell is one, and names every stored row."""
    ask = Landscape({"soft": 1.0})
    base = TrialSpec.of(width=2, teacher="annotators", teacher_settings={"rate": 0.3}, votes=3)
    ((_, rows),) = tuned(
        ask, base, seeds=4, follow=("label_seed", "teacher_seed"), labels=["soft"]
    )  # fmt: skip
    for spec in ask.asked:
        assert spec.seed == spec.label_seed == spec.teacher_seed
    (name,) = {cell_name(row.spec) for row in rows}
    line = json.loads(cell_lines(rows, [name]))
    assert studies.stored_ids(line) == [spec_id(row.spec) for row in rows]


# --- intervals


def test_intervals_cover_a_known_difference():
    """Students and rows both vary, and the interval is of both."""
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        row_part = rng.normal(0, 0.2, 100)
        first, second = (
            mean + row_part + rng.normal(0, 0.02, (12, 1)) + rng.normal(0, 0.3, (12, 100))
            for mean in (0.30, 0.27)
        )
        low, high = difference(first, second, seed=seed).interval
        covered += low <= 0.03 <= high
    assert covered >= 88  # of 100; at 95 % three standard deviations below


def test_more_comparisons_make_wider_intervals():
    rng = np.random.default_rng(0)
    first, second = rng.random((8, 100)), rng.random((8, 100))
    one, many = (difference(first, second, comparisons=n).interval for n in (1, 20))
    assert many[0] < one[0] < one[1] < many[1]
