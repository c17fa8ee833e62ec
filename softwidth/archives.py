"""Reading .npz archives: nothing is unpickled, and sizes are asked for before anything is unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from math import prod
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

import numpy as np

from softwidth._checks import DataFileError, MemoryLimitError, SoftwidthError, check_memory
from softwidth._mapped import BLOCK_BYTES, in_file
from softwidth._memory import free_memory

Arrays = dict[str, np.ndarray[Any, Any]]

MOST_MEMBERS = 1000  # arrays of an archive
SAFE_SHARE = 0.8  # of the free memory: what reading may take
BYTES_AN_ENTRY = 12  # of a matrix once read: as float32, cut into parts, and noise on them
T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """An array as its header declares it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Literal["C", "F"] = "C"

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return prod(self.shape) * self.dtype.itemsize


def entries(path: Path) -> dict[str, Entry]:
    """What the arrays of an archive are declared to be; only headers are read.

    Raises
    ------
    DataFileError
        Not an archive of arrays, or an array that is shorter or longer than its header says.
    """
    return _reading(path, lambda: _entries(path))


def names(path: Path) -> list[str]:
    """The names of an archive's arrays; only its directory is read.

    Raises
    ------
    DataFileError
        Not an archive, two arrays of one name, or thousands of them.
    """
    return _reading(path, lambda: _names(path))


def load_npz(path: Path, keys: Iterable[str], *, rows: Iterable[str] = ()) -> Arrays:
    """These arrays of an archive; where they do not fit into memory, those called `rows` in files.

    Raises
    ------
    DataFileError
        An unreadable archive, a missing array, or one of Python objects.
    MemoryLimitError
        Arrays that need more than is free, in memory or on disk; the message says how much.
    """
    found, keys = entries(path), list(keys)
    for key in keys:
        _refuse_what_is_no_array(path, key, found)
    wanted = {key: found[key] for key in keys}
    large = set(rows) if bytes_to_read(wanted) > SAFE_SHARE * free_memory() else set()
    others = {key: entry for key, entry in wanted.items() if key not in large}
    check_memory(f"reading {path.name}", bytes_to_read(others), share=SAFE_SHARE)
    return _reading(path, lambda: _load(path, keys, large))


def bytes_to_read(wanted: Mapping[str, Entry]) -> int:
    """Memory that reading these arrays and making a task of them takes, in bytes."""
    stored = sum(entry.size for entry in wanted.values())
    matrices = sum(prod(entry.shape) for entry in wanted.values() if len(entry.shape) > 1)
    return stored + BYTES_AN_ENTRY * matrices


def _refuse_what_is_no_array(path: Path, key: str, found: Mapping[str, Entry]) -> None:
    if key not in found:
        has = ", ".join(found) or "none"
        raise DataFileError(f"{path.name} has no array `{key}` (it has {has}).")
    if found[key].dtype.hasobject:
        raise DataFileError(
            f"array `{key}` of {path.name} holds Python objects, which are never unpickled: save "
            "numbers, or text as a plain array of strings."
        )


def _reading(path: Path, read: Callable[[], T]) -> T:
    """The result of `read`, whatever goes wrong in it being one of our errors."""
    try:
        return read()
    except SoftwidthError:
        raise
    except MemoryError:
        raise MemoryLimitError(f"{path.name} does not fit into memory.") from None
    except Exception as error:  # zip, header and codec errors come in a dozen classes
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataFileError(f"{path.name} is not a readable .npz file: {told}") from None


def _load(path: Path, keys: list[str], large: Container[str]) -> Arrays:
    """Not by `np.load`: of members `X` and `X.npy` it reads the one whose size nobody asked for."""
    with zipfile.ZipFile(path) as archive:
        members = _members(archive)
        return {key: (_in_file if key in large else _array)(archive, members[key]) for key in keys}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    with archive.open(member) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read(1)  # at the end of the member its checksum is compared
    return np.asarray(array)


def _in_file(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    """An array in a file of its own, as the archive may have compressed it."""
    with archive.open(member) as stream:
        entry = _header(stream)
        pieces = iter(lambda: stream.read(BLOCK_BYTES), b"")  # to the end, where the checksum is
        blocks = (np.frombuffer(piece, np.uint8) for piece in chain([b""], pieces))
        what = f"unpacking {member.filename} of {Path(archive.filename or '').name}"
        numbers = in_file(blocks, what, entry.size)
    return numbers.view(entry.dtype).reshape(entry.shape, order=entry.order)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members that are arrays, by the names of the arrays."""
    arrays = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    if len(arrays) > MOST_MEMBERS:
        raise DataFileError(f"it holds {len(arrays):,} arrays; at most {MOST_MEMBERS:,} are read.")
    found = {member.filename.removesuffix(".npy"): member for member in arrays}
    if len(found) < len(arrays):
        raise DataFileError("two arrays of the archive have one name.")
    return found


def _entries(path: Path) -> dict[str, Entry]:
    with zipfile.ZipFile(path) as archive:
        return {key: _entry(archive, member) for key, member in _members(archive).items()}


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return list(_members(archive))


def _entry(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Entry:
    with archive.open(member) as stream:
        entry = _header(stream)
        declared = stream.tell() + entry.size
    if not entry.dtype.hasobject and declared != member.file_size:
        raise DataFileError(
            f"{member.filename} takes {member.file_size} bytes where its header says {declared}."
        )
    return entry


def _header(stream: IO[bytes]) -> Entry:
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise DataFileError(f"format {version} of arrays is not read.")
    shape, by_columns, dtype = read(stream)
    return Entry(shape, dtype, "F" if by_columns else "C")
