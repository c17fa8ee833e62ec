"""From a source to a `Dataset`: splits, forms of a source, difficulty."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from user_arrays import rows_of, some_arrays

from softwidth._checks import (
    MemoryLimitError,
    MissingDataError,
)
from softwidth.data import load, training_rows
from softwidth.tasks import conflicting_rows

SPLITS = ("train", "val", "test")


# --- splits


def test_no_more_rows_are_held_out_than_tell_a_difference(monkeypatch):
    monkeypatch.setattr("softwidth.data.MOST_HELD", 30)
    X, y = np.random.default_rng(0).standard_normal((400, 3)), np.arange(400) % 4
    usual = load({"X": X, "y": y})
    assert [len(getattr(usual, f"y_{split}")) for split in SPLITS] == [340, 30, 30]
    assert np.bincount(usual.y_val).min() >= 7  # stratified all the same
    asked = load({"X": X, "y": y}, val_fraction=0.2, test_fraction=0.2)
    assert [len(getattr(asked, f"y_{split}")) for split in SPLITS] == [256, 64, 80]


@given(
    st.integers(20, 90),
    st.integers(2, 4),
    st.floats(0.1, 0.5),
    st.floats(0.1, 0.5),
    st.integers(0, 99),
)
def test_parts_are_disjoint_complete_and_keep_rows_together(n, K, val, test, seed):
    given_arrays = some_arrays(n, K)
    settings = {"val_fraction": val, "test_fraction": test, "seed": seed, "normalise": False}
    dataset = load(given_arrays, **settings)
    seen = [rows_of(dataset.part(split)[0]) for split in SPLITS]
    assert sorted(np.concatenate(seen)) == list(range(n))
    for split, rows in zip(SPLITS, seen, strict=True):
        X, y, soft = dataset.part(split)
        np.testing.assert_allclose(X, given_arrays["X"][rows].astype(np.float32))
        np.testing.assert_array_equal(y, given_arrays["y"][rows])
        np.testing.assert_array_equal(soft, given_arrays["soft"][rows])
        assert set(y) == set(range(K))
    again = load(given_arrays, **settings)
    np.testing.assert_array_equal(again.X_train, dataset.X_train)
    assert len(dataset.y_test) == max(round(test * n), K)


def test_parts_that_are_given_stay_whole_and_in_order():
    given_arrays = some_arrays(60)
    other = some_arrays(30, seed=1)
    source = {**given_arrays, **{f"{key}_test": a for key, a in other.items()}}
    dataset = load(source, normalise=False)
    np.testing.assert_allclose(dataset.X_test, other["X"].astype(np.float32))
    np.testing.assert_array_equal(dataset.soft_test, other["soft"])
    assert len(dataset.y_train) + len(dataset.y_val) == 60
    source |= {f"{key}_val": a for key, a in other.items()}
    assert len(load(source).y_train) == 60


def test_seeds_split_differently():
    first, second = (load(some_arrays(), seed=seed, normalise=False) for seed in (0, 1))
    assert set(rows_of(first.X_test)) != set(rows_of(second.X_test))


@given(st.integers(3, 39))
def test_limit_keeps_so_many_training_rows_in_proportion(limit):
    whole = load(some_arrays(), normalise=False)
    few = load(some_arrays(), normalise=False, limit=limit)
    if limit >= len(whole.y_train):
        np.testing.assert_array_equal(few.X_train, whole.X_train)
        return
    assert len(few.y_train) == limit
    assert np.ptp(np.bincount(few.y_train)) <= 1
    assert set(rows_of(few.X_train)) <= set(rows_of(whole.X_train))
    np.testing.assert_array_equal(few.X_test, whole.X_test)


# --- forms of a source


def test_one_task_from_every_form_of_source(tmp_path):
    train, test = some_arrays(), some_arrays(30, seed=1)
    keras = {"x_train": train["X"], "y_train": train["y"], "soft_train": train["soft"]}
    keras |= {"x_test": test["X"], "y_test": test["y"][:, None], "soft_test": test["soft"]}
    plain = {**train, **{f"{key}_test": a for key, a in test.items()}}
    votes = {"votes" + key.removeprefix("soft"): plain[key] for key in ("soft", "soft_test")}
    renamed = {key: a for key, a in plain.items() if not key.startswith("soft")} | votes
    lists = {key: a.tolist() for key, a in plain.items()}
    np.savez(tmp_path / "plain.npz", **plain)
    np.savez(tmp_path / "keras.npz", **keras)
    np.savez(tmp_path / "votes.npz", **renamed)
    wanted = load(plain)
    for source, settings in (
        (lists, {}),
        (keras, {}),
        (renamed, {"soft_key": "votes"}),
        (tmp_path / "plain.npz", {}),
        (str(tmp_path / "keras.npz"), {}),
        (tmp_path / "votes.npz", {"soft_key": "votes"}),
    ):
        made = load(source, **settings)
        for split in SPLITS:
            for one, other in zip(made.part(split), wanted.part(split), strict=True):
                np.testing.assert_array_equal(one, other)
    assert load(tmp_path / "plain.npz").name == "plain"


def test_table_and_arrays_make_the_same_task(tmp_path):
    source = some_arrays()
    frame = pd.DataFrame(source["X"], columns=list("abcd")).assign(kind=source["y"])
    for k in range(3):
        frame[f"p_{k}"] = source["soft"][:, k]
    wanted = load(source)
    for suffix in ("csv", "parquet"):
        path = tmp_path / f"t.{suffix}"
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
        made = load(path, target="kind", soft_columns=["p_1", "p_0", "p_2"])
        np.testing.assert_allclose(made.X_train, wanted.X_train, rtol=1e-6)
        np.testing.assert_allclose(made.soft_val, wanted.soft_val)
        assert made.classes == ("0", "1", "2")


def test_positive_class_alone_is_a_soft_label():
    p = np.linspace(0, 1, 60)
    dataset = load(some_arrays(60, 2, soft=p), normalise=False)
    np.testing.assert_allclose(dataset.soft_train[:, 1], p[rows_of(dataset.X_train)])
    np.testing.assert_allclose(dataset.soft_train.sum(axis=1), 1)


def test_votes_stay_votes():
    votes = np.random.default_rng(0).multinomial(5, [0.2, 0.3, 0.5], 60)
    dataset = load(some_arrays(soft=votes), normalise=False)
    np.testing.assert_array_equal(dataset.soft_train, votes[rows_of(dataset.X_train)])
    grouped = load(some_arrays(soft=votes), positive=[2], normalise=False)
    np.testing.assert_array_equal(grouped.soft_train[:, 1], votes[rows_of(grouped.X_train)][:, 2])


def test_images_become_rows():
    pictures = np.random.default_rng(0).random((40, 4, 5, 3))
    assert load({"X": pictures, "y": np.arange(40) % 2}).X_train.shape[1] == 60


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_a_users_arrays_are_never_written_to(dtype):
    source = {
        f"{key}{suffix}": a for suffix in ("", "_val", "_test") for key, a in some_arrays().items()
    }
    for key in ("X", "X_val", "X_test"):
        source[key] = np.ascontiguousarray(abs(source[key]) + 1, dtype)
    before = {key: a.copy() for key, a in source.items()}
    load(source)
    load(source, noise=0.5, flip=0.5, draws=2)
    for key, a in before.items():
        np.testing.assert_array_equal(source[key], a)
        assert source[key].flags.writeable


# --- difficulty


def test_rows_have_unit_norm_also_after_noise():
    for noise in (0.0, 2.0):
        dataset = load("digits", noise=noise)
        for split in SPLITS:
            norms = np.linalg.norm(dataset.part(split)[0].astype(float), axis=1)
            np.testing.assert_allclose(norms, 1, atol=1e-6)
            assert dataset.part(split)[0].dtype == np.float32


def test_noise_is_added_in_the_units_of_the_features_before_scaling():
    quiet, noisy = (load("digits", noise=sigma, normalise=False) for sigma in (0.0, 0.4))
    difference = noisy.X_train - quiet.X_train
    assert abs(difference.std() - 0.4) < 5 * 0.4 / np.sqrt(2 * difference.size)
    assert abs(difference.mean()) < 5 * 0.4 / np.sqrt(difference.size)
    scaled = noisy.X_train / np.linalg.norm(noisy.X_train, axis=1, keepdims=True)
    np.testing.assert_allclose(load("digits", noise=0.4).X_train, scaled, atol=1e-6)


def test_draws_repeat_held_out_rows_under_other_noise_and_leave_training_alone():
    once, often = (load("digits", noise=0.3, draws=n, normalise=False) for n in (1, 4))
    np.testing.assert_array_equal(once.X_train, often.X_train)
    assert len(often.y_test) == 4 * len(once.y_test)
    np.testing.assert_array_equal(often.y_test, once.y_test.repeat(4))
    first, second = often.X_test[0::4], often.X_test[1::4]
    assert abs((first - second).std() - 0.3 * 2**0.5) < 0.01
    assert often.draws == 4


def test_flips_come_at_their_rate_in_training_and_validation_and_never_in_the_test():
    clean, flipped = (load("digits", flip=rate) for rate in (0.0, 0.3))
    np.testing.assert_array_equal(clean.X_train, flipped.X_train)
    for split, rate in (("train", 0.3), ("val", 0.3), ("test", 0.0)):
        y = clean.part(split)[1]
        share = np.mean(y != flipped.part(split)[1])
        assert abs(share - rate) <= 5 * np.sqrt(rate * (1 - rate) / len(y))
    assert any("flipped at rate 0.3" in note for note in flipped.notes)


def test_equal_inputs_with_other_labels_are_counted_in_a_note():
    source = some_arrays(60, 2)
    source["X"][:20] = source["X"][0]
    dataset = load(source)
    conflicts = conflicting_rows(dataset.X_train, dataset.y_train)
    assert conflicts > 5
    assert any(note.startswith(f"{conflicts} training rows equal") for note in dataset.notes)
    assert load(some_arrays()).notes == ()


def test_data_larger_than_memory_says_how_much_it_needs(tmp_path, monkeypatch):
    path = tmp_path / "big.npz"
    np.savez_compressed(path, X=np.zeros((2000, 1000), np.uint8), y=np.arange(2000) % 2)
    free = psutil.virtual_memory()._replace(available=20 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    disk = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    told = r"unpacking X\.npy of big\.npz needs 2 MiB of disk, .* and 1 MiB are free"
    with pytest.raises(MemoryLimitError, match=told):
        load(path)


def test_absent_file_is_our_error(tmp_path):
    with pytest.raises(MissingDataError, match="no file"):
        load(tmp_path / "absent.npz")


def test_training_rows_are_all_rows_of_the_task():
    whole = load("digits", positive=[1, 3], val_fraction=0.1, test_fraction=0.1)
    X, y, classes = training_rows("digits", positive=[1, 3])
    assert (len(X), classes) == (1797, whole.classes)
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1, rtol=1e-6)
    split = np.concatenate([whole.y_train, whole.y_val, whole.y_test])
    np.testing.assert_array_equal(np.bincount(y), np.bincount(split))
