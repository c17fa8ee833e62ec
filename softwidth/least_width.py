"""Least widths and their ratio from students' losses, with intervals over seeds and held-out rows.

One statistic, twice: on the rows as they are (the estimate) and on the nested bootstrap draws of
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
from softwidth._types import Array
from softwidth.balance import Shares
from softwidth.resampling import LEVEL, middle, monotone, nested_draws, seed_draws

STEP = 2  # symmetric initialisation pairs the neurons: every second width exists
BEYOND = np.inf


@dataclass(frozen=True)
class LeastWidth:
    """The least width of one label kind.

    Attributes
    ----------
    width : int or None
        Least tried width that meets the target; ``None`` where none does.
    interval : tuple of (int or None)
        95 % interval; a ``None`` stands for "wider than all that were tried".
    """

    width: int | None
    interval: tuple[int | None, int | None]


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


@dataclass(frozen=True, eq=False)
class Decision:
    """What `decide` found; losses are means over the rows given.

    Attributes
    ----------
    widths : tuple of int
    errors : dict of str to ndarray, shape (widths,)
        Mean loss over seeds and rows, per label kind.
    intervals : dict of str to ndarray, shape (widths, 2)
    target : float
        The least loss of a monotone curve of the kinds that set the target, plus the tolerance.
    best : float
        The same without the tolerance.
    least : dict of str to LeastWidth
    places : dict of str to ndarray of int, shape (1 + draws,)
        Per kind the position of the least width among `widths`, ``len(widths)`` beyond; the
        estimate first, then the draws.
    gaps : dict of str to ndarray, shape (widths,)
        Monotone curve minus the target.
    seed_shares : dict of str to ndarray, shape (widths,)
        The part of the variance of a gap that is the seeds': what more seeds could take away.
    between : bool
        Whether least widths may lie between two tried ones.
    """

    widths: tuple[int, ...]
    errors: dict[str, Array]
    intervals: dict[str, Array]
    target: float
    best: float
    least: dict[str, LeastWidth]
    places: dict[str, np.ndarray[Any, Any]]
    gaps: dict[str, Array]
    seed_shares: dict[str, Array]
    between: bool

    def saving(self, of: str, over: str) -> Saving:
        """Least width of the label kind `of` divided by that of `over`.

        Where neither meets the target in a draw the ratio is 1: nothing tells them apart.
        """
        top = len(self.widths)
        wide, narrow = self.places[of], self.places[over]
        ratio = self._ends(wide[:1])[1] / self._ends(narrow[:1])[1]
        (wide_low, wide_high), (low, high) = self._ends(wide[1:]), self._ends(narrow[1:])
        neither = (wide[1:] == top) & (narrow[1:] == top)
        lowest = middle(np.where(neither, 1.0, wide_low / high))[0]
        highest = middle(np.where(neither, 1.0, wide_high / low))[1]
        estimate = float(ratio[0])
        return Saving(
            estimate,
            (min(float(lowest), estimate), max(float(highest), estimate)),
            bool(wide[0] == top > narrow[0]),
        )

    def _ends(self, places: np.ndarray[Any, Any]) -> tuple[Array, Array]:
        """Narrowest and widest least width that these places allow; beyond, the widest tried."""
        narrowest, widest = _brackets(self.widths, self.between)
        return (
            np.minimum(narrowest, self.widths[-1])[places],
            np.minimum(widest, self.widths[-1])[places],
        )


def decide(
    losses: Mapping[str, Any],
    widths: Sequence[int],
    *,
    tolerance: float,
    target_kinds: Sequence[str] = ("hard", "soft"),
    others: Array | None = None,
    between: bool = False,
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
    widths : sequence of int
        Tried widths, rising.
    tolerance : float
        How far above the best loss still counts as good enough, in its unit.
    target_kinds : sequence of str
        The kinds whose best loss sets the target.
    others : ndarray, shape (others, N), optional
        Losses by row of others whose mean may set the target too, such as a teacher's.
    between : bool
        Widths between the tried ones are of interest: intervals then reach to the next tried width
        that is ruled out.
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
    check_number("tolerance", tolerance, low=0)
    kinds, cells = list(losses), _cells(losses, widths)
    drawn = nested_draws(cells, widths, others=others, shares=shares, seed=seed)
    seeds = [cell.shape[1] for cell in cells]
    setters = [kinds.index(kind) for kind in target_kinds if kind in kinds]
    gaps, target = _gaps(drawn.means, seeds, setters, drawn.others, tolerance)
    # The same statistic with the rows as they are: what of its variance is the seeds'.
    by_seeds = seed_draws(cells, widths, shares=shares, seed=seed)
    of_seeds, _ = _gaps(by_seeds, seeds, setters, drawn.others[:1], tolerance)
    share = of_seeds[1:].var(axis=0) / np.maximum(gaps[1:].var(axis=0), 1e-18)
    # A mean of means is exact to 1e-12 only; a curve that touches the target has met it.
    meets = gaps <= 1e-12
    place = np.where(meets.any(axis=2), meets.argmax(axis=2), len(widths))
    places = {kind: place[:, k] for k, kind in enumerate(kinds)}
    return Decision(
        widths=tuple(widths),
        errors={kind: drawn.means[0, k] for k, kind in enumerate(kinds)},
        intervals={kind: middle(drawn.means[1:, k]).T for k, kind in enumerate(kinds)},
        target=float(target[0]),
        best=float(target[0]) - tolerance,
        least={kind: _least(of_kind, widths, between) for kind, of_kind in places.items()},
        places=places,
        gaps={kind: gaps[0, k] for k, kind in enumerate(kinds)},
        seed_shares={kind: share[k] for k, kind in enumerate(kinds)},
        between=between,
    )


def by_row(losses: Array, draws: int) -> Array:
    """Mean loss of every row (..., N / draws) from losses (..., N) in runs of `draws`.

    >>> by_row(np.array([True, False, True, True]), 2).tolist()
    [0.5, 1.0]
    """
    return losses.reshape(*losses.shape[:-1], -1, draws).mean(axis=-1)


def loss_intervals(
    cells: Sequence[Array],
    widths: Sequence[int],
    *,
    shares: Shares | None = None,
    seed: int = 0,
) -> Array:
    """95 % intervals (K, W, 2) over seeds and rows of means of `cells`, each (K, seeds, N)."""
    drawn = nested_draws(cells, widths, shares=shares, seed=seed)
    return np.moveaxis(middle(drawn.means[1:]), 0, -1)


def _gaps(
    means: Array, seeds: Sequence[int], setters: Sequence[int], others: Array, tolerance: float
) -> tuple[Array, Array]:
    """Monotone curves minus their targets (draws, K, W), and the targets (draws,)."""
    smooth = monotone(means, np.array(seeds, float))
    best = smooth[:, setters, -1].min(axis=1)
    if others.shape[1]:
        best = np.minimum(best, others.min(axis=1))
    target = best + tolerance
    return smooth - target[:, None, None], target


def _cells(losses: Mapping[str, Any], widths: Sequence[int]) -> list[Array]:
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


def _brackets(widths: Sequence[int], between: bool) -> tuple[Array, Array]:
    """Narrowest and widest least width for every place (W + 1,); the last place is beyond all."""
    tried = np.array([*widths, BEYOND])
    if not between:
        return tried, tried
    narrowest = np.array([STEP, *(width + STEP for width in widths)], float)
    narrowest[-1] = BEYOND
    return np.minimum(narrowest, tried), tried


def _least(places: Array, widths: Sequence[int], between: bool) -> LeastWidth:
    """From places of least widths (estimate first) to widths; past the end is None."""
    tail = (1 - LEVEL) / 2
    narrowest, widest = _brackets(widths, between)
    # Whole places, never between two tried widths; the estimate always lies within.
    low = min(np.quantile(places[1:], tail, method="lower"), places[0])
    high = max(np.quantile(places[1:], 1 - tail, method="higher"), places[0])
    found = (widest[int(places[0])], narrowest[int(low)], widest[int(high)])
    width, lowest, highest = (None if np.isinf(end) else int(end) for end in found)
    return LeastWidth(width, (lowest, highest))
