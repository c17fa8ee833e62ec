"""Speed and size of the store: ``python scripts/store_numbers.py [URL]``, a new file without one.

Rows as `experiments.StudentTrials` makes them in size: a spec of 20 fields, 25 metrics, two curves.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from softwidth.store import Row, Store, open_store

BANK = 200  # rows committed together
ROWS = 20_000  # written by every trial
KNOWN = 100_000


def row(number: int, study: str) -> Row:
    """A row of the usual size."""
    rng = np.random.default_rng(number)
    spec = {"source": "digits", "labels": "soft", "width": 16, "seed": number, "study": study}
    spec |= {f"setting_{n}": n / 7 for n in range(15)}
    metrics = {f"metric_{n}": float(value) for n, value in enumerate(rng.random(25))}
    metrics |= {"test_error": float(rng.random()), "val_error": float(rng.random())}
    curves = {"kl": rng.random(100, dtype=np.float32), "wrong": rng.bytes(45)}
    curves["wrong"] = np.frombuffer(curves["wrong"], np.uint8)
    return Row.of(spec, study, metrics, curves=curves, seconds=0.1)


def write(store: Store, first: int, last: int, study: str) -> float:
    """Seconds of writing some rows in banks; making them is not counted."""
    seconds = 0.0
    for start in range(first, last, BANK):
        bank = [row(number, study) for number in range(start, start + BANK)]
        began = time.perf_counter()
        store.put(bank)
        seconds += time.perf_counter() - began
    return seconds


def measure(url: str) -> None:
    """Print rows a second with one and four processes, and the time of `known`."""
    with open_store(url) as store:
        alone = write(store, 0, ROWS, "alone")
        print(f"one process: {ROWS / alone:,.0f} rows/s in `put`")
        share = ROWS // 4
        with ProcessPoolExecutor(4) as pool:
            jobs = [pool.submit(write, store, n * share, (n + 1) * share, "four") for n in range(4)]
            slowest = max(job.result() for job in jobs)
        print(f"four processes: {ROWS / slowest:,.0f} rows/s together")
        ids = [f"{n:032x}" for n in range(KNOWN - ROWS)] + [r.id for r in store.rows("alone")]
        began = time.perf_counter()
        found = store.known(ids)
        print(
            f"known: {time.perf_counter() - began:.2f} s for {len(ids):,} ids, {len(found):,} of them there"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "rows.sqlite")
            measure(str(path))
            print(f"size: {path.stat().st_size / (2 * ROWS):,.0f} bytes a row")
