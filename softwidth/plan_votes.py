"""How many votes a row are worth paying for: a plan's question asked again with fewer of them.

With V votes a row, drawn anew for each seed, students learn from their shares (soft) and from their
majority (hard, ties by lot): both have paid for the same votes, which a label given by somebody
else has not. The rows that judge stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np

from softwidth._types import Array, Labels, Width
from softwidth.advice import Recommendation
from softwidth.least_width import Decision, decide
from softwidth.plan_labels import SoftLabels
from softwidth.plan_spec import PlanSpec
from softwidth.plan_store import Keeper
from softwidth.resampling import middle, nested_draws
from softwidth.rounds import Search
from softwidth.specs import Student
from softwidth.tasks import split_rows
from softwidth.trainer import Trainer, Tuned, mean_score, unpack
from softwidth.trials import LOSS_OF, Task, Trial
from softwidth.votes import VotesTask, drawn_votes, ladder

SHORT = (1, 3, 10, 50, 200)  # where the whole ladder would take too long
SHARE = 0.2  # of the budget; the search has the rest
SEEDS = (5, 3, 2)
ALL = 2**62  # votes: all that a row has
KINDS = ("soft", "hard")
TOO_SHORT = (
    "The search was too short to ask as well how many votes a row are worth paying for: a larger "
    "--budget leaves room for it, and --votes asks in any case."
)


@dataclass(frozen=True)
class Design:
    """What is trained: every combination, for both label kinds."""

    steps: tuple[int, ...]  # votes a row, rising; the last is all of them
    widths: tuple[Width, ...]
    seeds: int
    step_sizes: Mapping[Width, tuple[float, ...]]  # by width
    fits: bool = True  # into the share of the work

    @property
    def work(self) -> Array:
        """Students and neurons: what they cost is a sum of shares of both, whatever the machine."""
        each = np.array([(1, width) for width in self.widths for _ in self.step_sizes[width]])
        return len(KINDS) * len(self.steps) * self.seeds * each.sum(axis=0)


@dataclass(frozen=True, eq=False)
class Votes:
    """What was found.

    Attributes
    ----------
    design : Design
    usual : int
        Votes that a row has in all; the median where rows differ.
    width : int
        At which votes are compared.
    trials : dict of (label kind, votes, width) to list of Trial
        At the step size of least validation loss, by seed.
    by_votes : Decision
        At `width`, with the steps of the ladder, counted from 1, in place of widths: the fewest
        votes whose validation loss is within the tolerance of the best of either kind.
    more : ndarray, shape (steps, 3)
        Loss of the majority's students minus that of the shares': low, mean, high, paired.
    plans : dict of int to Decision
        Least widths with so many votes; empty with one width.
    """

    design: Design
    usual: int
    width: Width
    trials: dict[tuple[str, int, Width], list[Trial]]
    by_votes: Decision
    more: Array
    plans: dict[int, Decision]


def ask_votes(
    counts: Labels,
    labels: SoftLabels,
    search: Search,
    spec: PlanSpec,
    advice: Recommendation,
    keeper: Keeper | None = None,
) -> Votes | None:
    """Train students on fewer votes, as much as a share of the search's own work allows.

    The work, not seconds: a plan remade from its rounds does the same here. None if nothing fits,
    unless `spec.votes` says that it must be asked: then the least of it is done.

    Parameters
    ----------
    counts : ndarray, shape (N, K)
        Votes of the students' rows.
    labels : SoftLabels
    search : Search
        Of the plan, done.
    spec : PlanSpec
    advice : Recommendation
        The least width of the recommended labels is where votes are compared: of soft ones where
        either will do, of the widest tried where none is known.
    keeper : Keeper, optional
    """
    task, tuned = search.trainer.task, search.trainer.tuned
    if len(counts) > len(task.y):  # the rows that the budget left to the students, as `with_rows`
        y = labels.dataset.y_train
        counts = counts[split_rows(y, tuned.setting.rows, seed=spec.seed, name="budget")[0]]
    kind = "hard" if advice.labels == "hard" else "soft"
    width = search.decision.least[kind].width or advice.width or tuned.widths[-1]
    design = design_of(ladder(counts.sum(axis=1)), tuned, width)
    if design is None or not (design.fits or spec.votes):
        return None
    runs: dict[tuple[str, Width, float], list[Trial]] = {}
    for seed in range(design.seeds):
        for trial in _trained(counts, design, seed, search, spec, keeper):
            s = trial.student
            runs.setdefault((s.labels, s.width, s.step_size), []).append(trial)
    trials = {
        (kind, votes, w): min(
            (runs[_name(kind, votes), w, step] for step in design.step_sizes[w]),
            key=lambda of_step: mean_score(of_step, spec.metric),
        )
        for kind in KINDS
        for votes in design.steps
        for w in design.widths
    }
    usual = int(np.median(counts.sum(axis=1)))
    return _judged(design, usual, width, trials, task, spec)


def design_of(steps: Sequence[int], tuned: Tuned, width: Width) -> Design | None:
    """The richest design that the share of the search's work allows, or else the least one.

    Seeds go first, then widths, then votes. None where rows have no votes to spare.

    Candidate step sizes are those that suit all votes, as shares and by majority, in the plan: the
    same ones for both. Widths are the least one, half and twice as wide ones.
    """
    students = [s for banks in tuned.rounds for bank in banks for s in unpack(bank)]
    allowed = SHARE / (1 - SHARE) * np.array([(1, s.width) for s in students]).sum(axis=0)
    most = {w: len(tuned.seeds(w)) for w in tuned.widths}
    near = tuple(
        w for w in tuned.widths
        if width / 2 <= w <= 2 * width and (int(w) & int(w - 1) == 0 or w == width)
    )  # fmt: skip
    short = tuple(votes for votes in steps if votes in SHORT)
    if not steps:
        return None
    for ladder_, widths in ((steps, near), (short, near), (steps, (width,)), (short, (width,))):
        for seeds in SEEDS:
            step_sizes = {
                w: tuple(sorted({tuned.step_size((kind, w)) for kind in ("soft", "argmax")}))
                for w in widths
            }
            design = Design((*ladder_, ALL), widths, min(seeds, max(most.values())), step_sizes)
            if (design.work <= allowed).all():
                return design
    return replace(design, fits=False)


def _trained(
    counts: Labels, design: Design, seed: int, search: Search, spec: PlanSpec, keeper: Keeper | None
) -> list[Trial]:
    """All students of one seed, in one bank."""
    rng = np.random.default_rng([spec.seed, seed, 3])
    drawn = dict(drawn_votes(counts, design.steps, rng))
    kinds = {_name(kind, votes): drawn[votes] for kind in KINDS for votes in design.steps}
    trainer = search.trainer
    shared = {f.name: getattr(trainer.task, f.name) for f in fields(Task)}
    task = VotesTask(**shared, kinds=kinds, lot=seed)
    ledger = None if keeper is None else keeper.beside(task, trainer.tuned.setting)
    own = Trainer(task, Tuned(trainer.tuned.setting, spec.metric), trainer.pace, ledger)
    own.begin_round()
    students = [
        Student(width, seed, kind, step)
        for kind in kinds
        for width in design.widths
        for step in design.step_sizes[width]
    ]
    own.train_bank(students, "fewer votes")
    of_kinds = own.tuned.tried.values()
    return [trial for of_step in of_kinds for runs in of_step.values() for trial in runs.values()]


def _name(kind: str, votes: int) -> str:
    """The label kind of so many votes.

    >>> _name("soft", 3), _name("hard", ALL)
    ('soft 3', 'hard all')
    """
    return f"{kind} {'all' if votes == ALL else votes}"


def _judged(
    design: Design,
    usual: int,
    width: Width,
    trials: dict[tuple[str, int, Width], list[Trial]],
    task: Task,
    spec: PlanSpec,
) -> Votes:
    of_row, shares = LOSS_OF[spec.metric], task.validation.shares(spec.metric)

    def losses(kind: str, votes: int, width: Width) -> Array:
        return np.stack([t.validation.losses[of_row] for t in trials[kind, votes, width]])

    decided = partial(decide, tolerance=spec.tolerance, shares=shares, seed=spec.seed)
    by_votes = {kind: [losses(kind, votes, width) for votes in design.steps] for kind in KINDS}
    places = range(1, len(design.steps) + 1)
    drawn = nested_draws(
        [np.stack([by_votes[kind][place - 1] for kind in KINDS]) for place in places],
        places,
        shares=shares,
        seed=spec.seed,
    ).means
    more = drawn[:, 1] - drawn[:, 0]  # hard minus soft
    low, high = middle(more[1:])
    plans = {
        votes: decided(
            {kind: [losses(kind, votes, w) for w in design.widths] for kind in KINDS},
            design.widths,
            between=not spec.fixed,
        )
        for votes in (design.steps if len(design.widths) > 1 else ())
    }
    return Votes(
        design, usual, width, trials, decided(by_votes, list(places)),
        np.stack([low, more[0], high], axis=1), plans,
    )  # fmt: skip
