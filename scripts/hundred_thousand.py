"""A study of 100,000 students on digits, on this machine: how long, how much memory, how large.

Run: ``python scripts/hundred_thousand.py [--students 100000] [--engine local] [--store FILE]``. It goes
on from where it was broken off. The result is in docs/LOG.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path

from softwidth.experiments import StudentTrials
from softwidth.store import open_store
from softwidth.sweep import sweep
from softwidth.trial_spec import TrialSpec

WIDTHS = (2, 4, 8, 16)
STEP_SIZES = (1.0, 3.16, 10.0, 31.6, 100.0)
KINDS = ("hard", "soft", "argmax", "mixed(0.5, 2)", "smoothed(0.1)")


def trials(n: int) -> list[TrialSpec]:
    """About `n` students: widths, kinds of labels, step sizes, noise, and seeds as many as needed."""
    base = TrialSpec.of(
        width=2,
        positive=[1, 3, 5, 7, 9],
        student_rows=200,
        teacher="logistic",
        regime="larger-data",
        epochs=10,
        batch_size=32,
        momentum=0.9,
        schedule="cosine",
    )
    noises = (0.0, 0.2, 0.4, 0.6)
    seeds = -(-n // (len(WIDTHS) * len(STEP_SIZES) * len(KINDS) * len(noises)))
    return base.grid(
        noise=noises, seed=range(seeds), labels=KINDS, width=WIDTHS, step_size=STEP_SIZES
    )[:n]


def main() -> None:
    """Run it and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=100_000)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--store", default="hundred-thousand.sqlite")
    parser.add_argument("--bank-seconds", type=float, default=30.0)
    options = parser.parse_args()
    began = time.monotonic()
    specs = trials(options.students)
    made = time.monotonic() - began
    with open_store(options.store) as store:
        report = sweep(
            StudentTrials(),
            specs,
            store,
            study="hundred-thousand",
            engine=options.engine,
            bank_seconds=options.bank_seconds,
            progress_label="100,000 students",
        )
        rows = sum(study["rows"] for study in store.studies())
    print(
        json.dumps(
            {
                "students": len(specs),
                "done": report.n_done,
                "stored": rows,
                "banks": report.n_banks,
                "seconds_for_specs": round(made, 1),
                "seconds": round(time.monotonic() - began, 1),
                "worker_seconds": round(report.work_seconds, 1),
                "seconds_per_unit": report.seconds_per_unit,
                "driver_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "store_mb": round(Path(options.store).stat().st_size / 1e6, 1),
                "cores": len(os.sched_getaffinity(0)),
            }
        )
    )


if __name__ == "__main__":
    main()
