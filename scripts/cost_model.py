"""The cost model of a bank beside measured seconds: rows of MNIST's size, students up to 1,024 neurons.

Run: ``python scripts/cost_model.py``. `cutting.RATE` multiply-adds, as `experiments.StudentTrials.cost` counts
them, should be a second of one core. Seconds are processor time of one thread, so that a busy machine
counts little; training only, of rows at random. The result is in docs/scale.md.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np

from softwidth._cores import one_core
from softwidth.cutting import RATE
from softwidth.experiments import HEAD, STUDENT_WORK
from softwidth.specs import Student
from softwidth.training import train_bank

ENOUGH = 4e9  # multiply-adds of one measurement


def measured(rows: int, width: int, features: int, classes: int, batch: int) -> dict[str, float]:
    """Model's and measured seconds of one epoch of a bank."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, features), dtype=np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    y = rng.integers(0, classes, rows)
    outputs = 1 if classes == 2 else classes
    cost = width * rows * (2 * features + HEAD * outputs)
    count = int(np.clip(ENOUGH / cost, 1, 64))
    students = [Student(width, seed=seed, step_size=0.1) for seed in range(count)]
    targets = {"hard": np.eye(classes)[y]}
    with one_core():
        began = time.process_time()
        train_bank(X, y, targets, students, epochs=1, batch_size=batch, threads=1)
        seconds = time.process_time() - began
    model = count * (cost + STUDENT_WORK) / RATE
    return {"students": count, "model": model, "measured": seconds}


def main() -> None:
    """Print a line for every size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 57_000])
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 64, 1024])
    parser.add_argument("--features", type=int, nargs="+", default=[784])
    parser.add_argument("--classes", type=int, nargs="+", default=[2])
    parser.add_argument("--batch", type=int, default=128)
    given = parser.parse_args()
    measured(500, 8, 64, 2, given.batch)  # compiled code is loaded
    sizes = itertools.product(given.features, given.classes, given.rows, given.widths)
    print("features classes  rows width students  model s  measured s  measured / model")
    for features, classes, rows, width in sizes:
        found = measured(rows, width, features, classes, given.batch)
        print(
            f"{features:8} {classes:7} {rows:5} {width:5} {found['students']:8} {found['model']:8.2f} "
            f"{found['measured']:11.2f} {found['measured'] / found['model']:17.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
