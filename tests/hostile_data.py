"""Readers of data, and what makes tasks, labels and lessons of them, called with hostile input."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any
from unittest import mock

import hostile_files
import numpy as np
from hostile_values import NUMBERS, TEXTS, Hostile
from problems import random_problem
from user_arrays import some_arrays

from softwidth import data, labels, lessons, tasks
from softwidth.label_checks import check_soft_labels


def _load_settings(h: Hostile) -> dict[str, Any]:
    some: dict[str, Any] = {
        "positive": ["1"], "pair": [0, 1], "noise": 0.1, "flip": 0.1, "normalise": False, "soft_key": "soft",
        "val_fraction": 0.3, "test_fraction": 0.3, "seed": 1,
    }  # fmt: skip
    given = {name: h.scalar(value) for name, value in some.items() if h.chance(0.15)}
    if h.chance(0.15):
        given["limit"] = h.scalar(5)
    if h.chance(0.1):
        given["draws"] = h.small(2)
    return given


def _as_path(h: Hostile, path: Path) -> Any:
    return h.of([path, str(path)])


def load_npz(h: Hostile, where: Path) -> Any:
    path = hostile_files.archive(
        h, where / h.of(["data.npz", "d\u202ea.npz", "<script>.NPZ", "a b.npz", "\udcff.npz"])
    )
    return data.load(_as_path(h, path), **_load_settings(h))


def load_csv(h: Hostile, where: Path) -> Any:
    path = hostile_files.comma_separated(h, where / "data.csv")
    return data.load(_as_path(h, path), **_table_settings(h), **_load_settings(h))


def load_parquet(h: Hostile, where: Path) -> Any:
    path = hostile_files.parquet(h, where / "data.parquet")
    return data.load(_as_path(h, path), **_table_settings(h), **_load_settings(h))


def _table_settings(h: Hostile) -> dict[str, Any]:
    columns = h.scalar(["p0", "p1", "p2"]) if h.chance(0.5) else None
    given = {"target": h.scalar("label"), "soft_columns": columns}
    for name, value in {"weight_column": "x0", "ignore_columns": ["x1"]}.items():
        if h.chance(0.1):
            given[name] = h.scalar(value)
    return given


def load_arrays(h: Hostile, where: Path) -> Any:
    given = some_arrays(n=h.whole(2, 30), K=h.whole(2, 4))
    if h.chance(0.2):
        given["sample_weight"] = np.ones(len(given["y"]))
    if h.chance(0.3):
        test = some_arrays(n=5, K=2)
        given |= {"X_test": test["X"], "y_test": test["y"]}
    return data.load(h.arrays(given), **_load_settings(h))


def load_name(h: Hostile, where: Path) -> Any:
    names = [
        h.anything(),
        *TEXTS,
        str(where),
        f"{where}/none.npz",
        "digits\0",
        f"{h.of(['circle', 'net', 'cirle'])}({h.of(NUMBERS)}{h.of(['', ', 2', ', 1e9', ',,', ', nan'])})",
        "../digits",
        "a" * 300 + ".npz",
        b"digits",
    ]
    return data.load(h.of(names), **_load_settings(h))


def load_built_in(h: Hostile, where: Path) -> Any:
    hostile_files.built_in(h, where)
    there = {"SOFTWIDTH_DATA": h.of([str(where), str(where), ""]), "XDG_CACHE_HOME": str(where)}
    with mock.patch.dict(os.environ, there):
        return data.load(h.of(["mnist", "cifar10"]), **_load_settings(h))


def rows_for_margins(h: Hostile, where: Path) -> Any:
    given = h.arrays(some_arrays(n=h.whole(2, 30)))
    return data.training_rows(
        given, positive=h.scalar(None), pair=h.scalar(None), noise=h.scalar(0.0), seed=h.scalar(0)
    )


def make_targets(h: Hostile, where: Path) -> Any:
    n, K = h.whole(1, 20), h.whole(2, 4)
    text = h.of(
        [
            *labels.SCHEMES,
            "smoothed(0.1)",
            "mixed(0.5,2)",
            "tempered(0.5)",
            "flipped(0.2)",
            h.of(TEXTS),
        ]
    )
    if h.chance(0.2):
        text = f"{h.of(list(labels.SCHEMES))}({h.of(NUMBERS)}{h.of([')', ',1)', ''])}"
    P = h.of(
        [
            h.rng.dirichlet(np.ones(K), n),
            h.rng.integers(0, 5, (n, K)),
            h.rng.integers(0, 5, (n, K)) * 10**11,
        ]
    )
    y = h.array(np.arange(n) % K)
    made = labels.make_targets(
        h.scalar(text), y, h.array(P), n_classes=h.small(K), seed=h.scalar(0)
    )
    return [made.at(epoch) for epoch in (0, 1, 2**40)]


def votes_and_shares(h: Hostile, where: Path) -> Any:
    n, K = h.whole(1, 20), h.whole(2, 4)
    table = h.array(
        h.of([h.rng.dirichlet(np.ones(K), n), h.rng.integers(0, 5, (n, K)), h.rng.random(n)])
    )
    if h.chance(0.5):
        return labels.as_probabilities(table, n_classes=h.scalar(None))
    return labels.repeat_votes(np.ones((n, 2)), table)


def soft_label_checks(h: Hostile, where: Path) -> Any:
    given = some_arrays(n=h.whole(1, 60), K=h.whole(2, 4))
    soft = h.of(
        [given["soft"], np.rint(9 * given["soft"]), np.eye(given["soft"].shape[1])[given["y"]]]
    )
    return check_soft_labels(
        h.array(given["y"]), h.array(soft), n_classes=h.scalar(None), in_sample=h.scalar(None)
    )


class Odd:
    """A classifier whose probabilities are somebody's own."""

    def __init__(self, h: Hostile) -> None:
        self.h = h

    def fit(self, X: Any, y: Any) -> None:
        self.K = int(y.max()) + 1

    def predict_proba(self, X: Any) -> Any:
        return self.h.array(np.full((len(X), self.K), 1 / self.K))


def teaching(h: Hostile, where: Path) -> Any:
    problem, K = random_problem(h.whole(0, 99), N=h.whole(6, 30), K=2), h.small(2)
    X, y = h.array(problem.X), h.array(problem.y)
    make = h.scalar(lambda: Odd(h))
    way = h.of(["teach", "cross", "margins", "thin"])
    if way == "teach":
        others = (h.array(problem.X), h.array(problem.y)) if h.chance(0.3) else None
        return lessons.teach(make, X, y, X_val=h.array(problem.X), y_val=h.array(problem.y), n_classes=K, others=others,
                             folds=h.small(2), in_sample=h.scalar(False), seed=h.scalar(0), draws=h.scalar(1))  # fmt: skip
    if way == "cross":
        return lessons.cross_fit(make, X, y, folds=h.small(2), n_classes=K, seed=h.scalar(0))
    if way == "margins":
        return lessons.row_margins(X, y, folds=h.small(2), n_classes=K)
    dataset = _dataset()
    return tasks.keep_by_margin(
        dataset,
        h.array(h.rng.random(len(dataset.y_train))),
        h.scalar(0.5),
        keep=h.scalar("largest"),
    )


@functools.cache
def _dataset() -> Any:
    return data.load(some_arrays(n=40, K=2))
