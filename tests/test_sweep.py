"""Sweeps: the same rows on every engine, however often broken off; what fails is told, and alone."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from small_trials import Squares, begin, squares, students, values

from softwidth._checks import ArgumentError, SweepError
from softwidth.cutting import cut
from softwidth.experiments import StudentTrials
from softwidth.store import open_store
from softwidth.sweep import collect, sweep
from softwidth.trial_spec import TrialSpec

TESTS = Path(__file__).parent
SMALL = {"bank_seconds": 0.01, "study": "test"}  # a few banks


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "rows.sqlite") as opened:
        yield opened


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The rows of all `students`, made in this process without a break."""
    with open_store(tmp_path_factory.mktemp("here") / "rows.sqlite") as opened:
        report = sweep(StudentTrials(), students(), opened, **SMALL)
        assert report.n_banks >= 4
        return collect(students(), opened, curves=True)


def test_threads_give_the_same_bits(here, store):
    with ThreadPoolExecutor(2) as threads:
        sweep(StudentTrials(), students(), store, engine=threads, **SMALL)
    assert values(collect(students(), store, curves=True)) == values(here)


def test_processes_give_the_same_bits_and_go_on(here, store):
    """With half of the banks stored before: they are cut from the whole list, not from what is left."""
    portions = cut(StudentTrials(), students(), seconds=0.01)
    before = {id_ for portion in portions[::2] for id_ in portion.ids}
    store.put(row for row in here if row.id in before)
    report = sweep(StudentTrials(), students(), store, engine="local:2", **SMALL)
    assert (report.n_skipped, report.n_done) == (len(before), len(here) - len(before))
    assert values(collect(students(), store, curves=True)) == values(here)
    assert sweep(StudentTrials(), students(), store, **SMALL).n_skipped == len(here)


def test_students_that_diverge_leave_the_others_alone(here, store):
    calm = [spec for spec in students() if spec.step_size == 1.0]
    found = {row.id: row.metrics for row in here}
    sweep(StudentTrials(), calm, store, study="calm")
    for row in collect(calm, store):
        metrics = found[row.id]
        assert metrics["status"] == row.metrics["status"] == "trained"
        assert metrics["test_log_loss"] == pytest.approx(row.metrics["test_log_loss"], rel=1e-3)
    wild = [row.metrics for row in here if row.spec["step_size"] == 1e30]
    assert {metrics["status"] for metrics in wild} == {"diverged"}


def test_a_bank_that_fails_does_not_stop_the_others(store):
    specs = [*squares(9), {"x": 99, "mishap": "final"}, {"x": 98, "mishap": "always", "key": "own"}]
    with pytest.raises(SweepError, match="2 of 5 banks failed") as told:
        sweep(Squares(), specs, store, study="mishaps")
    assert "9 of 11 trials of 'mishaps' are in" in str(told.value)
    assert "`x` (=99) must be better" in str(told.value)
    assert len(store.known(row.id for row in store.rows())) == 9


def test_a_worker_that_dies_loses_its_bank_only_for_a_while(store, tmp_path):
    specs = [*squares(8, slow=0.01), {"x": 50, "mishap": f"once {tmp_path / 'died'}"}]
    report = sweep(Squares(), specs, store, study="death", engine=2, bank_seconds=0.05)
    assert (report.n_done, report.retried) == (9, 1)
    assert [row.metrics["square"] for row in collect(specs, store)] == [s["x"] ** 2 for s in specs]


def test_an_executor_that_breaks_is_told(store):
    threads = ThreadPoolExecutor(1)
    threads.shutdown()
    with pytest.raises(SweepError, match=r"ThreadPoolExecutor was lost: .*0 of 3 trials"):
        sweep(Squares(), squares(3), store, study="broken", engine=threads)


@pytest.mark.parametrize("engine", ["locl:2", 0, "", "local:x", True, 1.5, object()])
def test_engines_that_are_none(store, engine):
    with pytest.raises(ArgumentError, match="`engine`"):
        sweep(Squares(), squares(2), store, study="none", engine=engine)


def test_a_store_that_cannot_be_written(store):
    sweep(Squares(), squares(2), store, study="first")
    with (
        open_store(store.where, read_only=True) as closed,
        pytest.raises(ArgumentError, match="reading only"),
    ):
        sweep(Squares(), squares(4), closed, study="second")


def test_ctrl_c_says_how_to_go_on_and_leaves_no_process(tmp_path):
    process = begin(tmp_path, "local:1")
    assert process.stdout.readline() == "begun\n"
    deadline = time.monotonic() + 60
    while not (children := psutil.Process(process.pid).children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert "of 64 trials of 'test' are in" in told
    assert "the same call goes on from there" in told
    psutil.wait_procs(children, timeout=20)
    assert not any(child.is_running() for child in children)


def test_workers_end_with_the_process_that_was_killed(tmp_path):
    process = begin(tmp_path, "local:2")
    deadline = time.monotonic() + 60
    while (
        len(children := psutil.Process(process.pid).children()) < 2 and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


def test_banks_of_no_time_hold_a_trial_each():
    specs = TrialSpec.of(width=2).grid(seed=range(5))
    for seconds in (1e-300, 1e-12):
        assert [len(bank.ids) for bank in cut(StudentTrials(), specs, seconds=seconds)] == [1] * 5
