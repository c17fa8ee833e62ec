"""A list of trials, on any engine, to rows in a store; broken off and resumed at will.

This process hands out banks, takes their rows and is the only one that writes them, a bank in one
transaction. Whatever happens in between, the store holds whole banks, and the same call goes on.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field
from typing import Any

from softwidth._checks import ArgumentError, SweepError, check_integer, check_number
from softwidth._progress import Progress, progress
from softwidth.bank_work import Failure, Outcome
from softwidth.cutting import Portion, Queue, cut, plain
from softwidth.engine_base import Engine, EngineLostError
from softwidth.engines import open_engine
from softwidth.experiments import Experiment
from softwidth.store import Row, Store, open_store, spec_id

LOOK_EVERY = 0.5  # seconds between two looks at the progress
BANK_SECONDS = 30.0


@dataclass(frozen=True)
class SweepReport:
    """What a sweep has done.

    Attributes
    ----------
    n_done : int
        Trials run now.
    n_skipped : int
        Trials that were stored already.
    n_banks : int
        Banks run now.
    seconds : float
        From beginning to end.
    work_seconds : float
        Of all workers together, with what their banks share.
    work : float
        Cost of what was done, in the experiment's units.
    retried : int
        Banks that were lost and done again.
    """

    n_done: int
    n_skipped: int
    n_banks: int
    seconds: float
    work_seconds: float
    work: float
    retried: int = 0

    @property
    def seconds_per_unit(self) -> float:
        """Worker seconds for a unit of cost."""
        return self.work_seconds / self.work if self.work else 0.0


def sweep(
    experiment: Experiment,
    specs: Sequence[Any],
    store: Store | str | os.PathLike[str],
    *,
    study: str,
    engine: Any = None,
    bank_seconds: float = BANK_SECONDS,
    progress_label: str | None = None,
    retries: int = 2,
) -> SweepReport:
    """Run all trials that the store does not hold, and store their rows bank by bank.

    Parameters
    ----------
    experiment : Experiment
        Their kind, such as `experiments.StudentTrials()`.
    specs : sequence
        The trials; equal ones are run once.
    store : Store, str or path
        See `store.open_store`.
    study : str
        Who asks: new rows bear this name.
    engine : optional
        Where to run, see `engines.open_engine`: ``None`` here, ``"local:4"`` on four processes,
        ``"tcp://..."`` on a Dask cluster, or any executor.
    bank_seconds : float
        About how long a bank takes one core: what is lost with a worker, and long beside the few
        milliseconds that handing it out takes. Another value cuts other banks, whose rows differ by
        rounding.
    progress_label : str, optional
        Shows progress under this name on stderr.
    retries : int
        How often a bank whose worker died or that failed is tried again, elsewhere if possible.

    Returns
    -------
    SweepReport

    Raises
    ------
    ArgumentError
        An engine, store or number that cannot be used.
    SweepError
        Banks that failed, after all others were done, or an engine that was lost; what is finished
        is stored.
    StoreError
        The store cannot be written any more; what it has got is whole.
    KeyboardInterrupt
        After Ctrl-C; what is finished is stored, and a line on stderr says how to go on.

    Examples
    --------
    >>> from softwidth.experiments import StudentTrials
    >>> from softwidth.trial_spec import TrialSpec
    >>> specs = TrialSpec.of(width=2, pair=[3, 8], epochs=2).grid(width=[2, 4], seed=range(3))
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, open_store(f"{folder}/results.sqlite") as store:
    ...     sweep(StudentTrials(), specs, store, study="demo").n_done
    ...     sweep(StudentTrials(), specs, store, study="demo").n_skipped
    6
    6
    """
    bank_seconds = check_number("bank_seconds", bank_seconds, low=0, open_low=True)
    retries = check_integer("retries", retries)
    own = not isinstance(store, Store)
    opened = open_store(store) if not isinstance(store, Store) else store
    if opened.read_only:
        raise ArgumentError("store", opened.where, "is open for reading only.")
    try:
        portions = cut(experiment, specs, seconds=bank_seconds)
        known = opened.known(id_ for portion in portions for id_ in portion.ids)
        left = [p for p in (portion.without(known) for portion in portions) if p.ids]
        run = _Run(experiment, left, opened, study, retries, len(known))
        return run.all(engine, progress_label) if left else run.report()
    finally:
        if own:
            opened.close()


def collect(specs: Sequence[Any], store: Store, *, curves: bool = False) -> list[Row]:
    """The stored rows of these trials, in their order.

    Raises
    ------
    SweepError
        Some are not stored.
    """
    ids = [spec_id(plain(spec)) for spec in specs]
    found = store.get(ids, curves=curves)
    missing = sum(id_ not in found for id_ in ids)
    if missing:
        raise SweepError(
            f"{missing} of {len(ids)} trials are not in {store.where}: run them first."
        )
    return [found[id_] for id_ in ids]


@dataclass(eq=False)
class _Run:
    """One call of `sweep`: what is out, what is done, what has failed."""

    experiment: Experiment
    portions: list[Portion]
    store: Store
    study: str
    retries: int
    n_skipped: int
    began: float = field(default_factory=time.monotonic)
    n_done: int = 0
    banks: int = 0
    retried: int = 0
    work_seconds: float = 0.0
    work: float = 0.0
    failures: dict[int, Failure] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    out: dict[Future[Outcome], tuple[int, Portion]] = field(default_factory=dict)
    last_key: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queue = Queue(self.portions)

    def all(self, engine: Any, label: str | None) -> SweepReport:
        """Everything, to the end or to whatever stops it."""
        opened = open_engine(engine)
        now = True  # unless all goes well
        try:
            with progress(label, sum(portion.cost for portion in self.portions)) as shown:
                while self.queue or self.out:
                    self._fill(opened)
                    self._take_in(opened, shown)
            now = False
        except KeyboardInterrupt:
            self._save_finished()
            print(f"softwidth: stopped; {self._so_far()}", file=sys.stderr)
            raise
        except EngineLostError as error:
            self._save_finished()
            raise SweepError(f"{opened.name} was lost: {error}; {self._so_far()}") from None
        finally:
            opened.close(now=now)
        self._complain()
        return self.report()

    def _fill(self, engine: Engine) -> None:
        """Give a bank to every free place."""
        busy = {place for place, _ in self.out.values()}
        for place in range(engine.places()):
            if place not in busy and self.queue:
                portion = self.queue.take(self.last_key.get(place))
                self.last_key[place] = portion.key
                job = (self.experiment, portion.key, portion.specs, self.study)
                self.out[engine.start(place, job)] = (place, portion)

    def _take_in(self, engine: Engine, shown: Progress) -> None:
        """Wait a little for banks to finish, and store them."""
        done, _ = wait(self.out, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
        for future in done:
            place, portion = self.out[future]
            error = _error(future)
            if error is None:
                self._finish(future)
            else:
                del self.out[future]
                self._again(portion, Failure(f"its worker was lost ({_name(error)})", "", False))
                engine.revive(place, error)
        shown.update(self.work, self._note())

    def _finish(self, future: Future[Outcome]) -> None:
        """Store a bank's rows, or have it done again."""
        _, portion = self.out[future]
        outcome = future.result()
        if outcome.failure is not None:
            self._again(portion, outcome.failure)
        else:
            self.store.put(outcome.rows)
            self.n_done += len(outcome.rows)
            self.banks += 1
            self.work += portion.cost
            self.work_seconds += outcome.seconds
        del self.out[future]

    def _again(self, portion: Portion, failure: Failure) -> None:
        tries = self.attempts[portion.number] = self.attempts.get(portion.number, 0) + 1
        if failure.final or tries > self.retries:
            self.failures[portion.number] = failure
        else:
            self.retried += 1
            self.queue.give_back(portion)

    def _save_finished(self) -> None:
        """Store banks that came back while the sweep was being stopped."""
        for future in [future for future in self.out if future.done()]:
            if _error(future) is None:
                self._finish(future)

    def _complain(self) -> None:
        """Raise SweepError if banks have failed."""
        if not self.failures:
            return
        lost = [portion for portion in self.portions if portion.number in self.failures]
        first = self.failures[lost[0].number]
        error = SweepError(
            f"{len(lost)} of {len(self.portions)} banks failed, the first because "
            f"{first.told.rstrip('.')}; {self._so_far()}"
        )
        if first.where:
            error.add_note(first.where)
        raise error

    def _so_far(self) -> str:
        stored = self.n_skipped + self.n_done
        total = self.n_skipped + sum(len(portion.ids) for portion in self.portions)
        return (
            f"{stored:,} of {total:,} trials of {self.study!r} are in {self.store.where}, and the "
            "same call goes on from there."
        )

    def _note(self) -> str:
        """Banks done, and how long the others will take at the pace of those."""
        told = f"{self.banks} of {len(self.portions)} banks"
        if not self.work:
            return told
        left = sum(portion.cost for portion in self.portions) - self.work
        seconds = left * self.work_seconds / self.work / max(len(self.out), 1)
        return f"{told}, about {_duration(seconds)} left"

    def report(self) -> SweepReport:
        """What was done."""
        return SweepReport(
            n_done=self.n_done,
            n_skipped=self.n_skipped,
            n_banks=self.banks,
            seconds=time.monotonic() - self.began,
            work_seconds=self.work_seconds,
            work=self.work,
            retried=self.retried,
        )


def _error(future: Future[Outcome]) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


def _name(error: BaseException) -> str:
    told = " ".join(str(error).split())
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


def _duration(seconds: float) -> str:
    """Rounded, for people.

    >>> _duration(41.2), _duration(400), _duration(9000)
    ('41 s', '7 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
