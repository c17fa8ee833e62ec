"""The least width of every label kind, by the planner's own rule, from a study's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from softwidth.least_width import Decision, decide
from softwidth.store import Row
from softwidth.studies._compare import wrong

TOLERANCE = 0.01  # a plan's own default
Students = Mapping[tuple[int, str], Sequence[Row]]  # by width and label kind


def least_widths(
    students: Students, *, tolerance: float = TOLERANCE, draws: int = 1, split: str = "test"
) -> Decision:
    """Least width whose error is within `tolerance` of the best that any label kind reaches.

    As a plan decides it (`least_width.decide`): monotone curves, a bootstrap over seeds and
    rows that is paired between label kinds. Only tried widths count.

    Parameters
    ----------
    students : mapping of (int, str) to sequence of Row
        All widths have all label kinds, a width's kinds the same seeds, and all the same rows.
    tolerance : float
        Share of mistakes.
    draws : int
        Draws of the noise on a held-out row.
    split : {"test", "val"}
        By test rows a width is measured; who goes on to use it must choose it by validation rows.

    Raises
    ------
    ArgumentError
        Seeds or rows that differ between label kinds.
    """
    widths = sorted({width for width, _ in students})
    kinds = list(dict.fromkeys(kind for _, kind in students))
    losses = {
        kind: [wrong(students[width, kind], draws, split) for width in widths] for kind in kinds
    }
    return decide(losses, widths, tolerance=tolerance, target_kinds=kinds)


def least_columns(found: Decision, kind: str, over: str = "hard") -> dict[str, Any]:
    """What a table says of one label kind: its least width and what it saves, with intervals.

    A least width of ``inf`` lies beyond all that were tried; the saving is then a bound, with the
    largest tried width in its place (`least_width.Saving`).
    """
    least, saving = found.least[kind], found.saving(over, kind)
    low, high = (np.inf if end is None else end for end in least.interval)
    return {
        "least_width": np.inf if least.width is None else least.width,
        "least_low": low,
        "least_high": high,
        "saving": saving.ratio,
        "saving_low": saving.interval[0],
        "saving_high": saving.interval[1],
        "saving_at_least": saving.at_least,
    }
