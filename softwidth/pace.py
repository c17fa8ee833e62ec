"""How long banks take on this machine and these data, and what fits into a budget."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

LEAST_STEPS = 2000  # steps below which a student of small data is not done
LEAST_EPOCHS, MOST_EPOCHS = 10, 100
FADING = 0.8  # of a bank's say in the rate, with every later bank: the machine's load changes
PAGE = 3.5  # times what starting the command takes: measured 3 to 5 with the student that is kept
DECIDING_A_ROW = 5e-5  # seconds before the first decision has told: measured 4e-5 to 6e-5
RECORD = 3.0  # times what deciding takes: intervals of every curve, on both parts of held-out rows

DECIDING, STARTING = "deciding", "starting the command"

_began: ContextVar[float | None] = ContextVar("_began", default=None)


@contextmanager
def counted_from(began: float) -> Iterator[None]:
    """The budget of a plan inside counts from this moment of the monotonic clock."""
    token = _began.set(began)
    try:
        yield
    finally:
        _began.reset(token)


def started_pace(budget: float) -> Pace:
    """The pace of a plan: its budget counts from now, or from where `counted_from` says.

    In the latter case a page will be written, for which time is kept.
    """
    began = _began.get()
    if began is None:
        return Pace(budget)
    pace = Pace(budget, began)
    pace.note(STARTING, time.monotonic() - began)
    return pace


def default_batch(n_samples: int) -> int:
    """Rows a step: small steps for small data, 128 from about 4,000 rows on.

    >>> default_batch(200), default_batch(1150), default_batch(48000)
    (32, 64, 128)
    """
    return 32 if n_samples < 1000 else 64 if n_samples < 4000 else 128


def default_epochs(n_samples: int) -> int:
    """Epochs of at least `LEAST_STEPS` steps in all, within 10 and 100.

    >>> default_epochs(200), default_epochs(1150), default_epochs(48000)
    (100, 100, 10)
    """
    per_epoch = -(-n_samples // default_batch(n_samples))
    return min(MOST_EPOCHS, max(LEAST_EPOCHS, -(-LEAST_STEPS // per_epoch)))


@dataclass(frozen=True)
class Step:
    """Something a plan has done.

    Attributes
    ----------
    what : str
    number : int
        How often this was done before.
    seconds : float
        That it took.
    now : float
        Seconds of the budget spent when it was done.
    work : float
        Of a bank; 0 of anything else.
    """

    what: str
    number: int
    seconds: float
    now: float
    work: float = 0.0


class Journal(Protocol):
    """Where the steps of a plan are kept, so that the plan taken up again does the same."""

    def find(self, what: str, number: int) -> Step | None:
        """The step as an earlier run has done it, if one has."""

    def write(self, step: Step) -> None:
        """Keep it."""


@dataclass
class Pace:
    """A budget of seconds, and the rate of work of the banks so far.

    The budget is what somebody waits for, from the call to the result: data, teacher, compilation,
    banks and what comes after them (`reserve`). Work is `Trainer.work`'s.

    The clock is read when a step is noted and at no other time. What an earlier run of the same
    plan has noted stands in place of what is measured now: decisions depend on results and on this
    clock alone, so that a plan taken up again decides as it did, and one that is done only reads.
    """

    budget: float
    started: float = field(default_factory=time.monotonic)
    credited: float = 0.0  # seconds of earlier runs, without those that reading them took
    now: float = 0.0  # seconds of the budget spent, as of the last step
    spent: dict[str, float] = field(default_factory=dict)
    banks: list[tuple[float, float]] = field(default_factory=list)  # work and seconds of each
    journal: Journal | None = None
    counts: Counter[str] = field(default_factory=Counter)
    deciding: float = 0.0  # seconds, the last time, or as `expect_to_judge_by` has it
    after: float = 0.0  # seconds of work after the search

    @property
    def left(self) -> float:
        """Seconds of the budget that were left at the last step."""
        return self.budget - self.now

    @property
    def reserve(self) -> float:
        """Seconds kept for what comes after the search: record, page, and the student to be used."""
        return PAGE * self.spent.get(STARTING, 0.0) + RECORD * self.deciding + self.after

    @property
    def room(self) -> float:
        """Seconds that the search may still take."""
        return self.left - self.reserve

    def expect_to_judge_by(self, rows: int) -> None:
        """Keep time for decisions on so many held-out rows, until the first has been made."""
        self.deciding = self.deciding or DECIDING_A_ROW * rows

    def note(self, what: str, seconds: float, work: float = 0.0, *, earlier: float = 0.0) -> None:
        """Add to what was spent, now and by an earlier run; work of a bank also tells the rate."""
        clock = time.monotonic() - self.started + self.credited
        step = Step(what, self.counts[what], seconds + earlier, clock + earlier, work)
        known = self._find(what)
        if known is None and self.journal is not None:
            self.journal.write(step)
        self._take(known or step)

    def _find(self, what: str) -> Step | None:
        return None if self.journal is None else self.journal.find(what, self.counts[what])

    def recall(self, what: str) -> bool:
        """Take the next such step from an earlier run, if one has done it: it need not be done."""
        known = self._find(what)
        if known is not None:
            self._take(known)
        return known is not None

    def keep_in(self, journal: Journal | None) -> None:
        """Keep all steps there, those so far too."""
        early, self.journal = self.spent, journal
        self.spent, self.counts = {}, Counter()
        for what, seconds in early.items():
            self.note(what, seconds)

    def _take(self, step: Step) -> None:
        self.now = step.now
        self.credited = step.now - (time.monotonic() - self.started)
        self.counts[step.what] += 1
        self.spent[step.what] = self.spent.get(step.what, 0.0) + step.seconds
        if step.work:
            self.banks.append((step.work, step.seconds))
        if step.what == DECIDING:
            self.deciding = step.seconds

    def needed(self, work: float) -> float:
        """Seconds that a bank of this much work will take, at the rate of the last ones."""
        return work * self._rate

    def affordable(self, seconds: float) -> float:
        """Work that can be done in these seconds."""
        return max(0.0, seconds) / self._rate

    @property
    def _rate(self) -> float:
        """Seconds for a unit of work: of all banks so far, the later ones counting more."""
        if not self.banks:
            return 0.0
        weights = [FADING**age for age in reversed(range(len(self.banks)))]
        work = sum(w * work for w, (work, _) in zip(weights, self.banks, strict=True))
        return sum(w * s for w, (_, s) in zip(weights, self.banks, strict=True)) / work
