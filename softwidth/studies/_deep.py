"""Cells of deep students: their sizes, their step sizes, and the lines of a table about them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    MissingDataError,
    check_choice,
    check_count,
    check_number,
    check_path,
    listed,
)
from softwidth._types import Array
from softwidth.store import Row
from softwidth.studies._compare import difference
from softwidth.studies._table import behind, errors_told, points

if TYPE_CHECKING:
    from softwidth.deep.trials import DeepSpec

LONGER = 1  # times that the grid of step sizes may become longer

Kinds = Mapping[str, Mapping[str, Any]]  # what of a `DeepSpec` makes a label kind
Place = tuple[float, float]  # variance of the noise, width
Cells = dict[tuple[float, float, str], list[Row]]  # by variance, width, kind
Train = Callable[[Sequence[Any]], list[Row]]


@dataclass(frozen=True)
class Size:
    """How large the study is on one data set.

    Attributes
    ----------
    classes : tuple of int or None
        None for all.
    variances : tuple of float
        Of the noise, rising.
    teacher : mapping
        See `deep.trials.DeepSpec`; empty where votes are the soft labels.
    width : float
        Of the students that meet all levels of noise.
    widths : tuple of float
        Of those that meet the level `at` only.
    at : float
        The level of noise at which step sizes are chosen and widths compared.
    seeds, width_seeds, tuning_seeds : int
        Students of a cell: of `width`, of `widths`, and those by which step sizes are chosen.
    step_sizes : tuple of float
        The grid.
    recipe : mapping
        Other settings of `deep.trials.DeepSpec`.
    """

    classes: tuple[int, ...] | None
    variances: tuple[float, ...]
    teacher: Mapping[str, Any]
    width: float
    widths: tuple[float, ...]
    at: float
    seeds: int = 10
    width_seeds: int = 3
    tuning_seeds: int = 2
    step_sizes: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("seeds", "width_seeds", "tuning_seeds"):
            check_count(name, getattr(self, name))
        for name in ("variances", "widths", "step_sizes"):
            numbers = [check_number(name, number, low=0) for number in getattr(self, name)]
            if not numbers or numbers != sorted(set(numbers)):
                raise ArgumentError(name, getattr(self, name), "must be numbers that rise.")
        check_number("width", self.width, low=0, open_low=True)
        check_number("at", self.at, low=0)


def read_settings(path: str | Path) -> dict[str, Any]:
    """What a TOML file says about the size of a study: fields of `Size`.

    Raises
    ------
    ArgumentError, DataFileError, MissingDataError
    """
    path = check_path("settings", path)
    if not path.is_file():
        raise MissingDataError(f"there is no file {str(path)!r}.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataFileError(f"{path.name} is not readable: {error}.") from None


def resized(size: Size, settings: Mapping[str, Any]) -> Size:
    """A size with some of its fields changed; of `teacher` and `recipe` the entries given.

    >>> small = Size((3, 8), (0.0,), {"family": "vgg", "width": 0.5}, 0.5, (0.5,), 0.0)
    >>> resized(small, {"seeds": 4, "teacher": {"width": 1.0}}).teacher
    {'family': 'vgg', 'width': 1.0}
    """
    changed: dict[str, Any] = {}
    for name, value in settings.items():
        before = getattr(size, check_choice("settings", name, [f.name for f in fields(Size)]))
        changed[name] = _like(name, before, value)
    return replace(size, **changed)


def _like(name: str, before: Any, value: Any) -> Any:
    if isinstance(before, Mapping):
        if not isinstance(value, Mapping):
            raise ArgumentError(name, value, "must be a table.")
        return {**before, **value}
    if isinstance(before, tuple):
        entries = listed(value)
        if entries is None:
            raise ArgumentError(name, value, "must be a list.")
        return tuple(entries)
    return value


def chosen_steps(train: Train, size: Size, base: DeepSpec, kinds: Kinds) -> dict[str, float]:
    """The step size of every label kind; a best one at the grid's edge makes it longer."""
    noisy = replace(base, variance=size.at, width=size.width)
    tried = {kind: set(size.step_sizes) for kind in kinds}
    for round_ in range(1 + LONGER):
        scores = {kind: _scores(train, noisy, kinds[kind], tried[kind], size.tuning_seeds) for kind in kinds}  # fmt: skip
        best = {kind: min(found, key=found.__getitem__) for kind, found in scores.items()}
        edges = {kind: step for kind, step in best.items() if step in (min(tried[kind]), max(tried[kind]))}  # fmt: skip
        if not edges or round_ == LONGER:
            break
        for kind, step in edges.items():
            factor = 10 / 3 if step == max(tried[kind]) else 1 / 3  # 1, 3, 10, ...
            tried[kind].add(float(f"{step * factor:.1g}"))
    return best


def _scores(
    train: Train, base: DeepSpec, kind: Mapping[str, Any], steps: set[float], seeds: int
) -> dict[float, float]:
    """Mean validation error of each step size; of equal ones the smaller comes first."""
    specs = [
        replace(base, step_size=step, seed=seed, **kind)
        for step in sorted(steps)
        for seed in range(seeds)
    ]
    errors = np.array([row.metrics["val_error"] for row in train(specs)]).reshape(-1, seeds)
    return dict(zip(sorted(steps), errors.mean(axis=1).tolist(), strict=True))


def cells(
    train: Train,
    base: DeepSpec,
    kinds: Kinds,
    places: Sequence[Place],
    steps: Mapping[str, float],
    seeds: int,
) -> Cells:
    """The students of every label kind at these places: (variance, width)."""
    names = [(*place, kind) for place in places for kind in kinds]
    specs = [
        replace(
            base, variance=variance, width=width, step_size=steps[kind], seed=seed, **kinds[kind]
        )
        for variance, width, kind in names
        for seed in range(seeds)
    ]
    rows = train(specs)
    return {name: rows[n * seeds : (n + 1) * seeds] for n, name in enumerate(names)}


def cell_line(
    group: dict[str, Any],
    name: tuple[float, float, str],
    cells: Cells,
    errors: Mapping[tuple[float, float, str], Array],
    comparisons: int,
) -> dict[str, Any]:
    """A line of the table: errors, gains over hard labels, and what is behind them."""
    variance, width, kind = name
    own, place = errors[name], (variance, width)
    gain = difference(errors[*place, "hard"], own, comparisons=comparisons)
    beyond = difference(errors[*place, "argmax"], own, comparisons=comparisons)
    return {
        **group,
        "variance": variance,
        "width": width,
        "labels": kind,
        **errors_told(own),
        **points("gain", gain),
        **points("beyond", beyond),
        **behind_cell(cells[name]),
    }


def behind_cell(rows: Sequence[Row]) -> dict[str, Any]:
    """What else there is to tell of the students of a cell."""
    metrics = [row.metrics for row in rows]
    return {
        "val_error": 100 * float(np.mean([m["val_error"] for m in metrics])),
        "spare_error": 100 * float(np.mean([m["spare_error"] for m in metrics])),
        "best_epoch": float(np.mean([m["best_epoch"] for m in metrics])),
        "parameters": metrics[0]["parameters"],
        "multiply_adds": metrics[0]["multiply_adds"],
        **behind(rows),
        "teacher_fit": 100 * metrics[0]["soft_accuracy"],
        "pixels": metrics[0]["pixels"],
    }
