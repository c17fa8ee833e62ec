"""Stores as somebody sends them: bent by row, by schema, or bit by bit."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import hostile_files
import numpy as np
from hostile_values import TEXTS, Hostile
from stores import trial

from softwidth.store import open_store

CHANGES = (
    "drop table meta", "drop table rows", "delete from meta", "update meta set value = '{}'", "drop index rows_of_study",
    "create view evil as select 1", "create trigger evil after insert on rows begin delete from rows; end", "delete from rows",
    "alter table rows add column more text", "alter table rows rename column spec to specs", "create table other (a)",
    "pragma user_version = 7", "pragma journal_mode = delete", "create index rows_by_spec on rows (spec desc)",
    "create table big as with recursive n(i) as (select 1 union all select i + 1 from n limit 3000) select i from n",
    "insert into rows select id || 'x', study, spec, metrics, curves, seconds, versions, machine, commit_id, created from rows",
)  # fmt: skip
COLUMNS = ("id", "study", "spec", "metrics", "curves", "seconds", "versions", "machine", "commit_id", "created")  # fmt: skip
VALUES = (
    None, "", b"", b"\xff\x00", "x" * 10**5, "[" * 50_000, '{"x": NaN}', "{}", "[]", '{"a": 1e999}', '{"a": "\\ud800"}',
    '{"labels": "soft", "width": 4, "step_size": 1e400}', '{"test_error": 0.1, "val_error": true, "status": []}', 10**18, -1, 1e308,
    float("inf"), "<script>alert(1)</script>", '{"</script><!--": "<img src=x onerror=alert(1)>"}', "a\nb", "\u202e", "é" * 300,
)  # fmt: skip


@functools.cache
def whole() -> bytes:
    """A store of two studies, as the bytes of its file."""
    with tempfile.TemporaryDirectory() as where:
        path = Path(where, "rows.sqlite")
        with open_store(path) as store:
            more: dict[str, Any] = {"labels": "soft", "step_size": 1.0}
            store.put(trial(width, seed, study) for width in (2, 8) for seed in range(6) for study in ("demo", "<b>"))  # fmt: skip
            store.put(student(width, seed, **more) for width in (2, 4) for seed in range(3))
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
            connection.execute("pragma journal_mode = delete")
        return path.read_bytes()


def student(width: int, seed: int, **spec: Any) -> Any:
    """A row of a student, of which a page has a figure."""
    row = trial(width, seed, "students")
    return type(row)({**row.spec, **spec}, row.study, row.metrics, row.curves, 0.1, **_stamped(row))


def _stamped(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("versions", "machine", "commit", "created")}


def store_file(h: Hostile, path: Path) -> Path:
    """A store's file with other values, another schema, or other bytes; maybe a log beside it."""
    path.write_bytes(whole())
    if h.chance(0.6):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for _ in range(h.whole(1, 3)):
                with contextlib.suppress(sqlite3.Error), connection:
                    _change(h, connection)
    if h.chance(0.4):
        path.write_bytes(hostile_files.damaged(h, path.read_bytes()))
    if h.chance(0.05):
        path.with_name(f"{path.name}{h.of(['-wal', '-shm', '-journal'])}").write_bytes(
            h.rng.bytes(h.of([0, 10, 5000]))
        )
    h.made()
    return path


def _change(h: Hostile, connection: sqlite3.Connection) -> None:
    if h.chance(0.4):
        connection.execute(h.of(CHANGES).format(h.of(["1", "3", "99", "", "9" * 5000, "two"])))
        return
    if h.chance(0.02):
        connection.execute("update rows set curves = zeroblob(5000000) where study = 'students'")
    column, value = h.of(COLUMNS), h.of([*VALUES, *[t for t in TEXTS if t.isprintable()]])
    rows = h.of(["", " where study = 'students'", " where id = (select max(id) from rows)"])
    connection.execute(f"update rows set {column} = ?{rows}", [value])  # noqa: S608 - ours


def curves(h: Hostile) -> dict[str, Any]:
    """Arrays by name, of which some are none."""
    return {
        h.of(["kl", "error", *TEXTS]): h.array(h.rng.random(h.whole(0, 5)))
        for _ in range(h.whole(0, 3))
    }


def packed(h: Hostile, good: bytes) -> bytes:
    """A blob of curves whose header or numbers were tampered with."""
    head = h.of([b"[]", b"[[\"a\",\"<f8\",[2]]]", b"[[\"a\",\"<f8\",[99999999999]]]", b"{}", b"[" * 9000, b"[[1,2,3]]", b"[[\"a\",\"|O\",[1]]]", b"[[\"a\",\"<f8\",[-1,-2]]]", b"[[\"a\",\"<f8\",7]]"])  # fmt: skip
    other = good[:4] + len(head).to_bytes(4, "little") + head + good[-h.whole(1, 60) :]
    return hostile_files.damaged(h, h.of([good, other])) if h.chance(0.5) else other


def numbers() -> dict[str, Any]:
    """Honest curves."""
    return {"kl": np.arange(5.0), "wrong": np.arange(3, dtype=np.uint8)}
