"""How .csv and .parquet tables are read, whole or piece by piece, and how large they are."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from softwidth._checks import DataFileError, MemoryLimitError, SoftwidthError

SAMPLE = 2**16  # bytes of text from which the number of rows is estimated
BUFFER = 2**16  # bytes of a column that are read at a time
LONGEST = 2**26  # bytes of a line that are looked at for the number of columns
PAGE = 2**21  # bytes of a page of a .parquet column, unpacked: 1 MiB as it is usually written
T = TypeVar("T")


@dataclass(frozen=True)
class Format:
    """How a table is read, and how many rows and columns it has (for text, by estimate).

    Attributes
    ----------
    read : callable
        The table of a path.
    pieces : callable
        The same as tables of so many rows, of a path, these rows, and a column that is to be typed
        by `typed` once all of it is there.
    page : int
        Bytes of a column that reading pieces holds beside them.
    typed : callable
        Of a path and all of that column, as it came in pieces: with the type of the whole.
    shape : callable
        Rows and columns of a path.
    """

    read: Callable[[Path], Any]
    pieces: Callable[[Path, int, str | None], Iterator[Any]]
    typed: Callable[[Path, Any], Any]
    shape: Callable[[Path], tuple[float, int]]
    page: int = 0


SEPARATORS = ",;\t"
NUMBER = r'(?:^|[;\t])\s*"?[-+]?\d+{}\d+(?:[eE][-+]?\d+)?"?\s*(?:[;\t]|$)'  # around a mark


def _read_csv(path: Path) -> Any:
    import pandas

    with _strictly():
        return pandas.read_csv(path, **_dialect(path))


def _csv_pieces(path: Path, rows: int, text: str | None) -> Iterator[Any]:
    """A column `text` stays text: a part of it could be of another type than the whole."""
    import pandas

    kinds = {} if text is None else {text: str}
    with pandas.read_csv(path, chunksize=rows, dtype=kinds, **_dialect(path)) as pieces:
        while True:
            with _strictly():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece


def _csv_typed(path: Path, column: Any) -> Any:
    """The column as if it had been read with the whole table."""
    import pandas

    dialect = _dialect(path)
    text = column.to_csv(index=False, sep=dialect["sep"], quoting=csv.QUOTE_ALL)
    return pandas.read_csv(io.StringIO(text), **dialect).iloc[:, 0]


def _dialect(path: Path) -> dict[str, Any]:
    """How pandas is to read a text.

    A column's type is decided on all its rows; a first row that is longer than the header would
    make row names of its first fields, and label every column with its neighbour.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        header, sample = file.readline(LONGEST), file.read(SAMPLE)
    separator = max(SEPARATORS, key=header.count)
    decimal = "," if separator != "," and _has_decimal_commas(sample) else "."
    return {
        "sep": separator, "decimal": decimal, "skipinitialspace": True, "low_memory": False,
        "index_col": False,
    }  # fmt: skip


@contextmanager
def _strictly() -> Iterator[None]:
    """Rows that would be cut to the header are an error."""
    import pandas

    with warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)
        yield


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


def _parquet_pieces(path: Path, rows: int, text: str | None) -> Iterator[Any]:
    import pyarrow.parquet

    # Without these two it holds a whole group of rows, a million as a rule.
    with pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as file:
        for batch in file.iter_batches(rows):
            yield batch.to_pandas()


def _parquet_shape(path: Path) -> tuple[float, int]:
    import pyarrow.parquet

    about = pyarrow.parquet.read_metadata(path)
    return float(about.num_rows), int(about.num_columns)


TABLES: Mapping[str, Format] = {
    ".csv": Format(_read_csv, _csv_pieces, _csv_typed, _csv_shape),
    ".parquet": Format(
        _read_parquet, _parquet_pieces, lambda path, column: column, _parquet_shape, PAGE
    ),
}


def parsed(path: Path, read: Callable[[Path], T]) -> T:
    """What `read` gives of a path, whatever goes wrong in it being one of our errors."""
    try:
        return read(path)
    except SoftwidthError:
        raise
    except MemoryError:
        raise MemoryLimitError(f"{path.name} does not fit into memory.") from None
    except Exception as error:  # parsers raise what they like on a broken file
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataFileError(f"{path.name} is not a readable {path.suffix} file: {told}") from None
