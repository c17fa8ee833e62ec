"""A table's lines for groups of students of several widths and label kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth._types import Array
from softwidth.store import Row
from softwidth.studies._cells import cell_name
from softwidth.studies._compare import Difference, difference, wrong
from softwidth.studies._least import Students, least_columns, least_widths
from softwidth.studies._scenes import SMOKE
from softwidth.studies._study import Ask, Scale
from softwidth.studies._tuned import Cell, tuned
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import pandas

KINDS = ("hard", "soft", "argmax")
Found = Iterable[tuple[Cell, list[Row]]]


def by_width(found: Found) -> dict[tuple[int, str], list[Row]]:
    """The students of one group by width and label kind; `flipped(0.1)` and the like are hard."""
    return {(cell.width, _kind(cell.labels)): rows for cell, rows in found}


def _kind(labels: str) -> str:
    return "hard" if labels.startswith("flipped") else labels


def tuned_lines(
    ask: Ask,
    scale: Scale,
    base: TrialSpec,
    group: Mapping[str, Any],
    *,
    widths: Sequence[int],
    comparisons: int,
    **grid: Any,
) -> list[dict[str, Any]]:
    """Train one group by the protocol, ten students of every width and label kind, and tell it.

    Parameters
    ----------
    ask, scale, base, group, widths, comparisons
        See `_study`, `_tuned.tuned` and `group_lines`.
    **grid
        Settings of `_tuned.tuned`, such as ``step_sizes``, at full size.
    """
    found = tuned(ask, base, seeds=scale(10, 2), width=widths, labels=KINDS, **scale(grid, SMOKE))
    return group_lines(group, by_width(found), draws=base.draws, comparisons=comparisons)


def group_lines(
    group: Mapping[str, Any], students: Students, *, draws: int = 1, comparisons: int = 1
) -> list[dict[str, Any]]:
    """A line for every width and label kind of one group.

    Parameters
    ----------
    group : mapping
        What tells this group from the others, first in every line.
    students : mapping of (int, str) to sequence of Row
        By width and label kind, ``hard`` among them.
    draws : int
        Draws of the noise on a held-out row.
    comparisons : int
        Over how many differences the verdict speaks: the intervals of gains hold for all of them
        together. Those of least widths and savings are 95 % each.

    Returns
    -------
    list of dict
        Errors and gains over hard labels in points: at the width, and (``mean_gain``) on average
        over the widths; of soft labels also what they gain beyond their own argmax (``beyond``),
        which is softness and not better labels. Then the least width and the saving of the kind.
    """
    kinds = list(dict.fromkeys(kind for _, kind in students))
    widths = sorted({width for width, _ in students})
    errors = {key: wrong(rows, draws) for key, rows in students.items()}
    least = least_widths(students, draws=draws)
    means = {kind: mean_over([errors[width, kind] for width in widths]) for kind in kinds}
    of_kind: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        of_kind[kind] = points("mean_gain", difference(means["hard"], means[kind], comparisons=comparisons))  # fmt: skip
        if "argmax" in kinds:
            beyond = difference(means["argmax"], means[kind], comparisons=comparisons)
            of_kind[kind] |= points("beyond", beyond)
        of_kind[kind] |= least_columns(least, kind)
    return [
        {
            **group,
            "width": width,
            "labels": kind,
            **errors_told(errors[width, kind]),
            **points("gain", difference(errors[width, "hard"], errors[width, kind], comparisons=comparisons)),
            **of_kind[kind],
            **behind(students[width, kind]),
        }
        for width in widths
        for kind in kinds
    ]  # fmt: skip


def mean_over(errors: Sequence[Array]) -> Array:
    """Mean over widths of shares of mistakes (S, N): students of one seed belong together."""
    return np.asarray(np.mean(errors, axis=0, dtype=np.float32))


def points(name: str, found: Difference) -> dict[str, float]:
    """A difference in points with its interval, as columns."""
    low, high = found.interval
    return {name: 100 * found.mean, f"{name}_low": 100 * low, f"{name}_high": 100 * high}


def errors_told(own: Array) -> dict[str, float]:
    """Mean, deviation over seeds, median and worst of test errors (S, N), in points."""
    of_seed = 100 * own.mean(axis=1)
    return {
        "test_error": float(of_seed.mean()),
        "sd": float(of_seed.std(ddof=1)) if len(of_seed) > 1 else 0.0,
        "median": float(np.median(of_seed)),
        "worst": float(of_seed.max()),
    }


def behind(rows: Sequence[Row]) -> dict[str, Any]:
    """Step size, seeds, what the soft labels are worth, and the spec's name (`_cells`)."""
    metrics, spec = rows[0].metrics, rows[0].spec
    seen = metrics.get("teacher_held_out_accuracy")
    return {
        "step_size": spec["step_size"],
        "seeds": len(rows),
        "teacher_accuracy": None if seen is None else 100 * seen,
        "softness": metrics.get("soft_distance"),
        "spec": cell_name(spec),
    }


def records(table: pandas.DataFrame, **wanted: Any) -> list[dict[str, Any]]:
    """The lines of a table that have these values, each with its number in ``row``."""
    lines: list[dict[str, Any]] = [
        {**{str(name): value for name, value in line.items()}, "row": row}
        for row, line in enumerate(table.to_dict("records"))
    ]
    return [line for line in lines if all(line[name] == value for name, value in wanted.items())]
