"""The page of a store: one self-contained HTML file, however many rows the store has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softwidth._output import write_whole
from softwidth.rows_summary import MOST_KINDS, SAMPLE, Study, curve, studies_of

if TYPE_CHECKING:
    from softwidth.store import Store

MOST_STUDIES = 20  # with figures and rows; the table names all up to MOST_NAMED
MOST_NAMED = 500
CELL = 160  # characters of a spec or of metrics shown
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
    curves = [curve(study) for study in shown]
    scripts = [report._source("store.js")]
    if any(curves):
        scripts = [report._vega(), report._source("report.js"), *scripts]
    return str(
        report.environment().get_template("store.html.j2").render(
            where=store.where,
            studies=studies[:MOST_NAMED],
            n_studies=len(studies),
            n_rows=sum(study.rows for study in studies),
            parts=list(zip(shown, curves, map(_sample, shown), strict=True)),
            figures=[report._script_json(_figure(rows)) if rows else "" for rows in curves],
            most_rows=SAMPLE,
            style=report._source("report.css"),
            scripts=scripts,
            digests=[report._digest(script) for script in scripts],
        )
    )  # fmt: skip


def _sample(study: Study) -> list[tuple[str, str, str, str]]:
    return [
        (row.id[:8], _short(row.spec), _short(row.metrics), f"{row.seconds:.3g}")
        for row in study.sample
    ]


def _short(value: Any) -> str:
    text = json.dumps({k: v for k, v in value.items() if v is not None}, ensure_ascii=False)
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _figure(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Test error against width by label kind, intervals as bars."""
    import altair as alt

    kinds = list(dict.fromkeys(row["labels"] for row in rows))[:MOST_KINDS]
    drawn = [row for row in rows if row["labels"] in kinds]
    widths = sorted({row["width"] for row in drawn})
    scale = alt.Scale(type="log", base=2, domain=[widths[0] * 0.82, widths[-1] / 0.82], nice=False)
    colour = alt.Color(
        "labels:N",
        scale=alt.Scale(domain=kinds, range=list(PALETTE[: len(kinds)])),
        legend=alt.Legend(title=None, orient="top"),
    )
    axis = alt.Axis(values=widths[:30], format="d", grid=False, labelOverlap=True)
    x = alt.X("width:Q", title="width (hidden neurons)", scale=scale, axis=axis)
    tips = [alt.Tooltip(f"{name}:Q") for name in ("width", "error", "low", "high", "n")]
    base = alt.Chart(alt.Data(values=drawn)).encode(x=x, color=colour, tooltip=["labels:N", *tips])
    y = alt.Y(
        "error:Q", title="test error", axis=alt.Axis(format="~%"), scale=alt.Scale(zero=False)
    )
    layers = [
        base.mark_line(strokeWidth=2.5).encode(y=y),
        base.mark_point(filled=True, size=65).encode(y=y, shape=alt.Shape("labels:N", legend=None)),
    ]
    known = [row for row in drawn if row["low"] is not None]
    if known:
        bars = alt.Chart(alt.Data(values=known)).mark_rule(strokeWidth=2, opacity=0.7)
        layers.insert(0, bars.encode(x=x, color=colour, y="low:Q", y2="high:Q"))
    chart = alt.layer(*layers).properties(
        width="container", height=300, description="Test error against width by label kind."
    )
    return dict(chart.to_dict(validate=False))
