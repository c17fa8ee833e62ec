"""Tables that scikit-learn embeds, as built-in data: standardised, with a constant column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from softwidth._types import Array
from softwidth.sources import Source, from_arrays
from softwidth.tasks import split_rows

TRAINING = 0.75  # of the rows; the others are the test part
NOTE = "Columns are standardised by the training rows, and one is constant: students have no bias."
DIABETES = ("below", "above")  # the middle progression of all patients


def breast_cancer() -> Source:
    """569 tumours, 30 measures of their cells: malignant or benign."""
    return _table("breast_cancer", "breast-cancer")


def wine() -> Source:
    """178 wines of three growers, 13 measures."""
    return _table("wine", "wine")


def diabetes() -> Source:
    """442 patients, 10 measures: whether the disease goes on faster than with half of them."""
    from sklearn.datasets import load_diabetes

    X, progression = load_diabetes(return_X_y=True)
    later = (progression > np.median(progression)).astype(int)
    return standardised({"X": X, "y": np.array(DIABETES)[later]}, "diabetes")


def _table(loader: str, name: str) -> Source:
    import sklearn.datasets

    found = getattr(sklearn.datasets, f"load_{loader}")()
    return standardised({"X": found.data, "y": found.target_names[found.target]}, name)


def standardised(arrays: Mapping[str, Any], name: str, notes: tuple[str, ...] = ()) -> Source:
    """A source of ``X, y[, soft]`` with a stratified test part of a quarter, always the same.

    Columns have mean 0 and variance 1 on the training rows; a constant one is as large as all of
    them together, so that neurons may have their edges away from the mean.
    """
    y = np.unique(arrays["y"], return_inverse=True)[1]
    own, rest = split_rows(y, round(TRAINING * len(y)), seed=0)
    X = np.asarray(arrays["X"], np.float64)
    mean, scale = X[own].mean(axis=0), X[own].std(axis=0)
    scaled = with_constant((X - mean) / np.where(scale > 0, scale, 1))
    parts = {"": own, "_test": rest}
    split = {f"{key}{end}": np.asarray(value)[rows] for key, value in {**arrays, "X": scaled}.items() for end, rows in parts.items()}  # fmt: skip
    return from_arrays(split, name, (*notes, NOTE))


def with_constant(X: Array) -> Array:
    """The rows with one more column, as long as a row of as many independent ones is typically.

    >>> with_constant(np.array([[0.5, 1.5, -1.0, 1.0]])).tolist()
    [[0.5, 1.5, -1.0, 1.0, 2.0]]
    """
    constant = np.full((len(X), 1), np.sqrt(X.shape[1]))
    return np.hstack([X, constant]).astype(np.float32)
