"""Our errors, and the argument checks that raise them: every message is written once, here.

A message names the argument, its value and the wish: ``"`width` (=7) must be even: ..."``.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sized
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._memory import free_memory
from softwidth._types import Array, Labels

SMALL = 2**24  # bytes that are not worth asking whether they are free
MOST = 10**150  # of anything that is counted: its square is still a floating-point number


class SoftwidthError(Exception):
    """Base of every error that softwidth raises on purpose; its message is one printable line."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), str(self))  # from a worker process it comes with its message


def _again(kind: type[SoftwidthError], message: str) -> SoftwidthError:
    return kind.__new__(kind, message)


def printable(text: str) -> str:
    r"""`text` on one line, with escapes in place of what would steer a terminal or turn text around.

    >>> print(printable("a\x1b[31m\u202eb"))
    a\x1b[31m\u202eb
    """
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class ArgumentError(SoftwidthError, ValueError):
    """An argument has a value that cannot be used.

    Parameters
    ----------
    name : str
        The argument's name.
    value : object
        Its value, shown shortened.
    wish : str
        What it should have been.
    """

    def __init__(self, name: str, value: object, wish: str) -> None:
        super().__init__(f"`{name}` (={shorten(value)}) {wish}")


class DataFileError(SoftwidthError, ValueError):
    """A file cannot be read as what it should be."""


class MissingDataError(SoftwidthError, LookupError):
    """Data that should be on this machine are not; the message says how to get them."""


class StoreError(SoftwidthError, OSError):
    """A store of results cannot be opened, read or written now; the message says why."""


class SweepError(SoftwidthError, RuntimeError):
    """Some trials of a sweep are not done; the message says why, and how to go on."""


class MemoryLimitError(SoftwidthError, MemoryError):
    """The work needs more memory, or disk in its place, than there is; the message says how much."""


def shorten(value: object, limit: int = 60) -> str:
    """A one-line text of `value`, at most `limit` characters.

    >>> shorten("a" * 100, limit=8)
    'aaaaa...'
    >>> shorten(np.zeros((3, 2)))
    'array of shape (3, 2)'
    """
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}"
    try:
        text = printable(str(value))
    except Exception:  # numbers of more digits than Python writes, and objects that cannot be told
        text = f"a {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def rows_text(rows: Iterable[int], most: int = 5) -> str:
    """Row numbers for a message: the first few, then how many more.

    >>> rows_text([3, 1, 4, 1, 5, 9, 2])
    '3, 1, 4, 1, 5 and 2 more'
    """
    rows = [int(row) for row in rows]
    shown = ", ".join(map(str, rows[:most]))
    return shown if len(rows) <= most else f"{shown} and {len(rows) - most} more"


def check_choice(name: str, value: str, options: Iterable[str]) -> str:
    """`value` if it is one of `options`; the error names the nearest option."""
    options = list(options)
    if isinstance(value, str) and value in options:
        return value
    text = value if isinstance(value, str) else ""
    near = difflib.get_close_matches(text, options, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? Choices" if near else "choices"
    raise ArgumentError(name, value, f"is unknown; {hint}: {', '.join(options)}.")


def is_real(value: Any) -> bool:
    """Whether `value` is a real number; numpy counts a span of time as a whole one."""
    return isinstance(value, Real) and not isinstance(value, np.timedelta64)


def check_number(
    name: str,
    value: Any,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    open_low: bool = False,
    allow_inf: bool = False,
) -> float:
    """`value` as a float in ``[low, high]`` (``(low, high]`` with `open_low`)."""
    wish = f"must be a number {'above' if open_low else 'of at least'} {low:g}"
    wish += f" and at most {high:g}." if np.isfinite(high) else "."
    try:
        number = float(value) if is_real(value) else np.nan
    except OverflowError:  # a whole number beyond the floating-point numbers
        raise ArgumentError(name, value, wish) from None
    too_low = number <= low if open_low else number < low
    infinite = np.isinf(number) and not allow_inf
    if np.isnan(number) or infinite or too_low or number > high:
        raise ArgumentError(name, value, wish)
    return number


def check_integer(name: str, value: int, *, low: int = 0) -> int:
    """`value` as an int of at least `low`."""
    whole = isinstance(value, (int, np.integer)) and is_real(value)
    if isinstance(value, bool) or not whole or value < low:
        raise ArgumentError(name, value, f"must be a whole number of at least {low}.")
    return int(value)


def check_count(name: str, value: int, *, low: int = 1) -> int:
    """`value` as a number of things: an int of at least `low` whose square is a float."""
    if check_integer(name, value, low=low) > MOST:
        raise ArgumentError(
            name, value, f"must be a whole number of at least {low}, at most 1e150."
        )
    return int(value)


def check_flag(name: str, value: Any) -> bool:
    """`value` as True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentError(name, value, "must be True or False.")
    return bool(value)


def check_width(name: str, width: int, *, paired: bool) -> int:
    """A width: positive, and even where the initialisation pairs the neurons."""
    width = check_count(name, width)
    if paired and width % 2:
        raise ArgumentError(
            name, width, "must be even: symmetric initialisation pairs the neurons."
        )
    return width


def check_names(name: str, value: Any) -> list[str]:
    """`value` as a list of texts, for example of columns; None is none of them."""
    if value is None:
        return []
    names = listed(value)
    if names is None or not all(isinstance(entry, str) for entry in names):
        raise ArgumentError(name, value, "must be a list of names.")
    return names


def listed(value: Any) -> list[Any] | None:
    """The entries of a list or of anything like it; None for a text, or for what has no entries.

    >>> listed((3, 8)), listed("3,8"), listed(np.array(3))
    ([3, 8], None, None)
    """
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
        return None
    try:
        return list(value)
    except TypeError:  # an array without axes calls itself iterable
        return None


def check_path(name: str, value: Any) -> Path:
    """`value` as a path that this machine could have."""
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    try:
        if isinstance(text, str) and b"\0" not in os.fsencode(text):
            return Path(text)
    except UnicodeEncodeError:  # half a character
        pass
    raise ArgumentError(name, value, "must be the path of a file or directory.")


def check_dtype(name: str, value: Any) -> np.dtype[Any]:
    """`value` as a type of floating-point numbers."""
    try:
        kind = np.dtype(value)
    except Exception:  # numpy takes the oddest things for descriptions of a type, and stumbles
        kind = np.dtype(object)
    if kind.kind != "f":
        raise ArgumentError(name, value, "must be a floating-point type.")
    return kind


def as_type(name: str, array: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """`array` in C order and of `dtype`: itself, or a copy if that fits into memory."""
    dtype = np.dtype(dtype)
    if array.dtype != dtype or not array.flags.c_contiguous:
        needed = array.size * dtype.itemsize
        if needed > SMALL:
            check_memory(f"`{name}` of shape {array.shape} in {dtype.name}", needed)
    with np.errstate(over="ignore", invalid="ignore"):  # what `dtype` cannot hold is seen later
        return np.asarray(array, dtype, order="C")


def check_numeric(name: str, values: Any, *, dtype: Any = None) -> np.ndarray[Any, Any]:
    """`values` as a numeric array, of `dtype` if given; objects, texts, complex are refused."""
    try:
        array = np.asarray(values)
    except Exception:  # rows of unequal length, in numpy's words; and objects that are no arrays
        raise ArgumentError(name, values, "must hold numbers, every row as many.") from None
    if array.dtype.kind not in "fiub":
        raise ArgumentError(
            name, array, f"must hold real numbers, not entries of type {array.dtype}."
        )
    return array if dtype is None else as_type(name, array, dtype)


def check_finite(name: str, array: Array) -> Array:
    """`array`, once no entry is NaN or infinite; the error names the rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum(dtype=np.float64)  # one pass, no mask, unless something is off
    if not np.isfinite(total):
        by_row = np.atleast_1d(array).reshape(len(array) if array.ndim else 1, -1)
        bad = np.flatnonzero(~np.isfinite(by_row).all(axis=1))
        if len(bad):
            raise ArgumentError(
                name, array, f"has NaN or infinite entries in rows {rows_text(bad)}."
            )
    return array


def check_matrix(name: str, X: Any, *, dtype: Any = np.float32) -> Array:
    """`X` as a C-ordered finite matrix of `dtype` with at least one row and one column."""
    array = check_numeric(name, X)
    if array.ndim != 2 or 0 in array.shape:
        raise ArgumentError(
            name, array, "must be a matrix (rows are samples) with at least one row and column."
        )
    return check_finite(name, as_type(name, array, dtype))


def check_lengths(name: str, X: Array) -> Array:
    """`X`, once every row has a squared length that is a number of its type."""
    with np.errstate(over="ignore"):
        bad = np.flatnonzero(~np.isfinite(np.einsum("nd,nd->n", X, X)))
    if len(bad):
        wish = f"has rows too long for {X.dtype}: {rows_text(bad)}. Scale them."
        raise ArgumentError(name, X, wish)
    return X


def check_same_length(name: str, array: Sized, other: str, n: int) -> None:
    """`array` must have as many rows as the argument `other`, that is `n`."""
    if len(array) != n:
        raise ArgumentError(
            name, f"{len(array)} rows", f"must have as many rows as `{other}` ({n})."
        )


def check_class_ids(name: str, y: Any, *, n_classes: int) -> Labels:
    """`y` as class ids ``0 .. n_classes-1``."""
    array = check_numeric(name, y)
    if array.ndim != 1 or len(array) == 0:
        raise ArgumentError(name, array, "must be a non-empty vector of class ids.")
    ids = as_type(name, array, np.int64)
    bad = np.flatnonzero((ids != array) | (ids < 0) | (ids >= n_classes))
    if len(bad):
        raise ArgumentError(
            name,
            array[bad[0]],
            f"must be a class id from 0 to {n_classes - 1} (rows {rows_text(bad)}).",
        )
    return ids


def check_weights(name: str, weights: Any, n: int) -> Array:
    """`weights` of `n` rows, scaled to mean 1 over the rows that weigh anything; float64.

    >>> check_weights("sample_weight", [2, 0, 6], 3).tolist()
    [0.5, 0.0, 1.5]
    """
    array = check_numeric(name, weights)
    if array.ndim != 1:
        raise ArgumentError(name, array, "must be a vector, a weight a row.")
    check_same_length(name, array, "X", n)
    array = check_finite(name, array.astype(np.float64))
    bad = np.flatnonzero(array < 0)
    if len(bad):
        raise ArgumentError(name, array, f"has negative weights in rows {rows_text(bad)}.")
    array = array / (array.max() or 1)  # the sum of very large ones would overflow
    if not array.any():
        raise ArgumentError(
            name, array, "must not be zero throughout: some weight has to be above 0."
        )
    return array / array[array > 0].mean()


def check_memory(what: str, needed: float, *, share: float = 1.0, wish: str = "") -> None:
    """`needed` bytes must fit into `share` of the memory that is free now."""
    free = share * free_memory()
    if needed > free:
        most = min(needed, 1e300)  # a whole number may be larger than any other
        told = f"{what} needs {most / 2**20:,.0f} MiB and {free / 2**20:,.0f} MiB are free for it"
        raise MemoryLimitError(f"{told}{wish and '; '}{wish}.")


def check_table(rows: int, classes: int) -> None:
    """A table of numbers in double precision, one for every row and class, must fit into memory."""
    needed = 8 * int(rows) * int(classes)  # numpy's own whole numbers would overflow
    if needed > SMALL:
        check_memory(f"a table of {rows:,} rows and {classes:,} classes", needed)


def check_room(name: str, given: Any) -> None:
    """An array in double precision must fit into memory, before anything looks at its entries.

    Broadcast and mapped arrays can be of any size; to look at all their entries could take days.
    """
    if isinstance(given, np.ndarray) and 8 * given.size > SMALL:
        check_memory(f"`{name}` of shape {given.shape} in double precision", 8 * given.size)


def check_rows_not_zero(name: str, not_zero: np.ndarray[Any, Any]) -> None:
    """Every row must have a direction: rows of zeros cannot be scaled to unit norm.

    `not_zero`, shape (N,), says of every row whether it has an entry other than 0.
    """
    zero = np.flatnonzero(~not_zero)
    if len(zero):
        raise ArgumentError(
            name,
            f"{len(not_zero)} rows",
            f"has rows of zeros, which have no direction to scale to unit norm: {rows_text(zero)}. "
            "Drop them, or load with normalise=False.",
        )
