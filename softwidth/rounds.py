"""The rounds of a plan: coarse first, then whatever is open, until all is decided or time is up.

What to do next is `search`'s; when to stop, and how much fits, is said here. Measured results decide what
is wanted, measured speed only how much of it fits into the budget. The rounds that were run are
kept, and a plan that is given them runs these and no others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from softwidth._types import Width
from softwidth.least_width import Decision, Saving
from softwidth.pace import DECIDING
from softwidth.plan_spec import PlanSpec
from softwidth.search import ASKED, Part, affordable, resolved, wanted
from softwidth.trainer import Trainer, unpack
from softwidth.trials import KINDS
from softwidth.tuning import add_seeds, tune, usual_steps

ROUND_SHARE = 0.5  # of the seconds left that a round is planned to take: a wrong guess costs little
ENDS = {
    "decided": "Everything asked is decided: the search ended before the budget was spent.",
    "rows": "More students would not narrow the intervals: what is left is the chance of the held-out "
    "rows, so the search ended before the budget was spent.",
    "budget": "The budget ended the search while the answer could still be narrowed: a larger --budget "
    "would narrow it.",
    "rounds": "The search ended after the rounds that were asked for.",
}


@dataclass(frozen=True)
class Round:
    """One round of the search, and what was known after it.

    Attributes
    ----------
    why : tuple of str
    new_widths : tuple of int or float
    seeds : dict of width to int
        Seeds after it, of the widths that got more.
    students : int
        Trained in it, all label kinds and step sizes together.
    seconds : float
        Spent on it when it was run.
    intervals : dict of str to tuple
        Of the least widths after it, per label kind.
    saving : Saving
    """

    why: tuple[str, ...]
    new_widths: tuple[Width, ...]
    seeds: dict[Width, int]
    students: int
    seconds: float
    intervals: dict[str, tuple[Width | None, Width | None]]
    saving: Saving

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(eq=False)
class Search:
    """Trains rounds until an end, and says which end it was."""

    trainer: Trainer
    spec: PlanSpec
    decide: Callable[[], Decision]
    rounds: list[Round] = field(default_factory=list)
    ended: str = ""
    decisions: list[Decision] = field(default_factory=list)  # after every round

    @property
    def decision(self) -> Decision:
        """From all students so far."""
        return self.decisions[-1]

    @property
    def said(self) -> str:
        """Why the search ended, in a sentence."""
        return ENDS[self.ended]

    def run(self) -> None:
        """The first round, then rounds as they are wanted and fit."""
        widths = self.spec.first_widths
        self.round(("the first look",), lambda: tune(self.trainer, self.spec, widths))
        while parts := self._next():
            self.round(tuple(part.why for part in parts), partial(self._do, parts))

    def replay(self, rounds: Sequence[Any], ended: str) -> None:
        """Exactly these rounds, bank by bank."""
        for stored in rounds:
            banks = [unpack(bank) for bank in stored["banks"]]
            self.round(tuple(stored["why"]), partial(self._train, banks))
        self.ended = ended

    def round(self, why: tuple[str, ...], work: Callable[[], None]) -> None:
        """Do some work as one round and note what is known after it."""
        tuned, pace = self.trainer.tuned, self.trainer.pace
        before = {width: len(tuned.seeds(width)) for width in tuned.widths}
        began = pace.now
        self.trainer.begin_round()
        work()
        started = time.monotonic()
        self.decisions.append(self.decide())
        pace.note(DECIDING, time.monotonic() - started)
        after = {width: len(tuned.seeds(width)) for width in tuned.widths}
        self.rounds.append(
            Round(
                why,
                tuple(width for width in after if width not in before),
                {w: n for w, n in after.items() if n > before.get(w, 0)},
                sum(len(unpack(bank)) for bank in tuned.rounds[-1]),
                pace.now - began,
                {kind: self.decision.least[kind].interval for kind in KINDS},
                self.decision.saving("hard", "soft"),
            )
        )

    def _train(self, banks: Sequence[Any]) -> None:
        for bank in banks:
            self.trainer.train_bank(bank, "training the students")

    def _next(self) -> list[Part]:
        """What to do in the next round; nothing at the end."""
        tuned, pace = self.trainer.tuned, self.trainer.pace
        seeds = {width: len(tuned.seeds(width)) for width in tuned.widths}
        parts = wanted(self.decision, seeds, fixed=self.spec.fixed)
        if not parts:
            all_known = all(resolved(self.decision, kind) for kind in ASKED)
            self.ended = "decided" if all_known else "rows"
            return []
        if self.spec.rounds is not None and len(self.rounds) > self.spec.rounds:
            self.ended = "rounds"
            return []
        # The student to be used is trained at the end, alone and on one core.
        pace.after = 2 * pace.needed(self.trainer.work_at({tuned.widths[-1]: 1}))
        cost = partial(self._cost, seeds)
        taken = affordable(parts, cost, ROUND_SHARE * pace.room, pace.room)
        self.ended = "" if taken else "budget"
        return taken

    def _do(self, parts: Sequence[Part]) -> None:
        new = sorted({width for part in parts for width in part.widths})
        if new:
            tune(self.trainer, self.spec, new)
        seeds = dict(entry for part in parts for entry in part.seeds)
        if seeds:
            add_seeds(self.trainer, seeds, "training more seeds")

    def _cost(self, so_far: Mapping[Width, int], part: Part) -> float:
        """Seconds that a part will take, where there are so many seeds by width."""
        spec = self.spec
        students = self.trainer.tuned.setting.tuning_seeds * (usual_steps(spec) - 1) + spec.seeds
        counts: dict[Width, float] = dict.fromkeys(part.widths, len(KINDS) * students)
        for width, seeds in part.seeds:
            more = max(0, seeds - so_far[width])
            counts[width] = counts.get(width, 0) + len(KINDS) * more
        return self.trainer.pace.needed(self.trainer.work_at(counts))
