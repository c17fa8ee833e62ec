"""A row: one finished student or trial, under the hash of everything that determines it."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from softwidth._checks import ArgumentError, check_number
from softwidth.store_curves import Curves

LARGEST_JSON = 2**16  # bytes of a spec or of metrics; a student's take 0.5 kB
LONGEST_STUDY = 200  # characters
LIBRARIES = ("numpy", "numba", "scipy", "scikit-learn")  # what numbers of a row may depend on


@dataclass(frozen=True, eq=False)
class Row:
    """One result; `Row.of` makes it with the versions and the machine of this process.

    Attributes
    ----------
    spec : dict
        Plain JSON: everything that determines the result, and nothing else (no threads, no engine).
    study : str
        Who asked for it first.
    metrics : dict
        Plain JSON: numbers, None, short words such as ``"status": "diverged"``. A number that is
        not finite is None.
    curves : dict of ndarray
        Small arrays of numbers, by name; empty where they were not asked for.
    seconds : float
        Its share of the time that its bank took.
    versions : dict
        Of softwidth, Python and the libraries.
    machine : str
        Where it was made.
    commit : str or None
        The commit of softwidth's source, if it was a checkout.
    created : str
        When, UTC, ISO 8601.
    """

    spec: Mapping[str, Any]
    study: str
    metrics: Mapping[str, Any]
    curves: Curves = field(default_factory=dict)
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    commit: str | None = None
    created: str = ""

    @property
    def id(self) -> str:
        """The hash of the spec, 32 hexadecimal digits."""
        return spec_id(self.spec)

    @classmethod
    def of(
        cls,
        spec: Mapping[str, Any],
        study: str,
        metrics: Mapping[str, Any],
        *,
        curves: Curves | None = None,
        seconds: float = 0.0,
    ) -> Row:
        """A row made here and now.

        >>> row = Row.of({"width": 8}, "demo", {"error": 0.25})
        >>> row.id == spec_id({"width": 8}), row.versions["softwidth"] != ""
        (True, True)
        """
        return cls(spec, study, metrics, curves or {}, seconds, **stamp())


def spec_id(spec: Mapping[str, Any]) -> str:
    """The id of a row: BLAKE2b of the spec's canonical JSON, 32 hexadecimal digits.

    The order of keys does not matter, tuples and lists are the same, 1 and 1.0 are not.

    >>> spec_id({"width": 8, "seed": 0}) == spec_id({"seed": 0, "width": 8})
    True
    >>> spec_id({"width": 8})
    'dbe80f1e7664799cd2d78af44a54e477'

    Raises
    ------
    ArgumentError
        A spec that is no plain JSON: NaN, arrays, keys that are not text.
    """
    return text_id(canonical("spec", spec))


def text_id(text: str) -> str:
    """The id that belongs to a canonical JSON text."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def canonical(name: str, value: Mapping[str, Any]) -> str:
    """The one JSON text of a mapping: keys sorted, no spaces, floats by their shortest repr.

    Raises
    ------
    ArgumentError
        Not plain JSON, or longer than `LARGEST_JSON`; `name` is the argument.
    """
    if not isinstance(value, Mapping):
        raise ArgumentError(name, value, "must be a mapping.")
    try:
        _check_keys(value)
        text = json.dumps(dict(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
        check_characters(text, value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(name, value, f"must be plain JSON: {error}.") from None
    if len(text) > LARGEST_JSON:
        raise ArgumentError(
            name, f"{len(text)} bytes", f"must take at most {LARGEST_JSON} bytes as JSON."
        )
    return text


def check_characters(text: str, value: Any) -> None:
    r"""Raise UnicodeEncodeError if `value`, read from or written to the JSON `text`, has half a character.

    JSON may escape one half of a surrogate pair alone, which no table and no page can hold.

    >>> check_characters(r'"\ud83d\ude00"', json.loads(r'"\ud83d\ude00"'))
    >>> check_characters(r'"\ud83d"', json.loads(r'"\ud83d"'))
    Traceback (most recent call last):
    ...
    UnicodeEncodeError: 'utf-8' codec can't encode character '\ud83d' in position 1: surrogates not allowed
    """
    if r"\u" in text:  # few are not plain ASCII, and only those are written once more
        json.dumps(value, ensure_ascii=False).encode()


def _check_keys(value: Any) -> None:
    """Keys are text: JSON would write 1 and "1" as one key."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if not isinstance(key, str):
                raise TypeError(f"key {key!r} is not text")
            _check_keys(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            _check_keys(entry)


def check_study(name: str, study: Any) -> str:
    """The name of a study: a line of printable text.

    Raises
    ------
    ArgumentError
        Empty, longer than `LONGEST_STUDY`, or with characters that cannot be printed.
    """
    if not isinstance(study, str) or not study.isprintable() or not 0 < len(study) <= LONGEST_STUDY:
        raise ArgumentError(
            name, study, f"must be 1 to {LONGEST_STUDY} printable characters on one line."
        )
    return study


def check_seconds(seconds: Any) -> float:
    """Seconds spent: finite, not negative."""
    return check_number("seconds", seconds, low=0.0)


def stamp() -> dict[str, Any]:
    """Versions, machine, commit and time of a row made now."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"versions": _versions(), "machine": _machine(), "commit": _commit(), "created": now}


@functools.cache
def _versions() -> dict[str, str]:
    from importlib.metadata import version

    from softwidth import __version__

    libraries = {name: version(name) for name in LIBRARIES}
    return {"softwidth": __version__, "python": platform.python_version(), **libraries}


@functools.cache
def _machine() -> str:
    import os

    return f"{platform.node() or 'unnamed'}, {platform.machine()}, {os.cpu_count()} cores"


@functools.cache
def _commit() -> str | None:
    """Of the checkout that this package runs from; with ``-dirty`` where files were changed."""
    import subprocess

    root = Path(__file__).parents[1]
    if not (root / ".git").exists():  # installed: the commit of a repository around it is not ours
        return None
    asked = [
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None
