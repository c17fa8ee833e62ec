"""Stores that are old, cut off, made by somebody else, or out of reach: one of our errors, in a line."""

from __future__ import annotations

import builtins
import contextlib
import json
import pickle
import sqlite3
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import same, trial

from softwidth._checks import ArgumentError, DataFileError, SoftwidthError, StoreError
from softwidth.store import open_store
from softwidth.store_codec import encoded
from softwidth.store_curves import LARGEST, MAGIC, pack, unpack
from softwidth.store_schema import VERSION

# A file of schema version 1, as the release of then made it.
VERSION_1 = """
create table rows (id varchar(32) primary key not null, study text not null, spec text not null,
  metrics text not null, curves blob, seconds float not null, versions text not null,
  machine text not null, commit_id text, created text not null);
create table meta ("key" varchar(40) primary key not null, value text not null);
insert into meta values ('schema_version', '1');
"""


def execute(path, *statements):
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.executescript(statement)
    connection.close()


def insert(path, **changes):
    record = encoded(trial()) | changes
    marks = ", ".join("?" * len(record))
    with sqlite3.connect(path) as connection:
        sql = f"insert into rows ({', '.join(record)}) values ({marks})"  # noqa: S608 - ours
        connection.execute(sql, list(record.values()))
    connection.close()


@pytest.fixture
def made(tmp_path):
    """A file that was a store once, and holds nothing yet."""
    path = tmp_path / "rows.sqlite"
    open_store(path).close()
    return path


def test_an_older_store_is_read_as_it_is_and_brought_up_to_date_by_writing(tmp_path):
    path = tmp_path / "old.sqlite"
    execute(path, VERSION_1)
    insert(path)
    before = path.read_bytes()
    with open_store(path, read_only=True) as store:
        assert next(store.rows()).spec == trial().spec
    assert path.read_bytes() == before
    with open_store(path) as store:
        assert store.put([trial(), trial(seed=1)]) == 1
        assert len(list(store.rows("demo"))) == 2
    connection = sqlite3.connect(path)
    stored = connection.execute("select value from meta").fetchone()
    made = connection.execute("select name from sqlite_master where sql like '%index%'").fetchall()
    connection.close()
    assert stored == (str(VERSION),)
    assert made == [("rows_of_study",)]


@pytest.mark.parametrize("version", [str(VERSION + 1), "", "-1", "0", "two", "9" * 5000])
def test_another_version_is_told(made, version):
    execute(made, f"update meta set value = '{version}'")  # noqa: S608 - ours
    for read_only in (True, False):
        with pytest.raises(DataFileError, match=r"later softwidth|no schema version"):
            open_store(made, read_only=read_only)


@pytest.mark.parametrize(
    "change",
    [
        "drop table meta",
        "drop table rows",
        "alter table rows rename column spec to specs",
        "create trigger evil after insert on rows begin delete from rows; end",
        "drop table rows; create view rows as with recursive n(i) as "
        "(select 1 union all select i + 1 from n) select i as id from n",
    ],
)
def test_another_schema_is_told_and_runs_no_code(made, change):
    execute(made, change)
    for read_only in (True, False):
        with pytest.raises(DataFileError, match="not a store of softwidth"):
            open_store(made, read_only=read_only)


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": "{}"},
        {"spec": b"\xff\x00"},
        {"metrics": "[" * 60_000},
        {"metrics": '{"x": NaN}'},
        {"metrics": r'{"\ud800": 1}'},
        {"metrics": "x" * 2**17},
        {"study": "a\nb"},
        {"seconds": "much"},
        {"seconds": float("inf")},
        {"curves": pickle.dumps([1])},
        {"curves": b"x" * (2**22 + 1)},
        {"curves": "text"},
        {"versions": "{}x"},
        {"commit_id": b"\xff"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_damaged_row_is_named(made, changes):
    insert(made, **changes)
    with open_store(made, read_only=True) as store, pytest.raises(DataFileError, match="damaged"):
        list(store.rows(curves=True))


@given(data=st.data())
def test_a_store_cut_off_or_overwritten_gives_rows_or_our_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cut") / "rows.sqlite"
    with open_store(path) as store:
        rows = {row.id: row for row in (trial(width) for width in range(20))}
        store.put(rows.values())
    whole = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(whole) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=40))
    whole[start : start + len(noise)] = noise
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)) | st.just(len(whole)))])
    with contextlib.suppress(SoftwidthError), open_store(path, read_only=True) as store:
        assert {row.id for row in store.rows(curves=True)} <= set(rows)
        store.studies()
        store.known(rows)


@given(blob=st.binary(max_size=200), at=st.integers(0, 400))
def test_hostile_curves_are_our_error(blob, at):
    good = bytearray(pack(trial().curves))
    good[at : at + len(blob)] = blob
    for hostile in (blob, MAGIC + blob, bytes(good)):
        with contextlib.suppress(DataFileError):
            assert sum(curve.nbytes for curve in unpack(hostile).values()) <= LARGEST


@pytest.mark.parametrize("declared", [8, LARGEST // 8, LARGEST // 8 + 1, 2**62])
def test_a_bomb_is_left_packed(declared):
    header = json.dumps([["x", "<f8", [declared]]]).encode()
    bomb = zlib.compress(bytes(2 * LARGEST), 9)
    with pytest.raises(DataFileError, match="damaged"):
        unpack(MAGIC + len(header).to_bytes(4, "little") + header + bomb)


def test_curves_are_read_apart_from_each_other():
    curves = unpack(pack({"a": np.arange(3.0), "b": np.array(2, dtype=">i4")}))
    curves["a"][0] = 9
    assert curves["b"] == 2
    assert curves["b"].shape == ()


SECRET = "hunter2%2F"  # noqa: S105 - of nobody


@pytest.mark.parametrize(
    ("url", "kind", "says"),
    [
        (f"postgresql://me:{SECRET}@127.0.0.1:1/studies", StoreError, "127.0.0.1:1/studies"),
        (f"postgresql://me:{SECRET}@no.such.host.invalid/studies", StoreError, "no.such.host"),
        (f"postgresql://me:{SECRET}@127.0.0.1", ArgumentError, "database"),
        ("postgresql://me:hunter2@x@127.0.0.1/studies", ArgumentError, "%40"),
        ("postgresql://me:hunter2@127.0.0.1:port/studies", ArgumentError, "%2F"),
        (f"mysql://me:{SECRET}@127.0.0.1/studies", ArgumentError, "postgresql"),
        ("sqlite://", ArgumentError, "file"),
        (":memory:", ArgumentError, "file"),
        ("", ArgumentError, "path"),
    ],
)
def test_addresses_that_do_not_work_are_told_without_a_password(url, kind, says, monkeypatch):
    monkeypatch.setattr("softwidth.store.OPENING", 0.2)
    with pytest.raises(kind) as caught:
        open_store(url)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_knows_neither_database_nor_password(postgres):
    for url, says in (
        (postgres.url("absent"), "does not exist"),
        (postgres.url().replace("%2F", "%3F"), "password authentication failed"),
    ):
        with pytest.raises(StoreError, match=says) as caught:
            open_store(url)
        assert "s3cret" not in str(caught.value)


def test_a_postgresql_that_is_only_read_stays_as_it_is(postgres):
    url = postgres.new()
    with pytest.raises(SoftwidthError, match="nothing was ever stored"):
        open_store(url, read_only=True)
    with open_store(url) as store:
        store.put([trial()])
        assert "s3cret" not in repr(store)
    with open_store(url, read_only=True) as store:
        (row,) = store.rows(curves=True)
        assert same(row, store.get([row.id], curves=True)[row.id])


def test_a_missing_driver_is_named(monkeypatch):
    load = builtins.__import__

    def without(name, *rest):
        if name.startswith("psycopg"):
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StoreError, match=r"pip install softwidth\[postgres\]"):
        open_store("postgresql://127.0.0.1:1/studies")
