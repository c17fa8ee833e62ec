"""Built-in and users' data as a `Dataset`: read, made a task, made harder, split, scaled."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_integer,
    check_matrix,
    check_number,
    check_numeric,
    check_same_length,
    rows_text,
)
from softwidth._types import Array, Dataset, Labels
from softwidth.fetch import find_file, how_to_get, need_file
from softwidth.files import Arrays, load_npz, read_arrays
from softwidth.images import cifar10_training_images
from softwidth.tasks import (
    Part,
    add_noise,
    check_soft,
    conflicting_rows,
    flip_labels,
    group,
    keep_pair,
    split_rows,
    to_unit_rows,
    with_training_rows,
)


@dataclass(frozen=True, eq=False)
class _Source:
    """What was read, before any task is made of it."""

    train: Part
    test: Part | None
    val: Part | None
    classes: tuple[str, ...]
    name: str
    notes: list[str] = field(default_factory=list)


def _digits() -> _Source:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    part = Part((X / 16).astype(np.float32), y.astype(np.int64))
    return _Source(part, None, None, tuple(map(str, range(10))), "digits")


def _mnist() -> _Source:
    arrays = load_npz(need_file("mnist", "mnist.npz"))
    train, test = (
        Part(_pixels(arrays[f"x_{part}"]), arrays[f"y_{part}"].astype(np.int64))
        for part in ("train", "test")
    )
    return _Source(train, test, None, tuple(map(str, range(10))), "mnist")


CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")  # fmt: skip


def _cifar10() -> _Source:
    images, y = cifar10_training_images(need_file("cifar10", "cifar10_train_jpeg.npz"))
    test = load_npz(need_file("cifar10", "cifar10_test.npz"))
    return _Source(
        Part(_pixels(images), y.astype(np.int64)),
        Part(_pixels(test["x"]), test["y"].astype(np.int64)),
        None,
        CIFAR10_CLASSES,
        "cifar10",
        ["The images are JPEG copies of CIFAR-10: about 6 grey levels off the original pixels."],
    )


def _pixels(images: np.ndarray[Any, Any]) -> Array:
    """Images of 0..255 as rows of 0..1."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    return np.divide(flat, 255, out=flat)


@dataclass(frozen=True)
class _BuiltIn:
    load: Callable[[], _Source]
    rows: int
    features: int
    files: tuple[str, ...] = ()


BUILT_IN = {
    "digits": _BuiltIn(_digits, 1797, 64),
    "mnist": _BuiltIn(_mnist, 70000, 784, ("mnist.npz",)),
    "cifar10": _BuiltIn(_cifar10, 60000, 3072, ("cifar10_train_jpeg.npz", "cifar10_test.npz")),
}


def available() -> list[dict[str, Any]]:
    """The built-in data sets: name, rows, features, classes, and where each is."""
    return [
        {"name": name, "rows": b.rows, "features": b.features, "classes": 10, "where": _where(name)}
        for name, b in BUILT_IN.items()
    ]


def _where(name: str) -> str:
    paths = [find_file(file) for file in BUILT_IN[name].files]
    if not paths:
        return "embedded"
    return f"not here: {how_to_get(name)}" if None in paths else str(paths[0])


def load(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    positive: Sequence[object] | None = None,
    pair: Sequence[object] | None = None,
    noise: float = 0.0,
    draws: int = 1,
    flip: float = 0.0,
    normalise: bool = True,
    target: str | None = None,
    soft_columns: Sequence[str] | None = None,
    soft_key: str = "soft",
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    limit: int | None = None,
    seed: int = 0,
) -> Dataset:
    """A task from a built-in data set, a file, or arrays.

    Parameters
    ----------
    source : str, path or mapping
        ``"digits"`` (embedded), ``"mnist"``, ``"cifar10"``; a ``.npz`` with ``X, y[, soft]`` (and
        ``X_val, ...``, ``X_test, ...``) or Keras's ``x_train, ...``; a ``.csv`` or ``.parquet``;
        or a mapping with the same keys as the archive. ``soft`` is (N, K) probabilities or vote
        counts, or (N,) for the positive class.
    positive : sequence, optional
        Classes that together are class 1 of a binary task; the rest is class 0.
    pair : sequence of two, optional
        Keep only these two classes.
    noise : float
        Standard deviation of Gaussian noise on every input, in the features' own units (0..1 for
        the built-in images), before rows are scaled.
    draws : int
        Repeat every validation and test row under so many draws of the noise: held-out errors of
        small data come out more exact.
    flip : float
        Rate at which labels are flipped in the training and validation part; never in the test.
    normalise : bool
        Scale rows to unit Euclidean norm, as the theory wants.
    target, soft_columns, soft_key : str, sequence of str, str
        Label column and soft-label columns of a table; name of the soft labels in an archive.
    val_fraction, test_fraction : float
        Shares split off, stratified, where the source has no such part.
    limit : int, optional
        Keep only so many training rows, stratified.
    seed : int
        Of splits, noise and flips.

    Returns
    -------
    Dataset

    Raises
    ------
    ArgumentError, DataFileError, MissingDataError, MemoryLimitError
        Anything that cannot be used, named.

    Examples
    --------
    >>> task = load("digits", positive=[1, 3, 5, 7, 9])
    >>> task.classes, task.X_train.shape
    (('0+2+4+6+8', '1+3+5+7+9'), (1150, 64))
    """
    if positive is not None and pair is not None:
        raise ArgumentError("pair", list(pair), "cannot go with `positive`: choose one task.")
    check_number("noise", noise, low=0)
    check_number("flip", flip, low=0, high=1)
    check_integer("draws", draws, low=1)
    found = _read(source, target, soft_columns, soft_key)
    notes = list(found.notes)
    classes = found.classes
    parts: dict[str, Any] = {"train": found.train, "val": found.val, "test": found.test}
    for split, part in parts.items():
        if part is not None:
            parts[split], classes, more = _as_task(part, found.classes, positive, pair)
            notes += more
    rng = np.random.default_rng([seed, 1])
    _split_off(parts, "test", test_fraction, seed)
    _split_off(parts, "val", val_fraction, seed + 1)
    if flip:
        for split in ("train", "val"):
            parts[split] = flip_labels(parts[split], flip, len(classes), rng)
        notes.append(f"Labels of the training and validation rows were flipped at rate {flip:g}.")
    for split in ("val", "test"):
        parts[split] = parts[split].rows(np.arange(len(parts[split].y)).repeat(draws))
    train, val, test = (_made_hard(parts[split], noise, rng) for split in ("train", "val", "test"))
    conflicts = conflicting_rows(train.X, train.y)
    if conflicts:
        notes.append(
            f"{conflicts} training rows equal a row of another class: no width tells them apart."
        )
    if normalise:
        train, val, test = (Part(to_unit_rows(p.X), p.y, p.soft) for p in (train, val, test))
    dataset = Dataset(
        train.X, train.y, val.X, val.y, test.X, test.y, train.soft, val.soft, test.soft,
        found.name, classes, tuple(notes), draws,
    )  # fmt: skip
    if limit is None or limit == len(train.y):
        return dataset
    return with_training_rows(dataset, split_rows(train.y, limit, seed=seed, name="limit")[0])


def _as_task(
    part: Part,
    classes: tuple[str, ...],
    positive: Sequence[object] | None,
    pair: Sequence[object] | None,
) -> tuple[Part, tuple[str, ...], list[str]]:
    if positive is not None:
        grouped, sides = group(part, classes, positive)
        return grouped, sides, []
    return (part, classes, []) if pair is None else keep_pair(part, classes, pair)


def _split_off(parts: dict[str, Any], split: str, fraction: float, seed: int) -> None:
    """Give `parts` the part `split`, taken from its training rows, unless it has one."""
    if parts[split] is not None:
        return
    name = f"{split}_fraction"
    if check_number(name, fraction, low=0, high=1, open_low=True) == 1:
        raise ArgumentError(name, fraction, "must leave rows for training.")
    train = parts["train"]
    wanted = max(round(fraction * len(train.y)), len(np.unique(train.y)))
    counts = np.bincount(train.y)
    if counts[counts > 0].min() < 2:
        raise ArgumentError(
            "y",
            f"class {np.argmax(counts == 1)}",
            f"has one row only: too few to split off a {split} part.",
        )
    chosen, others = split_rows(train.y, wanted, seed=seed, name=name)
    parts[split], parts["train"] = train.rows(chosen), train.rows(others)


def _made_hard(part: Part, noise: float, rng: np.random.Generator) -> Part:
    return Part(add_noise(part.X, noise, rng), part.y, part.soft)


def _read(
    source: str | os.PathLike[str] | Mapping[str, Any],
    target: str | None,
    soft_columns: Sequence[str] | None,
    soft_key: str,
) -> _Source:
    if isinstance(source, Mapping):
        return _from_arrays({key: np.asarray(a) for key, a in source.items()}, "data", [])
    text = os.fspath(source)
    if text in BUILT_IN:
        return BUILT_IN[text].load()
    path = Path(text)
    if not path.suffix and not path.exists():
        check_choice("source", text, BUILT_IN)
    arrays, notes = read_arrays(path, target=target, soft_columns=soft_columns, soft_key=soft_key)
    return _from_arrays(arrays, path.stem, notes)


def _from_arrays(arrays: Arrays, name: str, notes: list[str]) -> _Source:
    for key in ("X", "y"):
        if key not in arrays:
            raise ArgumentError("source", ", ".join(arrays) or "nothing", f"has no array `{key}`.")
    names = _class_names(arrays)
    train = _part(arrays, "", names)
    if len(np.unique(train.y)) < 2:
        raise ArgumentError(
            "y", names[train.y[0]], "has one class only: there is nothing to tell apart."
        )
    others = {}
    for split in ("val", "test"):
        others[split] = _part(arrays, f"_{split}", names) if f"X_{split}" in arrays else None
        part = others[split]
        if part is not None and part.X.shape[1] != train.X.shape[1]:
            raise ArgumentError(
                f"X_{split}", part.X, f"must have {train.X.shape[1]} columns, as X has."
            )
    return _Source(train, others["test"], others["val"], names, name, notes)


def _class_names(arrays: Arrays) -> tuple[str, ...]:
    """Sorted labels of the training rows, or 0..K-1 where integer labels fit K soft columns."""
    labels = _check_labels("y", arrays["y"])
    present = np.unique(labels)
    soft = arrays.get("soft")
    K = 0 if soft is None else (soft.shape[1] if soft.ndim == 2 else 2)
    if len(present) < K and labels.dtype.kind in "iu" and present[0] >= 0 and present[-1] < K:
        return tuple(map(str, range(K)))
    return tuple(str(label) for label in present)


def _check_labels(name: str, labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if labels.ndim != 1 or len(labels) == 0:
        raise ArgumentError(name, labels, "must be a non-empty vector of labels.")
    if labels.dtype.kind in "US":
        return labels.astype(str)
    numbers = check_numeric(name, labels)
    bad = np.flatnonzero(~(numbers == np.rint(numbers)))
    if len(bad):
        raise ArgumentError(
            name, numbers[bad[0]], f"must be whole numbers or text (rows {rows_text(bad)})."
        )
    return numbers.astype(np.int64)


def _part(arrays: Arrays, suffix: str, names: tuple[str, ...]) -> Part:
    X_name, y_name, soft_name = (f"{key}{suffix}" for key in ("X", "y", "soft"))
    if y_name not in arrays:
        raise ArgumentError("source", X_name, f"comes without its labels `{y_name}`.")
    X = check_numeric(X_name, arrays[X_name])
    X = check_matrix(X_name, X.reshape(len(X), -1) if X.ndim > 2 else X)
    labels = _check_labels(y_name, arrays[y_name])
    check_same_length(y_name, labels, X_name, len(X))
    ids = {name: number for number, name in enumerate(names)}
    unknown = sorted({str(label) for label in np.unique(labels)} - set(ids))
    if unknown:
        raise ArgumentError(
            y_name, ", ".join(unknown), f"is a class that `y` does not have ({', '.join(names)})."
        )
    y: Labels = np.array([ids[str(label)] for label in labels], np.int64)
    soft = arrays.get(soft_name)
    if soft is not None and soft.ndim == 1:
        soft = np.stack([1 - soft, soft], axis=1)
    part = Part(X, y, soft)
    check_soft(part, len(names), soft_name)
    return part
