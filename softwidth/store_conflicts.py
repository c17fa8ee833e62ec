"""Rows that were stored already beside what came now: the same numbers, or a warning that they differ.

Equal specs give equal rows to the last bit on processors of one type, and the first row of an id
stays. A second one with other numbers is no fault of the store and stops nothing (another processor
rounds otherwise), but it must not pass unseen: it may also be that data or code have changed.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from softwidth._checks import SoftwidthError
from softwidth.store_curves import unpack
from softwidth.store_schema import rows

logger = logging.getLogger("softwidth.store")

ASKED = 500  # rows compared at a time, with their curves
SHOWN = 60  # characters of a number shown, which may be a text


@dataclass(frozen=True)
class Conflict:
    """A stored row, and what came under its id with other numbers.

    Attributes
    ----------
    id, study, name : str
        The row, and the first metric or curve that differs.
    stored, came : str
        What it is in the store and in the row that came, and who made either.
    """

    id: str
    study: str
    name: str
    stored: str
    came: str


def conflicts(
    connection: Connection, records: Sequence[dict[str, Any]], new: set[str]
) -> list[Conflict]:
    """Those of the records that differ from what is stored under their ids.

    Parameters
    ----------
    records : sequence of dict
        As `store_codec.encoded` makes them, all of them stored by now.
    new : set of str
        Ids that these records themselves have brought; of those, only repeated ones are looked at.
    """
    often = Counter(record["id"] for record in records)
    doubtful = [r for r in records if r["id"] not in new or often[r["id"]] > 1]
    found: list[Conflict] = []
    for start in range(0, len(doubtful), ASKED):
        some = doubtful[start : start + ASKED]
        query = select(rows).where(rows.c.id.in_({record["id"] for record in some}))
        stored = {record.id: record._mapping for record in connection.execute(query)}
        found += [c for record in some if (c := _compared(stored.get(record["id"]), record))]
    return found


def warn(found: Sequence[Conflict], where: str) -> None:
    """Say how many there are, and what the first is."""
    if not found:
        return
    first = found[0]
    logger.warning(
        "%s: %d row%s came with other numbers than are stored under the same id; the stored ones stay. "
        "Row %s of %r: `%s` is %s, and came as %s. Processors of another type round otherwise; if it "
        "is more than that, data or code have changed.",
        where, len(found), "" if len(found) == 1 else "s",
        first.id, first.study, first.name, first.stored, first.came,
    )  # fmt: skip


def _compared(stored: Any, came: dict[str, Any]) -> Conflict | None:
    if stored is None:  # another writer has deleted it
        return None
    for name, one, other in _differing(stored, came):
        return Conflict(came["id"], came["study"], name, _made(one, stored), _made(other, came))
    return None


def _differing(stored: Any, came: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Names and values of what is not equal to the last bit."""
    if stored["metrics"] != came["metrics"]:
        yield from _unequal(_parsed(stored["metrics"]), json.loads(came["metrics"]), _same)
    if stored["curves"] != came["curves"]:  # zlib's versions may pack equal curves differently
        yield from _unequal(_curves(stored["curves"]), _curves(came["curves"]), _same_array)


def _unequal(
    one: dict[str, Any], other: dict[str, Any], same: Callable[[Any, Any], bool]
) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(one.keys() | other.keys()):
        both = name in one and name in other
        if not (both and same(one[name], other[name])):
            yield name, one.get(name, "missing"), other.get(name, "missing")


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _same_array(one: Any, other: Any) -> bool:
    kinds = (one.dtype, one.shape), (other.dtype, other.shape)
    return kinds[0] == kinds[1] and one.tobytes() == other.tobytes()


def _parsed(text: Any) -> dict[str, Any]:
    """Stored metrics; damaged ones are equal to none, and reading them says what is wrong."""
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _curves(blob: Any) -> dict[str, np.ndarray[Any, Any]]:
    try:
        return {} if blob is None else unpack(bytes(blob))
    except (SoftwidthError, TypeError):
        return {}


def _made(value: Any, record: Any) -> str:
    text = "a curve" if isinstance(value, np.ndarray) else str(value)
    version = _parsed(record["versions"]).get("softwidth", "unknown")
    return f"{text[:SHOWN]} ({record['machine'] or 'unnamed machine'}, softwidth {version})"
