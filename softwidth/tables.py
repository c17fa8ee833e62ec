"""Reading .csv and .parquet tables into features, labels and soft labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import DataFileError, check_memory
from softwidth._mapped import BLOCK_BYTES, converted, in_file
from softwidth._memory import free_memory
from softwidth.archives import SAFE_SHARE, Arrays
from softwidth.table_columns import ColumnReader, Columns
from softwidth.table_formats import TABLES, Format, parsed

__all__ = ["TABLES", "Columns", "read_table"]

BYTES_A_CELL = 40  # while a table is read: the parser's copy, the columns, one matrix, its float32
BYTES_A_COLUMN = 4_000  # however few its rows: pandas took 3,246 in a table of 100,000 columns
BYTES_A_LABEL = 80  # of the target's column, as text in pieces, then whole, where it is short
BYTES_A_NUMBER = 24  # of soft labels: in pieces, together, and in the order of the classes


def read_table(path: Path, columns: Columns) -> tuple[Arrays, list[str]]:
    """``X, y[, soft][, sample_weight]`` of a table with a suffix of `TABLES`, and notes on how it was read.

    Where it does not fit into memory, it is read piece by piece, and the features lie in a file. A
    first column without a name that counts some rows only is then refused, and not a feature.

    Raises
    ------
    DataFileError, ArgumentError, MemoryLimitError
        Unreadable; columns that are missing, of text, or without labels; labels that do not fit into
        memory, or features that do not fit on disk.
    """
    form, reader = TABLES[path.suffix.lower()], ColumnReader(columns)
    rows, width = parsed(path, form.shape)
    if width * (BYTES_A_COLUMN + BYTES_A_CELL * rows) <= SAFE_SHARE * free_memory():
        X = reader.take(_named(path, parsed(path, form.read)))
        others, notes = reader.others(lambda column: column)
    else:
        X = _features_in_file(path, form, reader, rows, width)
        check_memory(f"labels of {path.name}", reader.bytes_of_others(), share=SAFE_SHARE)
        others, notes = reader.others(
            lambda column: parsed(path, lambda path: form.typed(path, column))
        )
    return {"X": X, **others}, notes


def _features_in_file(
    path: Path, form: Format, reader: ColumnReader, rows: float, width: int
) -> np.ndarray[Any, Any]:
    """The features in single precision, the reader having taken all pieces."""
    few = max(1, BLOCK_BYTES // (BYTES_A_CELL * width))  # of a piece
    others = rows * (BYTES_A_LABEL + BYTES_A_NUMBER * (len(reader.columns.soft) + 1))
    column = BYTES_A_COLUMN + form.page + BYTES_A_CELL * few
    what = f"reading {path.name} in pieces"
    check_memory(what, width * column + others, share=SAFE_SHARE)
    target = reader.columns.target
    pieces = _pieces(path, form, few, target if isinstance(target, str) else None)
    blocks = (converted(reader.take(piece), np.float32) for piece in pieces)
    return in_file(blocks, what, 4 * rows * width)


def _pieces(path: Path, form: Format, rows: int, target: str | None) -> Iterator[Any]:
    """Tables of at most so many rows, one after the other."""
    pieces, none = parsed(path, lambda path: form.pieces(path, rows, target)), True
    while (piece := parsed(path, lambda _: next(pieces, None))) is not None:
        yield _named(path, piece)
        none = False
    if none:
        raise DataFileError(f"{path.name} has no rows.")


def _named(path: Path, table: Any) -> Any:
    """A table with rows, and columns of different names."""
    table = table.rename(columns=str)
    if len(table) == 0:
        raise DataFileError(f"{path.name} has no rows.")
    if not table.columns.is_unique:
        raise DataFileError(f"{path.name} has two columns of one name.")
    return table
