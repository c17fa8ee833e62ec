"""Processes of this machine, each a place of its own: whoever dies takes one bank along, no more."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from typing import Any

from softwidth.bank_work import Outcome, work


class LocalEngine:
    """So many processes, started when they are first used.

    One pool of one process a place: in a pool of several, one that dies breaks all the others.

    Parameters
    ----------
    n : int
    """

    def __init__(self, n: int) -> None:
        self.name = f"local:{n}"
        self._pools: list[ProcessPoolExecutor | None] = [None] * n
        self._pids: dict[int, Future[int]] = {}

    def places(self) -> int:
        """As many as processes."""
        return len(self._pools)

    def start(self, place: int, job: tuple[Any, ...]) -> Future[Outcome]:
        """Hand it to the process of this place."""
        pool = self._pools[place] or self._open(place)
        try:
            return pool.submit(work, *job)
        except BrokenExecutor:  # it died while it waited
            self._end(place)
            return self._open(place).submit(work, *job)

    def _open(self, place: int) -> ProcessPoolExecutor:
        # Spawned: a fork would copy the locks of threads that it does not copy.
        pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)
        self._pools[place], self._pids[place] = pool, pool.submit(os.getpid)
        return pool

    def revive(self, place: int, error: BaseException) -> None:
        """Its next bank gets a new process."""
        self._end(place)

    def close(self, *, now: bool) -> None:
        """End all processes."""
        for place in range(len(self._pools)):
            if now:
                self._kill(place)
            self._end(place)

    def _end(self, place: int) -> None:
        pool, self._pools[place] = self._pools[place], None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _kill(self, place: int) -> None:
        pid = self._pids.get(place)
        if self._pools[place] is None or pid is None:
            return
        with contextlib.suppress(Exception):  # it was still starting, or has died by itself
            os.kill(pid.result(timeout=30), signal.SIGTERM)


def _begin() -> None:
    """A worker leaves Ctrl-C to the process that started it, and ends with that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without it, workers of a process killed by ``kill -9`` wait for banks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
