"""Rows that lie in a file: those that do not fit into memory, read and written block by block.

An array of them is an array like any other, but read-only, and the system fetches its numbers when
they are looked at. The files have no names: nothing is left behind, however the program ends.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import MemoryLimitError
from softwidth._memory import free_memory
from softwidth._progress import progress

Rows = np.ndarray[Any, Any]

BLOCK_BYTES = 2**24  # of the rows that are read and written at a time
SMALL_SHARE = 1 / 16  # of the free memory: rows taken out of a file that are kept in memory


def is_mapped(X: Any) -> bool:
    """Whether the numbers of an array lie in a file."""
    while isinstance(X, np.ndarray):
        X = X.base
    return isinstance(X, mmap.mmap)


def row_blocks(X: Rows, n: int | None = None) -> Iterator[slice]:
    """Slices of `n` (all) consecutive rows like those of `X`, of `BLOCK_BYTES` or one row each."""
    n = len(X) if n is None else n
    step = max(1, BLOCK_BYTES // max(1, X[:1].nbytes))
    return (slice(start, start + step) for start in range(0, n, step))


def take_rows(X: Rows, chosen: Rows) -> Rows:
    """The rows chosen by number or mask; many rows of a file are copied into another one.

    Raises
    ------
    MemoryLimitError
        The disk has no room for them.
    """
    if not is_mapped(X):
        return np.asarray(X[chosen])
    numbers = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    blocks = (X[numbers[rows]] for rows in row_blocks(X, len(numbers)))
    return _placed(blocks, (len(numbers), *X.shape[1:]), X.dtype, "copying rows")


def changed_rows(
    X: Rows, change: Callable[[Rows], Rows], what: str, *, columns: int | None = None
) -> Rows:
    """`change` of blocks of rows, below each other: in a file where `X` lies in one and is large.

    Parameters
    ----------
    X : ndarray, shape (N, D)
    change : callable
        Gives rows of the same type for rows.
    what : str
        Is being done, for progress and messages.
    columns : int, optional
        Of the rows that it gives, where they are not D.

    Raises
    ------
    MemoryLimitError
        The disk has no room for them.
    """
    shape = (len(X), X.shape[1] if columns is None else columns)
    blocks = (change(X[rows]) for rows in row_blocks(X))
    if is_mapped(X):
        return _placed(blocks, shape, X.dtype, what)
    return _in_memory(blocks, shape, X.dtype)


def as_rows(X: Rows, dtype: Any) -> Rows:
    """Rows of a file in C order and of `dtype`; those in memory are left as they are."""
    dtype = np.dtype(dtype)
    if not is_mapped(X) or (X.dtype == dtype and X.flags.c_contiguous):
        return X
    return _placed(converted_blocks(X, dtype), X.shape, dtype, "converting rows")


def converted(X: Rows, dtype: Any) -> Rows:
    """Rows in C order and of `dtype`; what it cannot hold becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(X, dtype, order="C")


def converted_blocks(X: Rows, dtype: Any) -> Iterator[Rows]:
    """Blocks of `X`, `converted`."""
    return (converted(X[rows], dtype) for rows in row_blocks(X))


def in_file(blocks: Iterable[Rows], what: str, needed: float) -> Rows:
    """Blocks of rows below each other in a file, mapped for reading.

    Parameters
    ----------
    blocks : iterable of ndarray
        At least one, all alike but for their numbers of rows.
    what : str
        Is being done, for progress and messages.
    needed : float
        Bytes that the file will take, by estimate.

    Raises
    ------
    MemoryLimitError
        The disk has no room for it; the message says how much is needed.
    """
    directory = scratch_directory()
    _check_disk(what, needed, directory)
    with tempfile.TemporaryFile(dir=directory) as file, progress(what, needed) as shown:
        for block in blocks:
            try:
                file.write(np.ascontiguousarray(block).data)
            except OSError as error:  # the disk is full, or a quota is
                told = f"{what}: {file.tell() / 2**20:,.0f} MiB were written in {directory}, then {error.strerror}"  # fmt: skip
                raise MemoryLimitError(f"{told}. TMPDIR names another place.") from None
            shown.update(file.tell())
        file.flush()
        shape = (file.tell() // (block.itemsize * prod(block.shape[1:])), *block.shape[1:])
        if shape[0] == 0:  # of nothing there is no map
            return np.empty(shape, block.dtype)
        try:
            return np.asarray(np.memmap(file, block.dtype, "r", shape=shape))
        except OSError as error:  # `ulimit -v` counts mapped files too
            told = f"{what}: {file.tell() / 2**20:,.0f} MiB cannot be mapped: {error.strerror}."
            raise MemoryLimitError(told) from None


def scratch_directory() -> Path:
    """Where rows are put that do not fit into memory: ``$TMPDIR`` if it is there, or the user's cache.

    Not the system's place for temporary files, which on many machines lies in memory: that only
    where neither can be written to.
    """
    from platformdirs import user_cache_path

    cache = user_cache_path("softwidth")
    with suppress(OSError):  # then it cannot be written to either
        cache.mkdir(parents=True, exist_ok=True)
    places = [Path(named) for named in [os.environ.get("TMPDIR")] if named] + [cache]
    usable = (place for place in places if place.is_dir() and os.access(place, os.W_OK))
    return next(usable, Path(tempfile.gettempdir()))


def _check_disk(what: str, needed: float, directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if needed > free:
        told = f"{what} needs {min(needed, 1e300) / 2**20:,.0f} MiB of disk, since rows do not fit into memory"
        raise MemoryLimitError(
            f"{told}, and {free / 2**20:,.0f} MiB are free in {directory}. TMPDIR names another place."
        )


def _placed(blocks: Iterable[Rows], shape: tuple[int, ...], dtype: Any, what: str) -> Rows:
    """Blocks that come out of a file: below each other in memory if they are few."""
    needed = float(prod(shape)) * np.dtype(dtype).itemsize
    if needed <= SMALL_SHARE * free_memory():
        return _in_memory(blocks, shape, dtype)
    return in_file(blocks, what, needed)


def _in_memory(blocks: Iterable[Rows], shape: tuple[int, ...], dtype: Any) -> Rows:
    out, start = np.empty(shape, dtype), 0
    for block in blocks:
        out[start : start + len(block)] = block
        start += len(block)
    return out
