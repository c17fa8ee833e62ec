"""A study of 100,000 students on 10 to 1,000 workers that we do not have: a discrete-event model.

The model is the sweep's own loop: one driver hands out banks, takes their rows and stores them, one
after the other; a scheduler passes every bank on; workers first load and prepare, then run banks,
one waiting beside the one that is run. Its costs are measured on this machine (``--measure``).
Run: ``python scripts/simulate_cluster.py [--measure] [--figure docs/scale.svg]``; docs/scale.md reads it.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import tempfile
import time
from concurrent.futures import wait
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

STUDENTS = 100_000
WORKERS = (10, 30, 100, 300, 1000)
AHEAD = 2  # banks out for every worker


@dataclass(frozen=True)
class Costs:
    """Seconds of one core, measured by `measure`. Assumed: how long a worker takes to start.

    Not in them: what the driver takes to unpack the rows that come back.
    """

    row: float = 0.00010  # stored by the driver, one of many in a transaction
    commit: float = 0.0017  # a transaction, without waiting for the disk
    submit: float = 0.0024  # the specs of a bank of 200 students through the driver's client
    schedule: float = 0.0031  # a bank through the scheduler and its client, there and back
    start: float = 15.0  # a worker's imports and what it prepares
    spread: float = 0.1  # standard deviation of a bank's time, relative


def simulate(
    workers: int, student: float, bank: float, costs: Costs, seed: int = 0
) -> dict[str, float]:
    """Makespan, efficiency, and how busy driver and scheduler are.

    Parameters
    ----------
    workers : int
    student, bank : float
        Seconds of one student, and of a bank as asked for.
    """
    rng = np.random.default_rng(seed)
    size = max(1, min(round(bank / student), 2000, STUDENTS))
    sizes = [size] * (STUDENTS // size) + ([STUDENTS % size] if STUDENTS % size else [])
    durations = [student * n * max(0.2, 1 + costs.spread * rng.standard_normal()) for n in sizes]
    waiting = iter(range(len(sizes)))
    free = [costs.start] * workers  # when each worker can begin another bank
    driver = scheduler = busy_driver = busy_scheduler = 0.0
    out: list[tuple[float, int, int]] = []  # end, bank, worker

    def hand_out(now: float, worker: int) -> None:
        nonlocal driver, scheduler, busy_driver, busy_scheduler
        number = next(waiting, None)
        if number is None:
            return
        driver = max(driver, now) + costs.submit
        scheduler = max(scheduler, driver) + costs.schedule
        busy_driver, busy_scheduler = busy_driver + costs.submit, busy_scheduler + costs.schedule
        free[worker] = max(free[worker], scheduler) + durations[number]
        heapq.heappush(out, (free[worker], number, worker))

    for worker in list(range(workers)) * AHEAD:
        hand_out(0.0, worker)
    while out:
        end, number, worker = heapq.heappop(out)
        spent = costs.commit + costs.row * sizes[number]
        driver = max(driver, end) + spent
        busy_driver += spent
        hand_out(driver, worker)
    return {
        "workers": workers,
        "banks": len(sizes),
        "hours": driver / 3600,
        "efficiency": sum(durations) / (workers * driver),
        "driver": busy_driver / driver,
        "scheduler": busy_scheduler / driver,
    }


def table(costs: Costs) -> list[dict[str, float]]:
    """All cases: students of 2.5 ms, 0.1 s and 2.5 s; banks of 5, 30 and 120 s."""
    return [
        {"student": student, "bank": bank, **simulate(workers, student, bank, costs)}
        for student, bank, workers in itertools.product((0.0025, 0.1, 2.5), (5, 30, 120), WORKERS)
    ]


def measure() -> Costs:
    """The costs of this machine: a store of real rows, and a Dask cluster of two processes.

    Processor time of this process, so that a busy machine does not count; in it are the driver, its
    client and the scheduler. So `schedule`, of banks that carry nothing, is an upper bound of what the
    scheduler takes.
    """
    from distributed import Client, LocalCluster

    from softwidth.experiments import StudentTrials
    from softwidth.store import open_store
    from softwidth.sweep import collect, sweep
    from softwidth.trial_spec import TrialSpec

    with tempfile.TemporaryDirectory() as name, open_store(Path(name) / "a.sqlite") as store:
        specs = TrialSpec.of(width=2, epochs=1).grid(seed=range(200))
        sweep(StudentTrials(), specs, store, study="measure")
        rows = collect(specs, store, curves=True)
        seconds = {}
        for size, repeats in ((1, 50), (200, 20)):
            began = time.process_time()
            for number in range(repeats):
                store.put(
                    replace(row, spec={**row.spec, "data_seed": 1000 * size + number})
                    for row in rows[:size]
                )
            seconds[size] = (time.process_time() - began) / repeats
        row = (seconds[200] - seconds[1]) / 199
        banks = 100
        with (
            LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            executor = client.get_executor(pure=False)
            executor.submit(len, specs).result()
            began = time.process_time()
            futures = [executor.submit(len, specs) for _ in range(banks)]  # 200 specs on the way
            submitted = (time.process_time() - began) / banks
            wait(futures)
            began = time.process_time()
            wait([executor.submit(len, ()) for _ in range(10 * banks)])  # nothing to carry
            scheduled = (time.process_time() - began) / (10 * banks)
    return Costs(row=row, commit=seconds[1] - row, submit=submitted, schedule=scheduled)


def figure(rows: list[dict[str, float]], path: str) -> None:
    """Efficiency against workers, a panel for every length of student."""
    import altair as alt
    import pandas as pd

    frame = pd.DataFrame(rows)
    frame["seconds a bank"] = frame["bank"].map(lambda s: f"{s:.0f} s")
    frame["one student takes"] = frame["student"].map(
        {0.0025: "2.5 ms", 0.1: "0.1 s", 2.5: "2.5 s"}
    )
    chart = (
        alt.Chart(frame, title="100,000 students: efficiency by workers (simulated)")
        .mark_line(point=True)
        .encode(
            x=alt.X("workers:Q", scale=alt.Scale(type="log"), title="workers"),
            y=alt.Y("efficiency:Q", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("seconds a bank:N", sort=["5 s", "30 s", "120 s"]),
            column=alt.Column("one student takes:N", sort=["2.5 ms", "0.1 s", "2.5 s"]),
        )
        .properties(width=200, height=200)
    )
    chart.save(path)


def main() -> None:
    """Print the table, or the costs of this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--figure")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure().__dict__))
        return
    rows = table(Costs())
    print("student  bank  workers  banks    hours  efficiency  driver  scheduler")
    for row in rows:
        print(
            f"{row['student']:7g} {row['bank']:5.0f} {row['workers']:8.0f} {row['banks']:6.0f} "
            f"{row['hours']:8.3f} {row['efficiency']:10.0%} {row['driver']:8.0%} {row['scheduler']:9.0%}"
        )
    if options.figure:
        figure(rows, options.figure)


if __name__ == "__main__":
    main()
