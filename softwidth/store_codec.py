"""Rows as records of a database and back; a record that somebody sent is checked like any input."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal
from sqlalchemy import Row as Record

from softwidth._checks import DataFileError, check_number
from softwidth.store_curves import LARGEST_PACKED, pack, unpack
from softwidth.store_rows import (
    LARGEST_JSON,
    LONGEST_STUDY,
    Row,
    canonical,
    check_characters,
    check_study,
    text_id,
)
from softwidth.store_schema import rows

LARGEST_TEXT = 1_000  # bytes of machine, commit and time


def encoded(row: Row) -> dict[str, Any]:
    """A row as a record.

    Raises
    ------
    ArgumentError
        A row that is no plain JSON, has no study, or is too large.
    """
    spec = canonical("spec", row.spec)
    return {
        "id": text_id(spec),
        "study": check_study("study", row.study),
        "spec": spec,
        "metrics": canonical("metrics", row.metrics),
        "curves": pack(row.curves),
        "seconds": check_number("seconds", row.seconds, low=0.0),
        "versions": canonical("versions", row.versions),
        "machine": _short(row.machine),
        "commit_id": None if row.commit is None else _short(row.commit),
        "created": _short(row.created),
    }


def insert_new(connection: Connection, records: list[dict[str, Any]]) -> set[str]:
    """Insert the records whose ids are not there yet; the ids of those."""
    from sqlalchemy.dialects import postgresql, sqlite

    # Both know `on conflict`; SQLAlchemy has it on either's own `insert` only.
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement: Any = insert(rows)
    # Asked for the new ids, since not every driver counts rows over many statements.
    new = statement.on_conflict_do_nothing().returning(rows.c.id)
    return {record.id for record in connection.execute(new, records)}


@cache
def columns(curves: bool) -> tuple[ColumnElement[Any], ...]:
    """What is selected of a row; text longer than any of ours stays in the database."""
    limits = {
        rows.c.id: 32,
        rows.c.study: 4 * LONGEST_STUDY,
        rows.c.spec: LARGEST_JSON,
        rows.c.metrics: LARGEST_JSON,
        rows.c.versions: LARGEST_JSON,
        rows.c.machine: LARGEST_TEXT,
        rows.c.commit_id: LARGEST_TEXT,
        rows.c.created: LARGEST_TEXT,
    }
    bounded = [
        case((func.length(column) <= limit, column)).label(column.name)
        for column, limit in limits.items()
    ]
    if curves:  # none at all is NULL: what is too large must be something else, and no curves
        large = func.length(rows.c.curves) > LARGEST_PACKED
        bounded.append(case((large, literal(b"")), else_=rows.c.curves).label("curves"))
    return (*bounded, rows.c.seconds)


def decoded(record: Record[Any], where: str) -> Row:
    """A record as a row.

    Raises
    ------
    DataFileError
        A record that `encoded` has not made; the message names its id.
    """
    try:
        return _row(record._mapping)
    except (ValueError, TypeError, RecursionError) as error:
        known = str(record.id)[:32]
        raise DataFileError(f"{where} is damaged: row {known}: {error}.") from None


def _row(stored: Any) -> Row:
    spec = _text(stored, "spec")
    if stored["id"] != text_id(spec):
        raise ValueError("its spec belongs to another id")
    packed = stored.get("curves")
    commit = stored["commit_id"]
    return Row(
        spec=_mapping(spec),
        study=check_study("study", _text(stored, "study")),
        metrics=_mapping(_text(stored, "metrics")),
        curves={} if packed is None else unpack(packed),
        seconds=_seconds(stored["seconds"]),
        versions=_mapping(_text(stored, "versions")),
        machine=_text(stored, "machine"),
        commit=None if commit is None else _text(stored, "commit_id"),
        created=_text(stored, "created"),
    )


def _short(text: str) -> str:
    return str(text).encode(errors="replace").decode().replace("\0", " ")[: LARGEST_TEXT // 4]


def _text(stored: Any, name: str) -> str:
    value = stored[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text of a usual length")
    return value


def _mapping(text: str) -> dict[str, Any]:
    value = json.loads(text, parse_constant=_no_constant)
    check_characters(text, value)
    if not isinstance(value, dict):
        raise TypeError("a JSON object was expected")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _seconds(value: Any) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError("`seconds` is no number")
    return float(value)
