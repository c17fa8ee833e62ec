"""The long attack: every reader and entry point with generated and damaged input.

    python scripts/fuzz.py --inputs 120000 --out fuzz.json

Each input must give a result or one of our errors: no other exception, no warning, no input without
an end, no more memory than is said to be free. Inputs are told by name and seed; ``--only NAME
--seed N`` makes one again. The table is written to ``--out`` as it grows; ends with 1 if there was a
fault. Coverage-guided attacks on the readers of files are ``scripts/fuzz_files.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the generator is the tests' own
from hostile_calls import CALLS, FaultError, attack

BEYOND = 2**33  # bytes that a worker may own beyond what its modules take: none may even ask more
SILENCE = 180  # seconds without a line: a worker inside compiled code hears no alarm
SLOW = 10  # seconds of CPU that are told
WRITE_EVERY = 20  # seconds
SHOWN = 40


def schedule(inputs: int, first: int) -> list[tuple[str, int]]:
    """So many inputs, entry points in proportion to their weights."""
    names, weights = list(CALLS), np.array([weight for _, weight in CALLS.values()])
    numbers = np.random.default_rng(0).choice(len(names), inputs, p=weights / weights.sum())
    return [(names[number], first + i) for i, number in enumerate(numbers)]


def work(inputs: list[tuple[str, int]]) -> None:
    """Attack with each input; one line of JSON before it and one after it."""
    for name in CALLS:  # modules and compiled code are loaded before memory is counted
        for seed in range(3):
            run(name, -1 - seed)
        print("{}", flush=True)
    # Not RLIMIT_AS: the engine that draws figures reserves addresses by the terabyte.
    own = psutil.Process().memory_info().data
    resource.setrlimit(resource.RLIMIT_DATA, (own + BEYOND,) * 2)
    for name, seed in inputs:
        print(json.dumps({"name": name, "seed": seed}), flush=True)
        faulthandler.dump_traceback_later(SILENCE / 2)  # where it is, if it is still there
        print(json.dumps(run(name, seed)), flush=True)
    faulthandler.cancel_dump_traceback_later()


def run(name: str, seed: int) -> dict[str, Any]:
    """What came of one input, the seconds of CPU it took, and the bytes."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as where:
        found: dict[str, Any] = {"outcome": "fault", "grown": 0}
        try:
            answer = attack(name, abs(seed), Path(where))
            found = {"outcome": "result" if answer.result else "refused", "grown": answer.grown}
        except FaultError as fault:
            cause = fault.__cause__
            places = traceback.extract_tb(cause and cause.__traceback__)[-4:]
            found["told"] = str(fault)
            found["at"] = " ".join(f"{Path(f.filename).name}:{f.lineno}" for f in places)
    return {**found, "seconds": round(time.process_time() - began, 5)}


@dataclass
class Count:
    """Of one entry point."""

    result: int = 0
    refused: int = 0
    fault: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    grown: int = 0


@dataclass
class Attack:
    """What has come so far, of all workers."""

    out: Path | None
    counts: dict[str, Count] = field(default_factory=lambda: {name: Count() for name in CALLS})
    faults: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    began: float = field(default_factory=time.monotonic)
    written: float = 0.0

    def add(self, name: str, seed: int, found: dict[str, Any]) -> None:
        """One more input."""
        with self.lock:
            count = self.counts[name]
            setattr(count, found["outcome"], getattr(count, found["outcome"]) + 1)
            count.seconds += found["seconds"]
            count.slowest = max(count.slowest, found["seconds"])
            count.grown = max(count.grown, found["grown"])
            if found["outcome"] == "fault" or found["seconds"] > SLOW:
                self.faults.append(f"--only {name!r} --seed {seed}: {found}")
                print(self.faults[-1], file=sys.stderr, flush=True)
            if self.out is not None and time.monotonic() - self.written > WRITE_EVERY:
                self.write()

    def write(self) -> None:
        """The numbers so far, into the file that was asked for."""
        self.written = time.monotonic()
        if self.out is not None:
            entries = {name: asdict(count) for name, count in self.counts.items()}
            told = {"seconds": round(self.written - self.began), "faults": self.faults}
            self.out.write_text(json.dumps({**told, "entry points": entries}, indent=1))

    def table(self) -> Iterator[str]:
        """The counts as lines."""
        yield f"{'entry point':25}{'results':>9}{'refused':>9}{'faults':>8}{'CPU, s':>8}{'slowest':>9}{'MiB':>6}"
        total = Count()
        for name, c in [*self.counts.items(), ("all", total)]:
            yield (
                f"{name:25}{c.result:9,}{c.refused:9,}{c.fault:8,}{c.seconds:8.0f}{c.slowest:9.2f}"
                f"{c.grown / 2**20:6.0f}"
            )
            for each in ("result", "refused", "fault", "seconds"):
                setattr(total, each, getattr(total, each) + getattr(c, each))
            total.slowest, total.grown = max(total.slowest, c.slowest), max(total.grown, c.grown)


def attack_all(inputs: list[tuple[str, int]], processes: int, out: Path | None) -> Attack:
    """Attack with all inputs, on so many worker processes."""
    attack = Attack(out)
    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(lambda p: _drive(inputs[p::processes], attack), range(processes)))
    attack.write()
    return attack


def _drive(inputs: list[tuple[str, int]], attack: Attack) -> None:
    """Attack with some inputs; a worker that dies or falls silent is followed by another."""
    done = 0
    while done < len(inputs):
        begun = False
        for found in _lines(inputs[done:]):
            begun = begun or "name" in found
            if "outcome" in found:
                attack.add(*inputs[done], found)
                done += 1
        if not begun:
            raise RuntimeError("a worker ended before its first input")
        if done < len(inputs):
            lost = {"outcome": "fault", "told": "the process ended, or fell silent"}
            attack.add(*inputs[done], {**lost, "seconds": 0.0, "grown": 0})
            done += 1


def _lines(inputs: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """What a new worker says of these inputs."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(inputs, file)
        file.flush()
        command = [sys.executable, __file__, "--work", file.name]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            yield from map(json.loads, _until_silent(worker))
        finally:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            worker.wait()


def _until_silent(worker: subprocess.Popen[bytes]) -> Iterator[bytes]:
    rest = b""
    while worker.stdout and select.select([worker.stdout], [], [], SILENCE)[0]:
        some = worker.stdout.read1(2**16)  # type: ignore[attr-defined]
        if not some:
            return
        *lines, rest = (rest + some).split(b"\n")
        yield from lines


def main() -> int:
    """Attack, print what came of it, and say whether anything was amiss."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=120_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--first", type=int, default=1, help="seed of the first input")
    parser.add_argument("--only", choices=CALLS, help="one entry point")
    parser.add_argument("--seed", type=int, help="with --only: this one input")
    parser.add_argument("--out", type=Path, help="where the numbers are kept as they come (JSON)")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(json.loads(given.work.read_text()))
        return 0
    if given.seed is not None:
        print(run(given.only, given.seed))
        return 0
    inputs = schedule(given.inputs, given.first)
    if given.only:
        inputs = [(given.only, seed) for _, seed in inputs]
    attack = attack_all(inputs, given.processes, given.out)
    print(*attack.table(), sep="\n")
    print(f"{len(inputs):,} inputs, {len(attack.faults)} faults or slow ones")
    print(*attack.faults[:SHOWN], sep="\n")
    return 1 if attack.faults else 0


if __name__ == "__main__":
    sys.exit(main())
