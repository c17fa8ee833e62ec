"""Break a study in every way, again and again, and see that its rows are those of a run in peace.

Run: ``nice python scripts/break_sweeps.py [--times 20] [--only study,worker]``. A break is struck at a
random moment between the first row that a call stores and its end; one that comes before or after
is not counted. Then the same call goes on. Equal means: every row, metrics and curves, to the last
bit; none twice, none lost, and no bank by halves at any time. The results are in docs/LOG.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # its server is the tests' own
from postgres import Cluster, programs

from softwidth.cutting import cut
from softwidth.experiments import StudentTrials
from softwidth.store import Row, Store, open_store
from softwidth.sweep import collect, sweep
from softwidth.trial_spec import TrialSpec

BANK_SECONDS = 0.02
ENGINES = ("here", "local:2")
MOUNT = ("/bin/mount", "-o")
LONGEST = 3600  # seconds of one call, on a machine however busy
CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


def trials() -> list[TrialSpec]:
    """640 students of three kinds of labels, a fifth of them diverging."""
    common = {"positive": [1, 3, 5, 7, 9], "student_rows": 200, "noise": 0.4, "batch_size": 32}
    plain = TrialSpec.of(width=2, epochs=10, **common)
    taught = TrialSpec.of(
        width=2, epochs=10, teacher="logistic", regime="larger-data", labels="soft", **common
    )
    axes = {"width": [4, 16], "seed": range(32), "step_size": [1.0, 3.0, 10.0, 30.0, 1e30]}
    return [spec for base in (plain, taught) for spec in base.grid(**axes)]


def run(store: str, engine: str) -> None:
    """The study itself, in a process of its own."""
    sweep(StudentTrials(), trials(), store, study="s", engine=engine, bank_seconds=BANK_SECONDS)


def values(rows: list[Row]) -> list[object]:
    """What must not depend on breaks."""
    return [
        (r.id, r.spec, r.metrics, {name: c.tobytes() for name, c in r.curves.items()}) for r in rows
    ]


def count(store: Store) -> int:
    """Rows stored by now."""
    return sum(study["rows"] for study in store.studies())


@dataclass
class Breaker:
    """One study, its rows in peace, and what is struck while it runs.

    Attributes
    ----------
    folder : Path
        For stores.
    times : int
        Breaks of every kind.
    chance : random.Random
    """

    folder: Path
    times: int
    chance: random.Random
    wanted: list[object] = field(default_factory=list)
    seconds: float = 0.0
    made: int = 0

    def __post_init__(self) -> None:
        """The run in peace, and how long it takes from its first row to its last."""
        self.portions = cut(StudentTrials(), trials(), seconds=BANK_SECONDS)
        with open_store(self.new()) as store:
            process = begin(store, "here")
            self.until_rows(process, store)
            began = time.monotonic()
            self.finish(process)
            self.seconds = time.monotonic() - began
            self.wanted = values(collect(trials(), store, curves=True))
            self.size = Path(store.where).stat().st_size
        print(
            f"{len(self.wanted)} students in {len(self.portions)} banks, in peace "
            f"{self.seconds:.1f} s from the first row to the last",
            flush=True,
        )

    def new(self) -> str:
        """The path of a new store."""
        self.made += 1
        return str(self.folder / f"{self.made}.sqlite")

    def until_rows(self, process: subprocess.Popen[bytes], store: Store) -> int:
        """Wait until this call has stored a row; how many there were before."""
        before = count(store)
        while process.poll() is None and count(store) == before:
            time.sleep(0.01)
        return before

    def finish(self, process: subprocess.Popen[bytes], code: int = 0) -> str:
        """Its words, once it ended as it should."""
        _, told = process.communicate(timeout=LONGEST)
        assert process.returncode == code, told.decode()
        return told.decode().strip()

    def strike(
        self, store: Store, engine: str, hit: Callable[[subprocess.Popen[bytes]], None]
    ) -> tuple[subprocess.Popen[bytes], int | None]:
        """Begin the study and `hit` it in its midst; how many rows there were then, if it was."""
        process = begin(store, engine)
        before = self.until_rows(process, store)
        left = 1 - before / len(self.wanted)
        time.sleep(self.chance.uniform(0, left) * self.seconds)
        rows = count(store)
        if process.poll() is not None or rows == len(self.wanted):
            return process, None
        hit(process)
        return process, rows

    def check_banks(self, store: Store) -> None:
        """A bank is there whole or not at all."""
        known = store.known(id_ for portion in self.portions for id_ in portion.ids)
        for portion in self.portions:
            found = len(known & set(portion.ids))
            assert found in (0, len(portion.ids)), f"{found} of {len(portion.ids)} rows of a bank"
        with store._engine().begin() as connection:
            if connection.dialect.name == "sqlite":
                assert connection.scalar(text("pragma integrity_check")) == "ok"

    def compare(self, store: Store) -> None:
        """All rows are there, once, and equal to those in peace."""
        assert values(collect(trials(), store, curves=True)) == self.wanted
        assert sum(1 for _ in store.rows()) == len(self.wanted)

    def go_on(self, store: Store) -> None:
        """The same call, to its end, and its rows."""
        self.check_banks(store)
        self.finish(begin(store, "here"))
        self.compare(store)


def begin(store: Store, engine: str) -> subprocess.Popen[bytes]:
    """Start `run` in a new process."""
    command = [sys.executable, __file__, "--run", store._place.url, "--engine", engine]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """Processes that multiprocessing has spawned for it."""
    found = process.children(recursive=True)
    return [child for child in found if "spawn_main" in " ".join(child.cmdline())]


def kill_study(breaker: Breaker, server: Cluster | None) -> str:
    """``kill -9`` of the whole study: here and on processes, into SQLite and PostgreSQL."""
    hits: list[int] = []
    stores = 0
    while len(hits) < breaker.times:
        where = server.new() if server and stores % 3 == 2 else breaker.new()
        stores += 1
        with open_store(where) as store:
            while len(hits) < breaker.times and count(store) < len(breaker.wanted):
                engine = ENGINES[len(hits) % 2]
                process, rows = breaker.strike(store, engine, subprocess.Popen.kill)
                process.communicate()
                breaker.check_banks(store)
                hits += [] if rows is None else [rows]
            breaker.go_on(store)
    return f"{len(hits)} times kill -9 of the study, {stores} stores; rows stored then: {hits}"


def kill_worker(breaker: Breaker, server: Cluster | None) -> str:
    """``kill -9`` of a worker of ``local:2``: the same call goes on by itself."""

    def hit(process: subprocess.Popen[bytes]) -> None:
        breaker.chance.choice(workers_of(psutil.Process(process.pid))).kill()

    hits = list(_outlived(breaker, "local:2", hit, breaker.new))
    return f"{len(hits)} times kill -9 of a worker of local:2; rows stored then: {hits}"


def restart_server(breaker: Breaker, server: Cluster | None) -> str:
    """PostgreSQL restarted in the middle, in turn with notice and without."""
    if server is None:
        return "PostgreSQL is not installed: not restarted"
    modes = iter(("fast", "immediate") * breaker.times)

    def hit(process: subprocess.Popen[bytes]) -> None:
        server.restart(next(modes))

    hits = list(_outlived(breaker, "local:2", hit, server.new))
    return f"{len(hits)} times PostgreSQL restarted; rows stored then: {hits}"


def kill_dask_worker(breaker: Breaker, server: Cluster | None) -> str:
    """``kill -9`` of a Dask worker; Dask starts another one."""
    with cluster(breaker.folder) as (process, address):

        def hit(study: subprocess.Popen[bytes]) -> None:
            breaker.chance.choice(workers_of(psutil.Process(process.pid))).kill()

        hits = list(_outlived(breaker, address, hit, breaker.new))
    return f"{len(hits)} times kill -9 of a Dask worker; rows stored then: {hits}"


def _outlived(
    breaker: Breaker,
    engine: str,
    hit: Callable[[subprocess.Popen[bytes]], None],
    new: Callable[[], str],
) -> Iterator[int]:
    """Breaks that a call survives, each with a store of its own; rows stored at each."""
    done = 0
    while done < breaker.times:
        with open_store(new()) as store:
            process, rows = breaker.strike(store, engine, hit)
            breaker.finish(process)
            breaker.compare(store)
        if rows is not None:
            done += 1
            yield rows


def kill_scheduler(breaker: Breaker, server: Cluster | None) -> str:
    """``kill -9`` of the Dask scheduler: a clear error, and the same call goes on elsewhere."""
    hits: list[int] = []
    last = ""
    while len(hits) < breaker.times:
        with cluster(breaker.folder) as (scheduler, address), open_store(breaker.new()) as store:
            process, rows = breaker.strike(store, address, lambda _, s=scheduler: s.kill())  # type: ignore[misc]
            if rows is None:
                process.communicate()
                continue
            last = breaker.finish(process, 1).splitlines()[-1]
            assert "the Dask scheduler at" in last, last
            hits.append(rows)
            breaker.go_on(store)
    return f"{len(hits)} times kill -9 of the scheduler; rows stored then: {hits}; told: {last}"


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A Dask cluster of two processes: the process of its scheduler, and its address."""
    script = folder / "cluster.py"
    script.write_text(CLUSTER)
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": paths}, cwd=folder,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().decode().strip()
    finally:
        for child in workers_of(psutil.Process(process.pid)) if process.poll() is None else []:
            child.send_signal(signal.SIGKILL)
        process.kill()
        process.communicate()


def fill_disk(breaker: Breaker, server: Cluster | None) -> str:
    """A disk for part of the rows: a clear error, a whole store, and on with more room."""
    told = []
    for number in range(breaker.times):
        disk = breaker.folder / f"disk-{number}"
        disk.mkdir()
        size = int(breaker.chance.uniform(0.3, 0.9) * breaker.size)
        made = [*MOUNT, f"size={size}", "-t", "tmpfs", "tmpfs", str(disk)]
        if subprocess.run(made, check=False, capture_output=True).returncode:
            return "only root may mount a small disk: not filled"
        try:
            with open_store(disk / "rows.sqlite") as store:
                process = begin(store, ENGINES[number % 2])
                last = breaker.finish(process, 1).splitlines()[-1]
                assert "no space left" in last, last
                told.append(count(store))
                breaker.check_banks(store)
                subprocess.run([*MOUNT, "remount,size=64m", disk], check=True)
                breaker.go_on(store)
        finally:
            subprocess.run(["/bin/umount", disk], check=True)
    return f"{len(told)} full disks; rows stored then: {told}; told: {last}"


KINDS: dict[str, Callable[[Breaker, Cluster | None], str]] = {
    "study": kill_study,
    "worker": kill_worker,
    "server": restart_server,
    "dask-worker": kill_dask_worker,
    "dask-scheduler": kill_scheduler,
    "disk": fill_disk,
}


def main() -> None:
    """Break it in every way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run")
    parser.add_argument("--engine", default="here")
    options = parser.parse_args()
    if options.run:
        run(options.run, options.engine)
        return
    found = programs()
    server = Cluster(found) if found else None
    try:
        with tempfile.TemporaryDirectory() as name:
            breaker = Breaker(Path(name), options.times, random.Random(options.seed))  # noqa: S311
            for kind in options.only.split(","):
                began = time.monotonic()
                print(
                    f"{KINDS[kind](breaker, server)} ({time.monotonic() - began:.0f} s)", flush=True
                )
    finally:
        if server:
            server.remove()
    print("all rows equal those of the run in peace")


if __name__ == "__main__":
    main()
