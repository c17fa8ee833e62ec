"""What the columns of a table are: features, labels, soft labels, weights, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    check_choice,
    rows_text,
    shorten,
)
from softwidth._types import Array

MOST = 2**53  # of whole numbers that are exact as floating-point ones
INDEX = "Unnamed: 0"  # what pandas calls the first column where the header has no name for it
COUNTED = "The first column has no name and counts the rows: left out."


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are; every other one is a feature."""

    target: str | None = None
    soft: Sequence[str] = ()
    weight: str | None = None
    ignored: Sequence[str] = ()

    @property
    def no_features(self) -> list[str]:
        """All that are named by a text; others are refused when they are looked for."""
        named = (self.target, *self.soft, self.weight, *self.ignored)
        return [name for name in named if isinstance(name, str)]


class ColumnReader:
    """Takes a table, whole or in pieces one after the other, apart into features and all else.

    Parameters
    ----------
    columns : Columns
    """

    def __init__(self, columns: Columns) -> None:
        self.columns, self.rows = columns, 0
        self.target, self.features, self.counted = "", list[str](), False
        self.labels: list[Any] = []
        self.soft: list[Array] = []
        self.weights: list[Array] = []

    def take(self, table: Any) -> Array:
        """The features of these rows, shape (rows, D) in double precision.

        Raises
        ------
        ArgumentError, DataFileError
            Columns that are missing, of text, or with entries missing.
        """
        if not self.rows:
            self._begin(table)
        if self.counted and not self._counts_rows(table):
            raise DataFileError(
                f"the first column has no name; it counts the rows up to row {self.rows:,} and not from there on: "
                "give it a name, or leave it out."
            )
        X = _numbers(table, self.features, self.rows)
        # Copies: a column of a table may be a view that holds all of it.
        self.labels.append(table[self.target].copy())
        self.soft.append(_numbers(table, self.columns.soft, self.rows).copy())
        if self.columns.weight:
            weights = _numbers(table, [self.columns.weight], self.rows)
            self.weights.append(weights[:, 0].copy())
        self.rows += len(table)
        return X

    def _begin(self, table: Any) -> None:
        names = list(table.columns)
        self.counted = self._counts_rows(table)
        names = names[1:] if self.counted else names
        self.target = _checked(names, self.columns)
        self.features = [name for name in names if name not in self.columns.no_features]
        if not self.features:
            raise DataFileError("the table has no feature columns beside the labels.")

    def _counts_rows(self, table: Any) -> bool:
        """Whether the first column are the row numbers that pandas writes, without a name."""
        first = table.columns[0]
        if first != INDEX or first in self.columns.no_features:
            return False
        return np.array_equal(table[first].to_numpy(), self.rows + np.arange(len(table)))

    def bytes_of_others(self) -> int:
        """Memory that `others` takes: what was taken so far, together, and ordered."""
        labels = sum(int(piece.memory_usage(deep=True)) for piece in self.labels)
        return 3 * (labels + sum(part.nbytes for part in (*self.soft, *self.weights)))

    def others(self, typed: Callable[[Any], Any]) -> tuple[dict[str, Any], list[str]]:
        """``y[, soft][, sample_weight]`` of all rows taken, and notes on how they were read.

        `typed` gives the target's column its type, once all of it is there.
        """
        import pandas

        y = _labels(typed(pandas.concat(self.labels, ignore_index=True)), self.target)
        arrays: dict[str, Any] = {"y": y}
        notes = [COUNTED] if self.counted else []
        if self.weights:
            arrays["sample_weight"] = np.concatenate(self.weights)
        if not self.columns.soft:
            return arrays, notes
        ordered, more = _in_class_order(self.columns.soft, np.unique(y))
        soft = np.concatenate(self.soft)[
            :, [list(self.columns.soft).index(name) for name in ordered]
        ]
        arrays["soft"] = soft[:, 0] if len(ordered) == 1 else soft
        return arrays, [*notes, *more]


def _checked(names: list[str], columns: Columns) -> str:
    """The target, once all columns that are named are there and none has two roles."""
    if not isinstance(columns.target, str):
        raise ArgumentError(
            "target", columns.target, f"must name the label column: {', '.join(names)}."
        )
    check_choice("target", columns.target, names)
    for setting, named in (("soft_columns", columns.soft), ("ignore_columns", columns.ignored)):
        for name in named:
            check_choice(setting, name, names)
    if columns.weight is not None:
        check_choice("weight_column", columns.weight, names)
        if columns.weight in (columns.target, *columns.soft):
            wish = "must be a column of its own: it is the target or a soft column."
            raise ArgumentError("weight_column", columns.weight, wish)
    if columns.target in columns.soft or len(set(columns.soft)) < len(columns.soft):
        wish = "must be different columns, none the target."
        raise ArgumentError("soft_columns", ", ".join(columns.soft), wish)
    return columns.target


def _labels(column: Any, target: str) -> np.ndarray[Any, Any]:
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise ArgumentError("target", target, f"has no label in rows {rows_text(missing)}.")
    labels = np.asarray(column.to_numpy())
    if labels.dtype.kind not in "fiub":
        return _as_text(target, labels)
    exact = np.abs(labels.astype(np.float64)) < MOST  # beyond, and infinite, they stay as they are
    whole = bool(exact.all() and (labels == np.rint(labels)).all())  # 1.0 is class 1
    return labels.astype(np.int64) if whole else labels


def _as_text(target: str, labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    try:
        return labels.astype(str)
    except ValueError:  # bytes, lists
        wish = "is a column of neither whole numbers nor text."
        raise ArgumentError("target", target, wish) from None


def _numbers(table: Any, columns: Sequence[str], start: int) -> Array:
    """Some columns of rows from number `start` on, in double precision."""
    for column in columns:
        values = table[column]
        missing = start + np.flatnonzero(values.isna())
        if len(missing):
            told = f"is a column with no value in {len(missing):,} rows ({rows_text(missing)})"
            if start:
                told = f"is a column with no value in rows from {missing[0]:,} on"
            wish = f"{told}: fill them, drop the rows, or {_LEAVE_OUT}."
            raise ArgumentError("source", column, wish)
        if values.dtype.kind not in "fiub":
            told = f"is a column of text ({_first_text(values, start)})"
            wish = f"{told}; features, soft labels and weights must be numbers: code it, or {_LEAVE_OUT}."
            raise ArgumentError("source", column, wish)
    return np.asarray(table[list(columns)].to_numpy(dtype=np.float64))


_LEAVE_OUT = "leave the column out (ignore_columns, --ignore-columns)"


def _first_text(values: Any, start: int) -> str:
    """The first entry that is no number, for a message."""
    import pandas

    numbers = pandas.to_numeric(values, errors="coerce").isna().to_numpy()
    place = int(np.argmax(numbers))
    return f"row {start + place}: {shorten(values.iloc[place], 20)!r}"


def _in_class_order(
    soft_columns: Sequence[str], labels: np.ndarray[Any, Any]
) -> tuple[list[str], list[str]]:
    """Soft columns in the order of the classes: by name where the names tell, else as given."""
    names = [str(label) for label in labels]
    for class_of in (str, lambda column: column.rsplit("_", 1)[-1]):
        by_name = {class_of(column): column for column in soft_columns}
        if set(by_name) == set(names):
            return [by_name[name] for name in names], []
        if set(by_name) == set(map(str, range(len(soft_columns)))) > set(names):
            return [by_name[str(k)] for k in range(len(soft_columns))], []  # a class has no row
    if len(soft_columns) == 1:
        return list(soft_columns), [
            f"Soft column {soft_columns[0]} was taken for class {names[-1]}."
        ]
    pairs = ", ".join(f"{c} = {n}" for c, n in zip(soft_columns, names, strict=False))
    return list(soft_columns), [
        f"Soft columns were taken in the order of the sorted labels: {pairs}."
    ]
