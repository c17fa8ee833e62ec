"""Fewer votes of every row, and a plan's task with label kinds made of them.

Votes are drawn one after the other without replacement, so that the first three hold the first two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from softwidth._checks import ArgumentError
from softwidth._types import Labels
from softwidth.distributions import is_votes
from softwidth.labels import Targets, make_targets
from softwidth.plan_labels import SoftLabels
from softwidth.plan_spec import PlanSpec
from softwidth.trials import Task

LADDER = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
FEW_ROWS = 0.05  # of the rows may have fewer votes than a step of the ladder: they keep all theirs
MOST = 10**9  # votes of a row that can be drawn from


def raw_votes(labels: SoftLabels, spec: PlanSpec) -> Labels | None:
    """The students' rows' vote counts (N, K), if the plan is to ask about them.

    Raises
    ------
    ArgumentError
        If it must, and there are none.
    """
    soft = labels.dataset.soft_train
    if spec.votes is False:
        return None
    if labels.source == "file" and soft is not None and is_votes(soft) and soft.sum(1).max() < MOST:
        counts = np.asarray(soft, np.int64)
        if ladder(counts.sum(axis=1)):
            return counts
    if spec.votes:
        wish = "needs raw votes: soft labels that are counts, two or more on nearly every row, and no teacher."  # fmt: skip
        raise ArgumentError("votes", spec.votes, wish)
    return None


def ladder(totals: Labels) -> list[int]:
    """Numbers of votes a row that nearly all rows have more of.

    >>> ladder(np.array([3, 3, 3])), ladder(np.full(9, 51)), ladder(np.array([1, 1, 4]))
    ([1, 2], [1, 2, 3, 5, 10, 20, 50], [])
    """
    usual = int(np.quantile(totals, FEW_ROWS, method="lower"))
    return [votes for votes in LADDER if votes < usual]


def drawn_votes(
    counts: Labels, steps: Sequence[int], rng: np.random.Generator
) -> Iterator[tuple[int, Labels]]:
    """For every step, that many votes of each row (N, K), those of the step before among them.

    Examples
    --------
    >>> counts = np.array([[3, 2, 0], [0, 0, 1]])
    >>> for votes, drawn in drawn_votes(counts, [1, 2, 5], np.random.default_rng(0)):
    ...     print(votes, drawn.sum(axis=1).tolist(), (drawn <= counts).all())
    1 [1, 1] True
    2 [2, 1] True
    5 [5, 1] True
    """
    drawn, totals = np.zeros_like(counts), counts.sum(axis=1)
    for votes in steps:
        drawn = drawn + _take(counts - drawn, np.minimum(votes, totals) - drawn.sum(axis=1), rng)
        yield votes, drawn


def _take(left: Labels, n: Labels, rng: np.random.Generator) -> Labels:
    """`n` (N,) of each row's votes `left` (N, K) without replacement, class after class."""
    taken, rest = np.zeros_like(left), left.sum(axis=1)
    for k in range(left.shape[1]):
        rest = rest - left[:, k]
        taken[:, k] = rng.hypergeometric(left[:, k], rest, n)
        n = n - taken[:, k]
    return taken


@dataclass(frozen=True, eq=False)
class VotesTask(Task):
    """A plan's task with fewer votes: label kinds such as ``soft 3``, by the votes they come from."""

    kinds: Mapping[str, Labels] = field(default_factory=dict)  # counts (N, K)
    lot: int = 0  # decides ties

    @property
    def targets(self) -> dict[str, Targets]:
        """What each label kind trains on."""
        schemes, K = {"soft": "soft", "hard": "argmax"}, self.soft.shape[1]
        return {
            kind: make_targets(schemes[kind.split()[0]], self.y, counts, n_classes=K, seed=self.lot)
            for kind, counts in self.kinds.items()
        }
