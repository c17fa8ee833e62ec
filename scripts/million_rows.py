"""A million rows of 256 features from a mapped file, trained on in bounded memory.

    python scripts/million_rows.py

Writes 1 GB into a temporary directory, forbids itself (``RLIMIT_DATA``, which counts all memory but
that of mapped files) more than `LIMIT` beyond what its modules take, trains a bank in mini-batches
on the file as it lies, evaluates it on all rows, and prints the promise beside the peak.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from softwidth.inputs import check_data
from softwidth.memory import bytes_needed
from softwidth.specs import Recipe, Student
from softwidth.training import train_bank

LIMIT = 600 * 2**20  # bytes
BLOCK = 10_000  # rows written at a time


def write_rows(path: Path, n: int, d: int) -> np.ndarray[Any, Any]:
    """Unit rows in a file, block by block, and class ids that a linear rule gives nine of ten of."""
    rng = np.random.default_rng(0)
    rule = rng.standard_normal(d).astype(np.float32)
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
    y = np.empty(n, np.int64)
    for start in range(0, n, BLOCK):
        block = rng.standard_normal((min(BLOCK, n - start), d), dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        rows[start : start + BLOCK] = block
        y[start : start + BLOCK] = (block @ rule > 0) ^ (rng.random(len(block)) < 0.1)
    rows.flush()
    return y


def own_memory() -> int:
    """Bytes of this process that are not pages of a file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


class Peak(threading.Thread):
    """The largest `own_memory`, looked at 50 times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.largest, self.over = 0, threading.Event()

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(0.02):
            self.largest = max(self.largest, own_memory())


def main() -> int:
    """Train, print, and say whether the promise was kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10**6)
    parser.add_argument("--features", type=int, default=256)
    given = parser.parse_args()
    students = [Student(8, seed=s, step_size=30.0) for s in range(4)]
    recipe = {"epochs": 1, "batch_size": 256}
    with tempfile.TemporaryDirectory() as where:
        path = Path(where, "X.npy")
        y = write_rows(path, given.rows, given.features)
        train_bank(np.eye(4), [0, 1, 0, 1], {"hard": np.eye(2)[[0, 1, 0, 1]]}, students[:1], epochs=1, batch_size=2)  # fmt: skip
        before = own_memory()
        used = resource.getrlimit(resource.RLIMIT_DATA)[1]
        data_now = _mapped_data()
        resource.setrlimit(resource.RLIMIT_DATA, (data_now + LIMIT, used))
        peak, began = Peak(), time.monotonic()
        peak.start()
        X = np.load(path, mmap_mode="r")
        targets = {"hard": np.eye(2)[y]}
        promise = bytes_needed(students, check_data(X, y, targets, Recipe.of(dict(recipe))), Recipe.of(dict(recipe)))  # fmt: skip
        bank = train_bank(X, y, targets, students, **recipe)
        trained, while_training = time.monotonic() - began, peak.largest - before
        errors = bank.evaluate(X, y)["error"]
        peak.over.set()
        peak.join()
    evaluating = peak.largest - before
    # Beside the promise: the targets given, two checked copies of them while they are checked.
    tables = 4 * targets["hard"].nbytes
    mib = 2**20
    print(f"{given.rows:,} rows x {given.features}: {X.nbytes / mib:,.0f} MiB in the file")
    print(
        f"promised {promise / mib:,.0f} MiB, and {tables / mib:,.0f} MiB of targets and their checks"
    )
    print(f"trained in {trained:.0f} s and {while_training / mib:,.0f} MiB of own memory")
    print(
        f"evaluated in {time.monotonic() - began - trained:.0f} s and {evaluating / mib:,.0f} MiB"
    )
    print(f"errors {np.round(errors, 4).tolist()}; the limit was {LIMIT / mib:,.0f} MiB")
    return 0 if while_training <= promise + tables + 2**25 else 1


def _mapped_data() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmData")).split()[1])


if __name__ == "__main__":
    sys.exit(main())
