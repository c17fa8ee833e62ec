"""What a plan should look at next: the parts of the answer that are still open, most wanted first.

Pure functions of a `Decision`: nothing is trained here, and no clock is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from softwidth._types import Width, width_text
from softwidth.least_width import STEP, Decision, as_width
from softwidth.resampling import LEVEL
from softwidth.target import HIGH, LOW

ASKED = ("hard", "soft")  # the label kinds whose least widths are looked for
RESOLUTION = 1.15  # ends of an interval whose ratio is at most this are as good as equal
GAP_SHARE = (
    0.25  # of an interval, in octaves, from which a gap between tried widths is worth a look
)
GAP_MASS = 0.2  # of the draws, from which a gap is worth a look
FALLING = 0.25  # of its distance to the target that a curve falls per octave, to be followed
SEED_SHARE = 0.05  # of the variance of a gap: with less, more seeds narrow nothing
WIDEST, MOST_SEEDS = 4096, 128


@dataclass(frozen=True)
class Part:
    """One thing to do: tune new widths, or train seeds up to a number at widths that are tuned."""

    why: str
    widths: tuple[Width, ...] = ()
    seeds: tuple[tuple[Width, int], ...] = ()  # width, seeds in all


def wanted(decision: Decision, seeds: Mapping[Width, int], *, fixed: bool) -> list[Part]:
    """What would narrow the answer, most wanted first; nothing where it is decided.

    Parameters
    ----------
    decision : Decision
        From all students so far.
    seeds : mapping of width to int
        Seeds so far, by width.
    fixed : bool
        The widths are the user's: only seeds may be added.
    """
    open_kinds = [kind for kind in ASKED if not resolved(decision, kind)]
    parts = [] if fixed else [*_wider(decision), *_narrower(decision), *_between(decision, open_kinds)]  # fmt: skip
    return [*parts, *_more_seeds(decision, seeds, open_kinds)]


def resolved(decision: Decision, kind: str) -> bool:
    """Whether the ends of the interval of a least width are as good as equal."""
    low, high = decision.least[kind].interval
    if low is None or high is None:
        return low is high
    return high <= max(RESOLUTION * low, low + (decision.step if decision.between else 0))


def _wider(decision: Decision) -> Iterator[Part]:
    """Twice the widest width, where an answer lies beyond it or close to it."""
    top = decision.widths[-1]
    if 2 * top > WIDEST * decision.step / STEP:
        return
    for kind in ASKED:
        least, beyond = decision.least[kind].width, _mass(decision, kind, len(decision.widths))
        near = least is not None and (2 * least > top or (beyond > _TAIL and 4 * least > top))
        if near or (least is None and _falls(decision, kind)):
            yield Part(f"the least width with {kind} labels is not far below {width_text(top)}, or beyond", (2 * top,))  # fmt: skip
            return


def _falls(decision: Decision, kind: str) -> bool:
    """Whether a curve above the target still falls enough over its last octave to get there."""
    gaps, widths = decision.gaps[kind], np.array(decision.widths)
    half = gaps[widths <= widths[-1] / 2]
    return len(half) > 0 and half[-1] - gaps[-1] > FALLING * gaps[-1]


def _narrower(decision: Decision) -> Iterator[Part]:
    """Half of the narrowest width, where it may be enough."""
    narrowest = decision.widths[0]
    half = _existing(narrowest / 2, decision.step)
    if narrowest > decision.step and any(_mass(decision, kind, 0) > _TAIL for kind in ASKED):
        yield Part(
            f"{width_text(narrowest)}, the narrowest width, may be more than is needed", (half,)
        )


def _between(decision: Decision, kinds: list[str]) -> Iterator[Part]:
    """A width in the middle of a gap between a width that fails and one that meets the target."""
    for kind in kinds:
        place = int(decision.places[kind][0, 0])
        for above in sorted(range(1, len(decision.widths)), key=lambda p: abs(p - place)):
            low, high = decision.widths[above - 1], decision.widths[above]
            middle = _existing(np.sqrt(low * high), decision.step)
            worth = _mass(decision, kind, above) >= GAP_MASS and _is_wide(decision, kind, low, high)
            if worth and low < middle < high:
                ends = f"{width_text(low)} and {width_text(high)}"
                why = f"the least width with {kind} labels may lie between {ends}"
                yield Part(why, (middle,))


def _is_wide(decision: Decision, kind: str, low: Width, high: Width) -> bool:
    """Whether a gap is a good part of the interval that its label kind has now."""
    lowest, highest = decision.least[kind].interval
    octaves = np.log2((highest or decision.widths[-1]) / (lowest or decision.widths[-1]))
    return bool(np.log2(high / low) >= max(np.log2(RESOLUTION), GAP_SHARE * octaves))


def _more_seeds(decision: Decision, seeds: Mapping[Width, int], kinds: list[str]) -> Iterator[Part]:
    """Twice the seeds where curves meet the target, as far as seeds make them unsure."""
    widths: dict[Width, int] = {}
    for kind in kinds:
        for place in _contested(decision, kind):
            width = decision.widths[place]
            if decision.seed_shares[kind][place] > SEED_SHARE and seeds[width] < MOST_SEEDS:
                widths[width] = min(2 * seeds[width], MOST_SEEDS)
    if widths:
        setters = {w: max(seeds[w], min(widths.values())) for w in target_setters(decision)}
        raised = {w: n for w, n in setters.items() if n > seeds[w]}
        which = " and ".join(kinds)
        yield Part(
            f"seeds make the least width with {which} labels unsure",
            seeds=tuple(sorted((raised | widths).items())),
        )


def _contested(decision: Decision, kind: str) -> range:
    """Places of widths that may be the least one, and the next narrower one."""
    low = np.quantile(decision.places[kind][HIGH, 1:], _TAIL)
    high = np.quantile(decision.places[kind][LOW, 1:], 1 - _TAIL)
    return range(max(0, int(low) - 1), min(int(high), len(decision.widths) - 1) + 1)


def target_setters(decision: Decision) -> list[Width]:
    """Widths whose loss is the target's: the level end of the best label kind's curve."""
    best = min(decision.gaps, key=lambda kind: decision.gaps[kind][-1])
    gaps = decision.gaps[best]
    return [w for w, gap in zip(decision.widths, gaps, strict=True) if gap <= gaps[-1] + 1e-12]


def affordable(
    parts: list[Part], cost: Callable[[Part], float], usual: float, most: float
) -> list[Part]:
    """The most wanted parts that fit into `usual` seconds together; else one that fits into `most`.

    A part with seeds may be taken with fewer of them.
    """
    taken: list[Part] = []
    for part in parts:
        used = sum(map(cost, taken))
        if used + cost(part) <= usual:
            taken.append(part)
        elif part.seeds and (smaller := _fewer_seeds(part, usual - used, cost)):
            taken.append(smaller)
    if taken:
        return taken
    fit = [p if cost(p) <= most else _fewer_seeds(p, most, cost) for p in parts]
    return [part for part in fit if part is not None][:1]


def _fewer_seeds(part: Part, seconds: float, cost: Callable[[Part], float]) -> Part | None:
    """The part with as many of its seeds as fit, if any do."""
    if not part.seeds:
        return None
    for less in range(1, max(seeds for _, seeds in part.seeds)):
        fewer = Part(part.why, seeds=tuple((w, seeds - less) for w, seeds in part.seeds))
        if cost(fewer) == 0:
            return None
        if cost(fewer) <= seconds:
            return fewer
    return None


_TAIL = (1 - LEVEL) / 2


def _mass(decision: Decision, kind: str, place: int) -> float:
    """Share of the draws in which the least width stands at this place, by either target."""
    return float((decision.places[kind][:, 1:] == place).mean())


def _existing(width: float, step: Width) -> Width:
    """The nearest width that there is."""
    return as_width(step * max(1, round(width / step)), step)
