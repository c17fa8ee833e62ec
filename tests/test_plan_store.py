"""A plan in a store: broken off and taken up, read and not made again, seen as any other rows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from test_export import page_predictor

import softwidth
from softwidth import cli, plan_certificate, store_parts, training
from softwidth._checks import DataFileError
from softwidth.digests import digest
from softwidth.export import to_numpy
from softwidth.spec_file import read_spec
from softwidth.specs import Student
from softwidth.store import Row, open_store
from softwidth.store_parts import in_pieces, whole
from softwidth.trial_rows import TrialLedger
from softwidth.trials import Rows, Setting, Task, Trial, look

QUICK = {"widths": "2:8", "seeds": 2, "epochs": 5, "step_sizes": [3.0, 30.0]}
# A plan in a process of its own that ends itself as `kill -9` does, at a moment of our choice.
KILLED = """
import json, os, signal, sys
import softwidth
import softwidth.plan_certificate
softwidth.plan_certificate.STEPS = 10
from softwidth.plan_store import PlanJournal
from softwidth.trial_rows import TrialLedger
kind, moment, place = {"students": TrialLedger, "step": PlanJournal}[sys.argv[1]], int(sys.argv[2]), sys.argv[3]
name = {"students": "keep", "step": "write"}[sys.argv[1]]
old, count = getattr(kind, name), [0]
def new(self, what):
    if getattr(what, "work", 1):
        count[0] += 1
    if count[0] == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    return old(self, what)
setattr(kind, name, new)
softwidth.plan(sys.argv[4], store=place, **json.loads(sys.argv[5]))
"""


@pytest.fixture(autouse=True)
def quick_certificates(monkeypatch):
    """The student of the theory's kind is not what is tested here."""
    monkeypatch.setattr(plan_certificate, "STEPS", 10)


def arrays(n=400, seed=0):
    """Noisy linear classes with their probabilities, from which a plan can go on for some rounds."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 8))
    p = 1 / (1 + np.exp(-2 * X[:, 0]))
    y = (rng.random(n) < p).astype(int)
    return {"X": X, "y": y, "soft": np.stack([1 - p, p], axis=1)}


def timeless(plan):
    """A plan's record as text, without the seconds that this run took."""
    return json.dumps({**plan.as_dict(), "seconds": None})


def untimed(plan):
    """The same without the seconds of any run."""
    record = plan.as_dict()
    rounds = [{**entry, "seconds": None} for entry in record["search"]["rounds"]]
    return {**record, "search": {**record["search"], "rounds": rounds}, "seconds": 0, "spent": 0}


@contextmanager
def no_training():
    """Nothing may be trained inside."""

    def refuse(*_):
        raise AssertionError("a bank was trained")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Run, "train", refuse)
        yield


def rows_of(place):
    """The students of a store."""
    with open_store(place) as store:
        return [row for row in store.rows() if "labels" in row.spec]


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        (arrays(), {"metric": "kl", "tolerance": 0.01, "budget": 6.0}),
        ("digits", {"pair": [3, 8], "student_rows": 200, "teacher": "kernel", "rounds": 1}),
    ],
    ids=["budget", "teacher"],
)
def test_a_second_run_only_reads(source, asked, tmp_path, capsys):
    place = tmp_path / "plan.sqlite"
    first = softwidth.plan(source, store=place, **QUICK, **asked)
    with open_store(place) as store:
        rows = {row.id for row in store.rows()}
    capsys.readouterr()
    with no_training():
        again = softwidth.plan(source, store=place, **QUICK, **asked)
    assert timeless(again) == timeless(first)
    assert again.spec_text() == first.spec_text()
    assert str(place) in capsys.readouterr().err
    with open_store(place) as store:
        assert {row.id for row in store.rows()} == rows


def test_what_determines_a_student_is_its_content_not_its_name(tmp_path):
    place, data = tmp_path / "plan.sqlite", arrays()
    one, other = tmp_path / "one.npz", tmp_path / "other.npz"
    np.savez(one, **data)
    np.savez(other, **data)
    asked = {**QUICK, "rounds": 0}
    softwidth.plan(one, store=place, **asked)
    with no_training():
        softwidth.plan(other, store=place, **asked)
        softwidth.plan(data, store=place, **asked)
    students = {row.id for row in rows_of(place)}
    softwidth.plan(data, store=place, **{**asked, "budget": 50.0})  # other plan, same students
    assert {row.id for row in rows_of(place)} == students
    for changed in ({"X": data["X"] + 1e-3}, {"soft": np.roll(data["soft"], 1, axis=0)}):
        with no_training(), pytest.raises(AssertionError, match="trained"):
            softwidth.plan({**data, **changed}, store=place, **asked)


def test_a_classifier_of_the_users_is_fitted_again_and_its_labels_tell(tmp_path):
    place, data = tmp_path / "plan.sqlite", arrays()
    del data["soft"]
    asked = {"store": place, **QUICK, "rounds": 0}
    first = softwidth.plan(data, teacher=LogisticRegression(), **asked)
    with no_training():
        assert timeless(softwidth.plan(data, teacher=LogisticRegression(), **asked)) == timeless(
            first
        )
        with pytest.raises(AssertionError, match="trained"):
            softwidth.plan(data, teacher=LogisticRegression(C=0.01), **asked)


def end_itself(what, moment, place, data, settings):
    """Run `KILLED` to its end."""
    asked = [sys.executable, "-c", KILLED, what, moment, place, data, json.dumps(settings)]
    asked = list(map(str, asked))
    done = subprocess.run(asked, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_killed_twice_a_plan_is_what_it_would_have_been(tmp_path):
    place, data, counts = tmp_path / "plan.sqlite", tmp_path / "my.npz", []
    np.savez(data, **arrays())
    asked = {**QUICK, "rounds": 2}
    for what, moment in (("students", 2), ("step", 1)):
        end_itself(what, moment, place, data, asked)
        counts.append(len(rows_of(place)))
    assert 0 < counts[0] < counts[1]
    resumed = softwidth.plan(data, store=place, **asked)
    assert untimed(resumed) == untimed(softwidth.plan(data, **asked))


def test_ctrl_c_is_one_line_that_says_what_is_kept(tmp_path, monkeypatch, capsys):
    keep, calls = TrialLedger.keep, []

    def stop(self, trials):
        calls.append(len(trials))
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return keep(self, trials)

    monkeypatch.setattr(TrialLedger, "keep", stop)
    np.savez(tmp_path / "my.npz", **arrays())
    asked = ["plan", str(tmp_path / "my.npz"), "--widths", "2,4", "--seeds", "2", "--epochs", "2"]
    assert cli.main([*asked, "--out", str(tmp_path)]) == 130
    guess, *err = [line for line in capsys.readouterr().err.splitlines() if line]
    assert guess.startswith("Before any training")
    place = tmp_path / "plan.sqlite"
    told = f"stopped; {calls[0]} students are in {place}, and the same call goes on from there"
    assert err == [f"softwidth: {told}"]
    assert len(rows_of(place)) == calls[0]


def test_the_store_of_a_plan_is_reported_and_exported_as_any_other(tmp_path, capsys):
    place, page, table = (tmp_path / name for name in ("plan.sqlite", "page.html", "rows.csv"))
    found = softwidth.plan(arrays(), store=place, rounds=0, **QUICK)
    assert cli.main(["report", str(place), "--out", str(page), "--export", str(table)]) == 0
    rows = pandas.read_csv(table)
    students = rows[rows["spec.labels"].notna()]
    assert set(students["spec.labels"]) == {"hard", "soft", "argmax"}
    trials = found.tuned.trials(("soft", 4))
    own = students[(students["spec.labels"] == "soft") & (students["spec.width"] == 4)]
    own = own[own["spec.step_size"] == trials[0].student.step_size].sort_values("spec.seed")
    errors = [trial.test.losses["error"].mean() for trial in trials]
    assert own["metrics.test_error"].tolist() == pytest.approx(errors)
    assert "test error" in page.read_text().lower()


def task_of(rng, rows, draws, with_soft):
    held = []
    for _ in range(2):
        P = rng.dirichlet(np.ones(3), rows * draws) if with_soft else None
        X = rng.standard_normal((rows * draws, 2)).astype(np.float32)
        held.append(Rows(X, rng.integers(0, 3, rows).repeat(draws), P, draws))
    X, y = np.eye(3, 2, dtype=np.float32), np.arange(3)
    return Task(X, y, np.eye(3), *held)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 99), st.integers(1, 40), st.integers(1, 8), st.booleans(), st.booleans(), st.sampled_from([2**21, 64])
)  # fmt: skip
def test_a_student_comes_back_as_it_was(
    tmp_path_factory, seed, rows, draws, with_soft, gone, piece
):
    rng = np.random.default_rng(seed)
    task = task_of(rng, rows, draws, with_soft)
    seen = [
        look(np.log(rng.dirichlet(np.ones(3), rows * draws)), part, gone=gone)
        for part in (task.validation, task.test)
    ]
    curve = {name: rng.random(4).astype(np.float32) for name in ("cross_entropy", "kl", "error")}
    trial = Trial(Student(4, seed, "soft", 3.16), gone, *seen, curve, 0.25)
    place = tmp_path_factory.mktemp("rows") / "rows.sqlite"
    with pytest.MonkeyPatch.context() as patch, open_store(place) as store:
        patch.setattr(store_parts, "PIECE", piece)
        ledger = TrialLedger(store, "demo", task, Setting(3, 4, 3, 1))
        (kept,) = ledger.keep([trial])
        found = ledger.known([trial.student, Student(4, seed + 1, "soft", 3.16)])
        assert list(found) == [trial.student]
        for back in (kept, found[trial.student]):
            assert (back.diverged, back.seconds) == (gone, 0.25)
            for split in ("validation", "test"):
                ours, theirs = getattr(trial, split), getattr(back, split)
                assert theirs.means == ours.means
                assert set(theirs.losses) == set(ours.losses)
                for name, losses in ours.losses.items():
                    np.testing.assert_array_equal(theirs.losses[name], losses, strict=True)
                np.testing.assert_array_equal(theirs.bins, ours.bins)
            for name, values in curve.items():
                np.testing.assert_array_equal(back.curve[name], values, strict=True)


def test_arrays_of_any_size_are_kept_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(store_parts, "PIECE", 1000)
    rng = np.random.default_rng(0)
    arrays = {"large": rng.random((7, 90)), "small": np.arange(5)}
    row = Row.of({"kind": "demo"}, "demo", {"a": 1}, curves=arrays)
    pieces = list(in_pieces(row))
    assert len(pieces) > 5
    with open_store(tmp_path / "rows.sqlite") as store:
        store.put(pieces)
        (back,) = whole(store, [row.spec]).values()
        for name, values in arrays.items():
            np.testing.assert_array_equal(back.curves[name], values)
        assert back.metrics == {"a": 1}
    with open_store(tmp_path / "some.sqlite") as store:
        store.put(pieces[:-1])
        assert whole(store, [row.spec]) == {}
    bent = Row(row.spec, "demo", {"pieces": 2**40, "shapes": {"large": [7, 90]}})
    with open_store(tmp_path / "bent.sqlite") as store:
        store.put([bent])
        with pytest.raises(DataFileError, match="damaged"):
            whole(store, [row.spec])


def test_a_digest_is_of_content():
    X = np.arange(12.0).reshape(3, 4)
    task = task_of(np.random.default_rng(0), 4, 1, True)
    assert digest(X, "a") == digest(np.asfortranarray(X), "a") != digest(X, "b")
    different = [X, X.T, X.astype("f4"), X + 0.1, [X, X], {"X": X}, None, task, np.float64(1)]
    assert len({digest(value) for value in different}) == len(different)
    assert digest([1], [2]) != digest([1, 2], [])


def test_the_student_to_be_used_is_the_same_from_every_run(tmp_path):
    place, data = tmp_path / "plan.sqlite", {**arrays(), "X_test": 3 * arrays(50, 1)["X"]}
    data |= {"y_test": arrays(50, 1)["y"]}
    first = softwidth.plan(data, store=place, rounds=0, **QUICK)
    chosen = first.student()
    with no_training():
        again = softwidth.plan(data, store=place, rounds=0, **QUICK).student()
    fresh = softwidth.plan(data, rounds=0, **QUICK).student()
    P = chosen.predict_proba(data["X_test"])
    for other in (again, fresh):
        assert other.as_dict() == chosen.as_dict()
        np.testing.assert_array_equal(other.network_.W, chosen.network_.W)
    written = page_predictor()(data["X_test"], to_numpy(chosen, tmp_path / "student.npz"))
    np.testing.assert_allclose(written, P, atol=1e-6)
    # What it is said to do it does, on rows in the user's own units.
    assert np.mean(P.argmax(axis=1) != data["y_test"]) == chosen.measures["test_error"]
    advice = first.recommendation
    assert chosen.student.width == (advice.width or first.decision.widths[-1])
    if advice.labels != "either":
        assert chosen.student.labels == advice.labels
    of_bank = first.tuned.tried[chosen.student.labels, chosen.student.width]
    trial = of_bank[chosen.student.step_size][chosen.student.seed]
    assert trial.score() == min(
        t.score() for t in first.tuned.trials((chosen.student.labels, chosen.student.width))
    )
    assert chosen.measures["test_error"] == pytest.approx(trial.test.means["error"], abs=0.03)


def test_students_with_biases_are_others_and_have_them_wherever_they_go(tmp_path):
    place = tmp_path / "plan.sqlite"
    plain = softwidth.plan(arrays(), store=place, rounds=0, **QUICK)
    biased = softwidth.plan(arrays(), store=place, rounds=0, bias=True, **QUICK)
    with no_training():
        again = softwidth.plan(arrays(), store=place, rounds=0, bias=True, **QUICK)
    assert again.as_dict()["curve"] == biased.as_dict()["curve"] != plain.as_dict()["curve"]
    student = biased.student()
    assert np.any(student.network_.b)
    with np.load(to_numpy(student, tmp_path / "student.npz"), allow_pickle=False) as kept:
        numbers = sum(kept[name].size for name in ("W", "b_hidden", "A", "b"))
    told = biased.as_dict()
    assert numbers in {told[kind].get("parameters") for kind in ("hard", "soft", "argmax")}
    assert any("without biases" in note for note in told["theory"]["notes"])
    assert not any("without biases" in note for note in plain.as_dict()["theory"]["notes"])
    (tmp_path / "plan.toml").write_text(biased.spec_text())
    assert read_spec(tmp_path / "plan.toml").script.setting.bias
