"""Built-in and users' data as a `Dataset`: read, made a task, split, made harder, scaled."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import (
    SMALL,
    ArgumentError,
    check_choice,
    check_flag,
    check_integer,
    check_memory,
    check_number,
    check_rows_not_zero,
    printable,
)
from softwidth._mapped import converted_blocks, in_file, is_mapped
from softwidth._memory import free_memory
from softwidth._types import SPLITS, Array, Dataset, Labels
from softwidth.archives import BYTES_AN_ENTRY, SAFE_SHARE
from softwidth.builtin import BUILT_IN, CIFAR10_CLASSES, available
from softwidth.files import from_mapping, read_arrays, refuse_table_settings
from softwidth.sources import Source, from_arrays
from softwidth.synthetic import is_synthetic, synthetic
from softwidth.tasks import (
    Part,
    add_noise,
    conflicting_rows,
    flip_labels,
    group,
    keep_classes,
    keep_pair,
    split_rows,
    to_unit_rows,
)

__all__ = ["BUILT_IN", "CIFAR10_CLASSES", "available", "load"]

# Of 50,000 rows a share of mistakes is known to 0.2 points; of a million, to look at a fifth took a
# plan longer than to train, and 1,000 rows were left to the students.
USUAL_SHARE, MOST_HELD = 0.2, 50_000
LARGEST_NOISE = 1e9  # far beyond any use; larger ones leave the numbers of float32


def load(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    only: Sequence[object] | None = None,
    positive: Sequence[object] | None = None,
    pair: Sequence[object] | None = None,
    noise: float = 0.0,
    draws: int = 1,
    flip: float = 0.0,
    normalise: bool = True,
    target: str | None = None,
    soft_columns: Sequence[str] | None = None,
    soft_key: str = "soft",
    weight_column: str | None = None,
    ignore_columns: Sequence[str] | None = None,
    val_fraction: float | None = None,
    test_fraction: float | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Dataset:
    """A task from a built-in data set, a file, or arrays.

    Rows that do not fit into memory lie in files without a name, mapped for reading (`_mapped`).

    Parameters
    ----------
    source : str, path or mapping
        A name of ``softwidth data list``: ``"digits"`` and three tables (embedded), ``"mnist"``,
        ``"cifar10"``, two sets with people's votes; a family of known truth such as
        ``"circle(64)"`` or ``"net(16, 20)"`` (synthetic.py); a ``.npz`` with ``X, y[, soft]
        [, sample_weight]`` (and ``X_val, ...``, ``X_test, ...``) or Keras's ``x_train, ...``; a
        ``.csv`` or ``.parquet``; or a mapping with the same keys as the archive. ``soft`` is (N, K)
        probabilities or vote counts, or (N,) for the positive class. ``sample_weight`` is (N,), what
        a row counts for in any unit; rows of weight 0 are left out.
    only : sequence, optional
        Keep the rows of these classes only, before a task is made of them.
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
    weight_column, ignore_columns : str, sequence of str
        Column of row weights of a table, and columns that are no features.
    val_fraction, test_fraction : float, optional
        Shares split off, stratified, where the source has no such part; the validation share is of
        what the test part leaves. By default a fifth, but no more than `MOST_HELD` rows.
    limit : int, optional
        Keep at most so many training rows, stratified.
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
        raise ArgumentError("pair", pair, "cannot go with `positive`: choose one task.")
    noise = check_number("noise", noise, low=0, high=LARGEST_NOISE)
    flip = check_number("flip", flip, low=0, high=1)
    draws = check_integer("draws", draws, low=1)
    seed = check_integer("seed", seed)
    check_flag("normalise", normalise)
    columns = (target, soft_columns, weight_column, ignore_columns)
    found = _read(source, *columns, soft_key=soft_key)
    if normalise and not noise:
        _refuse_zero_rows(found)
    if only is not None:
        found = _restricted(found, only)
    parts, classes, notes = _task(found, positive, pair)
    name, notes = found.name, [*found.notes, *notes]
    del found  # what the task does not use is not kept while it is split
    _split_off(parts, "test", test_fraction, seed, classes)
    _split_off(parts, "val", val_fraction, seed + 1, classes)
    rng = np.random.default_rng([seed, 1])
    if flip:
        _flip(parts, flip, len(classes), rng)
        notes.append(f"Labels of the training and validation rows were flipped at rate {flip:g}.")
    _add_noise(parts, noise, draws, rng)
    parts["train"] = _limited(parts["train"], limit, seed)
    if normalise:
        parts = {split: _unit(part, split) for split, part in parts.items()}
    notes += _conflicts(parts["train"])
    return _dataset(parts, name, classes, notes, draws)


def training_rows(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    positive: Sequence[object] | None = None,
    pair: Sequence[object] | None = None,
    noise: float = 0.0,
    target: str | None = None,
    soft_columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    ignore_columns: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[Array, Labels, tuple[str, ...]]:
    """All training rows of a task at unit norm, nothing split off: what a margin is the margin of.

    Parameters
    ----------
    source, positive, pair, noise, target, soft_columns, weight_column, ignore_columns, seed
        As in `load`.

    Returns
    -------
    X : ndarray, shape (N, D)
    y : ndarray, shape (N,)
    classes : tuple of str

    Raises
    ------
    ArgumentError, DataFileError, MissingDataError, MemoryLimitError
        As in `load`.

    Examples
    --------
    >>> training_rows("digits", pair=[3, 8])[0].shape
    (357, 64)
    """
    if positive is not None and pair is not None:
        raise ArgumentError("pair", pair, "cannot go with `positive`: choose one task.")
    noise = check_number("noise", noise, low=0, high=LARGEST_NOISE)
    seed = check_integer("seed", seed)
    found = _read(source, target, soft_columns, weight_column, ignore_columns)
    if not noise:
        _refuse_zero_rows(found)
    parts, classes, _ = _task(found, positive, pair)
    train = parts["train"]
    noisy = add_noise(train.X, noise, np.random.default_rng([seed, 1]))
    return to_unit_rows(noisy), train.y, classes


def _read(
    source: str | os.PathLike[str] | Mapping[str, Any],
    target: str | None,
    soft_columns: Sequence[str] | None,
    weight_column: str | None,
    ignore_columns: Sequence[str] | None,
    soft_key: str = "soft",
) -> Source:
    columns = (target, soft_columns, weight_column, ignore_columns)
    if isinstance(source, Mapping):
        refuse_table_settings(*columns)
        return from_arrays(_with_room(from_mapping(source, soft_key)), "data")
    text = _as_text(source)
    if text in BUILT_IN:
        refuse_table_settings(*columns)
        return BUILT_IN[text].load()
    if is_synthetic(text) and not os.path.exists(text):
        refuse_table_settings(*columns)
        return synthetic(text)
    path = Path(text)
    if not path.suffix and not os.path.exists(path):
        check_choice("source", text, BUILT_IN)
    arrays, notes = read_arrays(
        path,
        target=target,
        soft_columns=soft_columns,
        weight_column=weight_column,
        ignore_columns=ignore_columns,
        soft_key=soft_key,
    )
    return from_arrays(arrays, printable(path.stem), tuple(notes))


def _with_room(arrays: dict[str, Any]) -> dict[str, Any]:
    """The arrays; where copies of their rows, cut and scaled, do not fit into memory, these in files."""
    large = {name: a for name, a in arrays.items() if name.startswith("X") and _in_memory(a)}
    needed = {name: BYTES_AN_ENTRY * float(a.size) for name, a in large.items()}
    if sum(needed.values()) <= max(SMALL, SAFE_SHARE * free_memory()):
        return arrays
    copies = {
        name: in_file(converted_blocks(a, np.float32), f"copying `{name}`", 4.0 * a.size)
        for name, a in large.items()
    }
    return arrays | copies


def _in_memory(rows: Any) -> bool:
    """Whether it is a matrix of numbers, or several dimensions of them, that lies in memory."""
    numbers = isinstance(rows, np.ndarray) and rows.ndim > 1 and rows.dtype.kind in "fiub"
    return numbers and rows.size > 0 and not is_mapped(rows)


def _as_text(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return str(os.fspath(source))
    wish = f"must be one of {', '.join(BUILT_IN)}, a file's path, or arrays by name."
    raise ArgumentError("source", source, wish)


def _refuse_zero_rows(found: Source) -> None:
    """Before rows are split: the numbers named are then those of the user's arrays."""
    for name, part in (("X", found.train), ("X_val", found.val), ("X_test", found.test)):
        if part is not None:
            check_rows_not_zero(name, np.asarray(part.X.any(axis=1)))


def _restricted(found: Source, only: Sequence[object]) -> Source:
    """A source with the rows of some classes only."""
    notes, classes = list(found.notes), found.classes
    parts: dict[str, Any] = {}
    for split in SPLITS:
        part = getattr(found, split)
        if part is not None:
            parts[split], classes, more = keep_classes(part, found.classes, only)
            notes += more
    restricted = replace(found, **parts, classes=classes, notes=tuple(notes))
    _check_rows_left({s: getattr(restricted, s) for s in SPLITS}, "only", only, classes)
    return restricted


def _task(
    found: Source, positive: Sequence[object] | None, pair: Sequence[object] | None
) -> tuple[dict[str, Any], tuple[str, ...], list[str]]:
    """The source's parts as the task wants them, its class names, and notes."""
    parts: dict[str, Any] = {"train": found.train, "val": found.val, "test": found.test}
    classes, notes = found.classes, []
    for split, part in parts.items():
        if part is not None and positive is not None:
            parts[split], classes = group(part, found.classes, positive)
        elif part is not None and pair is not None:
            parts[split], classes, more = keep_pair(part, found.classes, pair)
            notes += more
    _check_rows_left(parts, "pair" if positive is None else "positive", pair or positive, classes)
    return parts, classes, notes


def _check_rows_left(
    parts: Mapping[str, Any], name: str, value: object, classes: Sequence[str]
) -> None:
    for split, part in parts.items():
        if part is not None and len(part.y) == 0:
            raise ArgumentError(name, value, f"leaves no rows in the {split} part.")
    present = np.unique(parts["train"].y)
    if len(present) < 2:
        wish = f"leaves training rows of class {classes[present[0]]} only."
        raise ArgumentError(name, value, wish)


def _split_off(
    parts: dict[str, Any],
    split: str,
    fraction: float | None,
    seed: int,
    classes: Sequence[str],
) -> None:
    """Give `parts` the part `split`, taken from its training rows, unless it has one."""
    if parts[split] is not None:
        return
    name, train = f"{split}_fraction", parts["train"]
    share = USUAL_SHARE if fraction is None else fraction
    if check_number(name, share, low=0, high=1, open_low=True) == 1:
        raise ArgumentError(name, fraction, "must leave rows for training.")
    counts = np.bincount(train.y)
    needed = 2 if parts["val"] is not None or split == "val" else 3
    if counts[counts > 0].min() < needed:
        rare = int(np.argmax((counts > 0) & (counts < needed)))
        told = f"class {classes[rare]}"
        wish = f"must have {needed} rows or more, so that a {split} part can be split off."
        raise ArgumentError("y", told, wish)
    most = MOST_HELD if fraction is None else len(train.y)
    wanted = max(min(round(share * len(train.y)), most), int((counts > 0).sum()))
    chosen, others = split_rows(train.y, wanted, seed=seed, name=name)
    parts[split], parts["train"] = train.rows(chosen), train.rows(others)


def _flip(parts: dict[str, Any], rate: float, n_classes: int, rng: np.random.Generator) -> None:
    for split in ("train", "val"):
        parts[split] = flip_labels(parts[split], rate, n_classes, rng)


def _add_noise(parts: dict[str, Any], noise: float, draws: int, rng: np.random.Generator) -> None:
    for split in SPLITS:
        part = parts[split]
        if draws > 1 and split != "train":
            needed = draws * len(part.y) * (2 * part.X.itemsize * part.X.shape[1] + 16)
            check_memory(f"{draws:,} draws of the noise on {len(part.y):,} rows", needed)
            part = part.rows(np.arange(len(part.y)).repeat(draws))
        parts[split] = replace(part, X=add_noise(part.X, noise, rng))


def _limited(part: Part, limit: int | None, seed: int) -> Part:
    if limit is None or check_integer("limit", limit, low=1) >= len(part.y):
        return part
    return part.rows(split_rows(part.y, limit, seed=seed, name="limit")[0])


def _conflicts(part: Part) -> list[str]:
    count = conflicting_rows(part.X, part.y)
    told = f"{count} training rows equal a row of another class: no width tells them apart."
    return [told] if count else []


def _unit(part: Part, split: str) -> Part:
    return replace(part, X=to_unit_rows(part.X, name=f"X_{split}"))


def _dataset(
    parts: Mapping[str, Part], name: str, classes: tuple[str, ...], notes: list[str], draws: int
) -> Dataset:
    arrays: dict[str, Any] = {}
    for split, part in parts.items():
        arrays |= {f"{name}_{split}": value for name, value in vars(part).items()}
    return Dataset(name=name, classes=classes, notes=tuple(notes), draws=draws, **arrays)
