"""How long banks take on this machine and these data, and what fits into a budget."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

LEAST_STEPS = 2000  # steps below which a student of small data is not done
LEAST_EPOCHS, MOST_EPOCHS = 10, 100


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


@dataclass
class Pace:
    """A budget of seconds, and the rate of work of the banks so far.

    Work is neurons x rows x epochs: a step costs the same for each, whatever the widths
    (benchmarks/README.md). What an earlier run of the same plan has stored counts as spent when it
    is read, so that a plan taken up again ends where it would have ended.
    """

    budget: float
    started: float = field(default_factory=time.monotonic)
    credited: float = 0.0  # seconds of earlier runs
    spent: dict[str, float] = field(default_factory=dict)
    banks: list[tuple[float, float]] = field(default_factory=list)  # work and seconds of each

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self.budget - self.elapsed

    @property
    def elapsed(self) -> float:
        """Seconds spent, those of earlier runs included."""
        return time.monotonic() - self.started + self.credited

    def note(self, what: str, seconds: float, work: float = 0.0, *, earlier: float = 0.0) -> None:
        """Add to what was spent, now and by an earlier run; work of a bank also tells the rate."""
        self.spent[what] = self.spent.get(what, 0.0) + seconds + earlier
        self.credited += earlier
        if work:
            self.banks.append((work, seconds + earlier))

    def needed(self, work: float) -> float:
        """Seconds that a bank of this much work will take.

        At the rate of all banks so far, and no less than a smaller bank took: many narrow students
        take longer than their neurons say.
        """
        floor = max((seconds for done, seconds in self.banks if done <= work), default=0.0)
        return max(floor, work * self._seconds / self._work)

    def affordable(self, seconds: float) -> float:
        """Work that can be done in these seconds."""
        return max(0.0, seconds) * self._work / self._seconds

    @property
    def _work(self) -> float:
        return sum(work for work, _ in self.banks)

    @property
    def _seconds(self) -> float:
        return sum(seconds for _, seconds in self.banks)
