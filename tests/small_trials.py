"""Trials for tests of the engines: ones that cost nothing, and students that take a second in all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from softwidth._checks import ArgumentError
from softwidth.store import Row
from softwidth.trial_spec import TrialSpec

TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Squares:
    """The square of a number, and mishaps on request."""

    name: str = "squares"

    def cost(self, spec):
        return 1e9

    def together(self, spec):
        return spec.get("key", "")

    def prepare(self, spec):
        return f"data of {spec.get('key', '')}"

    def run(self, prepared, specs):
        return [self.row(prepared, spec) for spec in specs]

    def row(self, prepared, spec):
        assert prepared == f"data of {spec.get('key', '')}"
        mishap = spec.get("mishap", "")
        if mishap == "final":
            raise ArgumentError("x", spec["x"], "must be better.")
        if mishap == "always":
            raise OSError("the disk coughs")
        if mishap.startswith("once") and not Path(mishap[5:]).exists():
            Path(mishap[5:]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(spec.get("slow", 0))
        return Row.of(spec, self.name, {"square": spec["x"] ** 2}, seconds=1e-6)


def squares(n, **more):
    return [{"x": x, "key": f"group {x % 3}", **more} for x in range(n)]


def values(rows):
    """Everything about rows that must not depend on where and when they were made."""
    return [
        (row.id, row.spec, row.metrics, {name: c.tobytes() for name, c in row.curves.items()})
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
    """Two data sets, two recipes, three kinds of labels, four widths, students that diverge."""
    plain = TrialSpec.of(width=2, **BASE)
    axes = {"width": [2, 6, 16, 64], "seed": range(2), "step_size": [1.0, 1e30]}
    taught = TrialSpec.of(width=2, teacher="logistic", regime="larger-data", **BASE)
    return [
        *plain.grid(**axes, schedule=["constant", "cosine"]),
        *taught.grid(labels=["soft", "mixed(0.5, 2)"], **axes),
    ]


SCRIPT = """
import sys
from softwidth.cutting import cut
from softwidth.experiments import StudentTrials
from softwidth.sweep import sweep
from small_trials import students
if __name__ == "__main__":
    print("begun", flush=True)
    sweep(StudentTrials(), students(), sys.argv[1], study="test", bank_seconds=0.01, engine=sys.argv[2])
"""


def begin(tmp_path, engine="here", store=None):
    """A process of its own that runs all `students`."""
    script = tmp_path / "study.py"
    script.write_text(SCRIPT)
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    return subprocess.Popen(
        [sys.executable, str(script), str(store or tmp_path / "rows.sqlite"), engine],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
