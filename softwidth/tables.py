"""Reading .csv and .parquet tables into features, labels and soft labels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    check_choice,
    check_memory,
    rows_text,
    shorten,
)
from softwidth.archives import SAFE_SHARE, Arrays

BYTES_A_CELL = 40  # while a table is read: the parser's copy, the columns, one matrix, its float32
BYTES_A_COLUMN = 4_000  # however few its rows: pandas took 3,246 in a table of 100,000 columns
MOST = 2**53  # of whole numbers that are exact as floating-point ones
SAMPLE = 2**16  # bytes of text from which the number of rows is estimated
LONGEST = 2**26  # bytes of a line that are looked at for the number of columns


@dataclass(frozen=True)
class _Format:
    """How a table is read, and how many rows and columns it has (for text, by estimate)."""

    read: Callable[[Path], Any]
    shape: Callable[[Path], tuple[float, int]]


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


SEPARATORS = ",;\t"
NUMBER = r'(?:^|[;\t])\s*"?[-+]?\d+{}\d+(?:[eE][-+]?\d+)?"?\s*(?:[;\t]|$)'  # around a mark
INDEX = "Unnamed: 0"  # what pandas calls the first column where the header has no name for it


def _read_csv(path: Path) -> Any:
    import pandas

    with open(path, encoding="utf-8", errors="replace") as file:
        header, sample = file.readline(LONGEST), file.read(SAMPLE)
    separator = max(SEPARATORS, key=header.count)
    decimal = "," if separator != "," and _has_decimal_commas(sample) else "."
    with warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)  # rows cut to the header
        # A column's type is decided on all its rows; a first row that is longer than the header
        # would make row names of its first fields, and label every column with its neighbour.
        return pandas.read_csv(
            path, sep=separator, decimal=decimal, skipinitialspace=True, low_memory=False,
            index_col=False,
        )  # fmt: skip


def _has_decimal_commas(sample: str) -> bool:
    r"""Whether fields that commas do not part are numbers with a comma, and none with a point.

    >>> _has_decimal_commas("1;2,5\n"), _has_decimal_commas("1,5;2.5\n"), _has_decimal_commas("a,b;1\n")
    (True, False, False)
    """
    with_comma, with_point = (re.search(NUMBER.format(mark), sample, re.M) for mark in (",", r"\."))
    return with_comma is not None and with_point is None


def _csv_shape(path: Path) -> tuple[float, int]:
    with open(path, "rb") as file:
        lines = (line for line in iter(lambda: file.readline(LONGEST), b"") if line.strip())
        counts = [line.count(sep.encode()) for line in islice(lines, 2) for sep in SEPARATORS]
        file.seek(0)
        sample = file.read(SAMPLE)
    return max(sample.count(b"\n"), 1) * path.stat().st_size / max(len(sample), 1), 1 + max(
        counts, default=0
    )


def _read_parquet(path: Path) -> Any:
    import pandas

    return pandas.read_parquet(path)


def _parquet_shape(path: Path) -> tuple[float, int]:
    import pyarrow.parquet

    about = pyarrow.parquet.read_metadata(path)
    return float(about.num_rows), int(about.num_columns)


TABLES: Mapping[str, _Format] = {
    ".csv": _Format(_read_csv, _csv_shape),
    ".parquet": _Format(_read_parquet, _parquet_shape),
}


def read_table(path: Path, columns: Columns) -> tuple[Arrays, list[str]]:
    """``X, y[, soft][, sample_weight]`` of a table with a suffix of `TABLES`, and notes on how it was read.

    Raises
    ------
    DataFileError, ArgumentError, MemoryLimitError
        Unreadable; columns that are missing, of text, or without labels; larger than memory.
    """
    form = TABLES[path.suffix.lower()]
    n_rows, n_columns = _parsed(path, form.shape)
    needed = n_columns * (BYTES_A_COLUMN + BYTES_A_CELL * n_rows)
    check_memory(f"reading {path.name}", needed, share=SAFE_SHARE)
    table = _parsed(path, form.read).rename(columns=str)
    if len(table) == 0:
        raise DataFileError(f"{path.name} has no rows.")
    if not table.columns.is_unique:
        raise DataFileError(f"{path.name} has two columns of one name.")
    return _from_table(table, columns)


def _parsed(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except Exception as error:  # parsers raise what they like on a broken file
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataFileError(f"{path.name} is not a readable {path.suffix} file: {told}") from None


def _from_table(table: Any, columns: Columns) -> tuple[Arrays, list[str]]:
    table, notes = _without_index(table, columns)
    target = _checked(list(table.columns), columns)
    features = [name for name in table.columns if name not in columns.no_features]
    if not features:
        raise DataFileError("the table has no feature columns beside the labels.")
    arrays = {"X": _numbers(table, features), "y": _labels(table, target)}
    if columns.weight:
        arrays["sample_weight"] = _numbers(table, [columns.weight])[:, 0]
    if not columns.soft:
        return arrays, notes
    ordered, more = _in_class_order(columns.soft, np.unique(arrays["y"]))
    soft = _numbers(table, ordered)
    arrays["soft"] = soft[:, 0] if len(ordered) == 1 else soft
    return arrays, [*notes, *more]


def _without_index(table: Any, columns: Columns) -> tuple[Any, list[str]]:
    """A table without the row numbers that pandas writes as a first column without a name."""
    first = table.columns[0]
    if first != INDEX or first in columns.no_features:
        return table, []
    if not np.array_equal(table[first].to_numpy(), np.arange(len(table))):
        return table, []
    return table.drop(columns=first), [
        "The first column has no name and counts the rows: left out."
    ]


def _checked(names: list[str], columns: Columns) -> str:
    """The target, once all columns that are named are there and none has two roles."""
    if columns.target is None:
        raise ArgumentError("target", None, f"must name the label column: {', '.join(names)}.")
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


def _labels(table: Any, target: str) -> np.ndarray[Any, Any]:
    missing = np.flatnonzero(table[target].isna())
    if len(missing):
        raise ArgumentError("target", target, f"has no label in rows {rows_text(missing)}.")
    labels = np.asarray(table[target].to_numpy())
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


def _numbers(table: Any, columns: Sequence[str]) -> np.ndarray[Any, Any]:
    for column in columns:
        values = table[column]
        missing = np.flatnonzero(values.isna())
        if len(missing):
            wish = (
                f"is a column with no value in {len(missing):,} rows ({rows_text(missing)}): fill "
            )
            raise ArgumentError("source", column, f"{wish}them, drop the rows, or {_LEAVE_OUT}.")
        if values.dtype.kind not in "fiub":
            wish = (
                f"is a column of text ({_first_text(values)}); features, soft labels and weights "
            )
            raise ArgumentError(
                "source", column, f"{wish}must be numbers: code it, or {_LEAVE_OUT}."
            )
    return np.asarray(table[columns].to_numpy(dtype=np.float64))


_LEAVE_OUT = "leave the column out (ignore_columns, --ignore-columns)"


def _first_text(values: Any) -> str:
    """The first entry that is no number, for a message."""
    import pandas

    numbers = pandas.to_numeric(values, errors="coerce").isna().to_numpy()
    place = int(np.argmax(numbers))
    return f"row {place}: {shorten(values.iloc[place], 20)!r}"


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
