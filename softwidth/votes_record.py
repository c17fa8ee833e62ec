"""What fewer votes would have done, as plain numbers and a sentence: ``votes`` in ``plan.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

import numpy as np

from softwidth._types import Width
from softwidth.least_width import Decision, LeastWidth
from softwidth.plan_votes import ALL, KINDS, Votes
from softwidth.trials import LOSS_OF, Task

WHO = {"soft": "soft labels", "hard": "the majority's labels"}


def votes_record(found: Votes, task: Task, metric: str, tolerance: float) -> dict[str, Any]:
    """Numbers and words."""
    steps = [_step(found, place, task, metric) for place in range(len(found.design.steps))]
    enough = {kind: _enough(found.by_votes.least[kind], steps) for kind in KINDS}
    return {
        "width": found.width,
        "widths": found.design.widths,
        "seeds": found.design.seeds,
        "steps": steps,
        "enough": enough,
        "said": said(enough, steps, found.width, metric, tolerance),
    }


def _step(found: Votes, place: int, task: Task, metric: str) -> dict[str, Any]:
    votes = found.design.steps[place]
    low, more, high = found.more[place]
    decision = found.plans.get(votes)
    return {
        "votes": found.usual if votes == ALL else votes,
        "all": votes == ALL,
        **{kind: _looked_at(found, kind, place, task, metric) for kind in KINDS},
        "more": {"difference": more, "interval": (low, high)},
        **({} if decision is None else _decided(decision)),
    }


def _looked_at(found: Votes, kind: str, place: int, task: Task, metric: str) -> dict[str, Any]:
    trials = found.trials[kind, found.design.steps[place], found.width]
    test = None
    if LOSS_OF[metric] in trials[0].test.losses:
        test = float(np.mean([trial.test.means[metric] for trial in trials]))
    return {
        "validation": found.by_votes.errors[kind][place],
        "interval": found.by_votes.intervals[kind][place],
        "test": test,
        "step_size": trials[0].student.step_size,
        "diverged": sum(trial.diverged for trial in trials),
    }


def _decided(decision: Decision) -> dict[str, Any]:
    """The plan's own question, with so many votes."""
    saving = decision.saving("hard", "soft")
    low, high = saving.interval
    labels = "soft" if low > 1 else "hard" if high < 1 else "either"
    least = {kind: asdict(decision.least[kind]) for kind in KINDS}
    return {"least": least, "saving": asdict(saving), "labels": labels}


def _enough(least: LeastWidth, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """From steps of the ladder to votes; None is more than all."""
    of = [None if step is None else steps[int(step) - 1]["votes"] for step in (least.width, *least.interval)]  # fmt: skip
    return {"votes": of[0], "interval": of[1:]}


def said(
    enough: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    width: Width,
    metric: str,
    tolerance: float,
) -> str:
    """How many votes are worth paying for, and how the decision changes with them."""
    most = steps[-1]["votes"]
    loss = {"kl": "a divergence", "balanced": "a balanced error"}.get(metric, "an error")
    parts = []
    for kind in KINDS:
        votes, (low, high) = enough[kind]["votes"], enough[kind]["interval"]
        if votes is None:
            parts.append(f"with {WHO[kind]} not even all {most} get there")
        else:
            ends = f"{low or f'over {most}'} to {high or f'over {most}'}"
            parts.append(f"with {WHO[kind]} {votes} (95 % interval {ends})")
    told = f"Votes a row for {loss} within {tolerance:.4g} of the best, at width {width}: {'; '.join(parts)}."
    labelled = [(step["votes"], step["labels"]) for step in steps if "labels" in step]
    return " ".join([told, *_changes(labelled)])


def _changes(labelled: Sequence[tuple[int, str]]) -> list[str]:
    """The decision by votes, equal ones together.

    >>> _changes([(1, "either"), (2, "soft"), (3, "soft")])
    ['By least widths: either kind with 1 vote; soft labels with 2 to 3 votes.']
    """
    words = {"soft": "soft labels", "hard": "the majority's labels", "either": "either kind"}
    runs = []
    for labels, group in groupby(labelled, key=lambda entry: entry[1]):
        votes = [entry[0] for entry in group]
        span = str(votes[0]) if len(votes) == 1 else f"{votes[0]} to {votes[-1]}"
        runs.append(f"{words[labels]} with {span} {'vote' if span == '1' else 'votes'}")
    return [f"By least widths: {'; '.join(runs)}."] if runs else []
