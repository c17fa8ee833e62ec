"""What a worker does: one bank, with what its trials share kept from bank to bank."""

from __future__ import annotations

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from softwidth._checks import MemoryLimitError, SoftwidthError
from softwidth._cores import one_core
from softwidth._progress import silent
from softwidth.experiments import Experiment
from softwidth.store import Row

KEPT_BYTES = 2**30  # of what is prepared and kept in one process
KEPT_MOST = 16


@dataclass(frozen=True)
class Failure:
    """An error inside a bank, as text: not every exception survives the way between processes.

    Attributes
    ----------
    told : str
        Its one-line message.
    where : str
        The traceback.
    final : bool
        The bank would fail again, wherever it is run.
    """

    told: str
    where: str
    final: bool


@dataclass(frozen=True, eq=False)
class Outcome:
    """What comes back from a worker: all rows of a bank, or why there are none."""

    rows: tuple[Row, ...]
    seconds: float
    failure: Failure | None = None


def work(
    experiment: Experiment, key: str, specs: Sequence[Any], study: str, shared: Any = None
) -> Outcome:
    """Run one bank on one core, here.

    Parameters
    ----------
    experiment, key, specs, study
        The bank.
    shared : object, optional
        What `prepared` gave, where the engine moves it about itself.
    """
    began = time.perf_counter()
    try:
        if shared is None or isinstance(shared, Failure):
            shared = _kept.get((experiment.name, key), lambda: _prepare(experiment, specs[0]))
        with silent(), one_core():
            rows = experiment.run(shared, specs)
    except Exception as error:
        return Outcome((), time.perf_counter() - began, _failure(error))
    seconds = time.perf_counter() - began
    share = seconds / max(sum(row.seconds for row in rows), 1e-9)
    own = (replace(row, study=study, seconds=row.seconds * share) for row in rows)
    return Outcome(tuple(own), seconds)


def prepared(experiment: Experiment, spec: Any) -> Any:
    """What the trials of a key share, or why it could not be made: then each bank tries itself."""
    try:
        return _prepare(experiment, spec)
    except Exception as error:
        return _failure(error)


def _prepare(experiment: Experiment, spec: Any) -> Any:
    with silent(), one_core():
        return experiment.prepare(spec)


def _failure(error: Exception) -> Failure:
    told = " ".join(str(error).split()) or type(error).__name__
    told = told if isinstance(error, SoftwidthError) else f"{type(error).__name__}: {told}"
    final = isinstance(error, SoftwidthError) and not isinstance(error, MemoryLimitError)
    return Failure(told, traceback.format_exc(), final)


class Kept:
    """The last things prepared, within a bound of memory; a thing is made once at a time."""

    def __init__(self, most_bytes: float = KEPT_BYTES, most: int = KEPT_MOST) -> None:
        self.most_bytes, self.most = most_bytes, most
        self.things: OrderedDict[Any, Any] = OrderedDict()
        self.locks: dict[Any, threading.Lock] = {}
        self.lock = threading.Lock()

    def get(self, name: Any, make: Callable[[], Any]) -> Any:
        """The thing of this name, made if it is not there."""
        with self.lock:
            own = self.locks.setdefault(name, threading.Lock())
        with own:
            with self.lock:
                known = name in self.things
                thing = self.things.get(name)
            if not known:
                thing = make()
            with self.lock:
                self.things[name] = thing
                self.things.move_to_end(name)
                self._drop_old()
            return thing

    def _drop_old(self) -> None:
        while len(self.things) > 1 and (
            len(self.things) > self.most
            or sum(map(_nbytes, self.things.values())) > self.most_bytes
        ):
            self.locks.pop(self.things.popitem(last=False)[0], None)


def _nbytes(thing: Any) -> int:
    return int(getattr(thing, "nbytes", 0))


_kept = Kept()
