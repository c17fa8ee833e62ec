"""What every engine is: places that run banks, and the error when there are none left."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol

from softwidth.bank_work import Outcome

AHEAD = 2  # banks sent for every worker of an executor: one is run, one waits beside it
AT_ONCE = 64  # jobs of an executor that does not say how many workers it has
Job = tuple[Any, ...]  # arguments of `bank_work.work`


class EngineLostError(Exception):
    """Nothing can be run on the engine any more; the message says why."""


class Engine(Protocol):
    """Places that run banks.

    Attributes
    ----------
    name : str
        For messages.
    """

    name: str

    def places(self) -> int:
        """How many banks may be out at once, now."""

    def start(self, place: int, job: Job) -> Future[Outcome]:
        """Run `bank_work.work` of these arguments.

        Raises
        ------
        EngineLostError
        """

    def revive(self, place: int, error: BaseException) -> None:
        """After a bank at this place ended in `error`: make it usable again.

        Raises
        ------
        EngineLostError
            It cannot be.
        """

    def close(self, *, now: bool) -> None:
        """Leave nothing running; `now`: without waiting for what is being run."""
