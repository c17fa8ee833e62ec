"""A store under bad luck: many writers, writers killed, servers restarted, disks full or read-only."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from disks import mounted, read_only
from stores import same, trial

from softwidth._checks import StoreError
from softwidth.store import open_store

BATCH = 10
HERE = Path(__file__).parent
# Puts batches of rows, numbered by seed, and says of each when it is stored.
WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from stores import trial
from softwidth.store import open_store
url, study, first, last = sys.argv[2], sys.argv[3], *map(int, sys.argv[4:6])
new = 0
with open_store(url) as store:
    for batch in range(first, last):
        new += store.put(trial(width, batch, study) for width in range(10))
        print("stored", batch, flush=True)
print("new", new)
"""


def start(url, study, first, last):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(HERE), str(url), study, str(first), str(last)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(writers):
    """How many new rows each of them stored."""
    told = [writer.communicate(timeout=120) for writer in writers]
    assert all(writer.returncode == 0 for writer in writers), [err for _, err in told]
    return [int(out.rsplit("new ", 1)[1]) for out, _ in told]


def batches(store):
    """How many rows of each batch are stored."""
    return Counter(row.spec["seed"] for row in store.rows())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return str(tmp_path / "rows.sqlite")
    return request.getfixturevalue("postgres").new()


@pytest.mark.parametrize(
    ("url", "writers"), [("sqlite", 2), ("sqlite", 4), ("postgresql", 4)], indirect=["url"]
)
def test_processes_write_one_store(url, writers):
    """Each begins with an empty place, and half of its batches are its neighbour's too."""
    running = [start(url, f"study {n}", 10 * n, 10 * n + 20) for n in range(writers)]
    new = finish(running)
    with open_store(url) as store:
        stored = batches(store)
        assert stored == dict.fromkeys(range(10 * writers + 10), BATCH)
        assert sum(new) == sum(stored.values())
        assert {study["study"] for study in store.studies()} >= {"study 0", f"study {writers - 1}"}


def test_a_killed_writer_leaves_whole_batches(url):
    rng = np.random.default_rng(0)
    done = set()
    for attempt in range(3):
        writer = start(url, "killed", 0, 10**6)
        for line in writer.stdout:
            done.add(int(line.split()[1]))
            if len(done) > 20 * (attempt + 1):
                break
        time.sleep(rng.uniform(0, 0.02))
        writer.send_signal(signal.SIGKILL)
        done |= {int(line.split()[1]) for line in writer.communicate()[0].splitlines()}
        with open_store(url) as store:
            stored = batches(store)
            assert set(stored.values()) == {BATCH}
            assert done <= set(stored)
    with open_store(url) as store:
        for row in store.rows(curves=True):
            again = trial(row.spec["width"], row.spec["seed"], "killed")
            assert same(row, replace(again, created=row.created))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_writer_outlives_a_restart_of_its_server(postgres, mode):
    url = postgres.new()
    writer = start(url, "restarted", 0, 300)
    while int(writer.stdout.readline().split()[1]) < 20:
        pass
    postgres.restart(mode)
    out, err = writer.communicate(timeout=120)
    assert writer.returncode == 0, err
    assert "trying again" in err
    assert "stored 299" in out
    with open_store(url) as store:
        assert batches(store) == dict.fromkeys(range(300), BATCH)


def test_a_forked_process_opens_connections_of_its_own(url):
    with open_store(url) as store:
        store.put([trial(seed=0)])
        pid = os.fork()
        if pid == 0:
            os._exit(0 if store.put([trial(seed=1)]) == 1 and store.known([trial().id]) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        store.put([trial(seed=2)])
        assert len(list(store.rows())) == 3


def test_threads_share_a_store(url):
    with open_store(url) as store:
        new = []
        work = [
            threading.Thread(
                target=lambda n=n: new.append(store.put(trial(w, n // 2) for w in range(50)))
            )
            for n in range(8)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert sum(new) == len(list(store.rows())) == 200


def test_a_full_disk_is_told_and_what_was_stored_stays(tmp_path):
    with mounted(tmp_path / "disk", "size=1m") as disk, open_store(disk / "a.sqlite") as store:
        count = fill(store)
        assert batches(store) == dict.fromkeys(range(count), BATCH)
        with open_store(disk / "a.sqlite", read_only=True) as reader:
            assert batches(reader) == batches(store)
        subprocess.run(["mount", "-o", "remount,size=2m", disk], check=True)
        assert store.put(trial(width, count) for width in range(BATCH)) == BATCH


def fill(store):
    """How many batches fit."""
    for seed in range(1000):
        try:
            store.put(trial(width, seed) for width in range(BATCH))
        except StoreError as error:
            full = error
            break
    assert "no space left" in str(full)
    return seed


def test_a_limit_of_file_sizes_is_a_full_disk_too(tmp_path):
    path = tmp_path / "rows.sqlite"
    code = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    code += f"resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); {WRITER}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(HERE), str(path), "full", "0", "1000"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "StoreError" in done.stderr.splitlines()[-1]
    with open_store(path) as store:
        assert batches(store) == dict.fromkeys(range(done.stdout.count("stored")), BATCH)
        assert store.put([trial(seed=-1)]) == 1


def test_a_directory_that_is_read_only(tmp_path):
    (tmp_path / "sent").mkdir()
    path = tmp_path / "sent" / "rows.sqlite"
    with open_store(path) as store:
        store.put([trial(seed=seed) for seed in range(3)])
    with read_only(path.parent):
        with open_store(path, read_only=True) as store:
            assert len(list(store.rows())) == 3
        with pytest.raises(StoreError, match="read-only"):
            open_store(path)
        with pytest.raises(StoreError, match="cannot be opened"):
            open_store(path.with_name("new.sqlite"))
        assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("writable", [True, False])
def test_a_store_sent_in_the_middle_of_writing(tmp_path, writable):
    """Copied with its log, as a killed writer leaves it: no row of the log is lost."""
    sent = tmp_path / "sent"
    sent.mkdir()
    with open_store(tmp_path / "rows.sqlite") as store:
        store.put([trial(seed=seed) for seed in range(3)])
        for name in ("rows.sqlite", "rows.sqlite-wal"):
            shutil.copy(tmp_path / name, sent / name)
    around = contextlib.nullcontext() if writable else read_only(sent)
    with around, open_store(sent / "rows.sqlite", read_only=True) as store:
        assert len(list(store.rows())) == 3


def test_a_busy_store_is_waited_for_and_then_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("softwidth.store_engine.BUSY", 0.05)
    path = tmp_path / "rows.sqlite"
    with open_store(path) as store:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("begin immediate")
        monkeypatch.setattr("softwidth.store.PATIENCE", 0.2)
        with pytest.raises(StoreError, match="busy"):
            store.put([trial()])
        assert list(store.rows()) == []  # readers do not wait
        monkeypatch.setattr("softwidth.store.PATIENCE", 60)
        ends = threading.Timer(0.5, other.rollback)
        ends.start()
        assert store.put([trial()]) == 1
        ends.join()
        other.close()
