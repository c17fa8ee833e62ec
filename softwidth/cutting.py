"""A list of trials cut into banks, and the order in which they are handed out.

The cutting looks at the whole list and at nothing else: not at the engine, the number of workers,
the speed so far or what is stored already. So every run of a study trains the same banks, and as
equal banks give equal rows, it does not matter how often it was broken off or where it ran.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from softwidth._checks import ArgumentError, listed
from softwidth.experiments import Experiment
from softwidth.store import spec_id

RATE = 1e10  # multiply-adds that count as a second of one core: students of digits, measured
MOST_TRIALS = 2000  # of one bank, however cheap: it is lost when its worker is
MOST_PIECES = 1e15  # a trial a bank is reached before, unless costs differ by as much


@dataclass(frozen=True, eq=False)
class Portion:
    """A bank's worth of trials.

    Attributes
    ----------
    number : int
        In the order of the list.
    key : str
        What its trials share, see `Experiment.together`.
    specs : tuple
    ids : tuple of str
    costs : tuple of float
    """

    number: int
    key: str
    specs: tuple[Any, ...]
    ids: tuple[str, ...]
    costs: tuple[float, ...]

    @property
    def cost(self) -> float:
        """Of all its trials."""
        return sum(self.costs)

    def without(self, known: set[str]) -> Portion:
        """The trials that are not `known`."""
        left = [n for n, id_ in enumerate(self.ids) if id_ not in known]
        return replace(
            self,
            specs=tuple(self.specs[n] for n in left),
            ids=tuple(self.ids[n] for n in left),
            costs=tuple(self.costs[n] for n in left),
        )


def plain(spec: Any) -> Any:
    """A spec as plain JSON."""
    return spec.as_dict() if hasattr(spec, "as_dict") else spec


def cut(experiment: Experiment, specs: Sequence[Any], *, seconds: float) -> list[Portion]:
    """Banks of about `seconds` on one core, trials of one key together, each trial once.

    A key's trials stay in the order of the list and are cut where their cost is most even.
    """
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    trials = listed(specs)
    if trials is None:
        raise ArgumentError("specs", specs, "must be a list of trials.")
    for spec in trials:
        id_ = spec_id(plain(spec))
        groups[experiment.together(spec)].setdefault(id_, spec)
    numbers = itertools.count()
    return [
        Portion(next(numbers), key, *columns)
        for key, group in groups.items()
        for columns in _pieces(experiment, group, seconds * RATE)
    ]


def _pieces(experiment: Experiment, group: dict[str, Any], most: float) -> list[Any]:
    costs = [experiment.cost(spec) for spec in group.values()]
    count = max(-(-len(costs) // MOST_TRIALS), round(min(sum(costs) / most, MOST_PIECES)), 1)
    numbers = even_pieces(costs, count)
    ids, specs = list(group), list(group.values())
    return [
        tuple(tuple(column[first:last]) for column in (specs, ids, costs))
        for first, last in itertools.pairwise(numbers)
    ]


def even_pieces(costs: Sequence[float], count: int) -> list[int]:
    """Where to cut a list in at most `count` pieces of nearly equal cost: ends included.

    An item goes to the piece that holds its middle.

    >>> even_pieces([1, 1, 2, 2, 2], 2)
    [0, 3, 5]
    """
    total, done, cuts = sum(costs), 0.0, [0]
    for number, cost in enumerate(costs):
        piece = min(int((done + cost / 2) / total * count), count - 1)
        if piece >= len(cuts):
            cuts.append(number)
        done += cost
    return [*sorted(set(cuts)), len(costs)]


class Queue:
    """Banks that wait, handed out so that what a key's banks share is made few times.

    Parameters
    ----------
    portions : sequence of Portion
    """

    def __init__(self, portions: Sequence[Portion]) -> None:
        self.waiting: dict[str, list[Portion]] = defaultdict(list)
        self.begun: set[str] = set()
        for portion in sorted(portions, key=lambda p: (p.cost, -p.number)):
            self.waiting[portion.key].append(portion)  # the costly ones leave first

    def __len__(self) -> int:
        return sum(map(len, self.waiting.values()))

    def take(self, key: str | None) -> Portion:
        """The next bank for a worker whose last one had this key.

        Of the same key as long as there are any, then of a key that nobody has begun, then of the
        key with most work left.
        """
        if key is None or key not in self.waiting:
            key = max(self.waiting, key=lambda k: (k not in self.begun, self._left(k)))
        self.begun.add(key)
        portion = self.waiting[key].pop()
        if not self.waiting[key]:
            del self.waiting[key]
        return portion

    def give_back(self, portion: Portion) -> None:
        """To be done once more, soon."""
        self.waiting[portion.key].append(portion)

    def _left(self, key: str) -> float:
        return sum(portion.cost for portion in self.waiting[key])
