"""Names of arrays and of files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from user_arrays import some_arrays

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    MissingDataError,
)
from softwidth.files import read_arrays, stored_names

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
def test_columns_are_no_matter_of_archives(tmp_path, settings):
    archive = tmp_path / "data.npz"
    np.savez(archive, **some_arrays())
    with pytest.raises(ArgumentError, match=r"is for \.csv and \.parquet files only"):
        read_arrays(archive, **settings)
