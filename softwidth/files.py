"""Users' files and arrays under the names that the rest of the package knows.

Those names are ``X, y[, soft][, sample_weight]`` and the same with ``_val`` and ``_test``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    MissingDataError,
    check_choice,
    check_names,
)
from softwidth.archives import Arrays, load_npz, names
from softwidth.tables import TABLES, Columns, read_table

ROLES = {"x": "X", "y": "y", "sample_weight": "sample_weight"}
SPLITS = {None: "", "train": "", "val": "_val", "test": "_test"}


def read_arrays(
    path: Path,
    *,
    target: str | None = None,
    soft_columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    ignore_columns: Sequence[str] | None = None,
    soft_key: str = "soft",
) -> tuple[Arrays, list[str]]:
    """The arrays of a file under the names ``X, y[, soft]`` and their parts, and notes on them.

    Parameters
    ----------
    path : Path
        A ``.npz``, ``.csv`` or ``.parquet`` file.
    target, soft_columns, weight_column, ignore_columns : optional
        Columns of a table: of labels, soft labels and row weights, and others that are no features.
    soft_key : str
        Name of the soft labels in an archive.

    Raises
    ------
    MissingDataError, DataFileError, ArgumentError, MemoryLimitError
        No such file; unreadable; wrong columns or keys; larger than memory.
    """
    if not os.path.isfile(path):  # of a name too long, or with a NUL, it says no
        raise MissingDataError(f"there is no file {str(path)!r}.")
    kind = path.suffix.lower()
    if kind == ".npz":
        refuse_table_settings(target, soft_columns, weight_column, ignore_columns)
        return _read_archive(path, soft_key), []
    if kind not in TABLES:
        raise ArgumentError("source", path.name, f"must end in .npz, {', '.join(TABLES)}.")
    if not isinstance(soft_key, str) or soft_key != "soft":
        raise ArgumentError(
            "soft_key", soft_key, "is for .npz files; a table has `soft_columns` instead."
        )
    soft, ignored = check_names("soft_columns", soft_columns), check_names("ignore_columns", ignore_columns)  # fmt: skip
    return read_table(path, Columns(target, soft, weight_column, ignored))


def _read_archive(path: Path, soft_key: str) -> Arrays:
    keys = names(path)
    stored = stored_names(keys, soft_key)
    for name in ("X", "y"):
        if name not in stored:
            raise DataFileError(f"{path.name} has no array `{name}` (it has {', '.join(keys)}).")
    rows = [key for name, key in stored.items() if name.startswith("X")]
    arrays = load_npz(path, stored.values(), rows=rows)
    return {name: arrays[key] for name, key in stored.items()}


def refuse_table_settings(
    target: str | None,
    soft_columns: Sequence[str] | None,
    weight_column: str | None = None,
    ignore_columns: Sequence[str] | None = None,
) -> None:
    """What is said of a table's columns must not be ignored where there is no table."""
    given = (
        ("target", target or ""),
        ("soft_columns", check_names("soft_columns", soft_columns)),
        ("weight_column", weight_column or ""),
        ("ignore_columns", check_names("ignore_columns", ignore_columns)),
    )
    for name, value in given:
        if value:
            raise ArgumentError(name, value, "is for .csv and .parquet files only.")


def stored_names(keys: Iterable[str], soft_key: Any = "soft") -> dict[str, str]:
    """Which of the keys is meant by each of the names ``X, y, soft, X_val, ...``.

    Keras's ``x_train, y_train, x_test, y_test`` are known, and capitals do not matter.

    Raises
    ------
    ArgumentError, DataFileError
        `soft_key` is not there (the nearest is named), or two keys mean the same.

    Examples
    --------
    >>> stored_names(["x_train", "y_train", "votes", "id"], soft_key="votes")
    {'X': 'x_train', 'y': 'y_train', 'soft': 'votes'}
    """
    if not isinstance(soft_key, str):
        raise ArgumentError("soft_key", soft_key, "must be the name of an array.")
    keys = list(keys)
    roles = {**ROLES, soft_key.lower(): "soft"}
    form = re.compile(rf"({'|'.join(map(re.escape, roles))})(?:_(train|val|test))?", re.IGNORECASE)
    found: dict[str, str] = {}
    for key in keys:
        match = form.fullmatch(key)
        if match:
            name = roles[match[1].lower()] + SPLITS[match[2] and match[2].lower()]
            if name in found:
                raise DataFileError(f"both `{found[name]}` and `{key}` could be `{name}`.")
            found[name] = key
    if soft_key != "soft" and "soft" not in found:
        check_choice("soft_key", soft_key, [key for key in keys if key not in found.values()])
    return found


def from_mapping(given: Mapping[str, Any], soft_key: str = "soft") -> dict[str, Any]:
    """A user's arrays under the names of this package; they are not to be written to."""
    keys = [key for key in given if isinstance(key, str)]
    names = stored_names(keys, soft_key)
    return {name: _read_only(given[key]) for name, key in names.items()}


def _read_only(given: Any) -> Any:
    if not hasattr(given, "__array__"):  # lists are copied anyway
        return given
    view = np.asarray(given).view()
    view.flags.writeable = False
    return view
