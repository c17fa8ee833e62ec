"""Engines beyond this process and its own: Dask and submitit, whole and broken."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_trials import Squares, squares, students, values

from softwidth._checks import ArgumentError, SweepError
from softwidth.experiments import StudentTrials
from softwidth.store import open_store
from softwidth.sweep import collect, sweep

TESTS = Path(__file__).parent
SMALL = {"bank_seconds": 0.01, "study": "test"}
CLUSTER = """
import os, sys
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    pids = [worker.pid for worker in cluster.workers.values()]
    print(cluster.scheduler_address, *pids, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "rows.sqlite") as opened:
        yield opened


@pytest.fixture
def cluster(tmp_path):
    """A Dask cluster of two processes: the process of its scheduler, and its address."""
    pytest.importorskip("distributed")
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        address, *_ = process.stdout.readline().split()
        yield process, address
    finally:
        process.kill()
        process.communicate()


def test_dask_gives_the_same_bits(cluster, store, tmp_path):
    sweep(StudentTrials(), students(), store, engine=cluster[1], **SMALL)
    with open_store(tmp_path / "here.sqlite") as other:
        sweep(StudentTrials(), students(), other, **SMALL)
        assert values(collect(students(), store, curves=True)) == values(
            collect(students(), other, curves=True)
        )


def test_dask_does_a_dead_workers_bank_again(cluster, store, tmp_path):
    specs = [*squares(8), {"x": 50, "mishap": f"once {tmp_path / 'died'}"}]
    sweep(Squares(), specs, store, study="death", engine=cluster[1], bank_seconds=0.05)
    assert [row.metrics["square"] for row in collect(specs, store)] == [s["x"] ** 2 for s in specs]


def test_dask_without_its_scheduler(cluster, store):
    process, address = cluster
    specs = squares(60, slow=0.2)
    threading.Timer(2.0, process.kill).start()
    with pytest.raises(SweepError, match=r"the Dask scheduler at .* was lost"):
        sweep(Squares(), specs, store, study="lost", engine=address, bank_seconds=0.05)
    assert 0 <= len(list(store.rows())) < len(specs)
    quick = sweep(Squares(), specs, store, study="lost", engine=4, bank_seconds=0.05)
    assert quick.n_done + quick.n_skipped == len(specs) == len(list(store.rows()))


def test_a_scheduler_that_is_not_there(store, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("softwidth.engine_dask.REACHED_WITHIN", 0.5)
    with pytest.raises(ArgumentError, match=r"`engine` \(=tcp://127.0.0.1:9\) cannot be reached"):
        sweep(Squares(), squares(2), store, study="none", engine="tcp://127.0.0.1:9")


def test_submitit_runs_banks(store, tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent)]))
    executor = submitit.LocalExecutor(folder=tmp_path / "jobs")
    executor.update_parameters(timeout_min=2)
    began = time.monotonic()
    specs = students()[::8]
    sweep(StudentTrials(), specs, store, study="jobs", engine=executor, bank_seconds=1)
    assert time.monotonic() - began < 120
    with open_store(tmp_path / "here.sqlite") as other:
        sweep(StudentTrials(), specs, other, study="here", bank_seconds=1)
        assert values(collect(specs, store, curves=True)) == values(
            collect(specs, other, curves=True)
        )
