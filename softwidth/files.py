"""Reading users' files: .npz, .csv and .parquet into plain arrays, or one of our errors.

Nothing is unpickled, and an archive is refused by its declared sizes before it is unpacked.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    MemoryLimitError,
    MissingDataError,
    check_choice,
)

Arrays = dict[str, np.ndarray[Any, Any]]

KERAS_KEYS = {"x_train": "X", "y_train": "y", "x_test": "X_test", "y_test": "y_test"}
SAFE_PART = 0.8  # of the free memory: what an archive may unpack to


def read_arrays(
    path: Path, *, target: str | None, soft_columns: Sequence[str] | None, soft_key: str
) -> tuple[Arrays, list[str]]:
    """The arrays of a file under the keys ``X, y[, soft]`` and their parts, and notes on them.

    Parameters
    ----------
    path : Path
        A ``.npz``, ``.csv`` or ``.parquet`` file.
    target, soft_columns : str and list of str, optional
        Label column and soft-label columns of a table; every other column is a feature.
    soft_key : str
        Name of the soft labels in an archive.

    Raises
    ------
    MissingDataError, DataFileError, ArgumentError, MemoryLimitError
        No such file; unreadable; wrong columns or keys; larger than memory.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no file {str(path)!r}.")
    if path.suffix == ".npz":
        return _with_soft_key(_rename(load_npz(path)), soft_key), []
    reader = _TABLES.get(path.suffix)
    if reader is None:
        raise ArgumentError("source", path.name, f"must end in .npz, {', '.join(_TABLES)}.")
    return _from_table(_read_table(path, reader), target, list(soft_columns or []))


def load_npz(path: Path) -> Arrays:
    """All arrays of an archive, without pickles and not beyond the memory that is free."""
    try:
        with zipfile.ZipFile(path) as archive:
            declared = sum(entry.file_size for entry in archive.infolist())
        free = int(SAFE_PART * psutil.virtual_memory().available)
        if declared > free:
            raise MemoryLimitError(
                f"{path.name} unpacks to {declared / 2**20:,.0f} MiB, "
                f"and {free / 2**20:,.0f} MiB are free for it."
            )
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except MemoryError as error:
        if isinstance(error, MemoryLimitError):
            raise
        raise MemoryLimitError(f"{path.name} does not fit into memory.") from None
    except Exception as error:  # zip, header and codec errors come in a dozen classes
        raise DataFileError(
            f"{path.name} is not a readable .npz file: {_first_line(error)}"
        ) from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _rename(arrays: Arrays) -> Arrays:
    if "X" in arrays or not set(arrays) & set(KERAS_KEYS):
        return arrays
    return {KERAS_KEYS.get(key, key): array for key, array in arrays.items()}


def _with_soft_key(arrays: Arrays, soft_key: str) -> Arrays:
    for key in ("X", "y"):
        if key not in arrays:
            raise DataFileError(
                f"the archive has no array {key!r} (it has {', '.join(arrays) or 'none'})."
            )
    if soft_key != "soft":
        check_choice("soft_key", soft_key, [key for key in arrays if key not in ("X", "y")])
        arrays["soft"] = arrays.pop(soft_key)
        for split in ("val", "test"):
            if f"{soft_key}_{split}" in arrays:
                arrays[f"soft_{split}"] = arrays.pop(f"{soft_key}_{split}")
    return arrays


def _read_csv(path: Path) -> Any:
    import pandas

    return pandas.read_csv(path)


def _read_parquet(path: Path) -> Any:
    import pandas

    return pandas.read_parquet(path)


_TABLES: Mapping[str, Callable[[Path], Any]] = {".csv": _read_csv, ".parquet": _read_parquet}


def _read_table(path: Path, reader: Callable[[Path], Any]) -> Any:
    try:
        table = reader(path)
    except Exception as error:  # parsers raise what they like on a broken file
        raise DataFileError(
            f"{path.name} is not a readable {path.suffix} file: {_first_line(error)}"
        ) from None
    if len(table) == 0:
        raise DataFileError(f"{path.name} has no rows.")
    return table.rename(columns=str)


def _from_table(
    table: Any, target: str | None, soft_columns: list[str]
) -> tuple[Arrays, list[str]]:
    columns = list(table.columns)
    if target is None:
        raise ArgumentError("target", None, f"must name the label column: {', '.join(columns)}.")
    for name, column in (("target", target), *(("soft_columns", c) for c in soft_columns)):
        check_choice(name, column, columns)
    if table[target].isna().any():
        rows = np.flatnonzero(table[target].isna())
        raise ArgumentError("target", target, f"has no label in row {rows[0]}.")
    features = [column for column in columns if column not in {target, *soft_columns}]
    if not features:
        raise DataFileError("the table has no feature columns beside the labels.")
    arrays = {"X": _numbers(table, features), "y": table[target].to_numpy()}
    if arrays["y"].dtype.kind not in "fiub":
        arrays["y"] = arrays["y"].astype(str)
    if not soft_columns:
        return arrays, []
    ordered, notes = _in_class_order(soft_columns, np.unique(arrays["y"]))
    return {**arrays, "soft": _numbers(table, ordered)}, notes


def _numbers(table: Any, columns: list[str]) -> np.ndarray[Any, Any]:
    for column in columns:
        if table[column].dtype.kind not in "fiub":
            raise ArgumentError(
                "source", column, "is a column of text; features and soft labels must be numbers."
            )
    return np.asarray(table[columns].to_numpy())


def _in_class_order(
    soft_columns: list[str], labels: np.ndarray[Any, Any]
) -> tuple[list[str], list[str]]:
    """Soft columns in the order of the sorted labels: by name where the names tell, else as given."""
    names = [str(label) for label in labels]
    for column_of in (str, lambda name: name.rsplit("_", 1)[-1]):
        by_name = {column_of(column): column for column in soft_columns}
        if set(by_name) == set(names):
            return [by_name[name] for name in names], []
    pairs = ", ".join(f"{c} = {n}" for c, n in zip(soft_columns, names, strict=False))
    return soft_columns, [f"Soft columns were taken in the order of the sorted labels: {pairs}."]
