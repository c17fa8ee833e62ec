"""Embedded tables and voted data: what they hold, and that test rows teach the scaling nothing."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import sklearn.datasets

from softwidth import builtin_votes
from softwidth._checks import DataFileError, MissingDataError
from softwidth.builtin import BUILT_IN, CIFAR10_CLASSES, available
from softwidth.builtin_tables import standardised
from softwidth.data import load
from softwidth.tasks import split_rows


@pytest.mark.parametrize("name", ["breast-cancer", "wine", "diabetes"])
def test_tables_are_scikit_learns(name):
    source = BUILT_IN[name].load()
    theirs = getattr(sklearn.datasets, f"load_{name.replace('-', '_')}")()
    parts = (source.train, source.test)
    X = np.vstack([part.X for part in parts])[:, :-1]
    assert (len(X), X.shape[1] + 1) == (BUILT_IN[name].rows, BUILT_IN[name].features)
    # Standardising is affine: the ranks of a column stay, and so do its rows.
    order, their_order = (np.lexsort(A.round(9).T) for A in (rank(X), rank(theirs.data)))
    np.testing.assert_array_equal(rank(X)[order], rank(theirs.data)[their_order])
    own = np.concatenate([np.array(source.classes)[part.y] for part in parts])
    if name == "diabetes":
        labels = np.where(theirs.target > np.median(theirs.target), "above", "below")
        assert abs((own == "above").mean() - 0.5) < 0.01
    else:
        labels = theirs.target_names[theirs.target]
    counted = [dict(zip(*np.unique(y, return_counts=True), strict=True)) for y in (own, labels)]
    assert counted[0] == counted[1]
    assert next(row for row in available() if row["name"] == name)["classes"] == len(source.classes)


def rank(X):
    """Of every number in its column, equal ones alike."""
    X = np.asarray(X, np.float32)
    return np.stack([np.unique(x, return_inverse=True)[1] for x in X.T], axis=1)


def test_test_rows_teach_the_scaling_nothing():
    rng = np.random.default_rng(0)
    X, y = rng.normal(3, 2, size=(80, 4)), np.repeat([0, 1], 40)
    first = standardised({"X": X, "y": y}, "rows")
    np.testing.assert_allclose(first.train.X[:, :-1].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(first.train.X[:, :-1].std(axis=0), 1, atol=1e-5)
    assert np.all(first.train.X[:, -1] == 2)
    _, rest = split_rows(y, 60, seed=0)
    X[rest] += 100  # test rows far away change nothing of the training rows
    again = standardised({"X": X, "y": y}, "rows")
    np.testing.assert_allclose(again.train.X, first.train.X, atol=1e-5)
    assert again.test.X[:, :-1].min() > 10


@pytest.mark.parametrize("name", ["breast-cancer", "diabetes"])
def test_tables_are_tasks_like_all_others(name):
    dataset = load(name, seed=3)
    np.testing.assert_allclose(np.linalg.norm(dataset.X_train, axis=1), 1, rtol=1e-5)
    assert len(dataset.classes) == 2


def test_votes_on_images_are_those_published(real_data):
    source = BUILT_IN["cifar10h"].load()
    assert source.classes == CIFAR10_CLASSES
    assert (len(source.train.y), len(source.test.y)) == (7500, 2500)
    votes = np.vstack([source.train.soft, source.test.soft])
    assert votes.sum() == 511_000
    assert (votes.sum(axis=1).min(), votes.sum(axis=1).max()) == (47, 63)
    np.testing.assert_array_equal(source.train.y, source.train.soft.argmax(axis=1))
    assert np.isfinite(source.train.X).all()


def test_votes_on_sentences_are_those_published(real_data, monkeypatch):
    """With other vectors than the package's: what they are made of stands in another test."""
    seen = []

    def embed(sentences):
        seen.append(list(sentences))
        return np.random.default_rng(len(seen)).normal(size=(len(sentences), 8)).astype(np.float32)

    monkeypatch.setattr(builtin_votes, "embed", embed)
    source = BUILT_IN["chaosnli"].load()
    assert [len(texts) for texts in seen] == [3113, 3113]
    votes = np.vstack([source.train.soft, source.test.soft])
    assert np.all(votes.sum(axis=1) == 100)
    assert source.classes == ("contradiction", "entailment", "neutral")
    lines = [
        json.loads(line)
        for name in builtin_votes.CHAOS_FILES
        for line in (real_data / name).read_text().splitlines()
    ]
    for k, name in enumerate(builtin_votes.CHAOS_CLASSES):
        total = sum(line["label_count"][k] for line in lines)
        assert votes[:, source.classes.index(name)].sum() == total


def test_sentences_without_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(MissingDataError, match="pip install"):
        builtin_votes.embed(["a"])


@pytest.mark.parametrize("text", ["{", '{"label_count": [1, 2, 3]}', '{"label_count": [1, 2], "example": {"premise": "a", "hypothesis": "b"}}'])  # fmt: skip
def test_damaged_votes_are_named(text, tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTWIDTH_DATA", str(tmp_path))
    for name in builtin_votes.CHAOS_FILES:
        (tmp_path / name).write_text(text + "\n")
    with pytest.raises(DataFileError, match="chaosNLI"):
        load("chaosnli")


@pytest.mark.parametrize("votes", [np.ones((3, 10)), np.ones((2, 9), int), np.array([{}] * 2)])
def test_damaged_counts_are_named(votes, tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTWIDTH_DATA", str(tmp_path))
    np.savez(tmp_path / "cifar10_test.npz", x=np.zeros((2, 32, 32, 3), np.uint8), y=np.zeros(2))
    np.save(tmp_path / "cifar10h-counts.npy", votes, allow_pickle=True)
    with pytest.raises(DataFileError, match="cifar10h-counts"):
        load("cifar10h")


@pytest.mark.parametrize("name", ["cifar10h", "chaosnli"])
def test_voted_data_that_are_not_here_say_how_to_get_them(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTWIDTH_DATA", str(tmp_path))
    with pytest.raises(MissingDataError, match="SOFTWIDTH_DATA"):
        load(name)
