"""Tables as users export them, and broken ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import psutil
import pytest
from user_arrays import some_arrays

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    MemoryLimitError,
    SoftwidthError,
)
from softwidth.files import read_arrays
from softwidth.table_columns import ColumnReader, Columns
from softwidth.tables import TABLES


def table(n=12, seed=0):
    arrays = some_arrays(n, 2, seed)
    frame = pd.DataFrame(arrays["X"], columns=list("abcd"))
    frame["label"] = np.where(arrays["y"] == 1, "yes", "no")
    frame["p_yes"], frame["p_no"] = arrays["soft"][:, 1], arrays["soft"][:, 0]
    return frame, arrays


def write(frame, path):
    if path.suffix.lower() == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".CSV"])
def test_tables_and_archives_hold_the_same(tmp_path, suffix):
    frame, arrays = table()
    path = write(frame, tmp_path / f"data{suffix}")
    read, notes = read_arrays(path, target="label", soft_columns=["p_yes", "p_no"])
    np.testing.assert_allclose(read["X"], arrays["X"])
    np.testing.assert_allclose(read["soft"], arrays["soft"])  # columns by name: no, yes
    assert (read["y"] == np.where(arrays["y"] == 1, "yes", "no")).all()
    assert notes == []


def test_columns_without_class_names_are_taken_as_given_and_say_so(tmp_path):
    frame, arrays = table()
    path = write(frame.rename(columns={"p_yes": "u", "p_no": "v"}), tmp_path / "data.csv")
    read, notes = read_arrays(path, target="label", soft_columns=["v", "u"])
    np.testing.assert_allclose(read["soft"], arrays["soft"])
    assert notes == ["Soft columns were taken in the order of the sorted labels: v = no, u = yes."]


def test_one_soft_column_is_the_positive_class(tmp_path):
    frame, arrays = table()
    path = write(frame.drop(columns="p_no"), tmp_path / "data.csv")
    read, notes = read_arrays(path, target="label", soft_columns=["p_yes"])
    np.testing.assert_allclose(read["soft"], arrays["soft"][:, 1])
    assert notes == ["Soft column p_yes was taken for class yes."]


def test_columns_of_a_class_without_rows_keep_their_places(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "label": [0, 2, 0, 2]})
    for k in range(3):
        frame[f"p_{k}"] = [k == 0, k == 2, k == 1, 0.5 * (k > 0)]
    path = write(frame.astype(float), tmp_path / "data.csv")
    read, notes = read_arrays(path, target="label", soft_columns=["p_2", "p_0", "p_1"])
    np.testing.assert_allclose(read["soft"], frame[["p_0", "p_1", "p_2"]].astype(float))
    assert notes == []


def test_numbers_of_every_kind_are_features(tmp_path):
    frame = pd.DataFrame({"flag": [True, False, True, False], "x": [0.5, 1, 2, 3], "n": range(4)})
    frame["nullable"] = pd.array([1, 2, 3, 4], "Int64")
    frame["label"] = pd.Categorical(["u", "v", "u", "v"])
    arrays, _ = read_arrays(write(frame, tmp_path / "data.parquet"), target="label")
    np.testing.assert_allclose(arrays["X"], frame.drop(columns="label").to_numpy(float))
    assert arrays["y"].tolist() == ["u", "v", "u", "v"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "`target` .*must name the label column: a, b, c, d, label"),
        ({"target": "lable"}, "did you mean 'label'"),
        ({"target": "label", "soft_columns": ["p_yse"]}, "did you mean 'p_yes'"),
        ({"target": "label", "soft_columns": ["label"]}, "none the target"),
        ({"target": "label", "soft_columns": ["p_no", "p_no"]}, "must be different"),
        ({"target": "a"}, "`source` .*label.* column of text"),
        ({"target": "label", "soft_key": "votes"}, "`soft_key`"),
    ],
)
def test_columns_that_cannot_be_are_named(tmp_path, settings, says):
    path = write(table()[0], tmp_path / "data.csv")
    with pytest.raises(ArgumentError, match=says):
        read_arrays(path, **settings)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not a readable"),
        ("a,label\n", "no rows"),
        ("label\n1\n0\n", "no feature columns"),
        ("a,label\n1,x\n2,\n3,y\n", "no label in rows 1"),
        ('a,label\n"1,x\n', "not a readable"),
        ("a,label\n1,2\n1,2,3,4\n", "not a readable"),
    ],
)
def test_broken_csv_is_our_error(tmp_path, content, says):
    path = tmp_path / "data.csv"
    path.write_text(content)
    with pytest.raises(SoftwidthError, match=says):
        read_arrays(path, target="label")


def test_bytes_that_are_no_text_are_our_error(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,label\n\xff\xfe,1\n")
    with pytest.raises(DataFileError, match="not a readable"):
        read_arrays(path, target="label")


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.95])
def test_truncated_parquet_is_our_error(tmp_path, kept):
    path = write(table(200)[0], tmp_path / "data.parquet")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataFileError, match="not a readable"):
        read_arrays(path, target="label")


def test_the_shape_of_a_table_is_known_before_it_is_read(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).standard_normal((5000, 7))).rename(columns=str)
    for suffix in (".csv", ".parquet"):
        path = write(frame, tmp_path / f"data{suffix}")
        rows, columns = TABLES[suffix].shape(path)
        assert rows == pytest.approx(len(frame), rel=0.02)
        assert columns == 7


def test_labels_taken_from_a_piece_do_not_hold_the_piece():
    numbers = np.arange(16.0).reshape(4, 4)
    table = pd.DataFrame(numbers, columns=["x", "z", "w", "label"], copy=False)
    reader = ColumnReader(Columns("label", soft=["z"], weight="w"))
    reader.take(table)
    assert np.shares_memory(table["label"].to_numpy(), numbers)
    for kept in (reader.labels[0].to_numpy(), reader.soft[0], reader.weights[0]):
        assert not np.shares_memory(kept, numbers)


def test_a_parquet_file_of_few_bytes_and_many_rows_is_refused(tmp_path, monkeypatch):
    path = write(pd.DataFrame({"a": np.zeros(10**6), "label": 1}), tmp_path / "data.parquet")
    assert path.stat().st_size < 10**5
    free = psutil.virtual_memory()._replace(available=50 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(MemoryLimitError, match=r"in pieces needs \d+ MiB and 40 MiB are free"):
        read_arrays(path, target="label")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_numbers_with_a_decimal_comma(tmp_path, separator):
    frame, arrays = table()
    settings = {"target": "label", "soft_columns": ["p_no", "p_yes"]}
    frame.to_csv(tmp_path / "a.csv", sep=separator, decimal=",", index=False)
    found, _ = read_arrays(tmp_path / "a.csv", **settings)
    np.testing.assert_allclose(found["X"], arrays["X"])
    np.testing.assert_allclose(found["soft"], arrays["soft"])
    frame["a"] = frame["a"].map("{:.3f}".format).str.replace(".", ",")  # one column of two ways
    frame.to_csv(tmp_path / "b.csv", sep=separator, index=False)
    with pytest.raises(ArgumentError, match=r"`source` .*=a.* is a column of text"):
        read_arrays(tmp_path / "b.csv", **settings)
