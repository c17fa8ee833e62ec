"""Where banks are run: here, on processes of this machine, or on any executor or cluster given.

An engine has places; a place runs one bank at a time. The loop that fills them is `sweep.py`'s.
"""

from __future__ import annotations

import re
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from softwidth._checks import ArgumentError, check_integer
from softwidth._cores import usable_cores
from softwidth.bank_work import Outcome, work
from softwidth.engine_base import AHEAD, AT_ONCE, Engine, EngineLostError, Job

MOST_PROCESSES = 1024


class Here:
    """The calling process, one bank after another on one core."""

    name = "this process"

    def places(self) -> int:
        """One."""
        return 1

    def start(self, place: int, job: Job) -> Future[Outcome]:
        """Run it at once."""
        future: Future[Outcome] = Future()
        future.set_result(work(*job))
        return future

    def revive(self, place: int, error: BaseException) -> None:
        """Nothing to do."""

    def close(self, *, now: bool) -> None:
        """Nothing to do."""


class Given:
    """An executor that somebody else made and will shut down."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.name = type(executor).__name__

    def places(self) -> int:
        """Twice its workers where it says how many it has."""
        workers = getattr(self.executor, "_max_workers", None)
        return AHEAD * workers if isinstance(workers, int) and workers > 0 else AT_ONCE

    def start(self, place: int, job: Job) -> Future[Outcome]:
        """Hand it over."""
        try:
            return self.executor.submit(work, *job)
        except RuntimeError as error:  # broken, or shut down
            raise EngineLostError(_line(error)) from error

    def revive(self, place: int, error: BaseException) -> None:
        """A broken executor stays broken: only who made it can make another."""
        if isinstance(error, BrokenExecutor):
            raise EngineLostError(_line(error)) from error

    def close(self, *, now: bool) -> None:
        """It is not ours."""


def open_engine(engine: Any) -> Engine:
    """An engine from what users write.

    Parameters
    ----------
    engine : None, int, str or executor
        ``None``: here. A number or ``"local:4"``: so many processes (``"local"``: one for every
        core). ``"tcp://HOST:PORT"``: a Dask scheduler; or a Dask client. Any
        ``concurrent.futures.Executor``, or an object whose ``submit`` gives jobs with ``done`` and
        ``result``, as submitit's executors do.

    Raises
    ------
    ArgumentError
        Something else, a scheduler that cannot be reached, Dask where it is not installed.
    """
    if engine is None or (isinstance(engine, str) and engine == "here"):
        return Here()
    if isinstance(engine, (int, str)):
        return _named(engine)
    if isinstance(engine, Executor):
        return Given(engine)
    if callable(getattr(engine, "get_executor", None)) or type(engine).__module__.startswith(
        "distributed"
    ):
        from softwidth.engine_dask import DaskEngine

        return DaskEngine(engine)
    if callable(getattr(engine, "submit", None)):
        from softwidth.engine_jobs import JobEngine

        return JobEngine(engine)
    raise ArgumentError("engine", engine, WISH)


WISH = (
    "must be a number of processes, local:4, tcp://HOST:PORT of a Dask scheduler, or an executor."
)


def _named(engine: int | str) -> Engine:
    from softwidth.engine_local import LocalEngine

    if isinstance(engine, int):
        return LocalEngine(_processes(check_integer("engine", engine, low=1)))
    if re.fullmatch(r"(tcp|tls|ucx|ws|wss)://\S+", engine):
        from softwidth.engine_dask import DaskEngine

        return DaskEngine(engine)
    count = re.fullmatch(r"(?:local:?)?(\d{0,9})", engine)
    if count is None or not engine:
        raise ArgumentError("engine", engine, WISH)
    return LocalEngine(_processes(int(count[1] or usable_cores())))


def _processes(count: int) -> int:
    """A number of processes that a machine may have; each of them takes 0.1 GB."""
    if not 1 <= count <= MOST_PROCESSES:
        wish = f"must be a number of processes from 1 to {MOST_PROCESSES}."
        raise ArgumentError("engine", count, wish)
    return count


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
