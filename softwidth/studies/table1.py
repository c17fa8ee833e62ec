"""The paper's Table 1, cell by cell: digits above 4 against the rest, students of 4, 6 and 8 neurons.

The paper (arXiv 2412.09579, Table 1) gives accuracies without spread, and neither steps, step size,
radius nor seeds. Here every label kind has its own tuned step size at every width, all seeds answer
for the same test rows, and the teacher of width 512 learns in-sample (theirs, as far as it can be
told) or cross-fitted. `argmax`, the teacher's top class as a hard label, tells softness from better
labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from softwidth.store import Row
from softwidth.studies._compare import difference, wrong
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import behind, records
from softwidth.studies._tuned import tuned
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "Soft labels are never worse than hard ones, and the fewer the neurons the more they win."
COST = "53 worker min, 5,820 students of digits and mnist"
LAST = "undecided: +0.89 (-0.29 to +2.12) points"
KINDS = ("hard", "soft", "argmax")
WIDTHS = (4, 6, 8)
REGIMES = ("in-sample", "cross-fitted")
TASKS = {"all": range(10), "without 1, 7, 4, 9": (0, 2, 3, 5, 6, 8)}  # digits that are kept
POSITIVE = (5, 6, 7, 8, 9)
EPOCHS = {"digits": 100, "mnist": 10}
PRINTED = {  # accuracy in per cent: task, width -> hard, soft
    ("all", 8): (95.77, 96.58),
    ("all", 6): (95.33, 96.00),
    ("all", 4): (88.84, 95.62),
    ("without 1, 7, 4, 9", 8): (97.19, 97.67),
    ("without 1, 7, 4, 9", 6): (96.84, 97.26),
    ("without 1, 7, 4, 9", 4): (93.04, 95.83),
}


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, task, regime, width and label kind."""
    import pandas as pd

    rows = [
        line
        for source in scale.data
        for task in TASKS
        for regime in scale(REGIMES, REGIMES[:1])
        for line in _cell(ask, scale, source, task, regime)
    ]
    return pd.DataFrame(rows)


def _cell(ask: Ask, scale: Scale, source: str, task: str, regime: str) -> list[dict[str, Any]]:
    base = TrialSpec.of(
        source=source,
        only=list(TASKS[task]),
        positive=[digit for digit in POSITIVE if digit in TASKS[task]],
        teacher="wide",
        teacher_settings=scale({"width": 512}, {"width": 64, "step_size": 0.3}),
        regime=regime,
        epochs=scale(EPOCHS.get(source, 20), 3),
        batch_size=128,
        momentum=0.9,
        schedule="cosine",
        width=WIDTHS[0],
    )
    steps: dict[str, Any] = {"step_sizes": (1.0,), "tuning_seeds": 1} if scale.smoke else {}
    found = tuned(
        ask, base, seeds=scale(20, 2), width=scale(WIDTHS, WIDTHS[:1]), labels=KINDS, **steps
    )
    rows = {(cell.width, cell.labels): students for cell, students in found}
    return [_line(rows, source, task, regime, *key) for key in rows]


def _line(
    rows: dict[tuple[int, str], list[Row]],
    source: str,
    task: str,
    regime: str,
    width: int,
    kind: str,
) -> dict[str, Any]:
    own, hard = (wrong(rows[width, labels]) for labels in (kind, "hard"))
    accuracy = 100 * (1 - own.mean(axis=1))
    cells = len(WIDTHS) * len(TASKS) * len(REGIMES) * len(EPOCHS)  # on both data sets
    gain = difference(hard, own, comparisons=cells)
    printed = PRINTED.get((task, width), (None, None))
    return {
        "data": source,
        "task": task,
        "regime": regime,
        "width": width,
        "labels": kind,
        "accuracy": accuracy.mean(),
        "sd": accuracy.std(ddof=1),
        "median": sorted(accuracy)[len(accuracy) // 2],
        "worst": accuracy.min(),
        "printed": printed[KINDS.index(kind)] if source == "mnist" and kind != "argmax" else None,
        "gain": 100 * gain.mean,
        "gain_low": 100 * gain.interval[0],
        "gain_high": 100 * gain.interval[1],
        **behind(rows[width, kind]),
    }


def judge(table: pandas.DataFrame) -> Verdict:
    """Refuted by a cell in which soft labels are worse; supported if some are better and none worse."""
    soft = records(table, labels="soft")
    worse = sum(row["gain_high"] < 0 for row in soft)
    better = sum(row["gain_low"] > 0 for row in soft)
    most = max(soft, key=lambda row: row["gain"])
    low, high = float(most["gain_low"]), float(most["gain_high"])
    sentence = (
        f"Of {len(soft)} cells soft labels are better in {better} and worse in {worse}; the largest "
        f"gain is {most['gain']:+.2f} points ({low:+.2f} to {high:+.2f}), at width {most['width']} on "
        f"{most['data']}, {most['task']}, with a teacher {most['regime']}."
    )
    word = "refuted" if worse else "supported" if better else "undecided"
    rows = tuple(row["row"] for row in soft)
    return Verdict(
        word, sentence, float(most["gain"]), (low, high), "points", rows, _beside_print(soft)
    )


def _beside_print(soft: list[dict[str, Any]]) -> tuple[Said, ...]:
    """The printed gains beside ours, where the task is the paper's: MNIST, a teacher in-sample."""
    own = [row for row in soft if _printed(row)]
    if not own:
        return ()
    outside = [row for row in own if not row["gain_low"] <= printed_gain(row) <= row["gain_high"]]
    told = "; ".join(
        f"{row['task']}, width {row['width']}: printed {printed_gain(row):+.2f}, here "
        f"{row['gain']:+.2f} ({row['gain_low']:+.2f} to {row['gain_high']:+.2f})"
        for row in own
    )
    return (
        Said(
            f"Of the {len(own)} printed gains {len(outside)} lie outside the interval found here: {told}.",
            tuple(row["row"] for row in own),
        ),
    )


def _printed(row: Mapping[str, Any]) -> bool:
    """Whether the cell is one of the paper's table."""
    return (row["data"], row["regime"], row["labels"]) == ("mnist", "in-sample", "soft")


def printed_gain(row: Mapping[str, Any]) -> float:
    """Soft minus hard of a cell of the paper's table, in points.

    >>> round(printed_gain({"task": "all", "width": 4}), 2)
    6.78
    """
    hard, soft = PRINTED[row["task"], row["width"]]
    return soft - hard


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """The gain over hard labels with intervals, by width, task and regime; crosses are the paper's."""
    import altair as alt

    from softwidth.charts import label_colours

    rows = table[table.labels != "hard"].assign(
        panel=table.data + ", " + table.task + ", " + table.regime
    )
    theirs: Any = [printed_gain(row) if _printed(row) else None for row in records(rows)]
    rows = rows.assign(theirs=theirs)
    base = alt.Chart(rows).encode(
        x=alt.X("width:O", title="neurons"), xOffset="labels:N", color=label_colours()
    )
    bars = base.mark_rule().encode(
        y=alt.Y("gain_low:Q", title="gain over hard labels (points)"), y2="gain_high:Q"
    )
    points = base.mark_point(filled=True, size=50).encode(
        y="gain:Q", shape=alt.Shape("labels:N", legend=None)
    )
    zero = alt.Chart(rows).mark_rule(strokeDash=[2, 2], color="#6c7275").encode(y=alt.datum(0))
    crosses = base.mark_point(shape="cross", angle=45, size=70, filled=True, color="#6c7275")
    printed = crosses.encode(y="theirs:Q", color=alt.value("#6c7275"))
    return (
        alt.layer(zero, bars, points, printed)
        .properties(width=170, height=160)
        .facet(alt.Facet("panel:N", title=None), columns=4)
    )
