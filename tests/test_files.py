"""Archives and tables as users make them, and as accidents and attackers do."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    MemoryLimitError,
    MissingDataError,
    SoftwidthError,
)
from softwidth.archives import bytes_to_read, entries, load_npz
from softwidth.data import load
from softwidth.files import read_arrays, stored_names
from softwidth.tables import BYTES_A_CELL, TABLES


def small_arrays(n=12, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return {"X": rng.standard_normal((n, 3)), "y": y, "soft": rng.dirichlet([1, 1], n)}


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, **small_arrays())
    return path


# --- archives


@given(st.lists(st.sampled_from("fiubU"), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_headers_tell_what_numpy_reads(kinds, seed):
    rng = np.random.default_rng(seed)
    arrays = {}
    for number, kind in enumerate(kinds):
        shape = tuple(rng.integers(0, 5, rng.integers(0, 4)))
        dtype = {"f": "f4", "i": "i8", "u": "u1", "b": "?", "U": "U7"}[kind]
        arrays[f"a{number}"] = np.ones(shape, dtype, order=rng.choice(["C", "F"]))
    file = io.BytesIO()
    np.savez(file, **arrays)
    declared = entries(file)
    assert set(declared) == set(arrays)
    for key, array in arrays.items():
        assert declared[key].shape == array.shape
        assert declared[key].dtype == array.dtype
        assert declared[key].size == array.nbytes


def test_only_known_arrays_are_read(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, **small_arrays(), notes=np.array([{"who": "me"}], object), junk=np.ones(9))
    arrays, notes = read_arrays(path)
    assert set(arrays) == {"X", "y", "soft"}
    assert notes == []


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
def test_truncated_archive_is_our_error(archive, kept):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataFileError, match=r"data\.npz is not a readable"):
        read_arrays(archive)


def test_a_damaged_byte_is_our_error_or_changes_nothing(tmp_path):
    path, whole = tmp_path / "data.npz", small_arrays()
    np.savez(path, **whole)
    content = path.read_bytes()
    refused = 0
    for position in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[position] ^= 0x51
        path.write_bytes(damaged)
        try:
            arrays = load_npz(path, whole)
        except SoftwidthError:
            refused += 1
            continue
        for key, array in whole.items():
            np.testing.assert_array_equal(arrays[key], array)
    assert 0.5 * len(content) / 5 < refused < len(content) / 5  # dates and modes do not matter


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x00" * 100, b"X,y\n1,2\n"])
def test_what_is_no_archive_is_our_error(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match="not a readable"):
        read_arrays(path)


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "data.npz"
    np.savez(path, X=np.ones((4, 2)), y=np.array([Trap()] * 4, object))
    with pytest.raises(DataFileError, match=r"`y`.* never unpickled"):
        read_arrays(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataFileError):
        read_arrays(path)
    plain = tmp_path / "plain.npz"
    with zipfile.ZipFile(plain, "w") as file:  # a member that is no array but a pickle
        file.writestr("X.npy", pickle.dumps(Trap()))
    with pytest.raises(DataFileError):
        read_arrays(plain)
    assert not (tmp_path / "sprung").exists()


def header_of(shape, dtype="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def test_zip_bomb_is_refused_by_its_declared_size(tmp_path):
    """A few kilobytes that say they are 8 TB, in the header and in the directory of the zip."""
    path, shape = tmp_path / "bomb.npz", (10**6, 10**6)
    header = header_of(shape)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("X.npy", header)
        file.writestr("y.npy", header_of((2,)) + bytes(16))
    _declare(path, "X.npy", len(header) + 8 * 10**12)
    began = psutil.Process().memory_info().rss
    with pytest.raises(MemoryLimitError, match=r"bomb\.npz needs 19,\d{3},\d{3} MiB and"):
        read_arrays(path)
    assert psutil.Process().memory_info().rss - began < 50 * 2**20


def _declare(path, member, size):
    """Write another unpacked size into the central directory, as zip64 where it takes that."""
    with zipfile.ZipFile(path, "a") as file:
        file.getinfo(member).file_size = size
        file.comment = b"so that the directory is written again"


def test_arrays_of_another_length_than_declared_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("X.npy", header_of((10**6, 10**6)) + bytes(64))
        file.writestr("y.npy", header_of((2,)) + bytes(16))
    with pytest.raises(DataFileError, match=r"X\.npy takes \d+ bytes where its header says"):
        read_arrays(path)


def test_memory_that_reading_takes_is_what_was_asked_for(tmp_path):
    path, rng = tmp_path / "data.npz", np.random.default_rng(0)
    for dtype in (np.uint8, np.float32, np.float64):
        X = rng.integers(1, 255, (3000, 400)).astype(dtype)
        np.savez(path, X=X, y=np.arange(3000) % 3)
        asked = bytes_to_read(entries(path))
        load(path, noise=0.1)  # modules that are loaded on first use
        tracemalloc.start()
        load(path, noise=0.1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 0.4 * asked < peak < 1.05 * asked, dtype


def test_archive_larger_than_memory_says_how_much_it_needs(archive, monkeypatch):
    free = psutil.virtual_memory()._replace(available=500)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(MemoryLimitError, match=r"data\.npz needs \d+ MiB"):
        read_arrays(archive)


def test_archive_that_numpy_cannot_allocate_is_our_error(tmp_path):
    """In a process that may use 400 MB and an archive of 800, whatever psutil says is free."""
    path = tmp_path / "big.npz"
    np.savez_compressed(path, X=np.zeros((10**5, 10**3), np.float64), y=np.arange(10**5) % 2)
    code = (
        "import resource, sys, numpy\n"
        "from pathlib import Path\n"
        "from softwidth.files import read_arrays\n"
        "import softwidth._checks as checks, psutil\n"
        "now = psutil.Process().memory_info().vms\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 400 * 2**20,) * 2)\n"
        "try: read_arrays(Path(sys.argv[1]))\n"
        "except checks.MemoryLimitError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "big.npz does not fit into memory.", done.stderr


# --- names


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["X", "y"], {"X": "X", "y": "y"}),
        (["x", "Y"], {"X": "x", "y": "Y"}),
        (
            ["x_train", "y_train", "x_test", "y_test"],
            {"X": "x_train", "y": "y_train", "X_test": "x_test", "y_test": "y_test"},
        ),
        (
            ["X_train", "y_train", "soft_train", "X_val", "y_val", "soft_val"],
            {
                "X": "X_train",
                "y": "y_train",
                "soft": "soft_train",
                "X_val": "X_val",
                "y_val": "y_val",
                "soft_val": "soft_val",
            },
        ),
        (["X", "y", "X_old", "soft2", "Xtest"], {"X": "X", "y": "y"}),
    ],
)
def test_names_in_use_are_known(keys, names):
    assert stored_names(keys) == names


def test_soft_key_takes_its_own_parts_and_no_others():
    keys = ["X", "y", "X_test", "y_test", "soft", "soft_test", "votes"]
    assert "soft_test" not in stored_names(keys, "votes")
    assert stored_names([*keys, "votes_test"], "votes")["soft_test"] == "votes_test"
    assert stored_names(keys)["soft_test"] == "soft_test"


def test_two_keys_of_one_meaning_are_refused():
    with pytest.raises(DataFileError, match="`X` and `x_train`"):
        stored_names(["X", "x_train", "y"])


@pytest.mark.parametrize("key", ["vote", "", 3, None])
def test_unknown_soft_key_is_named(key):
    with pytest.raises(ArgumentError, match="`soft_key`"):
        stored_names(["X", "y", "votes"], key)


def test_missing_arrays_are_named_with_what_is_there(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, features=np.ones((3, 2)), y=np.arange(3))
    with pytest.raises(DataFileError, match=r"no array `X` \(it has features, y\)"):
        read_arrays(path)


# --- tables


def table(n=12, seed=0):
    arrays = small_arrays(n, seed)
    frame = pd.DataFrame(arrays["X"], columns=["a", "b", "c"])
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
        ({}, "`target` .*must name the label column: a, b, c, label"),
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


def test_cells_of_a_table_are_counted_before_it_is_read(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).standard_normal((5000, 7))).rename(columns=str)
    for suffix in (".csv", ".parquet"):
        path = write(frame, tmp_path / f"data{suffix}")
        assert TABLES[suffix].cells(path) == pytest.approx(frame.size, rel=0.02)


def test_a_parquet_file_of_few_bytes_and_many_rows_is_refused(tmp_path, monkeypatch):
    path = write(pd.DataFrame({"a": np.zeros(10**6), "label": 1}), tmp_path / "data.parquet")
    assert path.stat().st_size < 10**5
    free = psutil.virtual_memory()._replace(available=50 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    needed = BYTES_A_CELL * 2 * 10**6 / 2**20
    with pytest.raises(MemoryLimitError, match=f"needs {needed:.0f} MiB and 40 MiB are free"):
        read_arrays(path, target="label")


# --- paths


def test_absent_files_directories_and_other_kinds(tmp_path):
    with pytest.raises(MissingDataError, match="no file"):
        read_arrays(tmp_path / "absent.npz")
    with pytest.raises(MissingDataError, match="no file"):
        read_arrays(tmp_path)
    (tmp_path / "data.pkl").write_bytes(pickle.dumps({"X": 1}))
    with pytest.raises(ArgumentError, match=r"must end in \.npz, \.csv, \.parquet"):
        read_arrays(tmp_path / "data.pkl")


@pytest.mark.parametrize("settings", [{"target": "y"}, {"soft_columns": ["a"]}])
def test_columns_are_no_matter_of_archives(archive, settings):
    with pytest.raises(ArgumentError, match=r"is for \.csv and \.parquet files only"):
        read_arrays(archive, **settings)
