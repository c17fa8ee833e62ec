"""Sweeps and studies that are really broken: killed, restarted, out of room; and then gone on with.

A worker killed is in `test_sweep.py`, Dask's workers and its scheduler in `test_engines.py`, writers of a
store in `test_store_faults.py`; ``scripts/break_sweeps.py`` does it all at random, for long.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time

import pytest
from disks import mounted, read_only
from small_trials import TESTS, Squares, begin, squares, students, values

from softwidth._checks import StoreError
from softwidth.cli import main
from softwidth.cutting import cut
from softwidth.experiments import StudentTrials
from softwidth.store import open_store
from softwidth.sweep import collect, sweep

SMALL = {"bank_seconds": 0.01, "study": "test"}


def count(store):
    return sum(study["rows"] for study in store.studies())


def wait_for(store, rows, alive):
    """Until so many rows are stored."""
    while alive() and count(store) < rows:
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("engine", "place"), [("here", "sqlite"), ("local:2", "sqlite"), ("here", "postgresql")]
)
def test_killed_in_its_midst_and_resumed(engine, place, tmp_path, request):
    """Whole banks or nothing of them, and in the end the rows of a run without a break."""
    url = (
        tmp_path / "rows.sqlite" if place == "sqlite" else request.getfixturevalue("postgres").new()
    )
    chance = random.Random(engine + place)  # noqa: S311
    portions = cut(StudentTrials(), students(), seconds=0.01)
    total = len(students())
    with open_store(url) as store:
        process = begin(tmp_path, engine, url)
        wait_for(store, chance.randint(1, total // 2), lambda: process.poll() is None)
        process.kill()
        process.communicate()
        known = store.known(id_ for portion in portions for id_ in portion.ids)
        assert 0 < len(known) < total
        for portion in portions:
            assert len(known & set(portion.ids)) in (0, len(portion.ids))
        report = sweep(StudentTrials(), students(), store, **SMALL)
        assert (report.n_skipped, report.n_done) == (len(known), total - len(known))
        found = values(collect(students(), store, curves=True))
        assert count(store) == total
    with open_store(tmp_path / "peace.sqlite") as peace:
        sweep(StudentTrials(), students(), peace, **SMALL)
        assert found == values(collect(students(), peace, curves=True))


def test_a_sweep_outlives_a_restart_of_its_server(postgres):
    """Without notice, between two banks or in a commit."""
    specs = squares(40, slow=0.01)
    with open_store(postgres.new()) as store, open_store(store._place.url) as watched:

        def restart():
            wait_for(watched, 1, lambda: True)
            postgres.restart("immediate")

        thread = threading.Thread(target=restart)
        thread.start()
        report = sweep(Squares(), specs, store, study="restarted", bank_seconds=0.1)
        thread.join()
        assert report.n_banks > 10
        assert [row.metrics["square"] for row in collect(specs, store)] == [
            spec["x"] ** 2 for spec in specs
        ]
        assert count(store) == len(specs)


def test_a_full_disk_keeps_whole_banks_and_the_call_goes_on_with_more_room(tmp_path):
    specs = squares(2000)
    portions = cut(Squares(), specs, seconds=1.0)
    assert len(portions[0].ids) > 5
    with mounted(tmp_path / "disk", "size=300k") as disk:
        with open_store(disk / "rows.sqlite") as store:
            with pytest.raises(StoreError, match="no space left on the disk"):
                sweep(Squares(), specs, store, study="full", bank_seconds=1.0)
            known = store.known(id_ for portion in portions for id_ in portion.ids)
            assert 0 < len(known) < len(specs)
            for portion in portions:
                assert len(known & set(portion.ids)) in (0, len(portion.ids))
            subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
            report = sweep(Squares(), specs, store, study="full", bank_seconds=1.0)
        assert (report.n_skipped, report.n_done) == (len(known), len(specs) - len(known))


def test_a_directory_that_is_read_only_is_told_before_anything_is_trained(tmp_path, capsys):
    home = tmp_path / "home"
    home.mkdir()
    with open_store(home / "rows.sqlite") as store:
        sweep(Squares(), squares(3), store, study="first")
    with read_only(home):
        with pytest.raises(StoreError, match="read-only"):
            sweep(Squares(), squares(6), home / "rows.sqlite", study="second")
        study = ["study", "table1", "--smoke", "--store"]
        assert main([*study, str(tmp_path / "new.sqlite"), "--out", str(home / "results")]) == 2
        told = capsys.readouterr().err.strip().splitlines()
        assert len(told) == 1
        assert "`out`" in told[0]
        assert "read-only" in told[0]
        assert main([*study, str(home / "rows.sqlite"), "--out", str(tmp_path / "results")]) == 2
        assert "read-only" in capsys.readouterr().err.strip().splitlines()[-1]
        with open_store(home / "rows.sqlite", read_only=True) as store:
            assert count(store) == 3
    assert not (tmp_path / "new.sqlite").exists()
    assert not (tmp_path / "results").exists()


def test_a_study_killed_and_run_again_gives_the_same_table(tmp_path, capsys):
    """As by hand: ``kill -9`` in the middle, then the same command."""
    command = ["study", "table1", "--smoke", "--engine", "local:2"]
    command += ["--store", str(tmp_path / "s.sqlite"), "--out", str(tmp_path / "resumed")]
    process = subprocess.Popen(
        [sys.executable, "-m", "softwidth.cli", *command],
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)}, stderr=subprocess.PIPE,
    )  # fmt: skip
    with open_store(tmp_path / "s.sqlite") as store:
        wait_for(store, 1, lambda: process.poll() is None)
        process.kill()
        process.communicate()
        assert 0 < count(store) < 12
    command[4] = "here"
    assert main(command) == 0
    peace = ["--store", str(tmp_path / "peace.sqlite"), "--out", str(tmp_path / "peace")]
    assert main([*command[:5], *peace]) == 0
    capsys.readouterr()
    tables = [(tmp_path / run / "table1.csv").read_bytes() for run in ("resumed", "peace")]
    assert tables[0] == tables[1]
