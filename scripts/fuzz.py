"""The long attack: every reader and entry point with generated and damaged input.

    python scripts/fuzz.py --inputs 120000

Each input must give a result or one of our errors: no other exception, no warning, no input without
an end, no more memory than is said to be free. Inputs are told by name and seed; ``--only NAME
--seed N`` makes one again. Two processes take about 20 minutes; ends with 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the generator is the tests' own
from hostile_calls import CALLS, FaultError, attack

ADDRESSES = (
    2**33
)  # bytes a worker may map beyond what its modules take: nothing may even ask for more
SHOWN = 40


def schedule(inputs: int, first: int) -> list[tuple[str, int]]:
    """So many inputs, entry points in proportion to their weights."""
    names, weights = list(CALLS), np.array([weight for _, weight in CALLS.values()])
    numbers = np.random.default_rng(0).choice(len(names), inputs, p=weights / weights.sum())
    return [(names[number], first + i) for i, number in enumerate(numbers)]


def work(inputs: list[tuple[str, int]]) -> None:
    """Attack with each input; one line of JSON before it and one after it."""
    for name in CALLS:  # modules and compiled code are loaded before memory is counted
        run(name, 0)
    mapped = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ADDRESSES,) * 2)
    for name, seed in inputs:
        print(json.dumps({"name": name, "seed": seed}), flush=True)
        print(json.dumps(run(name, seed)), flush=True)


def run(name: str, seed: int) -> dict[str, str | bool]:
    """What came of one input."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as where:
        try:
            found: dict[str, str | bool] = {"result": attack(name, seed, Path(where))}
        except FaultError as fault:
            cause = fault.__cause__
            places = [
                f"{Path(f.filename).name}:{f.lineno}"
                for f in traceback.extract_tb(cause and cause.__traceback__)
            ]
            found = {"fault": str(fault), "at": " ".join(places[-4:])}
    return (
        {**found, "slow": f"{time.monotonic() - began:.1f} s"}
        if time.monotonic() - began > 10
        else found
    )


def attack_all(
    inputs: list[tuple[str, int]], processes: int
) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Counts of (entry point, outcome), and the faults."""
    counts: Counter[tuple[str, str]] = Counter()
    faults: list[str] = []
    workers = [_start(inputs[p::processes]) for p in range(processes)]
    for worker in workers:
        last: dict[str, str] = {}
        for line in worker.stdout or ():
            found = json.loads(line)
            if "name" in found:
                last = found
                continue
            outcome = "fault" if "fault" in found else "result" if found["result"] else "refused"
            counts[last["name"], outcome] += 1
            if outcome == "fault" or "slow" in found:
                faults.append(f"{last['name']} --seed {last['seed']}: {found}")
                print(faults[-1], file=sys.stderr, flush=True)
        if worker.wait():
            faults.append(f"{last}: the process ended with {worker.returncode}")
            print(faults[-1], file=sys.stderr, flush=True)
    return counts, faults


def _start(inputs: list[tuple[str, int]]) -> subprocess.Popen[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(inputs, file)
    command = [sys.executable, __file__, "--work", file.name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def main() -> int:
    """Attack, print what came of it, and say whether anything was amiss."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=120_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--first", type=int, default=1, help="seed of the first input")
    parser.add_argument("--only", choices=CALLS, help="one entry point")
    parser.add_argument("--seed", type=int, help="with --only: this one input")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        inputs = json.loads(given.work.read_text())
        given.work.unlink()
        work(inputs)
        return 0
    if given.seed is not None:
        print(run(given.only, given.seed))
        return 0
    began, inputs = time.monotonic(), schedule(given.inputs, given.first)
    if given.only:
        inputs = [(given.only, seed) for _, seed in inputs]
    counts, faults = attack_all(inputs, given.processes)
    print(f"{'entry point':26} {'results':>8} {'refused':>8} {'faults':>7}")
    for name in CALLS:
        row = [counts[name, outcome] for outcome in ("result", "refused", "fault")]
        print(f"{name:26} {row[0]:8,} {row[1]:8,} {row[2]:7,}")
    print(
        f"{counts.total():,} inputs in {time.monotonic() - began:.0f} s, {len(faults)} faults or slow ones"
    )
    print(*faults[:SHOWN], sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
