"""Arrays as they come to rows, class ids and class names; whatever does not fit is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    as_type,
    check_matrix,
    check_numeric,
    check_same_length,
    check_weights,
    rows_text,
)
from softwidth._mapped import as_rows
from softwidth._types import Labels
from softwidth.distributions import as_probabilities, both_columns
from softwidth.tasks import Part

LARGEST_LABEL = 2**53  # whole numbers beyond it are not exact as floating-point numbers


@dataclass(frozen=True, eq=False)
class Source:
    """What was read, before any task is made of it."""

    train: Part
    test: Part | None
    val: Part | None
    classes: tuple[str, ...]
    name: str
    notes: tuple[str, ...] = ()


def from_arrays(arrays: Mapping[str, Any], name: str, notes: tuple[str, ...] = ()) -> Source:
    """A source from arrays ``X, y[, soft][, sample_weight]`` and the same with ``_val`` and ``_test``.

    Raises
    ------
    ArgumentError
        Arrays that are missing, malformed, or do not fit each other.
    """
    for key in ("X", "y"):
        if key not in arrays:
            raise ArgumentError("source", ", ".join(arrays) or "nothing", f"has no array `{key}`.")
    names = _class_names(arrays)
    train = _part(arrays, "", names)
    if len(np.unique(train.y)) < 2:
        wish = "has one class only: there is nothing to tell apart."
        raise ArgumentError("y", names[train.y[0]], wish)
    val, test = (_other_part(arrays, suffix, names, train) for suffix in ("_val", "_test"))
    parts = {"": train, "_val": val, "_test": test}
    notes += tuple(
        f"{left:,} rows of X{suffix} have weight 0 and were left out."
        for suffix, part in parts.items()
        if part is not None and (left := len(arrays[f"y{suffix}"]) - len(part.y))
    )
    return Source(train, test, val, names, name, notes)


def _other_part(
    arrays: Mapping[str, Any], suffix: str, names: tuple[str, ...], train: Part
) -> Part | None:
    for key in ("y", "soft", "sample_weight"):
        if f"{key}{suffix}" in arrays and f"X{suffix}" not in arrays:
            wish = f"comes without its inputs `X{suffix}`."
            raise ArgumentError("source", f"{key}{suffix}", wish)
    if f"X{suffix}" not in arrays:
        return None
    part = _part(arrays, suffix, names)
    if part.X.shape[1] != train.X.shape[1]:
        wish = f"must have {train.X.shape[1]} columns, as X has."
        raise ArgumentError(f"X{suffix}", part.X, wish)
    return part


def _part(arrays: Mapping[str, Any], suffix: str, names: tuple[str, ...]) -> Part:
    X_name, y_name, soft_name = (f"{key}{suffix}" for key in ("X", "y", "soft"))
    if y_name not in arrays:
        raise ArgumentError("source", X_name, f"comes without its labels `{y_name}`.")
    X = check_numeric(X_name, arrays[X_name])
    X = as_rows(X, np.float32)
    X = check_matrix(X_name, X.reshape(len(X), -1) if X.ndim > 2 and X.size else X)
    y = _class_ids(y_name, check_labels(y_name, arrays[y_name]), names)
    check_same_length(y_name, y, X_name, len(X))
    soft = None
    if arrays.get(soft_name) is not None:
        soft = check_numeric(soft_name, arrays[soft_name])
        soft = both_columns(soft, name=soft_name) if soft.ndim == 1 else soft
        as_probabilities(soft, name=soft_name, n_classes=len(names))
        check_same_length(soft_name, soft, y_name, len(y))
    if arrays.get(f"sample_weight{suffix}") is None:
        return Part(X, y, soft)
    weight = check_weights(f"sample_weight{suffix}", arrays[f"sample_weight{suffix}"], len(y))
    part = Part(X, y, soft, weight)
    return part if weight.all() else part.rows(np.flatnonzero(weight))


def _class_ids(name: str, labels: np.ndarray[Any, Any], names: tuple[str, ...]) -> Labels:
    """The place in `names` of every label."""
    values, place = np.unique(labels, return_inverse=True)
    ids = {label: number for number, label in enumerate(names)}
    unknown = [str(value) for value in values if str(value) not in ids]
    if unknown:
        wish = f"is a class that `y` does not have ({', '.join(names)})."
        raise ArgumentError(name, ", ".join(unknown), wish)
    return np.array([ids[str(value)] for value in values], np.int64)[place]


def _class_names(arrays: Mapping[str, Any]) -> tuple[str, ...]:
    """Sorted labels of the training rows, or 0..K-1 where integer labels fit K soft columns."""
    labels = check_labels("y", arrays["y"])
    present = np.unique(labels)
    soft = arrays.get("soft")
    K = 0 if soft is None else _n_columns(check_numeric("soft", soft))
    if len(present) < K and labels.dtype.kind == "i" and present[0] >= 0 and present[-1] < K:
        return tuple(map(str, range(K)))
    return tuple(str(label) for label in present)


def _n_columns(soft: np.ndarray[Any, Any]) -> int:
    return 2 if soft.ndim < 2 else int(soft.shape[1])


def check_labels(name: str, labels: Any) -> np.ndarray[Any, Any]:
    """Labels (N,) or (N, 1) as whole numbers or as text.

    Raises
    ------
    ArgumentError
        Labels that are neither, missing ones, or another shape.
    """
    labels = np.asarray(labels) if _is_text(labels) else check_numeric(name, labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) == 0:
        raise ArgumentError(name, labels, "must be a non-empty vector of labels.")
    return _decoded(name, labels) if labels.dtype.kind in "OUS" else _whole(name, labels)


def _is_text(labels: Any) -> bool:
    """Whether labels are strings: numpy's own, or Python's in an array of objects."""
    try:
        array = np.asarray(labels)
    except ValueError:  # ragged
        return False
    strings = array.dtype.kind == "O" and 0 < array.ndim <= 2 and array.size > 0
    return array.dtype.kind in "US" or (strings and all(isinstance(a, str) for a in array.flat))


def _decoded(name: str, labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    try:
        return np.char.decode(labels, "utf-8") if labels.dtype.kind == "S" else labels.astype(str)
    except UnicodeDecodeError:
        raise ArgumentError(name, labels, "must be whole numbers or text in UTF-8.") from None


def _whole(name: str, labels: np.ndarray[Any, Any]) -> Labels:
    values = as_type(name, labels, np.float64)
    bad = np.flatnonzero(~((values == np.rint(values)) & (abs(values) < LARGEST_LABEL)))
    if len(bad):
        wish = f"must be whole numbers or text (rows {rows_text(bad)})."
        raise ArgumentError(name, labels[bad[0]], wish)
    return labels.astype(np.int64)
