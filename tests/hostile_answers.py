"""What counts as an answer to hostile input: a result or one of our errors, in time and in memory."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from hostile_values import Hostile

from softwidth._checks import SoftwidthError

SECONDS = 60  # of CPU for one input; the slowest honest one takes about one
FREE = 2**28  # bytes that inputs are told to be free
FREE_DISK = 2**29  # likewise, on disk
ROOM = 2**26  # bytes beyond them: of modules loaded on first use, and what work takes beside data


class FaultError(AssertionError):
    """Neither a result nor one of our errors."""


@dataclass(frozen=True)
class Answer:
    """What came of a call: a result, or (False) one of our errors; and bytes that it grew by."""

    result: bool
    grown: int


def answer(make: Callable[[Hostile, Path], Any], h: Hostile, where: Path) -> Answer:
    """The answer to a call.

    Raises
    ------
    FaultError
        Anything else: another exception, a warning, no end, more memory than is said to be free.
    """
    with _limits() as peak:
        h.made = peak.begin
        try:
            found = make(h, where)
        except SoftwidthError as error:
            found = error
        except FaultError:
            raise
        except BaseException as error:
            raise FaultError(f"{type(error).__name__}: {error}"[:500]) from error
    grown = peak.grown()
    if grown > FREE + ROOM:
        raise FaultError(f"took {grown / 2**20:.0f} MiB where {FREE / 2**20:.0f} are free")
    refused = isinstance(found, SoftwidthError)
    if refused and not str(found).rstrip("\n").isprintable():
        raise FaultError(f"not one printable line: {found!r}"[:500])
    return Answer(not refused, grown)


class _Peak:
    """The process's largest resident size since `begin`, beside what it was then, in bytes."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Count from now on: the input is made, and what follows is ours."""
        Path("/proc/self/clear_refs").write_text("5")
        self.before = psutil.Process().memory_info().rss

    def grown(self) -> int:
        """By so much at most."""
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM")).split()[1]
        return 1024 * int(peak) - self.before


@contextlib.contextmanager
def _limits() -> Iterator[_Peak]:
    """Warnings are errors, time is limited, and little memory is said to be free."""
    free = psutil.virtual_memory()._replace(available=FREE)
    before_memory, psutil.virtual_memory = psutil.virtual_memory, lambda: free
    disk = shutil.disk_usage(tempfile.gettempdir())._replace(free=FREE_DISK)
    before_disk, shutil.disk_usage = shutil.disk_usage, lambda path: disk
    before_signal = signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield _Peak()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before_signal)
        psutil.virtual_memory, shutil.disk_usage = before_memory, before_disk


class Endless(BaseException):
    """The time is over; nothing may catch it by accident."""


def _too_long(*_: Any) -> None:
    raise Endless(f"no answer in {SECONDS} s")
