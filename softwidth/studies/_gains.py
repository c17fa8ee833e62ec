"""Verdicts and figures about what soft labels gain in several groups of students."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth.studies._study import Said, Verdict
from softwidth.studies._table import records

if TYPE_CHECKING:
    import altair
    import pandas

Line = Mapping[str, Any]
Namer = Callable[[Line], str]


def groups(
    table: pandas.DataFrame, by: Sequence[str], labels: str = "soft"
) -> list[dict[str, Any]]:
    """Of every group the line of its narrowest width, which has the means over widths as all have."""
    lines = sorted(records(table, labels=labels), key=lambda line: float(line["width"]))
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in lines:
        first.setdefault(tuple(str(line[name]) for name in by), line)
    return sorted(first.values(), key=lambda line: int(line["row"]))


def sign(line: Line, name: str = "mean_gain") -> int:
    """1 or -1 where the interval of a difference leaves no doubt, else 0."""
    return int(line[f"{name}_low"] > 0) - int(line[f"{name}_high"] < 0)


def interval(line: Line, name: str = "mean_gain") -> tuple[float, float]:
    """Its ends."""
    return float(line[f"{name}_low"]), float(line[f"{name}_high"])


def told(line: Line, name: str = "mean_gain") -> str:
    """A difference with its interval, for people.

    >>> told({"mean_gain": 1.234, "mean_gain_low": -0.5, "mean_gain_high": 3.0})
    '+1.2 (-0.5 to +3.0)'
    """
    low, high = interval(line, name)
    return f"{line[name]:+.1f} ({low:+.1f} to {high:+.1f})"


def said_of(line: Line, name: str) -> Said:
    """Gain, its part that is softness, and the saving of one group."""
    width = "beyond all tried" if np.isinf(line["least_width"]) else f"{line['least_width']:.0f}"
    bound = "at least " if line["saving_at_least"] else ""
    return Said(
        f"{name}: {told(line)} points on average over the widths, {told(line, 'beyond')} of them beyond "
        f"the teacher's top class; least width {width}, hard labels need {bound}"
        f"{line['saving']:.3g} times as many neurons ({line['saving_low']:.3g} to "
        f"{line['saving_high']:.3g}).",
        (int(line["row"]),),
    )


def everywhere(
    lines: Sequence[Line],
    name: Namer,
    claimed: str,
    *,
    column: str = "mean_gain",
    each: bool = True,
) -> Verdict:
    """Supported by a gain in all of these groups, refuted by a loss in one.

    Parameters
    ----------
    lines : sequence of mapping
        One a group, see `groups`.
    name : callable
        Of a group, from its line.
    claimed : str
        What was to be shown in each, for the sentence.
    column : str
        The difference that is judged.
    each : bool
        Say also a sentence of every group.
    """
    signs = [sign(line, column) for line in lines]
    word = "refuted" if min(signs) < 0 else "supported" if min(signs) > 0 else "undecided"
    least = min(lines, key=lambda line: float(line[column]))
    return Verdict(
        word,
        f"{claimed} in {signs.count(1)} of {len(lines)} groups, the opposite in {signs.count(-1)}; the "
        f"least gain is {told(least, column)} points on average over the widths ({name(least)}).",
        float(least[column]),
        interval(least, column),
        "points",
        tuple(int(line["row"]) for line in lines),
        tuple(said_of(line, name(line)) for line in lines) if each else (),
    )


def draw_gains(table: pandas.DataFrame, by: str, title: str) -> altair.TopLevelMixin:
    """Gains over hard labels on average over the widths, with intervals, group by group."""
    import altair as alt

    from softwidth.charts import label_colours

    rows = table[table.labels != "hard"].drop_duplicates(["data", by, "labels"])
    rows = rows.assign(group=rows[by].astype(str))
    x = alt.X(
        "group:N", title=title, sort=list(dict.fromkeys(rows.group)), axis=alt.Axis(labelAngle=-35)
    )
    base = alt.Chart(rows).encode(x=x, xOffset="labels:N", color=label_colours())
    bars = base.mark_rule().encode(
        y=alt.Y("mean_gain_low:Q", title="gain over hard labels (points)"), y2="mean_gain_high:Q"
    )
    marks = base.mark_point(filled=True, size=50).encode(y="mean_gain:Q", shape="labels:N")
    zero = alt.Chart(rows).mark_rule(strokeDash=[2, 2], color="#6c7275").encode(y=alt.datum(0))
    return (
        alt.layer(zero, bars, marks)
        .properties(width=alt.Step(28), height=200)
        .facet(alt.Facet("data:N", title=None), columns=1)
    )


def draw_curves(table: pandas.DataFrame, by: str) -> altair.TopLevelMixin:
    """Test error against width by label kind, a panel a group."""
    import altair as alt

    from softwidth.charts import label_colours

    rows = table.assign(panel=table.data + ", " + table[by].astype(str))
    return (
        alt.Chart(rows)
        .mark_line(point=True)
        .encode(
            x=alt.X("width:Q", scale=alt.Scale(type="log", base=2), title="neurons"),
            y=alt.Y("test_error:Q", title="test error (%)", scale=alt.Scale(zero=False)),
            color=label_colours(),
            strokeDash="labels:N",
        )
        .properties(width=170, height=150)
        .facet(alt.Facet("panel:N", title=None, sort=list(dict.fromkeys(rows.panel))), columns=4)
    )
