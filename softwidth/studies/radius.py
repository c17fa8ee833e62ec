"""Does a small projection radius do for soft labels, and only for them? Parity, by the theory's recipe.

Full-batch projected gradient descent of a constant, tuned step size from a symmetric start. Soft
labels are the theory's own: those of the map of largest kernel margin at B = 1, in-sample. The
bounds ask for radius 1 with soft labels and for ``2 ln(2/ε)/γ`` with hard ones (THEORY.md sections 5
and 6); they are sufficient, so what is needed has to be measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from softwidth.store import Row
from softwidth.studies._compare import difference, wrong
from softwidth.studies._study import Ask, Scale, Verdict
from softwidth.studies._table import behind, records
from softwidth.studies._tuned import tuned
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "A projection radius of 1 costs hard labels more test accuracy than soft ones."
COST = "1 worker min, 3,160 students of digits and mnist"
LAST = "supported: +9.64 (+6.00 to +13.19) points"
KINDS = ("hard", "soft", "argmax")
RADII = (1.0, 3.0, 10.0, 30.0, None)  # None: no projection
WIDTHS = (8, 32)
ROWS = 300  # few: full-batch descent of a constant step needs many steps
STEP_SIZES = (1.0, 3.16, 10.0, 31.6, 100.0)
SMALL = 1.0


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, width, radius and label kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    base = TrialSpec.of(
        source=source,
        positive=(1, 3, 5, 7, 9),
        student_rows=ROWS,
        teacher="map",
        teacher_settings={"radius": 1.0},
        regime="in-sample",
        epochs=scale(300, 10),
        tolerance=0.0,
        width=WIDTHS[0],
    )
    few = {"step_sizes": (3.0,), "tuning_seeds": 1} if scale.smoke else {"step_sizes": STEP_SIZES}
    found = tuned(
        ask, base, seeds=scale(10, 2), width=scale(WIDTHS, WIDTHS[:1]),
        radius=scale(RADII, (SMALL, None)), labels=KINDS, **few,
    )  # fmt: skip
    rows = {(cell.width, cell.radius, cell.labels): students for cell, students in found}
    return [_line(rows, source, *key) for key in rows]


def _line(
    rows: dict[tuple[int, float | None, str], list[Row]],
    source: str,
    width: int,
    radius: float | None,
    kind: str,
) -> dict[str, Any]:
    """Errors, and how much more the radius costs hard labels than this kind."""
    own, free = wrong(rows[width, radius, kind]), wrong(rows[width, None, kind])
    hard, hard_free = wrong(rows[width, radius, "hard"]), wrong(rows[width, None, "hard"])
    cost = difference(own, free)
    excess = difference(hard - hard_free, own - free, comparisons=2 * len(WIDTHS))
    metrics = [row.metrics for row in rows[width, radius, kind]]
    return {
        "data": source,
        "width": width,
        "radius": radius,
        "labels": kind,
        "test_error": 100 * own.mean(),
        "train_error": 100 * sum(m["train_error"] for m in metrics) / len(metrics),
        "cost": 100 * cost.mean,
        "cost_low": 100 * cost.interval[0],
        "cost_high": 100 * cost.interval[1],
        "excess": 100 * excess.mean,
        "excess_low": 100 * excess.interval[0],
        "excess_high": 100 * excess.interval[1],
        "edge": sum(m["edge"] for m in metrics) / len(metrics),
        **behind(rows[width, radius, kind]),
    }


def judge(table: pandas.DataFrame) -> Verdict:
    """At the small radius: what it costs hard labels beyond what it costs soft ones."""
    at = records(table, labels="soft", radius=SMALL)
    least = min(at, key=lambda row: row["excess_low"])
    word = (
        "supported" if all(row["excess_low"] > 0 for row in at)
        else "refuted" if any(row["excess_high"] < 0 for row in at)
        else "undecided"
    )  # fmt: skip
    told = "; ".join(
        f"width {row['width']} on {row['data']} {row['excess']:.1f} "
        f"({row['excess_low']:.1f} to {row['excess_high']:.1f})"
        for row in at
    )
    return Verdict(
        word,
        f"Points of test error that B = 1 costs hard labels beyond what it costs soft ones: {told}.",
        float(least["excess"]),
        (float(least["excess_low"]), float(least["excess_high"])),
        "points",
        tuple(row["row"] for row in at),
    )


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Test error against radius by label kind and width."""
    import altair as alt

    from softwidth.charts import label_colours

    rows = table.assign(
        radius=table.radius.map("{:g}".format).replace("nan", "none"),
        panel=table.data + ", width " + table.width.astype(str),
    )
    order = [f"{r:g}" for r in RADII if r is not None] + ["none"]
    return (
        alt.Chart(rows)
        .mark_line(point=True)
        .encode(
            x=alt.X("radius:O", sort=order, title="projection radius B"),
            y=alt.Y("test_error:Q", title="test error (%)", scale=alt.Scale(zero=False)),
            color=label_colours(),
            strokeDash=alt.StrokeDash("labels:N", legend=None),
        )
        .properties(width=260, height=200)
        .facet(alt.Facet("panel:N", title=None), columns=2)
    )
