"""Reading .csv and .parquet tables into features, labels and soft labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError, DataFileError, check_choice, check_memory, rows_text
from softwidth.archives import SAFE_SHARE, Arrays

BYTES_A_CELL = 40  # while a table is read: the parser's copy, the columns, one matrix, its float32
MOST = 2**53  # of whole numbers that are exact as floating-point ones
SAMPLE = 2**16  # bytes of text from which the number of rows is estimated


@dataclass(frozen=True)
class _Format:
    """How a table is read, and how many cells it has (for text, by estimate)."""

    read: Callable[[Path], Any]
    cells: Callable[[Path], float]


def _read_csv(path: Path) -> Any:
    import pandas

    return pandas.read_csv(path, low_memory=False)  # a column's type is decided on all its rows


def _csv_cells(path: Path) -> float:
    with open(path, "rb") as file:
        sample = file.read(SAMPLE)
    lines = max(sample.count(b"\n"), 1)
    columns = 1 + sample.split(b"\n", 1)[0].count(b",")
    return columns * lines * path.stat().st_size / max(len(sample), 1)


def _read_parquet(path: Path) -> Any:
    import pandas

    return pandas.read_parquet(path)


def _parquet_cells(path: Path) -> float:
    import pyarrow.parquet

    about = pyarrow.parquet.read_metadata(path)
    return float(about.num_rows * about.num_columns)


TABLES: Mapping[str, _Format] = {
    ".csv": _Format(_read_csv, _csv_cells),
    ".parquet": _Format(_read_parquet, _parquet_cells),
}


def read_table(path: Path, target: str | None, soft_columns: list[str]) -> tuple[Arrays, list[str]]:
    """``X, y[, soft]`` of a table with a suffix of `TABLES`, and notes on how it was read.

    Raises
    ------
    DataFileError, ArgumentError, MemoryLimitError
        Unreadable; columns that are missing, of text, or without labels; larger than memory.
    """
    form = TABLES[path.suffix.lower()]
    cells = _parsed(path, form.cells)
    check_memory(f"reading {path.name}", BYTES_A_CELL * cells, share=SAFE_SHARE)
    table = _parsed(path, form.read).rename(columns=str)
    if len(table) == 0:
        raise DataFileError(f"{path.name} has no rows.")
    if not table.columns.is_unique:
        raise DataFileError(f"{path.name} has two columns of one name.")
    return _from_table(table, target, soft_columns)


def _parsed(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except Exception as error:  # parsers raise what they like on a broken file
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataFileError(f"{path.name} is not a readable {path.suffix} file: {told}") from None


def _from_table(
    table: Any, target: str | None, soft_columns: list[str]
) -> tuple[Arrays, list[str]]:
    _check_columns(list(table.columns), target, soft_columns)
    features = [column for column in table.columns if column not in {target, *soft_columns}]
    if not features:
        raise DataFileError("the table has no feature columns beside the labels.")
    arrays = {"X": _numbers(table, features), "y": _labels(table, str(target))}
    if not soft_columns:
        return arrays, []
    ordered, notes = _in_class_order(soft_columns, np.unique(arrays["y"]))
    soft = _numbers(table, ordered)
    return {**arrays, "soft": soft[:, 0] if len(ordered) == 1 else soft}, notes


def _check_columns(columns: list[str], target: str | None, soft_columns: list[str]) -> None:
    if target is None:
        raise ArgumentError("target", None, f"must name the label column: {', '.join(columns)}.")
    check_choice("target", target, columns)
    for column in soft_columns:
        check_choice("soft_columns", column, columns)
    if target in soft_columns or len(set(soft_columns)) < len(soft_columns):
        raise ArgumentError(
            "soft_columns", ", ".join(soft_columns), "must be different columns, none the target."
        )


def _labels(table: Any, target: str) -> np.ndarray[Any, Any]:
    missing = np.flatnonzero(table[target].isna())
    if len(missing):
        raise ArgumentError("target", target, f"has no label in rows {rows_text(missing)}.")
    labels = np.asarray(table[target].to_numpy())
    if labels.dtype.kind not in "fiub":
        return labels.astype(str)
    exact = np.abs(labels.astype(np.float64)) < MOST  # beyond, and infinite, they stay as they are
    whole = bool(exact.all() and (labels == np.rint(labels)).all())  # 1.0 is class 1
    return labels.astype(np.int64) if whole else labels


def _numbers(table: Any, columns: list[str]) -> np.ndarray[Any, Any]:
    for column in columns:
        if table[column].dtype.kind not in "fiub":
            raise ArgumentError(
                "source", column, "is a column of text; features and soft labels must be numbers."
            )
    return np.asarray(table[columns].to_numpy(dtype=np.float64, na_value=np.nan))


def _in_class_order(
    soft_columns: list[str], labels: np.ndarray[Any, Any]
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
        return soft_columns, [f"Soft column {soft_columns[0]} was taken for class {names[-1]}."]
    pairs = ", ".join(f"{c} = {n}" for c, n in zip(soft_columns, names, strict=False))
    return soft_columns, [f"Soft columns were taken in the order of the sorted labels: {pairs}."]
