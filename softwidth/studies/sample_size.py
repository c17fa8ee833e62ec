"""How the margin, the least widths and the advantage go with the number of rows: open question 3.

Noisy parity (`_scenes`), its students on n rows and a cross-fitted teacher of the same n rows: nobody
has others. The rows are nested, so that the margin can only fall. Every size has as many steps
(`STEPS`), so at most n of MNIST two epochs; 12,000 of its 60,000 training rows are for choosing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth.store import Row
from softwidth.studies._gains import groups, said_of, told
from softwidth.studies._scenes import noisy_parity, scene
from softwidth.studies._slope import weighted_slope
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import tuned_lines
from softwidth.trial_margins import MarginSpec, MarginTrials
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "The more rows, the smaller the advantage of soft labels of a teacher that has the same rows."  # fmt: skip
COST = "7 worker min, 8,969 students of digits and mnist"
LAST = "undecided: -0.83 (-2.16 to +0.50) points of gain for ten times the rows"
SIZES = {"digits": (125, 250, 500, 1000), "mnist": (250, 1000, 4000, 12_000, None)}
ALL = {"mnist": 48_000}  # what None stands for
STEPS = 1500
COMPARISONS = sum(map(len, SIZES.values()))


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, number of rows, width and label kind."""
    import pandas as pd

    sizes = {s: scale(SIZES.get(s, SIZES["digits"]), (60, 120)) for s in scale.data}
    return pd.DataFrame(
        [line for source in scale.data for n in sizes[source] for line in _of_size(ask, scale, source, n)]
    )  # fmt: skip


def _of_size(ask: Ask, scale: Scale, source: str, n: int | None) -> list[dict[str, Any]]:
    here, rows = scene(source, scale), n or ALL[source]
    steps_an_epoch = -(-rows // here.batch_size)
    epochs = scale(max(1, round(STEPS / steps_an_epoch)), here.epochs)
    base = noisy_parity(source, scale, student_rows=n, epochs=epochs, regime="cross-fitted")
    group = {"data": source, "rows": rows, "epochs": epochs, **_margin(ask, base)}
    return tuned_lines(ask, scale, base, group, widths=here.widths, comparisons=COMPARISONS)


def _margin(ask: Ask, base: TrialSpec) -> dict[str, Any]:
    """The certified kernel margin of the students' rows, and the id of its row in the store."""
    (row,) = ask([MarginSpec(base)], MarginTrials())
    return _told_margin(row)


def _told_margin(row: Row) -> dict[str, Any]:
    """Of a subsample only the upper end holds for all rows."""
    found = row.metrics
    whole = found["n_samples"] == found["rows"]
    return {
        "margin_low": found["lower"] if whole else 0.0,
        "margin_high": found["upper"],
        "margin_rows": found["n_samples"],
        "margin_id": row.id,
    }


def judge(table: pandas.DataFrame) -> Verdict:
    """By points of gain for ten times the rows, one slope for all data: supported below 0, refuted above."""
    lines = groups(table, ("data", "rows"))
    decades = [float(np.log10(line["rows"])) for line in lines]
    b, low, high = weighted_slope(lines, decades, COMPARISONS, by="data")
    word = "supported" if high < 0 else "refuted" if low > 0 else "undecided"
    few, many = (pick(lines, key=lambda line: float(line["rows"])) for pick in (min, max))
    names = list(dict.fromkeys(line["data"] for line in lines))
    beside = [_teachers_said(table, lines, data) for data in names]
    return Verdict(
        word,
        f"{b:+.1f} points ({low:+.1f} to {high:+.1f}) of gain for ten times the rows; {_named(few)} gain "
        f"{told(few)} points, {_named(many)} {told(many)}.",
        b,
        (low, high),
        "points of gain for ten times the rows",
        tuple(line["row"] for line in lines),
        (
            *beside,
            *(_margins_said(lines, data) for data in names),
            *(said_of(line, _named(line)) for line in lines),
        ),
    )


def _teachers_said(table: pandas.DataFrame, lines: list[dict[str, Any]], data: str) -> Said:
    """Whether the teacher is ahead of its students at all: one that is not has nothing to teach."""
    own = [line for line in lines if line["data"] == data]
    hard = table[(table.data == data) & (table.labels == "hard")]
    best = 100 - hard.groupby("rows")["test_error"].min()
    text = ", ".join(
        f"{line['teacher_accuracy']:.1f} and {best[line['rows']]:.1f} at {line['rows']:,}"
        for line in own
    )
    return Said(
        f"Of {data} by rows, right on held-out rows in per cent, the teacher and the best width of "
        f"hard-label students: {text}.",
        tuple(line["row"] for line in own),
    )


def _margins_said(lines: list[dict[str, Any]], data: str) -> Said:
    """Margins by rows, and the exponent of n that they fall with, of those whose both ends are known."""
    own = [line for line in lines if line["data"] == data]
    exact = [line for line in own if line["margin_low"] > 0]
    text = ", ".join(
        f"{'' if line in exact else 'at most '}{line['margin_high']:.3g} at {line['rows']:,}"
        for line in own
    )
    fall = ""
    if len(exact) > 1:
        x, y = (np.log([line[name] for line in exact]) for name in ("rows", "margin_high"))
        fall = f", falling as the rows to the power {np.polyfit(x, y, 1)[0]:.2f}"
    return Said(f"Kernel margin of {data} by rows: {text}{fall}.", tuple(line["row"] for line in own))  # fmt: skip


def _named(line: Any) -> str:
    return f"{line['rows']:,} rows of {line['data']}"


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Gain, error and margin against the number of rows."""
    import altair as alt

    from softwidth.charts import label_colours

    rows = table.drop_duplicates(["data", "rows", "labels"])
    soft = rows[rows.labels == "soft"]
    x = alt.X("rows:Q", scale=alt.Scale(type="log"), title="rows", axis=alt.Axis(format="~s", tickCount=4))  # fmt: skip
    data = alt.Shape("data:N", title="data")
    gain = alt.Chart(soft).encode(x=x, shape=data)
    zero = alt.Chart(soft).mark_rule(strokeDash=[2, 2], color="#6c7275").encode(y=alt.datum(0))
    bars = alt.Chart(soft).mark_rule().encode(
        x=x, y=alt.Y("mean_gain_low:Q", title="gain over hard labels (points)"), y2="mean_gain_high:Q"
    )  # fmt: skip
    marks = gain.mark_point(filled=True, size=60, color="#1f2328").encode(y="mean_gain:Q")
    mean = table.groupby(["data", "rows", "labels"], as_index=False)["test_error"].mean()
    error = (
        alt.Chart(mean)
        .mark_line(point=True)
        .encode(
            x=x,
            y=alt.Y(
                "test_error:Q",
                title="test error, mean over widths (%)",
                scale=alt.Scale(zero=False),
            ),
            color=label_colours(),
            strokeDash=alt.StrokeDash("data:N", title="data"),
        )
    )
    margin = (
        alt.Chart(soft)
        .mark_point(filled=True, size=60, color="#1f2328")
        .encode(
            x=x,
            y=alt.Y("margin_high:Q", title="kernel margin, upper end", scale=alt.Scale(type="log")),
            shape=data,
        )
    )
    size = {"width": 210, "height": 220}
    return alt.hconcat(
        alt.layer(zero, bars, marks).properties(**size), error.properties(**size), margin.properties(**size)
    )  # fmt: skip
