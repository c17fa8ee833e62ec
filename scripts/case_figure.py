"""The figure of the real cases (scripts/real_cases.py), from their tables."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from softwidth.charts import label_colours
from softwidth.trials import KINDS


def figure(rows: pd.DataFrame, points: pd.DataFrame) -> Any:
    """Loss on the other half by width, a panel a case; below it, where the plan saw the least widths."""
    panels = [_panel(row, points[points["case"] == row["case"]]) for row in rows.to_dict("records")]
    note = "Curves: new students on the half that the plan never saw. Bars below: the plan's least widths with 95 % intervals."
    return alt.concat(
        *panels, columns=3, title=alt.TitleParams(note, anchor="start", fontWeight="normal")
    )


def _panel(row: dict[str, Any], points: pd.DataFrame) -> Any:
    held = points[points["half"] == "held out"]
    percent = row["metric"] != "kl"
    title = "mistakes" if percent else "divergence, nats"
    bottom, top = held["loss_low"].min(), held["loss_high"].max()
    step = (top - bottom) / 12
    bars = pd.DataFrame([_bar(row, kind, bottom - (k + 1) * step) for k, kind in enumerate(KINDS)])
    widths = sorted(held["width"].unique())
    axis = alt.Axis(values=[w for w in widths if w & (w - 1) == 0], format="d", grid=False)
    x = alt.X("width:Q", scale=alt.Scale(type="log", base=2), title="width", axis=axis)
    y = alt.Y(
        "loss:Q", title=title, axis=alt.Axis(format="%" if percent else "", tickCount=5),
        scale=alt.Scale(domain=[bottom - 4 * step, top], zero=False, nice=False),
    )  # fmt: skip
    curves = alt.Chart(held).encode(x=x, color=label_colours())
    said = alt.Chart(bars).encode(y="place:Q", color=label_colours())
    return alt.layer(
        curves.mark_rule(opacity=0.4).encode(y="loss_low:Q", y2="loss_high:Q"),
        curves.mark_line(point=True).encode(y=y),
        said.mark_rule(strokeWidth=3, opacity=0.6).encode(x="low:Q", x2="high:Q"),
        said.mark_point(filled=True, size=60, shape="diamond").encode(x="width:Q"),
    ).properties(title=row["case"], width=230, height=190)


def _bar(row: dict[str, Any], kind: str, place: float) -> dict[str, Any]:
    """A plan's least width with its interval; what lies beyond all tried widths ends at the widest."""
    width, low, high = (row[f"{kind}_width{end}"] for end in ("", "_low", "_high"))
    ends = {"low": low, "high": high}
    beyond = {name: row["widest"] if pd.isna(end) else end for name, end in ends.items()}
    return {"labels": kind, "place": place, "width": None if pd.isna(width) else width, **beyond}
