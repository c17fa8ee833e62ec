"""Sweeps: the same rows on every engine, however often broken off; what fails is told, and alone."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from softwidth._checks import ArgumentError
from softwidth.experiments import StudentTrials
from softwidth.store import Row, open_store
from softwidth.sweep import collect, sweep
from softwidth.trial_spec import TrialSpec


@dataclass(frozen=True)
class Squares:
    """A kind of trial that costs nothing: the square of a number, and mishaps on request."""

    name: str = "squares"

    def cost(self, spec):
        return 1e9 * spec.get("cost", 1)

    def together(self, spec):
        return spec.get("key", "")

    def prepare(self, spec):
        return spec.get("key", "")

    def run(self, prepared, specs):
        rows = []
        for spec in specs:
            assert spec.get("key", "") == prepared
            mishap = spec.get("mishap")
            if mishap == "final":
                raise ArgumentError("x", spec["x"], "must be better.")
            if mishap == "always":
                raise OSError("the disk coughs")
            if mishap and not os.path.exists(mishap):
                open(mishap, "w").close()
                os._exit(9)
            if spec.get("slow"):
                time.sleep(spec["slow"])
            rows.append(Row.of(spec, self.name, {"square": spec["x"] ** 2}, seconds=1e-6))
        return rows


def squares(n, **more):
    return [{"x": x, "key": f"group {x % 3}", **more} for x in range(n)]


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "rows.sqlite") as opened:
        yield opened


def values(rows):
    """Everything about rows that must not depend on where and when they were made."""
    return [
        (row.id, row.spec, row.metrics, {k: c.tobytes() for k, c in row.curves.items()})
        for row in rows
    ]


BASE = {
    "positive": [1, 3, 5, 7, 9],
    "student_rows": 120,
    "noise": 0.4,
    "epochs": 4,
    "batch_size": 32,
    "momentum": 0.9,
}


def students():
    """Two data sets, two recipes, three kinds of labels, five widths, a student that diverges."""
    plain = TrialSpec.of(width=2, **BASE)
    axes = {"width": [2, 6, 16, 64], "seed": range(2), "step_size": [1.0, 1e12]}
    taught = TrialSpec.of(width=2, teacher="logistic", regime="larger-data", **BASE)
    return [
        *plain.grid(**axes, schedule=["constant", "cosine"]),
        *taught.grid(labels=["soft", "mixed(0.5, 2)"], **axes),
    ]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The rows of all `students`, made in this process without a break."""
    with open_store(tmp_path_factory.mktemp("here") / "rows.sqlite") as opened:
        sweep(StudentTrials(), students(), opened, study="here", bank_seconds=0.01)
        return values(collect(students(), opened, curves=True))


def test_rows_do_not_depend_on_the_engine(here, store):
    with ThreadPoolExecutor(2) as threads:
        sweep(StudentTrials(), students(), store, study="two", bank_seconds=0.01, engine=threads)
    assert values(collect(students(), store, curves=True)) == here
