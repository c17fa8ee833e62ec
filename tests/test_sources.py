"""Labels of every kind, and whatever cannot be a source: named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from user_arrays import rows_of, some_arrays

from softwidth._checks import (
    ArgumentError,
    SoftwidthError,
)
from softwidth.data import load


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        ([-1, 1], ("-1", "1")),
        ([3.0, 7.0], ("3", "7")),
        (["no", "yes"], ("no", "yes")),
        (np.array(["no", "yes"], object), ("no", "yes")),
        (pd.Series(["no", "yes"]), ("no", "yes")),
        (np.array([b"no", b"yes"]), ("no", "yes")),
        ([False, True], ("0", "1")),
        (np.array([[1], [2]], np.uint8), ("1", "2")),
        ([9, 10], ("9", "10")),
    ],
)
def test_labels_of_every_kind(y, classes):
    y = np.concatenate([np.asarray(y)] * 20)
    dataset = load({"X": some_arrays(40)["X"], "y": y}, normalise=False)
    assert dataset.classes == classes
    np.testing.assert_array_equal(dataset.y_train, rows_of(dataset.X_train) % 2)


def test_a_class_without_rows_has_its_place_where_soft_columns_show_it():
    dataset = load(
        {"X": some_arrays(40)["X"], "y": np.arange(40) % 2 * 2, "soft": np.eye(3)[[0, 2] * 20]}
    )
    assert dataset.classes == ("0", "1", "2")
    assert set(dataset.y_train) == {0, 2}


def with_entry(key, row, value):
    source = some_arrays()
    source[key] = source[key].astype(float)
    source[key][row] = value
    return source


@pytest.mark.parametrize(
    ("source", "settings", "says"),
    [
        ("digitz", {}, "did you mean 'digits'"),
        ("../digits", {}, "did you mean 'digits'"),
        ("", {}, "no file"),
        (None, {}, "`source`"),
        (5, {}, "`source`"),
        ([some_arrays()], {}, "`source`"),
        ({}, {}, r"`source` \(=nothing\) has no array `X`"),
        ({"X": np.ones((4, 2))}, {}, "no array `y`"),
        (with_entry("X", 7, np.nan), {}, "`X` .*NaN or infinite entries in rows 7"),
        (with_entry("X", 7, np.inf), {}, "`X` .*rows 7"),
        (with_entry("X", 7, 1e39), {}, "`X` .*rows 7"),
        (with_entry("X", [4, 9], 0), {}, "`X` .*rows of zeros.* 4, 9"),
        (with_entry("y", 7, np.nan), {}, r"`y` .*whole numbers or text \(rows 7\)"),
        (with_entry("y", 7, np.inf), {}, "rows 7"),
        (with_entry("y", 7, 1e300), {}, "rows 7"),
        (with_entry("y", 7, 0.5), {}, "rows 7"),
        (with_entry("soft", 7, np.nan), {}, "`soft` .*rows 7"),
        (with_entry("soft", 7, -1), {}, "`soft` .*negative entries in rows 7"),
        (with_entry("soft", 7, 0.5), {}, "`soft` .*sums to neither.* rows 7"),
        (some_arrays(X=np.ones((0, 4))), {}, "`X` .*at least one row"),
        (some_arrays(X=np.ones((0, 4, 4))), {}, "`X` .*matrix"),
        (some_arrays(X=np.ones((60, 0))), {}, "`X` .*column"),
        (some_arrays(X=np.float64(3)), {}, "`X` .*matrix"),
        (some_arrays(X=np.ones(60)), {}, "`X` .*matrix"),
        (some_arrays(X=[[1, 2], [3]]), {}, "`X` .*every row as many"),
        (some_arrays(X=np.array([[object()]] * 60)), {}, "`X` .*real numbers"),
        (some_arrays(X=np.ones((60, 2)) * 1j), {}, "`X` .*real numbers"),
        (some_arrays(y=[]), {}, "`y` .*non-empty"),
        (some_arrays(y=np.eye(60)), {}, "`y` .*vector"),
        (some_arrays(y=[[0], [1, 2]]), {}, "`y`"),
        (some_arrays(y=np.array([None] * 60)), {}, "`y` .*real numbers"),
        (some_arrays(y=np.array([b"\xff"] * 60)), {}, "UTF-8"),
        (some_arrays(y=np.zeros(60)), {}, "`y` .*one class only"),
        (some_arrays(1), {}, "`y` .*one class only"),
        (some_arrays(y=np.arange(59) % 2, soft=None), {}, "`y` .*as many rows as `X`"),
        (some_arrays(soft=np.ones((59, 3)) / 3), {}, "`soft` .*as many rows as `y`"),
        (some_arrays(soft=np.ones((60, 4)) / 4, y=np.arange(60) % 3 + 5), {}, "`soft` .*3 columns"),
        (some_arrays(soft=np.ones(60) / 2), {}, "`soft` .*3 columns"),
        (some_arrays(60, 2, soft=np.full(60, 1.5)), {}, "`soft` .*not within 0..1"),
        (some_arrays(60, 2, soft=np.array(["a"] * 60)), {}, "`soft` .*real numbers"),
        (some_arrays(soft=[[1, 0], [1]]), {}, "`soft`"),
        (some_arrays(X_test=np.ones((3, 4))), {}, "X_test.* without its labels `y_test`"),
        (some_arrays(y_test=np.ones(3)), {}, "y_test.* without its inputs `X_test`"),
        (some_arrays(soft_val=np.ones(3)), {}, "soft_val.* without its inputs `X_val`"),
        (some_arrays(X_test=np.ones((3, 5)), y_test=[0, 1, 2]), {}, "`X_test` .*4 columns"),
        (some_arrays(X_test=np.ones((1, 4)), y_test=[8]), {}, "`y_test` .*does not have"),
        (some_arrays(X_test=np.ones((0, 4)), y_test=[]), {}, "`X_test`"),
        (some_arrays(x=np.ones((60, 4))), {}, "both `X` and `x`"),
        (some_arrays(), {"soft_key": "sfot"}, "`soft_key`"),
        (some_arrays(), {"target": "y"}, "`target`"),
        ("digits", {"soft_columns": ["a"]}, "`soft_columns`"),
        (some_arrays(), {"positive": [3]}, "`positive` .*unknown"),
        (some_arrays(), {"positive": [0, 1, 2]}, "both sides"),
        (some_arrays(), {"pair": [0]}, "two different"),
        (some_arrays(), {"positive": [0], "pair": [0, 1]}, "choose one task"),
        (some_arrays(), {"noise": -1}, "`noise`"),
        (some_arrays(), {"noise": np.nan}, "`noise`"),
        (some_arrays(), {"noise": 1e300}, "`noise`"),
        (some_arrays(), {"flip": 1.5}, "`flip`"),
        (some_arrays(), {"draws": 0}, "`draws`"),
        (some_arrays(), {"seed": -1}, "`seed`"),
        (some_arrays(), {"seed": 0.5}, "`seed`"),
        (some_arrays(), {"limit": 0}, "`limit`"),
        (some_arrays(), {"limit": 2}, "`limit`"),
        (some_arrays(), {"normalise": "no"}, "`normalise`"),
        (some_arrays(), {"val_fraction": 0}, "`val_fraction`"),
        (some_arrays(), {"test_fraction": 1}, "`test_fraction`"),
        (some_arrays(), {"test_fraction": 0.999}, "`test_fraction`"),
    ],
)
def test_bad_input_is_named(source, settings, says):
    with pytest.raises(SoftwidthError, match=says):
        load(source, **settings)


def test_classes_with_too_few_rows_to_split_are_named():
    y = np.array(["many"] * 58 + ["rare"] * 2)
    with pytest.raises(ArgumentError, match=r"class rare.* 3 rows or more"):
        load(some_arrays(y=y, soft=None))
    parts = {f"X_{s}": some_arrays()["X"] for s in ("val", "test")} | {"y_val": y, "y_test": y}
    load(some_arrays(y=y, soft=None, **parts))  # nothing to split off: two rows are enough


def test_a_task_that_leaves_one_class_or_no_rows_is_refused():
    y, soft = np.arange(60) % 2, np.ones((60, 3)) / 3  # class 2 has no row
    for settings in ({"pair": [0, 2]}, {"positive": [2]}):
        with pytest.raises(ArgumentError, match="leaves training rows of class"):
            load(some_arrays(y=y, soft=soft), **settings)
    test = {"X_test": np.ones((2, 4)), "y_test": [2, 2]}
    with pytest.raises(ArgumentError, match="no rows in the test part"):
        load(some_arrays(**test), pair=[0, 1])


def test_zero_rows_are_fine_where_nothing_is_scaled_or_noise_gives_them_a_direction():
    source = with_entry("X", [4, 9], 0)
    assert load(source, normalise=False).X_train.shape[1] == 4
    assert np.isfinite(load(source, noise=0.1).X_train).all()


def test_zero_rows_of_a_test_part_are_named_as_the_user_counts_them():
    X = np.ones((6, 4))
    X[5] = 0
    with pytest.raises(ArgumentError, match=r"`X_test` .* 5"):
        load(some_arrays(X_test=X, y_test=np.arange(6) % 3))
