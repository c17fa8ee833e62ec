"""The rows of a margin problem: a subsample, equal rows once, and rows that no function separates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    as_type,
    check_class_ids,
    check_finite,
    check_integer,
    check_lengths,
    check_numeric,
    check_room,
    check_same_length,
)
from softwidth._mapped import is_mapped, take_rows
from softwidth._types import Array, Labels
from softwidth.tasks import split_rows

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class MarginRows:
    """Rows that constrain a margin.

    Attributes
    ----------
    X : ndarray, shape (N, D), float32 or float64
        All rows, as they came.
    y : ndarray, shape (N,)
    n_classes : int
    used : ndarray
        The rows that are asked about: all, or those of the subsample.
    distinct : ndarray
        The first of equal rows among them: their constraints are the others' too.
    conflict : tuple of int
        Rows that alone make the margin 0: a row of zeros, or two equal rows of different classes.
    """

    X: Array
    y: Labels
    n_classes: int
    used: Rows
    distinct: Rows
    conflict: tuple[int, ...] = ()

    @property
    def inputs(self) -> Array:
        """The different rows; all of `X` itself where that is what they are."""
        return self.X if len(self.distinct) == len(self.X) else take_rows(self.X, self.distinct)

    @property
    def labels(self) -> Labels:
        """The class ids of `inputs`."""
        return self.y[self.distinct]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a subsample means for the interval."""
        if len(self.used) == len(self.X):
            return ()
        return (
            f"The margin is that of {len(self.used)} of {len(self.X)} rows: the upper end holds for "
            "all rows, the lower end for these only.",
        )


def margin_rows(
    X: Any, y: Any, *, n_classes: int | None, limit: int | None, seed: int
) -> MarginRows:
    """Check rows and labels, take a stratified subsample if asked to, and find what is equal.

    Raises
    ------
    ArgumentError
        Rows that are not a finite matrix, labels that are not class ids, a limit below 2.
    """
    X = _matrix(X)
    y, n_classes = _class_ids(y, len(X), n_classes)
    used = _subsample(y, limit, seed)
    first = _first_of_equal(X, used)
    distinct = np.unique(first)
    return MarginRows(X, y, n_classes, used, distinct, _conflict(X, y, used, first))


def _matrix(X: Any) -> Array:
    """`X` as it is if single or double precision, never a copy; other numbers in double."""
    array = check_numeric("X", X)
    if array.ndim != 2 or 0 in array.shape:
        raise ArgumentError("X", array, "must be a matrix with at least one row and column.")
    if not is_mapped(array):
        check_room("X", array)
    if array.dtype not in (np.float32, np.float64):
        array = as_type("X", array, np.float64)
    return check_lengths("X", check_finite("X", array))


def _class_ids(y: Any, n: int, n_classes: int | None) -> tuple[Labels, int]:
    ids = np.atleast_1d(check_numeric("y", y))
    check_same_length("y", ids, "X", n)
    check_finite("y", ids)
    if n_classes is None:
        n_classes = int(max(ids.max(initial=1), 1)) + 1
        if n_classes > max(n, 2):
            raise ArgumentError(
                "y", n_classes - 1, "is no class id: there are fewer rows than that."
            )
    n_classes = check_integer("n_classes", n_classes, low=2)
    return check_class_ids("y", ids, n_classes=n_classes), n_classes


def _subsample(y: Labels, limit: int | None, seed: int) -> Rows:
    seed = check_integer("seed", seed)
    if limit is None or check_integer("limit", limit, low=2) >= len(y):
        return np.arange(len(y))
    return np.sort(split_rows(y, limit, seed=seed)[0])


def _first_of_equal(X: Array, used: Rows) -> Rows:
    """For each used row the first used row that equals it."""
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault((X[i] + 0.0).tobytes(), i) for i in used])  # + 0.0: -0 is 0


def _conflict(X: Array, y: Labels, used: Rows, first: Rows) -> tuple[int, ...]:
    zero = used[~X[used].any(axis=1)] if len(used) < len(X) else np.flatnonzero(~X.any(axis=1))
    if len(zero):
        return (int(zero[0]),)
    differ = np.flatnonzero(y[used] != y[first])
    return (int(first[differ[0]]), int(used[differ[0]])) if len(differ) else ()
