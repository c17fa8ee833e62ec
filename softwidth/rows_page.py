"""The page of a store: one self-contained HTML file, however many rows the store has.

Its figures are drawn here and stand in the page as SVG, for broad windows and for narrow ones: a
browser that must first read and run a plotting library takes three times as long to open the page.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softwidth._output import write_whole
from softwidth.rows_summary import MOST_KINDS, SAMPLE, Study, curve, studies_of

if TYPE_CHECKING:
    from softwidth.store import Store

MOST_STUDIES = 20  # with figures and rows; the table names all up to MOST_NAMED
MOST_NAMED = 500
CELL = 160  # characters of a spec or of metrics shown
# Of all studies together, so that the page stays below 3 MB: rows, points in tables, points drawn.
ROWS, POINTS, DRAWN = 2_000, 2_500, 1_500
WIDTHS = {"broad": 700, "narrow": 330}  # pixels; which one is shown is up to the style sheet
CONFIG = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "legend": {"labelFontSize": 12, "columnPadding": 14},
    "axis": {"labelFontSize": 12, "titleFontSize": 13, "titleFontWeight": "normal"},
}
PALETTE = ("#1a70f5", "#e0561a", "#6c7275", "#9850ab", "#1a8f5a", "#b08500", "#c2327a", "#3a9fb5")


def write_store_page(store: Store, path: str | Path) -> Path:
    """Write the page of a store.

    Raises
    ------
    ArgumentError, DataFileError, StoreError
        A path that cannot be written; a store that cannot be read.
    """
    return write_whole("out", path, store_page(store))


def store_page(store: Store) -> str:
    """The page of a store as HTML, every value of it escaped."""
    from softwidth import report

    studies = studies_of(store.rows())
    shown = studies[:MOST_STUDIES]
    share = max(len(shown), 1)
    scripts = [report._source("print.js"), report._source("store.js")]
    return str(
        report.environment().get_template("store.html.j2").render(
            where=store.where,
            studies=studies[:MOST_NAMED],
            n_studies=len(studies),
            n_rows=sum(study.rows for study in studies),
            parts=[Part(study, share) for study in shown],
            style=report._source("report.css"),
            scripts=scripts,
            digests=[report._digest(script) for script in scripts],
        )
    )  # fmt: skip


class Part:
    """What the page shows of a study that shares the page with others.

    Attributes
    ----------
    study : Study
    points : list of dict
        Of its curve, as many as fit.
    n_points : int
        That the curve has.
    figures : dict of str to str
        SVG by name of its width; none where there is nothing to draw.
    sample : list of tuple
        Rows as text.
    """

    def __init__(self, study: Study, share: int) -> None:
        points = curve(study)
        self.study, self.n_points = study, len(points)
        self.points = points[: POINTS // share]
        self.drawn = _spread(points, DRAWN // share)
        self.figures = _figures(self.drawn) if points else {}
        self.sample = _sample(study, min(SAMPLE, ROWS // share))


def _spread(points: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Of the first kinds at most so many points: widths evenly from the first to the last."""
    kinds = list(dict.fromkeys(point["labels"] for point in points))[:MOST_KINDS]
    points = [point for point in points if point["labels"] in kinds]
    widths = sorted({point["width"] for point in points})
    count = max(most // max(len(kinds), 1), 2)
    if len(widths) > count:
        step = (len(widths) - 1) / (count - 1)
        widths = [widths[round(k * step)] for k in range(count)]
    return [point for point in points if point["width"] in set(widths)]


def _sample(study: Study, most: int) -> list[tuple[str, str, str, str]]:
    return [
        (row.id[:8], _short(row.spec), _short(row.metrics), f"{row.seconds:.3g}")
        for row in study.sample[:most]
    ]


def _short(value: Any) -> str:
    text = json.dumps({k: v for k, v in value.items() if v is not None}, ensure_ascii=False)
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _figures(points: list[dict[str, Any]]) -> dict[str, str]:
    """Test error against width as SVG, by name of the figure's width."""
    import vl_convert

    return {
        name: vl_convert.vegalite_to_svg(_chart(points, width)) for name, width in WIDTHS.items()
    }


def _chart(points: list[dict[str, Any]], pixels: int) -> dict[str, Any]:
    """Test error against width by label kind, intervals as bars."""
    import altair as alt

    kinds = list(dict.fromkeys(point["labels"] for point in points))
    widths = sorted({point["width"] for point in points})
    scale = alt.Scale(type="log", base=2, domain=[widths[0] * 0.82, widths[-1] / 0.82], nice=False)
    legend = alt.Legend(
        title=None, orient="top", columns=math.ceil(pixels / 170), labelLimit=150, symbolLimit=0
    )
    colour = alt.Color(
        "labels:N",
        scale=alt.Scale(domain=kinds, range=list(PALETTE[: len(kinds)])),
        legend=legend,
    )
    axis = alt.Axis(values=widths[:30], format="d", grid=False, labelOverlap=True)
    x = alt.X("width:Q", title="width (hidden neurons)", scale=scale, axis=axis)
    y = alt.Y(
        "error:Q", title="test error", axis=alt.Axis(format="~%"), scale=alt.Scale(zero=False)
    )
    base = alt.Chart(alt.Data(values=points)).encode(x=x, y=y, color=colour)
    marks = {"aria": False}  # every point is in the table below the figure
    layers = [
        base.mark_line(strokeWidth=2.5, **marks),
        base.mark_point(filled=True, size=65, **marks).encode(
            shape=alt.Shape("labels:N", scale=alt.Scale(domain=kinds), legend=legend)
        ),
    ]
    known = [point for point in points if point["low"] is not None]
    if known:
        bars = alt.Chart(alt.Data(values=known)).mark_rule(strokeWidth=2, opacity=0.7, **marks)
        layers.insert(0, bars.encode(x=x, color=colour, y="low:Q", y2="high:Q"))
    chart = alt.layer(*layers).properties(
        width=pixels,
        height=300,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        description="Test error against width by label kind.",
    )
    return {**chart.to_dict(validate=False), "config": CONFIG}
