"""Whether soft labels win with ten classes too: the paper's open question 2.

The scenes' noisy digits with all of their classes, beside their parity. For K classes THEORY.md
section 7 finds widths sufficient that grow as ``K ln(nK)/(γ_K² ε)`` with soft and as
``ln²(K/ε)/γ_K⁴ + ln(nK)/γ_K²`` with hard labels: upper bounds, which say nothing of what is needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softwidth.studies._gains import draw_curves, everywhere, groups, said_of
from softwidth.studies._scenes import PARITY, noisy_parity, scene
from softwidth.studies._study import Ask, Scale, Verdict
from softwidth.studies._table import tuned_lines

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "Soft labels win with ten classes as they do with two."
COST = "1 worker min, 3,710 students of digits and mnist"
LAST = "supported: +2.58 (+2.24 to +2.93) points"
WIDTHS = (4, 8, 16, 32)
TASKS = {"10 classes": None, "parity": PARITY}
COMPARISONS = 2 * len(TASKS)  # on two data sets


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, task, width and label kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    here = scene(source, scale)
    widths = scale(WIDTHS, WIDTHS[:1])
    lines: list[dict[str, Any]] = []
    for task, positive in TASKS.items():
        own = widths if positive is None else here.widths  # parity's are the other studies' too
        base = noisy_parity(source, scale, positive=positive)
        group = {"data": source, "task": task}
        lines += tuned_lines(ask, scale, base, group, widths=own, comparisons=COMPARISONS)
    return lines


def judge(table: pandas.DataFrame) -> Verdict:
    """Supported by a gain with ten classes on all data, refuted by a loss on one."""
    lines = groups(table, ("data", "task"))
    ten = [line for line in lines if line["task"] != "parity"]
    found = everywhere(ten, _named, "Soft labels win")
    beside = tuple(said_of(line, _named(line)) for line in lines if line["task"] == "parity")
    return replace(found, said=(*found.said, *beside))


def _named(line: Any) -> str:
    return f"{line['task']} on {line['data']}"


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Test error against width, task by task."""
    return draw_curves(table, "task")
