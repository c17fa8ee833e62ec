"""A Dask cluster: whatever `dask.distributed` can start or connect to.

What the trials of a key share is a task of its own: Dask makes it once in the cluster, moves it to
the workers that need it, spills it where memory is short and makes it again if its worker dies.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from concurrent.futures import CancelledError, Future
from typing import Any

from softwidth._checks import ArgumentError
from softwidth.bank_work import Outcome, prepared, work
from softwidth.engine_base import AHEAD, EngineLostError

REACHED_WITHIN = 20.0  # seconds
ASKED_EVERY = 5.0  # seconds between two looks at how many workers there are
WHILE_EMPTY = 8  # banks sent to a cluster without workers: an adaptive one starts some for them
KEPT_KEYS = 64  # whose shared data stay on the cluster, beyond those that banks wait for


class DaskEngine:
    """The workers of a Dask scheduler.

    Parameters
    ----------
    given : str or distributed.Client
        A scheduler's address, or a client, which stays its maker's.
    """

    def __init__(self, given: Any) -> None:
        self._own = isinstance(given, str)
        self.client = _connected(given) if self._own else given
        self.name = f"the Dask scheduler at {self.client.scheduler.address}"
        self._executor = self.client.get_executor(pure=False)
        self._shared: OrderedDict[str, Any] = OrderedDict()
        self._places, self._asked = WHILE_EMPTY, float("-inf")

    def places(self) -> int:
        """Twice the workers' threads, as many as there are by now."""
        if time.monotonic() - self._asked > ASKED_EVERY:
            self._asked = time.monotonic()
            threads = sum(self._ask(self.client.nthreads).values())
            self._places = AHEAD * threads or WHILE_EMPTY
        return self._places

    def start(self, place: int, job: tuple[Any, ...]) -> Future[Outcome]:
        """Submit a bank, and what it shares with others if that is not there yet."""
        experiment, key, specs, _ = job
        return self._ask(
            lambda: self._executor.submit(work, *job, self._shared_data(experiment, key, specs[0]))
        )

    def _shared_data(self, experiment: Any, key: str, spec: Any) -> Any:
        if key not in self._shared:
            self._shared[key] = self.client.submit(prepared, experiment, spec, pure=False)
            if len(self._shared) > KEPT_KEYS:
                self._shared.popitem(last=False)
        self._shared.move_to_end(key)
        return self._shared[key]

    def revive(self, place: int, error: BaseException) -> None:
        """Dask has tried other workers by itself; without a scheduler there are none."""
        if self.client.status != "running" or isinstance(error, CancelledError):
            raise EngineLostError("the scheduler has gone") from error

    def close(self, *, now: bool) -> None:
        """Drop what is still waiting, and the connection if it is ours."""
        self._shared.clear()
        if self._own:
            self.client.close(timeout=5)

    def _ask(self, question: Any) -> Any:
        try:
            if self.client.status != "running":
                raise OSError("the connection is closed")
            return question()
        except (OSError, RuntimeError, CancelledError, TimeoutError) as error:
            told = " ".join(str(error).split()) or type(error).__name__
            raise EngineLostError(f"the scheduler has gone ({told})") from error


def _connected(address: str) -> Any:
    try:
        from distributed import Client as Connect
    except ImportError:
        wish = "needs Dask: pip install 'softwidth[cluster]'."
        raise ArgumentError("engine", address, wish) from None
    try:
        client: Any = Connect
        return client(address, timeout=REACHED_WITHIN, set_as_default=False)
    except (OSError, ValueError, TypeError, TimeoutError) as error:  # tls:// wants a context
        told = " ".join(str(error).split()).rstrip(".")
        raise ArgumentError("engine", address, f"cannot be reached: {told}.") from None
