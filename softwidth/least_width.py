"""Least widths and their ratio from students' losses, with intervals over seeds and held-out rows.

One statistic, twice: on the rows as they are (the estimate) and on the bootstrap draws of
`resampling` (the interval). All that is assumed of a curve is that it does not rise with the width:
where widths between two tried ones are of interest, a draw says that the least width lies above the
wider one that fails and is at most the narrower one that meets the target, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError, check_number
from softwidth._types import Array, Width
from softwidth.balance import Shares
from softwidth.ratio import not_ruled_out
from softwidth.resampling import LEVEL, middle, nested_draws
from softwidth.target import HIGH, LOW, gaps_to_target

STEP = 2  # symmetric initialisation pairs the neurons: every second width exists
BEYOND = np.inf


@dataclass(frozen=True)
class LeastWidth:
    """The least width of one label kind.

    Attributes
    ----------
    width : int, float or None
        Least tried width that meets the target; ``None`` where none does.
    interval : tuple of (int, float or None)
        95 % interval; a ``None`` stands for "wider than all that were tried".
    """

    width: Width | None
    interval: tuple[Width | None, Width | None]


@dataclass(frozen=True)
class Saving:
    """A ratio of two least widths, with its 95 % interval.

    Attributes
    ----------
    ratio : float
    interval : tuple of float
    at_least : bool
        The wider of the two did not meet the target at any tried width, so that the ratio is a
        lower bound: the largest tried width stands in for it.
    """

    ratio: float
    interval: tuple[float, float]
    at_least: bool


@dataclass(frozen=True)
class Gain:
    """How much less one label kind loses than another at equal widths, with its 95 % interval.

    Attributes
    ----------
    value : float
        In the unit of the loss, on average over the tried widths.
    interval : tuple of float
    matters : bool
        The interval leaves out 0, and the value is more than the tolerance: less is as good as
        nothing by the decision's own standard.
    """

    value: float
    interval: tuple[float, float]
    matters: bool


@dataclass(frozen=True, eq=False)
class Decision:
    """What `decide` found; losses are means over the rows given.

    Attributes
    ----------
    widths : tuple of int or float
    errors : dict of str to ndarray, shape (widths,)
        Mean loss over seeds and rows, per label kind.
    intervals : dict of str to ndarray, shape (widths, 2)
    target : float
        The least loss of a monotone curve of the kinds that set the target, plus the tolerance.
    best : float
        The same without the tolerance.
    least : dict of str to LeastWidth
    places : dict of str to ndarray of int, shape (2, 1 + draws)
        Per kind the position of the least width among `widths`, ``len(widths)`` beyond, by the
        highest and by the lowest target of `target`; the estimate first, then the draws.
    gaps : dict of str to ndarray, shape (widths,)
        Monotone curve minus the target.
    gap_draws : dict of str to ndarray, shape (2, 1 + draws, widths)
        The same by the highest and by the lowest target, the estimate first, then the draws.
    seed_shares : dict of str to ndarray, shape (widths,)
        The part of the variance of a gap that is the seeds': what more seeds could take away.
    mean_draws : dict of str to ndarray, shape (1 + draws,)
        Mean loss over the widths, the estimate first, then the draws; paired between kinds.
    between : bool
        Whether least widths may lie between two tried ones.
    step : int or float
        The narrowest width that there is, and the distance from each to the next.
    """

    widths: tuple[Width, ...]
    errors: dict[str, Array]
    intervals: dict[str, Array]
    target: float
    best: float
    least: dict[str, LeastWidth]
    places: dict[str, np.ndarray[Any, Any]]
    gaps: dict[str, Array]
    gap_draws: dict[str, Array]
    seed_shares: dict[str, Array]
    mean_draws: dict[str, Array]
    between: bool
    step: Width = STEP

    def gain(self, of: str, over: str) -> Gain:
        """Mean loss of the label kind `over` less that of `of`, over seeds, rows and tried widths.

        One number of all widths: the largest of many differences would pass for one by chance.
        """
        draws = self.mean_draws[over] - self.mean_draws[of]
        value, (low, high) = float(draws[0]), middle(draws[1:]).tolist()
        interval = (min(low, value), max(high, value))
        measured = not interval[0] <= 0 <= interval[1]
        return Gain(value, interval, measured and abs(value) > self.target - self.best)

    def saving(self, of: str, over: str) -> Saving:
        """Least width of the label kind `of` divided by that of `over`.

        Where neither meets the target the ratio is 1: nothing tells them apart. The interval holds
        the ratios of all pairs of least widths in the two intervals that `ratio.not_ruled_out` leaves.
        """
        top = len(self.widths)
        wide, narrow = self.places[of][0, 0], self.places[over][0, 0]
        ratio = float(self._ends(wide)[1] / self._ends(narrow)[1])
        low, high = (
            min(ratio, self._least_ratio(of, over)),
            max(ratio, 1 / self._least_ratio(over, of)),
        )
        return Saving(ratio, (low, high), bool(wide == top > narrow))

    def _least_ratio(self, of: str, over: str) -> float:
        """The least ratio that is not ruled out."""
        first, second = self.gap_draws[of], self.gap_draws[over]
        if np.array_equal(first, second):  # a kind beside itself
            return 1.0
        W = len(self.widths)
        every = np.arange(W + 1)
        ratios = self._ends(every)[0][:, None] / self._ends(every)[1]
        ratios[-1, -1] = 1.0
        lowest, highest = _span(self.places[of])[0], _span(self.places[over])[1]
        pairs = [(i, j) for i in range(lowest, W + 1) for j in range(highest + 1)]
        # The first that passes is the least of all: a test costs 0.1 ms, and few pairs need one.
        pairs.sort(key=ratios.__getitem__)
        return float(next(ratios[pair] for pair in pairs if not_ruled_out(first, second, *pair)))

    def _ends(self, places: np.ndarray[Any, Any]) -> tuple[Array, Array]:
        """Narrowest and widest least width that these places allow; beyond, the widest tried."""
        narrowest, widest = _brackets(self.widths, self.between, self.step)
        return (
            np.minimum(narrowest, self.widths[-1])[places],
            np.minimum(widest, self.widths[-1])[places],
        )


def decide(
    losses: Mapping[str, Any],
    widths: Sequence[Width],
    *,
    tolerance: float,
    target_kinds: Sequence[str] = ("hard", "soft"),
    others: Array | None = None,
    between: bool = False,
    step: Width = STEP,
    shares: Shares | None = None,
    seed: int = 0,
) -> Decision:
    """Least width per label kind whose mean loss is within `tolerance` of the best.

    Parameters
    ----------
    losses : mapping of str to sequence of ndarray, each of shape (seeds, N)
        Per label kind and width: who is wrong where, the share of a row's draws on which
        (`by_row`), or another loss by row. All kinds have as many seeds at a width, and all the
        same rows.
    widths : sequence of int or float
        Tried widths, rising: neurons, or multipliers of a family.
    tolerance : float
        How far above the best loss still counts as good enough, in its unit.
    target_kinds : sequence of str
        The kinds whose best loss sets the target.
    others : ndarray, shape (others, N), optional
        Losses by row of others whose mean may set the target too, such as a teacher's.
    between : bool
        Widths between the tried ones are of interest: intervals then reach to the next tried width
        that is ruled out.
    step : int or float
        The narrowest width that there is, and the distance from each to the next.
    shares : Shares, optional
        What each row counts for; by default all count alike.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Decision

    Raises
    ------
    ArgumentError
        Shapes that differ between kinds, or widths that do not rise.

    Examples
    --------
    >>> wrong = np.zeros((2, 1, 4), bool)
    >>> wrong[0, 0, :2] = True
    >>> found = decide({"hard": wrong, "soft": wrong[[1, 1]]}, [2, 4], tolerance=0.1)
    >>> found.target, found.least["hard"].width, found.least["soft"].width
    (0.1, 4, 2)
    >>> found.saving("hard", "soft").ratio
    2.0
    """
    tolerance = check_number("tolerance", tolerance, low=0)
    kinds, cells = list(losses), _cells(losses, widths)
    drawn = nested_draws(cells, widths, others=others, shares=shares, seed=seed)
    seeds = [cell.shape[1] for cell in cells]
    setters = [kinds.index(kind) for kind in target_kinds if kind in kinds]
    gaps, target = gaps_to_target(drawn.means, seeds, setters, drawn.others, tolerance)
    # The same statistic with the rows as they are: what of its variance is the seeds'.
    still = np.broadcast_to(drawn.others[:1], drawn.others.shape)
    of_seeds, _ = gaps_to_target(drawn.of_seeds, seeds, setters, still, tolerance)
    share = of_seeds[LOW, 1:].var(axis=0) / np.maximum(gaps[LOW, 1:].var(axis=0), 1e-18)
    # A mean of means is exact to 1e-12 only; a curve that touches the target has met it.
    meets = gaps <= 1e-12
    place = np.where(meets.any(axis=-1), meets.argmax(axis=-1), len(widths))
    places = {kind: place[..., k] for k, kind in enumerate(kinds)}
    return Decision(
        widths=tuple(widths),
        errors={kind: drawn.means[0, k] for k, kind in enumerate(kinds)},
        intervals={kind: middle(drawn.means[1:, k]).T for k, kind in enumerate(kinds)},
        target=target,
        best=target - tolerance,
        least={kind: _least(of_kind, widths, between, step) for kind, of_kind in places.items()},
        places=places,
        gaps={kind: gaps[LOW, 0, k] for k, kind in enumerate(kinds)},
        gap_draws={kind: gaps[:, :, k] for k, kind in enumerate(kinds)},
        seed_shares={kind: share[k] for k, kind in enumerate(kinds)},
        mean_draws={kind: drawn.means[:, k].mean(axis=1) for k, kind in enumerate(kinds)},
        between=between,
        step=step,
    )


def as_width(value: float, step: Width) -> Width:
    """A width as whole as its step, and without the last digits of a sum.

    >>> as_width(16.0, 2), as_width(0.1 + 0.2, 0.1)
    (16, 0.3)
    """
    return int(value) if isinstance(step, int) else float(f"{value:.6g}")


def by_row(losses: Array, draws: int) -> Array:
    """Mean loss of every row (..., N / draws) from losses (..., N) in runs of `draws`.

    >>> by_row(np.array([True, False, True, True]), 2).tolist()
    [0.5, 1.0]
    """
    return losses.reshape(*losses.shape[:-1], -1, draws).mean(axis=-1)


def loss_intervals(
    cells: Sequence[Array],
    widths: Sequence[Width],
    *,
    shares: Shares | None = None,
    seed: int = 0,
) -> Array:
    """95 % intervals (K, W, 2) over seeds and rows of means of `cells`, each (K, seeds, N)."""
    drawn = nested_draws(cells, widths, shares=shares, seed=seed)
    return np.moveaxis(middle(drawn.means[1:]), 0, -1)


def _cells(losses: Mapping[str, Any], widths: Sequence[Width]) -> list[Array]:
    """Losses by width, each (kinds, seeds, N)."""
    if (np.diff(widths) <= 0).any():
        raise ArgumentError("widths", list(widths), "must rise.")
    shapes = [[np.shape(array) for array in of_kind] for of_kind in losses.values()]
    rows = {shape[-1] for of_kind in shapes for shape in of_kind}
    if any(of_kind != shapes[0] for of_kind in shapes) or len(shapes[0]) != len(widths) or len(rows) != 1 or any(0 in shape for shape in shapes[0]):  # fmt: skip
        wish = f"must have shapes (seeds, rows), alike for every kind, for each of {len(widths)} widths."
        raise ArgumentError("losses", shapes, wish)
    by_width = zip(*losses.values(), strict=True)
    return [np.stack([np.asarray(array, np.float32) for array in cell]) for cell in by_width]


def _brackets(widths: Sequence[Width], between: bool, step: Width) -> tuple[Array, Array]:
    """Narrowest and widest least width for every place (W + 1,); the last place is beyond all."""
    tried = np.array([*widths, BEYOND])
    if not between:
        return tried, tried
    narrowest = np.array([step, *(width + step for width in widths)], float)
    narrowest[-1] = BEYOND
    return np.minimum(narrowest, tried), tried


def _span(places: np.ndarray[Any, Any]) -> tuple[int, int]:
    """95 % interval of a place; the estimate always lies within."""
    tail = (1 - LEVEL) / 2
    # Whole places, never between two tried widths.
    low = np.quantile(places[HIGH, 1:], tail, method="lower")
    high = np.quantile(places[LOW, 1:], 1 - tail, method="higher")
    return int(min(low, places[0, 0])), int(max(high, places[0, 0]))


def _least(
    places: np.ndarray[Any, Any], widths: Sequence[Width], between: bool, step: Width
) -> LeastWidth:
    """From places of least widths (estimate first) to widths; past the end is None."""
    narrowest, widest = _brackets(widths, between, step)
    low, high = _span(places)
    found = (widest[int(places[0, 0])], narrowest[low], widest[high])
    width, lowest, highest = (None if np.isinf(end) else as_width(end, step) for end in found)
    return LeastWidth(width, (lowest, highest))
