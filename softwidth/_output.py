"""Files that are whole or not there: written beside their place and renamed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from softwidth._checks import ArgumentError, check_path


def check_directory(name: str, path: str | os.PathLike[str]) -> Path:
    """`path`, once a directory can be made there; nothing is made yet.

    Raises
    ------
    ArgumentError
        If something else stands there or it may not be written to; `name` is the argument that
        gave it.
    """
    directory = check_path(name, path)
    nearest = directory.absolute()
    while not os.path.exists(nearest):
        nearest = nearest.parent
    if not nearest.is_dir():
        raise ArgumentError(name, path, f"must be a directory, and {nearest} is a file.")
    if not os.access(nearest, os.W_OK):
        raise ArgumentError(name, path, f"must be a directory to write to: {nearest} is read-only.")
    return directory


def write_whole(name: str, path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write `content` to `path`, which other readers see complete or not at all.

    A link stays and what it points to is replaced; a device or a pipe is written to, never replaced
    (``--out /dev/null`` by root would leave a file in its place).

    Raises
    ------
    ArgumentError
        If it cannot be written; nothing is left behind.
    """
    given = check_path(name, path)
    data = content.encode(errors="replace") if isinstance(content, str) else content
    try:
        target = Path(os.path.realpath(given))
        if os.path.exists(target) and not (target.is_file() or target.is_dir()):
            target.write_bytes(data)
        else:
            _replace(target, data)
    except OSError as error:
        raise ArgumentError(name, path, f"cannot be written: {_why(error)}.") from None
    return given


def _replace(target: Path, data: bytes) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        os.replace(beside, target)
    except OSError:
        with contextlib.suppress(OSError):  # its directory may be no directory
            beside.unlink()
        raise


def _why(error: OSError) -> str:
    return str(error.strerror or error).lower()
