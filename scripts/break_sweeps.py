"""Break a study in every way, again and again, and see that its rows are those of a run in peace.

Run: ``python scripts/break_sweeps.py [--kills 20]``. Kills the whole process at random moments (here
and on processes), a random worker, a Dask worker and a Dask scheduler; each time the same call goes
on. The result is in docs/LOG.md.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from softwidth.cutting import cut
from softwidth.experiments import StudentTrials
from softwidth.store import Row, open_store
from softwidth.sweep import collect, sweep
from softwidth.trial_spec import TrialSpec

BANK_SECONDS = 0.02


def trials() -> list[TrialSpec]:
    """160 students, half of them taught, a fifth diverging."""
    common = {"positive": [1, 3, 5, 7, 9], "student_rows": 200, "noise": 0.4, "batch_size": 32}
    plain = TrialSpec.of(width=2, epochs=4, **common)
    taught = TrialSpec.of(
        width=2, epochs=4, teacher="logistic", regime="larger-data", labels="soft", **common
    )
    axes = {"width": [4, 16], "seed": range(8), "step_size": [1.0, 3.0, 10.0, 30.0, 1e30]}
    return [spec for base in (plain, taught) for spec in base.grid(**axes)]


def run(store: str, engine: str) -> None:
    """The study itself, in a process of its own."""
    sweep(StudentTrials(), trials(), store, study="s", engine=engine, bank_seconds=BANK_SECONDS)


def begin(store: Path, engine: str) -> subprocess.Popen[bytes]:
    """Start `run` in a new process."""
    command = [sys.executable, __file__, "--run", str(store), "--engine", engine]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def values(rows: list[Row]) -> list[object]:
    """What must not depend on breaks."""
    return [
        (r.id, r.spec, r.metrics, {name: c.tobytes() for name, c in r.curves.items()}) for r in rows
    ]


def check_whole_banks(store: Path) -> int:
    """How many rows there are; a bank is there whole or not at all."""
    with open_store(store) as opened:
        portions = cut(StudentTrials(), trials(), seconds=BANK_SECONDS)
        known = opened.known(id_ for portion in portions for id_ in portion.ids)
        for portion in portions:
            found = len(known & set(portion.ids))
            assert found in (0, len(portion.ids)), f"{found} of {len(portion.ids)} rows of a bank"
        return len(known)


def end(store: Path, engine: str, wanted: list[object]) -> None:
    """Go on to the end, and compare with the run in peace."""
    process = begin(store, engine)
    _, told = process.communicate(timeout=600)
    assert process.returncode == 0, told.decode()
    with open_store(store) as opened:
        assert values(collect(trials(), opened, curves=True)) == wanted
        assert sum(1 for _ in opened.rows()) == len(wanted)


def kill_processes(
    folder: Path, kills: int, chance: random.Random, wanted: list[object], seconds: float
) -> str:
    """``kill -9`` of the whole study at random moments, in a new store whenever one is full."""
    store, stores, rows = folder / "kills-0.sqlite", 1, []
    for number in range(kills):
        process = begin(store, ("here", "local:2")[number % 2])
        time.sleep(chance.uniform(0.3, 1.1) * seconds)
        process.kill()
        process.communicate()
        rows.append(check_whole_banks(store))
        if rows[-1] == len(wanted):
            end(store, "here", wanted)
            store, stores = folder / f"kills-{stores}.sqlite", stores + 1
    end(store, "here", wanted)
    return f"{kills} times kill -9 of the study over {stores} stores; rows after each: {rows}"


def kill_workers(
    folder: Path, kills: int, chance: random.Random, wanted: list[object], seconds: float
) -> str:
    """``kill -9`` of a worker of ``local:2`` while the study runs."""
    killed = 0
    for number in range(kills):
        store = folder / f"workers-{number}.sqlite"
        process = begin(store, "local:2")
        time.sleep(chance.uniform(0.4, 0.9) * seconds)
        workers = [
            child
            for child in psutil.Process(process.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]
        if workers:
            chance.choice(workers).kill()
            killed += 1
        _, told = process.communicate(timeout=600)
        assert process.returncode == 0, told.decode()
        end(store, "here", wanted)
    return f"{killed} workers of local:2 killed: their banks were done again, once"


def dask(folder: Path, chance: random.Random, wanted: list[object], *, scheduler: bool) -> str:
    """``kill -9`` of a Dask worker, or of the scheduler."""
    code = (
        "import sys; from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    c = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None,\n"
        "                     silence_logs=50)\n"
        "    print(c.scheduler_address, *(w.pid for w in c.workers.values()), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    script = folder / "cluster.py"
    script.write_text(code)
    cluster = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert cluster.stdout is not None
    address, *pids = cluster.stdout.readline().decode().split()
    store = folder / f"dask-{scheduler}.sqlite"
    process = begin(store, address)
    time.sleep(4.0)
    if scheduler:
        cluster.kill()
    else:
        os.kill(int(chance.choice(pids)), signal.SIGKILL)
    _, told = process.communicate(timeout=600)
    if not scheduler:
        assert process.returncode == 0, told.decode()
    rows = check_whole_banks(store)
    end(store, "here", wanted)
    cluster.kill()
    cluster.communicate()
    lines = told.decode().strip().splitlines()
    last = next((line for line in reversed(lines) if "SweepError" in line), "no error")
    what = "scheduler" if scheduler else "worker"
    return f"Dask {what} killed with {rows} rows stored at the end of that call: {last}"


def main() -> None:
    """Break it in every way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run")
    parser.add_argument("--engine", default="here")
    options = parser.parse_args()
    if options.run:
        run(options.run, options.engine)
        return
    chance = random.Random(options.seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.monotonic()
        begin(folder / "peace.sqlite", "here").communicate()
        seconds = time.monotonic() - began
        with open_store(folder / "peace.sqlite") as opened:
            wanted = values(collect(trials(), opened, curves=True))
        print(f"{len(wanted)} students in peace, {seconds:.1f} s", flush=True)
        print(kill_processes(folder, options.kills, chance, wanted, seconds), flush=True)
        print(kill_workers(folder, options.workers, chance, wanted, seconds), flush=True)
        for scheduler in (False, True):
            print(dask(folder, chance, wanted, scheduler=scheduler), flush=True)
    print("all rows equal those of the run in peace")


if __name__ == "__main__":
    main()
