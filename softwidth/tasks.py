"""From the classes of a source to a task: grouping, pairs, noise, flips, thinning, splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_finite,
    check_integer,
    check_number,
    check_numeric,
    check_rows_not_zero,
    check_same_length,
    listed,
)
from softwidth._mapped import changed_rows, is_mapped, take_rows
from softwidth._types import Array, Dataset, Labels
from softwidth.labels import flip

BLOCK = 2048  # rows scaled at a time: temporaries stay small beside the data


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows: inputs, class ids, soft labels as they came (or None), weights (or None)."""

    X: Array
    y: Labels
    soft: Array | None = None
    weight: Array | None = None

    def rows(self, chosen: np.ndarray[Any, Any]) -> Part:
        """The rows chosen by number or mask."""
        soft, weight = (None if a is None else a[chosen] for a in (self.soft, self.weight))
        return Part(take_rows(self.X, chosen), self.y[chosen], soft, weight)


def class_numbers(name: str, labels: Any, classes: Sequence[str]) -> list[int]:
    """The ids of classes given by name; a single name stands for itself, not for its letters."""
    several = listed(labels)
    names = [str(label) for label in ([labels] if several is None else several)]
    return [list(classes).index(check_choice(name, label, classes)) for label in names]


def group(
    part: Part, classes: Sequence[str], positive: Sequence[object]
) -> tuple[Part, tuple[str, str]]:
    """The binary task "one of `positive`" against the rest; soft columns are summed.

    Raises
    ------
    ArgumentError
        An unknown class, or a grouping that takes all or none of them.
    """
    ids = class_numbers("positive", positive, classes)
    if not 0 < len(set(ids)) < len(classes):
        raise ArgumentError("positive", positive, "must leave classes on both sides.")
    inside = np.isin(np.arange(len(classes)), ids)
    soft = part.soft
    if soft is not None:
        soft = np.stack([soft[:, ~inside].sum(axis=1), soft[:, inside].sum(axis=1)], axis=1)
    sides = tuple("+".join(np.array(classes)[side]) for side in (~inside, inside))
    return replace(part, y=inside[part.y].astype(np.int64), soft=soft), (sides[0], sides[1])


def keep_pair(
    part: Part, classes: Sequence[str], pair: Sequence[object]
) -> tuple[Part, tuple[str, ...], list[str]]:
    """The rows of two classes, the first of them class 0; soft labels as in `keep_classes`."""
    ids = class_numbers("pair", pair, classes)
    if len(ids) != 2 or ids[0] == ids[1]:
        raise ArgumentError("pair", pair, "must name two different classes.")
    return _kept(part, classes, ids)


def keep_classes(
    part: Part, classes: Sequence[str], only: Sequence[object]
) -> tuple[Part, tuple[str, ...], list[str]]:
    """The rows of some classes, in their old order; soft labels restricted to them.

    A row whose soft label has nothing on these classes takes its class id, and a note says how many.
    """
    ids = sorted(set(class_numbers("only", only, classes)))
    if len(ids) < 2:
        raise ArgumentError("only", only, "must name at least two classes.")
    return _kept(part, classes, ids)


def _kept(
    part: Part, classes: Sequence[str], ids: list[int]
) -> tuple[Part, tuple[str, ...], list[str]]:
    kept = part.rows(np.isin(part.y, ids))
    place = np.zeros(len(classes), np.int64)
    place[ids] = np.arange(len(ids))
    y, soft = place[kept.y], kept.soft
    notes: list[str] = []
    if soft is not None:
        soft = soft[:, ids].copy()
        empty = np.flatnonzero(soft.sum(axis=1) == 0)
        soft[empty, y[empty]] = 1
        if len(empty):
            which = "pair" if len(ids) == 2 else "classes"
            notes = [f"{len(empty)} rows had no soft label on the {which} and took their class id."]
        if np.issubdtype(soft.dtype, np.floating) and not (soft == np.rint(soft)).all():
            soft = soft / soft.sum(axis=1, keepdims=True)
    return replace(kept, y=y, soft=soft), tuple(classes[id_] for id_ in ids), notes


def add_noise(X: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Inputs plus Gaussian noise of standard deviation `sigma`, in the units of the features.

    Raises
    ------
    ArgumentError
        If a sum leaves the numbers of float32.
    """
    if sigma == 0:
        return X

    def noisy(rows: Array) -> Array:
        noise = rng.standard_normal(rows.shape, dtype=np.float32)
        noise *= np.float32(sigma)
        with np.errstate(over="ignore"):
            noise += rows
        return noise

    return check_finite("X", changed_rows(X, noisy, "adding noise"))


def to_unit_rows(X: Array, *, name: str = "X") -> Array:
    """Rows scaled to unit Euclidean norm, in place where `X` may be written.

    Squares of very large or small numbers leave float32, so rows are brought to a largest entry
    near 1 first, by a power of two: exact.
    """
    check_rows_not_zero(name, np.asarray(X.any(axis=1)))
    if is_mapped(X):
        return changed_rows(X, _unit_rows, "scaling rows")
    unit = X if X.flags.writeable else np.empty_like(X)
    for start in range(0, len(X), BLOCK):
        rows = slice(start, start + BLOCK)
        unit[rows] = _unit_rows(X[rows])
    return unit


def _unit_rows(X: Array) -> Array:
    exponents = np.frexp(abs(X).max(axis=1))[1]
    unit = np.ldexp(X, -exponents[:, None])
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    return np.asarray(unit)


def split_rows(
    y: Labels, n: int, *, seed: int, name: str = "n"
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """`n` row numbers with the classes in the proportions of `y`, and the other row numbers.

    Every class gets at least one of the `n` rows; the largest remainders get what is left over.

    Raises
    ------
    ArgumentError
        If `n` is below the number of classes or not below the number of rows.

    Examples
    --------
    >>> chosen, others = split_rows(np.array([0, 0, 0, 1, 1, 1]), 2, seed=0)
    >>> len(chosen), len(others)
    (2, 4)
    """
    present, counts = np.unique(y, return_counts=True)
    check_integer(name, n, low=1)
    if not len(present) <= n < len(y):
        raise ArgumentError(
            name,
            n,
            f"must lie between {len(present)} (a row a class) and {len(y) - 1} (of {len(y)}).",
        )
    rng = np.random.default_rng(seed)
    quota = _quotas(counts, n)
    chosen = np.concatenate(
        [
            rng.permutation(np.flatnonzero(y == label))[:take]
            for label, take in zip(present, quota, strict=True)
        ]
    )
    mask = np.zeros(len(y), bool)
    mask[chosen] = True
    return np.flatnonzero(mask), np.flatnonzero(~mask)


def _quotas(counts: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    """How many rows each class gives to `n`: proportional, at least one, in all exactly `n`.

    A class of two rows or more also keeps one, as long as the others can make up for it.
    """
    most = np.maximum(counts - 1, 1)
    most = most if n <= most.sum() else counts
    wish = counts * (n / counts.sum())
    quota = np.clip(np.floor(wish).astype(int), 1, most)
    while quota.sum() < n:
        quota[np.argmax(np.where(quota < most, wish - quota, -np.inf))] += 1
    while quota.sum() > n:
        quota[np.argmax(np.where(quota > 1, quota - wish, -np.inf))] -= 1
    return quota


def flip_labels(part: Part, rate: float, n_classes: int, rng: np.random.Generator) -> Part:
    """Class ids flipped to another class at `rate`; inputs and soft labels as they are."""
    return replace(part, y=flip(part.y, rate, n_classes, rng))


def keep_by_margin(
    dataset: Dataset, margins: Any, fraction: float, *, keep: str = "smallest"
) -> Dataset:
    """The training rows of smallest or largest margin; the other parts stay as they are.

    Parameters
    ----------
    dataset : Dataset
    margins : array_like, shape (N_train,)
        One margin per training row, for example `lessons.row_margins`.
    fraction : float
        Share of the rows to keep, in (0, 1].
    keep : {"smallest", "largest"}

    Raises
    ------
    ArgumentError
        Another number of margins than rows, a fraction outside (0, 1], unknown `keep`, or rows of
        one class only left.
    """
    check_choice("keep", keep, ("smallest", "largest"))
    fraction = check_number("fraction", fraction, low=0, high=1, open_low=True)
    margins = np.atleast_1d(check_numeric("margins", margins, dtype=np.float64))
    check_same_length("margins", margins, "X_train", len(dataset.y_train))
    check_finite("margins", margins)
    if margins.ndim > 1:
        raise ArgumentError("margins", margins, "must hold one number for each training row.")
    order = np.argsort(margins if keep == "smallest" else -margins, kind="stable")
    rows = np.sort(order[: max(1, round(fraction * len(order)))])
    if len(np.unique(dataset.y_train[rows])) < 2:
        raise ArgumentError("fraction", fraction, "leaves rows of a single class; keep more.")
    return with_training_rows(dataset, rows).with_notes(
        [f"Kept the {len(rows)} training rows of {keep} margin."]
    )


def with_training_rows(dataset: Dataset, rows: np.ndarray[Any, Any]) -> Dataset:
    """The dataset with these training rows only."""
    own = Part(*dataset.part("train"), dataset.weight_train).rows(rows)
    return replace(
        dataset, X_train=own.X, y_train=own.y, soft_train=own.soft, weight_train=own.weight
    )


def conflicting_rows(X: Array, y: Labels) -> int:
    """Number of rows that equal another row of a different class: no width separates these."""
    _, group = np.unique(row_hashes(X), return_inverse=True)
    K = int(y.max()) + 1
    classes = np.bincount(np.unique(group * K + y) // K)  # of each group of equal rows
    return int((classes[group] > 1).sum())


def row_hashes(X: Array) -> np.ndarray[Any, Any]:
    """16 bytes of every row, shape (N,): the same for equal rows, and for no others in practice."""
    from hashlib import blake2b

    # Adding 0 makes -0 into 0, which equals it and has other bytes.
    hashes = (blake2b((row + 0).tobytes(), digest_size=16).digest() for row in X)
    return np.fromiter(hashes, "S16", len(X))
