"""A stored forecast as one self-contained page, with its figures; nothing is computed here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from softwidth import page_text
from softwidth._checks import DataFileError
from softwidth._output import write_whole
from softwidth.forecast_form import complete

Forecast = Mapping[str, Any]
DRAWN = ("soft", "hard")  # the control is in the table
ENDS = ("low", "middle", "high")
APART = 2**0.05
HIGHEST = 16  # times the widest measured: a fan that opens further is cut there


def write_forecast_page(stored: Forecast, path: str | Path) -> Path:
    """Write the page of a forecast.

    Raises
    ------
    ArgumentError, DataFileError
        A path that cannot be written; what is no forecast.
    """
    return write_whole("out", path, forecast_page(stored))


def forecast_page(stored: Forecast) -> str:
    """The page of a forecast as HTML, every value of it escaped."""
    from softwidth import charts, report

    whole = complete(stored)
    scripts = [report._vega(), report._source("report.js")]
    figures = {"widths": width_figure(whole), "saving": saving_figure(whole)}
    return str(
        report.environment().get_template("forecast.html.j2").render(
            forecast=whole,
            rows=table(whole),
            text=page_text,
            colours=charts.COLOURS,
            figures={
                name: report._script_json(chart.to_dict(validate=False))
                for name, chart in figures.items()
                if chart is not None
            },
            spec=json.dumps(whole["spec"], indent=1, ensure_ascii=False),
            stored=report._script_json(stored),
            style=report._source("report.css"),
            scripts=scripts,
            digests=[report._digest(script) for script in scripts],
        )
    )  # fmt: skip


def save_width_figure(stored: Forecast, path: str | Path) -> Path:
    """The figure of least widths as an ``.svg`` or ``.png`` file.

    Raises
    ------
    ArgumentError, DataFileError
        Another suffix, a path that cannot be written; what is no forecast, or has nothing to draw.
    """
    from softwidth.charts import save_figure

    figure = width_figure(complete(stored))
    if figure is None:
        raise DataFileError("this forecast has no point to draw.")
    return save_figure(figure, path)


def table(forecast: Forecast) -> list[tuple[str, list[str]]]:
    """Rows of the table: sizes measured, the forecast, and what was measured there."""
    rows = [(f"{point['rows']:,}", _cells(point)) for point in forecast["points"]]
    rows.append((f"{forecast['rows']:,}, forecast", _forecast_cells(forecast)))
    if forecast["measured"]:
        rows.append((f"{forecast['measured']['rows']:,}, measured", _cells(forecast["measured"])))
    return rows


def _cells(point: Mapping[str, Any]) -> list[str]:
    widest = max(point["widths"])
    widths = [
        f"{point[kind]['width'] or f'over {widest}'} ({page_text.width_span(point[kind]['interval'], widest)})"
        for kind in ("soft", "hard", "argmax")
    ]
    saving = point["saving"]
    bound = "at least " if saving["at_least"] else ""
    ratio = f"{bound}{page_text.number(saving['ratio'], 3)} ({_span(saving['interval'])})"
    return [*widths, ratio, page_text.number(point["distance"], 3)]


def _forecast_cells(forecast: Forecast) -> list[str]:
    widths = [width(forecast[kind]) for kind in ("soft", "hard", "argmax")]
    saving = forecast["saving"]
    return [*widths, f"{page_text.number(saving['ratio'], 3)} ({_span(saving['interval'])})", ""]


def width(least: Mapping[str, Any]) -> str:
    """A forecast width with its interval.

    >>> width({"width": 12, "interval": [8, None]})
    '12 (8 to any width)'
    """
    low, high = least["interval"]
    value, end = ("any width" if w is None else f"{w:g}" for w in (least["width"], high))
    return f"{value} ({page_text.number(low)} to {end})"


def _span(interval: Sequence[float | None]) -> str:
    return " to ".join(page_text.number(end, 3) for end in interval)


def width_figure(forecast: Forecast) -> Any:
    """Least width against rows: measured with intervals, the forecast's fan, and the truth if known."""
    return _figure(forecast, DRAWN, "least width (hidden neurons)", _least_marks(forecast))


def saving_figure(forecast: Forecast) -> Any:
    """The saving against rows, in the same form."""
    marks = [
        _mark("saving", point["rows"], point["saving"]["ratio"], point["saving"]["interval"], when)
        for point, when in _points(forecast)
    ]
    return _figure(forecast, ("saving",), "saving: hard / soft", marks)


def _points(forecast: Forecast) -> list[tuple[Mapping[str, Any], str]]:
    later = [(forecast["measured"], "measured after the forecast")] if forecast["measured"] else []
    return [(point, "measured") for point in forecast["points"]] + later


def _least_marks(forecast: Forecast) -> list[dict[str, Any]]:
    """A least width beyond those tried is drawn at the widest tried one, and said to lie beyond."""
    marks = []
    for point, when in _points(forecast):
        widest = max(point["widths"])
        for kind in DRAWN:
            least = point[kind]
            low, high = (widest if end is None else end for end in least["interval"])
            beyond = ", beyond all tried widths" if least["width"] is None else ""
            value = least["width"] or widest
            marks.append(_mark(kind, point["rows"], value, (low, high), when + beyond))
    return marks


def _mark(what: str, rows: int, value: Any, interval: Sequence[Any], when: str) -> dict[str, Any]:
    low, high = (value if end is None else end for end in interval)
    return {"what": what, "rows": rows, "value": value, "low": low, "high": high, "when": when}


def _figure(
    forecast: Forecast, shown: Sequence[str], title: str, marks: Sequence[Mapping[str, Any]]
) -> Any:
    import altair as alt

    from softwidth.charts import COLOURS, framed

    colours, names = {**COLOURS, "saving": "#9850ab"}, {**page_text.NAMES, "saving": "saving"}
    middle = (len(shown) - 1) / 2  # kinds of one size stand side by side
    marks = [
        {
            **mark,
            "name": names[mark["what"]],
            "place": mark["rows"] * APART ** (shown.index(mark["what"]) - middle),
        }
        for mark in marks
        if mark["value"]
    ]
    fan = [{**row, "name": names[row["what"]]} for row in forecast["fan"] if row["what"] in shown]
    if not marks or not fan:
        return None
    top, bottom = HIGHEST * max(mark["high"] for mark in marks), 2.0
    if shown == ("saving",):
        bottom = min(mark["low"] for mark in marks) / HIGHEST
    kept = [{**row, **{end: min(max(row[end], bottom), top) for end in ENDS}} for row in fan]
    sizes = sorted({mark["rows"] for mark in marks} | {forecast["rows"]})
    x, x_marks = (
        alt.X(
            f"{field}:Q",
            title="training rows",
            scale=alt.Scale(type="log", domain=[sizes[0] / 1.15, sizes[-1] * 1.15], nice=False),
            axis=alt.Axis(values=sizes, format=",d", grid=False, labelOverlap=True),
        )
        for field in ("rows", "place")
    )
    values = [row[end] for row in kept for end in ENDS]
    values += [mark[end] for mark in marks for end in ("low", "value", "high")]
    domain = [min(values) / 1.15, max(values) * 1.15]
    y_scale = alt.Scale(type="log", base=2, nice=False, domain=domain)
    ticks = [2.0**k for k in range(-12, 20) if bottom / 2 < 2.0**k < 2 * top]
    y_axis = alt.Axis(title=title, format="~g", values=ticks[:: -(-len(ticks) // 9)])
    said = "".join(f"datum.label == '{name}' ? '{names[name]}' : " for name in shown)
    legend = alt.Legend(
        title=None, orient="top", labelExpr=f"{said}''", labelFontSize=12, symbolOpacity=1
    )
    scale = alt.Scale(domain=list(shown), range=[colours[name] for name in shown])
    colour = alt.Color("what:N", scale=scale, legend=None if len(shown) == 1 else legend)
    tips = [alt.Tooltip("name:N", title="what"), alt.Tooltip("rows:Q", title="rows", format=",.0f")]
    spread = [
        alt.Tooltip("low:Q", title=f"from ({forecast['level']:.0%} interval)", format=".3g"),
        alt.Tooltip("high:Q", title="to", format=".3g"),
    ]
    band = alt.Chart(alt.Data(values=kept)).encode(
        x=x, color=colour, tooltip=[*tips, alt.Tooltip("middle:Q", title="expected", format=".3g"), *spread]
    )  # fmt: skip
    base = alt.Chart(alt.Data(values=marks)).encode(
        x=x_marks, color=colour,
        tooltip=[*tips, alt.Tooltip("value:Q", title="measured", format=".3g"), *spread, alt.Tooltip("when:N", title="when")],
    )  # fmt: skip
    ends = {"y": alt.Y("low:Q", scale=y_scale, axis=y_axis), "y2": alt.Y2("high:Q")}
    place = alt.Y("value:Q", scale=y_scale, axis=y_axis)
    shapes = alt.Shape(
        "when:N",
        scale=alt.Scale(
            domain=sorted({mark["when"] for mark in marks}),
            range=[_shape(when) for when in sorted({mark["when"] for mark in marks})],
        ),
        legend=alt.Legend(title=None, orient="bottom", direction="vertical", labelLimit=320, symbolFillColor="transparent"),
    )  # fmt: skip
    chart = alt.layer(
        band.mark_area(opacity=0.18).encode(**ends),
        band.mark_line(strokeWidth=2, strokeDash=[6, 4]).encode(
            y=alt.Y("middle:Q", scale=y_scale, axis=y_axis)
        ),
        base.mark_rule(strokeWidth=2).encode(**ends),
        base.mark_point(size=90, strokeWidth=2.2, filled=False).encode(y=place, shape=shapes),
    )
    return framed(chart, _described(forecast, shown, marks))


def _shape(when: str) -> str:
    if "beyond" in when:
        return "triangle-up"
    return "diamond" if "after" in when else "circle"


def _described(forecast: Forecast, shown: Sequence[str], marks: Sequence[Mapping[str, Any]]) -> str:
    """Alternative text: what was measured, and what is forecast."""
    said = []
    for what in shown:
        of = [mark for mark in marks if mark["what"] == what]
        points = ", ".join(f"{page_text.number(m['value'], 3)} at {m['rows']:,} rows" for m in of)
        ends = _forecast_cells(forecast)[3] if what == "saving" else width(forecast[what])
        said.append(f"{what}: measured {points}; forecast {ends} at {forecast['rows']:,} rows.")
    return " ".join(said)
