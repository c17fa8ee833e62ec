"""Executors whose jobs are no futures of `concurrent.futures`, such as submitit's on SLURM."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future
from typing import Any

from softwidth.bank_work import Outcome, work
from softwidth.engine_base import AT_ONCE

LOOK_EVERY = 0.5  # seconds: a job's end is seen in a file


class JobEngine:
    """An executor whose ``submit`` gives jobs with ``done()``, ``result()`` and maybe ``cancel()``.

    Every job starts a process of its own and prepares its data anew: banks of many minutes
    (``bank_seconds``) make that a small part.

    Parameters
    ----------
    executor : object
        It stays its maker's.
    """

    def __init__(self, executor: Any) -> None:
        self.executor = executor
        self.name = type(executor).__name__
        self._jobs: dict[Future[Outcome], Any] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def places(self) -> int:
        """A queue takes what it is given; `AT_ONCE` keep it from being flooded."""
        return AT_ONCE

    def start(self, place: int, job: tuple[Any, ...]) -> Future[Outcome]:
        """Submit a job."""
        future: Future[Outcome] = Future()
        self._jobs[future] = self.executor.submit(work, *job)
        return future

    def revive(self, place: int, error: BaseException) -> None:
        """The next job has a process of its own anyway."""

    def close(self, *, now: bool) -> None:
        """Cancel what is left."""
        self._closed.set()
        for job in list(self._jobs.values()):
            with contextlib.suppress(Exception):
                job.cancel()

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_EVERY):
            for future, job in list(self._jobs.items()):
                if job.done():
                    del self._jobs[future]
                    _pass_on(job, future)


def _pass_on(job: Any, future: Future[Outcome]) -> None:
    try:
        future.set_result(job.result())
    except Exception as error:
        future.set_exception(error)
