"""The store of results: what was put comes back, once, whole, in any order of writing."""

from __future__ import annotations

import json
import pickle
import sqlite3
import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import same, trial

from softwidth import store_schema as schema
from softwidth._checks import ArgumentError, DataFileError, MissingDataError, StoreError
from softwidth.store import Row, open_store, spec_id
from softwidth.store_curves import pack

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
SPECS = st.dictionaries(TEXT, PLAIN, max_size=4)
DTYPES = st.sampled_from(["<f2", "<f4", ">f4", "<f8", ">i4", "<i8", "u1", "?"])


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """A place for a new store of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "rows.sqlite")
    return request.getfixturevalue("postgres").new()


@pytest.fixture
def store(url):
    with open_store(url) as found:
        yield found


def test_what_was_put_comes_back_and_only_once(store):
    rows = [trial(width, seed) for width in (2, 4) for seed in range(3)]
    assert store.put(rows) == 6
    assert store.put(rows[::-1] + rows) == 0
    assert store.known([row.id for row in rows] + ["0" * 32]) == {row.id for row in rows}
    found = store.get((row.id for row in rows), curves=True)
    assert all(same(found[row.id], row) for row in rows)
    assert [row.id for row in store.rows()] == sorted(row.id for row in rows)
    assert not next(store.rows()).curves


def test_the_first_row_of_an_id_stays_and_other_numbers_are_told(store, caplog):
    store.put([trial(test_error=0.25), trial(width=4)])
    assert store.put([trial(test_error=0.25, study="later"), trial(width=4)]) == 0
    assert caplog.text == ""
    assert store.put([trial(test_error=0.5, study="later"), trial(width=4), trial(seed=1)]) == 1
    assert store.get([trial().id])[trial().id].metrics["test_error"] == 0.25
    told = caplog.messages
    assert len(told) == 1
    assert "1 row came with other numbers" in told[0]
    assert f"Row {trial().id} of 'later': `test_error` is 0.25 (" in told[0]
    assert "and came as 0.5 (" in told[0]


def test_other_numbers_are_told_of_curves_of_missing_metrics_and_of_one_call(store, caplog):
    row = trial()
    store.put([row])
    nearly = np.nextafter(row.curves["kl"], 1)
    store.put([replace(row, curves={**row.curves, "kl": nearly})])
    assert "`kl` is a curve" in caplog.messages[-1]
    store.put([trial(more=1)])
    assert "`more` is missing" in caplog.messages[-1]
    store.put([trial(seed=1), trial(seed=1, test_error=0.0)])
    assert "1 row came" in caplog.messages[-1]
    store.put([replace(trial(test_error=0), machine="", versions={})])
    assert "0 (unnamed machine, softwidth unknown)" in caplog.messages[-1]
    repacked = zlib.compress(zlib.decompress(pack(row.curves)[_body(row) :]), 0)  # another zlib's
    with store._engine().begin() as connection:
        connection.execute(
            schema.rows.update().values(curves=pack(row.curves)[: _body(row)] + repacked)
            .where(schema.rows.c.id == row.id)
        )  # fmt: skip
    assert store.put([row]) == 0
    assert len(caplog.messages) == 4


def _body(row):
    """Where the compressed numbers of a blob begin."""
    return 8 + int.from_bytes(pack(row.curves)[4:8], "little")


@given(spec=SPECS, metrics=SPECS, shapes=st.dictionaries(TEXT, st.tuples(DTYPES, st.lists(st.integers(0, 4), max_size=3)), max_size=3))  # fmt: skip
def test_any_plain_json_and_any_numbers_come_back(tmp_path_factory, spec, metrics, shapes):
    rng = np.random.default_rng(0)
    curves = {
        name: np.frombuffer(rng.bytes(8 * 64), dtype)[: int(np.prod(shape))].reshape(shape)
        if dtype != "?"
        else rng.random(shape) < 0.5
        for name, (dtype, shape) in shapes.items()
    }
    row = Row.of(spec, "any", metrics, curves=curves)
    with open_store(tmp_path_factory.mktemp("any") / "rows.sqlite") as store:
        store.put([row])
        assert same(store.get([row.id], curves=True)[row.id], row)
        assert same(next(store.rows(curves=True)), row)


@given(spec=SPECS, data=st.data())
def test_ids_depend_on_all_of_a_spec_and_on_nothing_else(spec, data):
    shuffled = dict(data.draw(st.permutations(list(spec.items()))))
    assert spec_id(shuffled) == spec_id(spec) == spec_id(json.loads(json.dumps(spec)))
    assert spec_id({**spec, "more": 1}) != spec_id({**spec, "more": 1.0})


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"rate": float("nan")}},
        {"spec": {1: 2}},
        {"spec": {"a": [{"b": {2: 3}}]}},
        {"spec": {"x": np.zeros(3)}},
        {"spec": {"x": "y" * 2**16}},
        {"spec": [1]},
        {"metrics": {"error": float("inf")}},
        {"study": ""},
        {"study": "two\nlines"},
        {"study": "\ud800"},
        {"spec": {"name": "half a character \ud800"}},
        {"metrics": {"\ud800": 1}},
        {"study": "x" * 201},
        {"curves": {"x": np.array([None])}},
        {"curves": {"x": np.array(["text"])}},
        {"curves": {"x": np.zeros(2**21 + 1)}},
        {"curves": {"x": np.random.default_rng(0).random(2**20)}},
        {"seconds": -1.0},
        {"seconds": float("nan")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_no_row_can_be_is_refused_and_nothing_is_stored(tmp_path, change):
    given_ = {"spec": {"width": 2}, "study": "demo", "metrics": {}, **change}
    with open_store(tmp_path / "rows.sqlite") as store:
        with pytest.raises(ArgumentError, match=f"`{next(iter(change))}`"):
            store.put([trial(), Row(**given_)])
        assert list(store.rows()) == []


def test_studies_and_pages_of_them(store, monkeypatch):
    monkeypatch.setattr("softwidth.store.PAGE", 7)
    store.put(trial(width, study="one") for width in range(50))
    store.put(trial(width, seed=1, study="two") for width in range(14))
    assert len(list(store.rows())) == 64
    assert {row.spec["seed"] for row in store.rows("two")} == {1}
    assert len(list(store.rows("two"))) == 14
    assert list(store.rows("three")) == []
    told = store.studies()
    assert [(study["study"], study["rows"]) for study in told] == [("one", 50), ("two", 14)]
    assert told[0]["seconds"] == pytest.approx(25)
    assert told[0]["first"] <= told[0]["last"]


def test_rows_as_a_table_and_as_files(store, tmp_path):
    store.put([trial(2), trial(4, radius=None), trial(8, radius="auto"), trial(16, radius=1.5)])
    table = store.frame()
    assert list(table.columns[:6]) == ["id", "study", "seconds", "created", "machine", "commit"]
    assert set(table["spec.width"]) == {2, 4, 8, 16}
    assert table.set_index("spec.width")["metrics.test_error"][4] == 0.2
    csv = pd.read_csv(store.export(tmp_path / "rows.csv"))
    parquet = pd.read_parquet(store.export(tmp_path / "rows.parquet"))
    for read in (csv, parquet):
        assert list(read.columns) == list(table.columns)
        assert list(read["metrics.test_error"]) == list(table["metrics.test_error"])
        assert set(read["metrics.radius"].dropna()) == {"auto", "1.5"}
    with pytest.raises(ArgumentError, match=r"\.csv or \.parquet"):
        store.export(tmp_path / "rows.xlsx")


def test_an_empty_store_has_a_table_too(store, tmp_path):
    assert len(store.frame()) == 0
    assert pd.read_csv(store.export(tmp_path / "rows.csv")).empty
    assert pd.read_parquet(store.export(tmp_path / "rows.parquet")).empty


def test_a_store_travels_by_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_store("rows.sqlite") as store:
        store.put([trial()])
        sent = pickle.dumps(store)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pickle.loads(sent) as store:  # noqa: S301 - made above
        assert store.known([trial().id])


def test_reading_only(tmp_path):
    path = tmp_path / "rows.sqlite"
    with pytest.raises(MissingDataError, match="no store"):
        open_store(path, read_only=True)
    with open_store(path) as store:
        store.put([trial()])
    with open_store(path, read_only=True) as store:
        assert len(list(store.rows())) == 1
        with pytest.raises(StoreError, match="read only"):
            store.put([trial(seed=1)])


def test_files_of_something_else_stay_as_they_are(tmp_path):
    path = tmp_path / "notes.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("create table notes (text)")
    other.close()
    before = path.read_bytes()
    for read_only in (True, False):
        with pytest.raises(DataFileError, match="not a store of softwidth"):
            open_store(path, read_only=read_only)
    assert path.read_bytes() == before
