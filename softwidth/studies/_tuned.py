"""Step sizes by the protocol: from one grid for all, chosen on validation rows, cell by cell.

All seeds of a cell (a label kind at a width, on given data) share a step size: the one of least mean
validation error of the first seeds. A best one at the edge of the grid makes the grid longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from softwidth.store import Row
from softwidth.studies._study import Ask
from softwidth.trial_spec import TrialSpec

STEP_SIZES = tuple(float(f"{10**e:.3g}") for e in np.arange(-1, 2.01, 0.5))  # 0.1 .. 100
LONGER = 2  # times that a grid may become longer, by half a decade
TUNING_SEEDS = 10  # three do not see a step at which one student in twenty collapses

Cell = TrialSpec


def tuned(
    ask: Ask,
    base: TrialSpec,
    *,
    seeds: int,
    step_sizes: Sequence[float] = STEP_SIZES,
    tuning_seeds: int = TUNING_SEEDS,
    follow: Sequence[str] = (),
    **axes: Iterable[Any],
) -> list[tuple[Cell, list[Row]]]:
    """Every cell's students at its own best step size.

    Parameters
    ----------
    ask : callable
        See `_study.Ask`.
    base : TrialSpec
        What all have in common.
    seeds : int
        Students of a cell, of the seeds 0, 1, ...
    step_sizes : sequence of float
        The grid.
    tuning_seeds : int
        Of them, those by which the step size is chosen.
    follow : sequence of str
        Settings that take the student's seed: ``label_seed`` draws labels anew for every student.
    **axes
        Settings that make the cells, as of `TrialSpec.grid`.

    Returns
    -------
    list of (TrialSpec, list of Row)
        Of every cell: a spec without seed and step size; its rows in the order of the seeds.
    """
    cells = list({str(cell): cell for cell in base.grid(**axes)}.values())
    tried = {str(cell): tuple(step_sizes) for cell in cells}
    few = range(min(tuning_seeds, seeds))
    found: dict[str, dict[float, float]] = {key: {} for key in tried}
    open_cells = cells
    for _ in range(1 + LONGER):
        wanted = {str(c): [s for s in tried[str(c)] if s not in found[str(c)]] for c in open_cells}
        _score(ask, open_cells, wanted, few, follow, found)
        open_cells = [cell for cell in open_cells if _at_edge(found[str(cell)])]
        for cell in open_cells:
            tried[str(cell)] = _longer(found[str(cell)])
        if not open_cells:
            break
    best = {key: min(scores, key=scores.__getitem__) for key, scores in found.items()}
    specs = [_students(cell, [best[str(cell)]], range(seeds), follow) for cell in cells]
    rows = ask([spec for of_cell in specs for spec in of_cell])
    return [(cell, rows[c * seeds : (c + 1) * seeds]) for c, cell in enumerate(cells)]


def _students(
    cell: Cell, step_sizes: Sequence[float], seeds: range, follow: Sequence[str]
) -> list[TrialSpec]:
    specs = cell.grid(step_size=step_sizes, seed=seeds)
    if not follow:
        return specs
    return [spec.model_copy(update=dict.fromkeys(follow, spec.seed)) for spec in specs]


def _score(
    ask: Ask,
    cells: list[Cell],
    wanted: dict[str, list[float]],
    seeds: range,
    follow: Sequence[str],
    found: dict[str, dict[float, float]],
) -> None:
    """Mean validation error of each step size, then log loss as its last digits."""
    specs = {str(cell): _students(cell, wanted[str(cell)], seeds, follow) for cell in cells}
    rows = iter(ask([spec for of_cell in specs.values() for spec in of_cell]))
    for key, of_cell in specs.items():
        scores: dict[float, list[float]] = {}
        for spec in of_cell:
            scores.setdefault(spec.step_size, []).append(_badness(next(rows)))
        found[key] |= {step: float(np.mean(values)) for step, values in scores.items()}


def _badness(row: Row) -> float:
    """Validation error; of two that are equal on all rows the surer-of-the-truth one is better."""
    if row.metrics["status"] == "diverged":
        return 1e3
    return float(row.metrics["val_error"]) + 1e-6 * min(float(row.metrics["val_log_loss"]), 1e2)


def _at_edge(scores: dict[float, float]) -> bool:
    best = min(scores, key=scores.__getitem__)
    return len(scores) > 1 and best in (min(scores), max(scores))


def _longer(scores: dict[float, float]) -> tuple[float, ...]:
    """The grid with two more steps beyond the edge at which the best one stands."""
    best = min(scores, key=scores.__getitem__)
    factor = 10**0.5 if best == max(scores) else 10**-0.5
    return (*scores, *(float(f"{best * factor**k:.3g}") for k in (1, 2)))
