"""Whether the machine was ours alone while something was timed."""

from __future__ import annotations

import os
import time

import psutil


class Quiet:
    """Share of all cores that others kept busy since this was made.

    Timings beside other work mislead, ratios too: whoever waits for all its threads at every step
    suffers most. Beside one busy core, torch's loop fell from 54 to 10 GFLOP/s and our bank from
    149 to 70.
    """

    def __init__(self) -> None:
        self.began, self.own, self.all = time.perf_counter(), _own(), _busy()

    def busy_elsewhere(self) -> float:
        """0 on a quiet machine, 1 if others wanted and got every core."""
        seconds = (time.perf_counter() - self.began) * (os.cpu_count() or 1)
        return max(0.0, (_busy() - self.all - (_own() - self.own)) / seconds)


def _own() -> float:
    spent = psutil.Process().cpu_times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _busy() -> float:
    """Seconds of all cores, of which those lost to other guests of the host count too."""
    spent = psutil.cpu_times()
    return spent.user + spent.nice + spent.system + getattr(spent, "steal", 0.0)
