"""Rows as a table: a column for every field, for pandas, CSV and Parquet."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softwidth._checks import ArgumentError, DataFileError, check_path
from softwidth._output import write_whole
from softwidth.store_rows import Row

if TYPE_CHECKING:
    import pandas

SUFFIXES = (".csv", ".parquet")
MOST_COLUMNS = 2_000  # a table of 100,000 rows and so many columns takes 1.6 GB
FIRST = ("id", "study", "seconds", "created", "machine", "commit")


def frame_of(rows: Iterable[Row], where: str) -> pandas.DataFrame:
    """A table of rows; what a row has not is missing (NaN or None).

    Raises
    ------
    DataFileError
        Rows with more than `MOST_COLUMNS` different fields.
    """
    import pandas

    columns: dict[str, list[Any]] = {name: [] for name in FIRST}
    count = 0
    for count, row in enumerate(rows, 1):
        for name, value in _fields(row):
            column = columns.setdefault(name, [])
            column.extend([None] * (count - 1 - len(column)))
            column.append(value)
        if len(columns) > MOST_COLUMNS:
            raise DataFileError(f"{where} has rows of more than {MOST_COLUMNS} different fields.")
    for column in columns.values():
        column.extend([None] * (count - len(column)))
    named = sorted(columns, key=_order)
    return pandas.DataFrame({name: pandas.Series(columns[name]) for name in named})


def check_suffix(path: str | os.PathLike[str]) -> Path:
    """`path`, once a table can be written under its name."""
    path = check_path("export", path)
    if path.suffix.lower() not in SUFFIXES:
        raise ArgumentError("export", path, f"must end in {' or '.join(SUFFIXES)}.")
    return path


def write_table(table: pandas.DataFrame, path: Path) -> Path:
    """Write a table as what its suffix says; Parquet's columns of several types become text."""
    if path.suffix.lower() == ".csv":
        return write_whole("export", path, table.to_csv(index=False))
    file = io.BytesIO()
    table.apply(_of_one_type).to_parquet(file, index=False)
    return write_whole("export", path, file.getvalue())


def _fields(row: Row) -> Iterator[tuple[str, Any]]:
    yield from ((name, getattr(row, name)) for name in FIRST)
    for group, values in (("version", row.versions), ("spec", row.spec), ("metrics", row.metrics)):
        yield from _flat(group, values)


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Fields of fields, joined by dots; a list is JSON.

    >>> dict(_flat("spec", {"data": {"rows": 5}, "pair": [3, 8]}))
    {'spec.data.rows': 5, 'spec.pair': '[3, 8]'}
    """
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(f"{name}.{key}", entry)
    else:
        yield name, json.dumps(value) if isinstance(value, (list, tuple)) else value


def _order(name: str) -> tuple[int, str]:
    group = name.partition(".")[0]
    place = FIRST.index(name) if name in FIRST else len(FIRST)
    return place + ("version", "spec", "metrics").index(group) if place == len(FIRST) else place, (
        "" if name in FIRST else name
    )


def _of_one_type(column: pandas.Series[Any]) -> pandas.Series[Any]:
    kinds = {type(value) for value in column.dropna()}
    mixed = column.dtype == object and len(kinds) > 1 and kinds != {int, float}
    return column.map(lambda value: None if value is None else str(value)) if mixed else column
