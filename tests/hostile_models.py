"""Teachers, classifiers by name, the estimator and its exports, called with hostile input."""

from __future__ import annotations

import functools
import traceback
import warnings
from pathlib import Path
from typing import Any

import hostile_files
import numpy as np
from hostile_answers import FaultError
from hostile_values import INSIDE, NUMBERS, TEXTS, Hostile
from problems import random_problem
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from user_arrays import some_arrays

from softwidth import SoftLabelClassifier
from softwidth._checks import ArgumentError, SoftwidthError
from softwidth.classifiers import CLASSIFIERS, classifier, settings_of
from softwidth.data import load
from softwidth.export import to_numpy, to_onnx
from softwidth.lessons import cross_fit
from softwidth.map_teacher import MapTeacher
from softwidth.network import initialise
from softwidth.spoils import SPOILS, parse_spoil, spoiled
from softwidth.teachers import KernelTeacher, WideTeacher

# Settings that keep a fit short; each is hostile now and then.
SHORT: dict[str, dict[str, Any]] = {
    "wide": {"width": 4, "epochs": 1, "step_size": 1.0},
    "kernel": {"folds": 2, "C": 10.0},
    "map": {"neurons": 16, "radius": 1.0, "gap": 0.1},
    "logistic": {"max_iter": 5, "C": 1.0, "tol": 1e-3},
    "forest": {"n_estimators": 2, "max_depth": 3},
    "boosting": {"max_iter": 2, "min_samples_leaf": 2, "early_stopping": False},
    "network": {"hidden_layer_sizes": [4], "max_iter": 2, "early_stopping": False},
}


def teachers(h: Hostile, where: Path) -> Any:
    problem = random_problem(h.whole(0, 99), N=h.whole(4, 30), K=h.of([2, 2, 3]))
    X, y = h.array(problem.X), h.array(problem.y)
    makes = [
        lambda: KernelTeacher(C=h.scalar(10.0), folds=h.scalar(2)),
        lambda: WideTeacher(
            h.small(4), epochs=h.small(1), batch_size=h.scalar(None), step_size=h.scalar(1.0),
            momentum=h.scalar(0.9), seed=h.scalar(0),
        ),
        lambda: MapTeacher(
            h.scalar(1.0), neurons=h.small(16), gap=h.scalar(0.1), seed=h.scalar(0)
        ),
    ]  # fmt: skip
    return h.of(makes)().fit(X, y).predict_proba(h.array(problem.X))


def named_classifiers(h: Hostile, where: Path) -> Any:
    name = h.of(CLASSIFIERS)
    settings = {key: h.small(value) for key, value in SHORT[name].items()}
    if h.chance(0.2):
        settings[h.of([*settings_of(name), *TEXTS])] = h.of([1000, 10**15, "", None, -1, 0.5])
    make = classifier(h.scalar(name), h.scalar(settings), seed=h.scalar(0))
    problem = random_problem(h.whole(0, 99), N=h.whole(10, 30))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # true, of so few steps
        return cross_fit(make, problem.X, problem.y, folds=2, n_classes=2)


def spoils(h: Hostile, where: Path) -> Any:
    ways = [f"{h.of([*SPOILS, 'tempred'])}({h.of([*NUMBERS, 0.3])})", h.of(TEXTS), "biased(1"]
    text = h.scalar(h.of(ways))
    parse_spoil(text)
    P = h.rng.dirichlet(np.ones(3), h.whole(1, 9))
    found = spoiled(P, text, h.rng)
    if not np.allclose(found.sum(axis=1), 1):
        raise FaultError(f"{text} gave {found}")
    return found


def _model(h: Hostile) -> SoftLabelClassifier:
    some: dict[str, Any] = {
        "labels": h.of(["auto", "hard", "smoothed(0.1)"]), "momentum": 0.9, "schedule": "constant", "radius": 1.0, "init": "he",
        "train_output": True, "bias": True, "normalise": False, "validation_fraction": 0.3, "class_weight": h.of(["balanced", {"0": 2.0}]),
        "classes": h.of([["a", "b", "c"], None]), "random_state": 3,
    }  # fmt: skip
    given = {name: h.scalar(value) for name, value in some.items() if h.chance(0.2)}
    return SoftLabelClassifier(
        h.small(h.of([2, 4])), epochs=h.small(2), batch_size=h.small(8),
        step_size=h.scalar(h.of([1.0, 1.0, 1e30])) if h.chance(0.9) else None, **given,
    )  # fmt: skip


def estimators(h: Hostile, where: Path) -> Any:
    given = some_arrays(n=h.whole(6, 40))
    weight = h.array(np.ones(len(given["X"]))) if h.chance(0.3) else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataConversionWarning)
            warnings.filterwarnings("ignore", "The number of unique classes is greater")  # true
            y = h.array(h.of([given["y"], given["soft"], given["y"].astype(str)]))
            model, X = _model(h), h.array(given["X"])
            if h.chance(0.6):
                model.fit(X, y, weight)
            if h.chance(0.5):
                model.partial_fit(X, y, h.scalar(h.of([None, [0, 1, 2], list("012")])), weight)
            model.predict_proba(h.array(given["X"]))
            return model.score(h.array(given["X"]), y)
    except (ValueError, TypeError, RuntimeWarning, NotFittedError) as error:
        if isinstance(error, SoftwidthError) or not _of_scikit_learn(error):
            raise
        return ArgumentError("X", "as scikit-learn says", str(error))


def _of_scikit_learn(error: Exception) -> bool:
    """Whether its own validation speaks, as its conventions want."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(part in frame.filename for frame in frames for part in ("sklearn/utils/", "sklearn/metrics/"))  # fmt: skip


@functools.cache
def _fitted() -> SoftLabelClassifier:
    given = some_arrays(n=20)
    return SoftLabelClassifier(4, epochs=2, step_size=1.0).fit(given["X"], given["soft"])


def exports(h: Hostile, where: Path) -> Any:
    network = initialise(4, 3, h.of([2, 3]), bias=h.chance(0.5), dtype=h.of(["f4", "f8"]))
    model = h.scalar(h.of([network, _fitted(), SoftLabelClassifier()]))
    path = h.of([where / "a.onnx", str(where / "b.npz"), where, where / "no" / "c", "", *INSIDE])
    in_it = path if not isinstance(path, str) or path.startswith("/") else str(where / path)
    write = h.of([to_numpy, to_numpy, to_onnx])
    written = write(model, h.of([*NUMBERS, None, b"a"]) if h.chance(0.1) else in_it)
    if write is to_onnx:
        return written
    broken = where / "again.npz"
    broken.write_bytes(hostile_files.damaged(h, Path(written).read_bytes()))
    return load(broken)
