"""Built-in data against their published numbers; real data where they are on this machine."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

import softwidth
from softwidth import images
from softwidth._checks import (
    ArgumentError,
    DataFileError,
)
from softwidth.data import BUILT_IN, CIFAR10_CLASSES, available, load

SPLITS = ("train", "val", "test")
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # MNIST's own
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_digits_are_scikit_learns():
    X, y = load_digits(return_X_y=True)
    dataset = load("digits", normalise=False)
    assert dataset.classes == tuple("0123456789")
    rows = np.concatenate([dataset.part(split)[0] for split in SPLITS])
    labels = np.concatenate([dataset.part(split)[1] for split in SPLITS])
    order, theirs = np.lexsort([*rows.T, labels]), np.lexsort([*X.T / 16, y])
    np.testing.assert_array_equal(rows[order], (X / 16).astype(np.float32)[theirs])
    np.testing.assert_array_equal(labels[order], y[theirs])


def test_digits_are_read_without_importing_scikit_learn():
    code = "import sys; from softwidth.data import load; load('digits'); print('sklearn' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_digits_that_lie_elsewhere_are_asked_for(monkeypatch):
    read = load("digits")
    monkeypatch.setattr("softwidth.builtin.DIGITS_FILE", "sklearn/nowhere.csv.gz")
    for split in SPLITS:
        for mine, theirs in zip(load("digits").part(split), read.part(split), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_sizes_in_the_list_are_those_of_the_data():
    listed = {row["name"]: row for row in available()}
    assert listed["digits"]["rows"] == 1797
    assert load("digits").n_features == listed["digits"]["features"]
    assert set(listed) == set(BUILT_IN)


def test_mnist_is_the_original(real_data):
    dataset = softwidth.load("mnist", normalise=False)
    assert dataset.X_train.shape == (48_000, 784)
    assert dataset.X_val.shape == (12_000, 784)
    assert dataset.X_test.shape == (10_000, 784)
    both = np.bincount(dataset.y_train) + np.bincount(dataset.y_val)
    assert both.tolist() == TRAIN_COUNTS
    assert np.bincount(dataset.y_test).tolist() == TEST_COUNTS
    # Of the original pixels: 0..1, and the well-known mean and deviation of the training images.
    pixels = np.concatenate([dataset.X_train, dataset.X_val])
    assert (pixels.min(), pixels.max()) == (0, 1)
    assert abs(pixels.mean(dtype=float) - 0.1307) < 5e-5
    assert abs(pixels.std(dtype=float) - 0.3081) < 5e-5
    assert dataset.notes == ()


def test_parity_of_mnist(real_data):
    dataset = softwidth.load("mnist", positive=[1, 3, 5, 7, 9], limit=1000)
    assert dataset.classes == ("0+2+4+6+8", "1+3+5+7+9")
    assert np.bincount(dataset.y_test).tolist() == [sum(TEST_COUNTS[0::2]), sum(TEST_COUNTS[1::2])]
    assert len(dataset.y_train) == 1000


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "softwidth"


def test_cifar10_is_decoded_to_its_documented_numbers(real_data, empty_cache, monkeypatch):
    assert softwidth.load("cifar10", pair=["cat", "dog"]).X_test.shape == (2000, 3072)
    assert len(list(empty_cache.iterdir())) == 1
    monkeypatch.setattr(images, "_decode", None)  # a second time they come from the cache
    dataset = softwidth.load("cifar10", normalise=False)
    assert dataset.classes == CIFAR10_CLASSES
    assert dataset.X_train.shape == (40_000, 3072)
    assert np.bincount(dataset.y_train).tolist() == [4000] * 10
    assert np.bincount(dataset.y_test).tolist() == [1000] * 10
    channels = sum(
        X.reshape(-1, 3).sum(axis=0, dtype=float) for X in (dataset.X_train, dataset.X_val)
    )
    np.testing.assert_allclose(channels / (50_000 * 1024), [0.4913, 0.4821, 0.4465], atol=5e-5)
    assert any("JPEG" in note for note in dataset.notes)


@pytest.mark.parametrize(
    "stored",
    [
        {"a": np.ones(3)},
        {"x_train": np.ones((6, 2, 2)), "y_train": np.arange(6)},
        {"x_train": np.ones((6, 2, 2), np.uint8), "y_train": np.arange(5)},
        {"x_train": np.ones((0, 2, 2), np.uint8), "y_train": np.arange(0)},
    ],
)
def test_another_file_in_the_place_of_mnist_is_our_error(tmp_path, monkeypatch, stored):
    test = (
        {"x_test": np.ones((2, 2, 2), np.uint8), "y_test": np.arange(2)} if len(stored) > 1 else {}
    )
    np.savez(tmp_path / "mnist.npz", **stored, **test)
    monkeypatch.setenv("SOFTWIDTH_DATA", str(tmp_path))
    with pytest.raises((DataFileError, ArgumentError), match=r"mnist\.npz|`y`"):
        load("mnist")
