"""The figures of a plan as Altair charts, from stored rows; one chart serves page, SVG and PNG.

Colours of text, axes and grids are not set: the page's style sheet gives them, so that they follow
light, dark and printer; a saved figure has Vega's own on white.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from softwidth._checks import ArgumentError, check_path
from softwidth._output import write_whole
from softwidth._types import width_text
from softwidth.page_text import LOSSES, NAMES, describe_curves, drawn, kinds
from softwidth.plan_form import complete

Plan = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]

# Under normal and colour-blind sight (protan, deutan, tritan) any two differ by a CIELAB distance of
# 25 or more, and each has a contrast of 3 or more on the page's white and near-black alike. Shapes
# and dashes say the same once more.
COLOURS = {"soft": "#1a70f5", "hard": "#e0561a", "argmax": "#6c7275", "teacher": "#9850ab"}
SHAPES = {"soft": "circle", "hard": "square", "argmax": "triangle-up", "teacher": "diamond"}
DASHES = {"soft": [1, 0], "hard": [7, 3], "argmax": [2, 3], "teacher": [9, 3, 2, 3]}
HEIGHT = 300
APART = 2**0.07  # between the marks of two kinds at one width, as a factor: they stand side by side
FORMATS = (".svg", ".png")
NUMBERS = {
    "error": (".2%", "~%"),
    "balanced": (".2%", "~%"),
    "kl": (".4f", "~g"),
}  # in tooltips and at ticks


def validation_curve(plan: Plan) -> alt.LayerChart:
    """Validation loss against width with intervals, the target, and the least widths ringed."""
    plan = complete(plan)
    points = _points(plan, "validation")
    layers = [*_width_curve(plan, points, "validation"), *_rings(plan, points)]
    if plan["target"] is not None:
        layers[:0] = _target(plan["target"])
    return framed(alt.layer(*layers), describe_curves(plan, "validation"))


def test_curve(plan: Plan) -> alt.LayerChart:
    """Test loss against width with intervals."""
    plan = complete(plan)
    layers = _width_curve(plan, _points(plan, "test"), "test")
    # The right margin is as wide as the word "target" above, so that equal widths stand in line.
    return framed(alt.layer(*layers), describe_curves(plan, "test"), right=54)


def calibration(plan: Plan) -> alt.LayerChart:
    """Accuracy against confidence; points as large as the share of rows they stand for."""
    rows = complete(plan)["calibration"]
    drawn = [{**row, "labels": row["who"], "name": NAMES[row["who"]]} for row in rows]
    shown = kinds(drawn)
    least = min((row["confidence"] for row in rows), default=0.0)
    diagonal = [{"confidence": end, "accuracy": end} for end in (least, 1.0)]
    x = alt.X(
        "confidence:Q",
        title="confidence",
        axis=alt.Axis(format="%", tickCount=6),
        scale=alt.Scale(domain=[least, 1.0], nice=False, padding=8),
    )
    y = alt.Y(
        "accuracy:Q", title="accuracy", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)
    )
    tips = [
        _tip("name", "who"),
        _tip("confidence", "confidence", ".1%"),
        _tip("accuracy", "accuracy", ".1%"),
        _tip("share", "share of rows", ".1%"),
    ]
    base = alt.Chart(_data(drawn)).encode(x=x, y=y, color=_colour(shown), tooltip=tips)
    size = alt.Size("share:Q", scale=alt.Scale(range=[25, 260]), legend=None)
    chart = alt.layer(
        alt.Chart(_data(diagonal)).mark_line(color=COLOURS["argmax"]).encode(x=x, y=y),
        base.mark_line(opacity=0.6).encode(strokeDash=_dash(shown)),
        base.mark_point(filled=True, opacity=0.9)
        .encode(shape=_shape(shown), size=size)
        .add_params(_zoom("calibration")),
    )
    return framed(
        chart,
        "Accuracy against confidence of the teacher on validation rows and of the students on test "
        "rows; the straight line is perfect calibration.",
    )


def training_curves(plan: Plan) -> alt.Chart:
    """Excess of the training loss over the labels' entropy, by epoch, mean over seeds."""
    # A loss of exactly 0 has no place on a logarithmic axis.
    rows = [
        {**row, "name": f"{NAMES[row['labels']]}, width {width_text(row['width'])}"}
        for row in complete(plan)["training_curves"]
        if (row["kl"] or 0) > 0
    ]
    shown = kinds(rows)
    chart = (
        alt.Chart(_data(rows))
        .mark_line(strokeWidth=2.5)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, tickCount=6)),
            y=alt.Y(
                "kl:Q",
                title="loss above entropy (nats)",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(tickCount=5, format="~g"),
            ),
            color=_colour(shown, symbol="stroke"),
            strokeDash=_dash(shown, symbol="stroke"),
            tooltip=[
                _tip("name", "student"),
                _tip("epoch", "epoch"),
                _tip("kl", "loss above entropy, nats", ".4f"),
                _tip("error", "training error", ".2%"),
            ],
        )
        .add_params(_zoom("training"))
    )
    return framed(chart, "Training loss above the entropy of the labels, by epoch, per label kind.")


FIGURES = {
    "validation": validation_curve,
    "test": test_curve,
    "calibration": calibration,
    "training": training_curves,
}


def label_colours() -> alt.Color:
    """The colours of label kinds in a study's figure: those of a plan's."""
    kinds = ["soft", "hard", "argmax"]
    return alt.Color("labels:N", scale=alt.Scale(domain=kinds, range=[COLOURS[k] for k in kinds]))


def save_figure(chart: alt.TopLevelMixin, path: str | Path, *, width: int = 640) -> Path:
    """A chart as a ``.svg`` or ``.png`` file, without a browser.

    Raises
    ------
    ArgumentError
        Another suffix, or a path that cannot be written.
    """
    import vl_convert

    path = check_path("figure", path)
    if path.suffix not in FORMATS:
        raise ArgumentError("figure", path, f"must end in {' or '.join(FORMATS)}.")
    spec = {**chart.to_dict(), "background": "white"}
    if not {"facet", "vconcat"} & spec.keys():  # panels have widths of their own
        spec["width"] = width
    if path.suffix == ".svg":
        return write_whole("figure", path, vl_convert.vegalite_to_svg(spec))
    return write_whole("figure", path, vl_convert.vegalite_to_png(spec, scale=2))


def _points(plan: Plan, rows: str) -> list[dict[str, Any]]:
    """Curve rows with what is drawn: error, interval, and a place beside the other kinds'."""
    shown, (_, key, interval) = kinds(plan["curve"]), drawn(plan, rows)
    middle = (len(shown) - 1) / 2
    return [
        {
            **{key: row[key] for key in ("labels", "width", "step_size")},
            "name": NAMES[row["labels"]],
            "place": row["width"] * APART ** (shown.index(row["labels"]) - middle),
            "error": row[key],
            **dict(zip(("low", "high"), row[interval] or (None, None), strict=True)),
        }
        for row in plan["curve"]
        if row[key] is not None
    ]


def _width_curve(plan: Plan, points: Rows, rows: str) -> list[alt.Chart]:
    """Bars of intervals, lines, points; a click on a kind in the legend dims the others."""
    shown = kinds(plan["curve"])
    pick = alt.selection_point(fields=["labels"], bind="legend", name=f"{rows}_kind")
    metric, _, _ = drawn(plan, rows)
    title, digits, ticks = f"{rows} {LOSSES[metric]}", *NUMBERS[metric]
    tips = [
        _tip("name", "labels"),
        _tip("width", "width"),
        _tip("error", title, digits),
        _tip("low", f"from ({plan['level']:.0%} interval)", digits),
        _tip("high", "to", digits),
        _tip("step_size", "step size"),
    ]
    scale = alt.Scale(zero=False)
    y = alt.Y("error:Q", title=title, axis=alt.Axis(format=ticks), scale=scale)
    encoded: dict[str, Any] = {
        "x": _width_axis(plan),
        "color": _colour(shown),
        "tooltip": tips,
        "opacity": _unless_dimmed(pick, 1),
    }
    base = alt.Chart(_data(points)).encode(**encoded, y=y)
    layers = [
        base.mark_line(strokeWidth=2.5).encode(strokeDash=_dash(shown)),
        base.mark_point(filled=True, size=65)
        .encode(shape=_shape(shown))
        .add_params(pick, _zoom(rows)),
    ]
    known = [row for row in points if None not in (row["low"], row["high"])]
    if known:
        ends = {"y": alt.Y("low:Q"), "y2": "high:Q", "opacity": _unless_dimmed(pick, 0.7)}
        bars = alt.Chart(_data(known)).mark_rule(strokeWidth=2)
        layers.insert(0, bars.encode(**{**encoded, **ends}))
    return layers


def _rings(plan: Plan, points: Rows) -> list[alt.Chart]:
    """Rings around the least widths; no layer without one, as Vega warns of empty ones."""
    least = [row for row in points if row["width"] == (plan[row["labels"]] or {}).get("width")]
    rings = alt.Chart(_data(least)).mark_point(size=280, strokeWidth=2.5, filled=False)
    encoded = rings.encode(
        x=_width_axis(plan),
        y="error:Q",
        color=_colour(kinds(plan["curve"])),
        tooltip=[_tip("name", "least width with"), _tip("width", "width")],
    )
    return [encoded] if least else []


def _zoom(name: str) -> alt.Parameter:
    """Alt and the wheel zooms, Alt and a drag moves: without Alt both are the page's own."""
    return alt.selection_interval(
        bind="scales",
        name=f"{name}_zoom",
        zoom="wheel![event.altKey]",
        translate="[pointerdown[event.altKey], window:pointerup] > window:pointermove!",
    )


def _unless_dimmed(pick: alt.Parameter, opacity: float) -> Any:
    return alt.when(pick).then(alt.value(opacity)).otherwise(alt.value(0.1))


def _target(error: float) -> list[alt.Chart]:
    """A line at the target with its name in the right margin, where no point is."""
    base = alt.Chart(_data([{"error": error}])).encode(y="error:Q")
    # In the margin: figures that can be zoomed cut off what stands there unless told.
    named = base.mark_text(text="target", align="left", dx=5, fontSize=12, clip=False).encode(
        x=alt.value("width")
    )
    return [base.mark_rule(strokeDash=[3, 3], strokeWidth=1.5, color=COLOURS["argmax"]), named]


def framed(chart: Any, description: str, right: int = 12) -> Any:
    """As wide as its place, with a text for those who do not see it."""
    padding = {"left": 4, "top": 4, "right": right, "bottom": 4}
    return chart.properties(
        width="container", height=HEIGHT, description=description, padding=padding
    )


def _data(rows: Rows) -> alt.Data:
    return alt.Data(values=[dict(row) for row in rows])


def _width_axis(plan: Plan) -> alt.X:
    widths = sorted({row["width"] for row in plan["curve"]})
    scale = alt.Scale(type="log", base=2, domain=[widths[0] * 0.82, widths[-1] / 0.82], nice=False)
    digits, unit = ("~g", "multiplier") if plan["family"] else ("d", "hidden neurons")
    axis = alt.Axis(values=widths, format=digits, grid=False, labelOverlap=True)
    return alt.X("place:Q", title=f"width ({unit})", scale=scale, axis=axis)


def _colour(shown: Sequence[str], symbol: str | None = None) -> alt.Color:
    scale = alt.Scale(domain=list(shown), range=[COLOURS[kind] for kind in shown])
    return alt.Color("labels:N", scale=scale, legend=_legend(shown, symbol))


def _shape(shown: Sequence[str]) -> alt.Shape:
    scale = alt.Scale(domain=list(shown), range=[SHAPES[kind] for kind in shown])
    return alt.Shape("labels:N", scale=scale, legend=_legend(shown))


def _dash(shown: Sequence[str], symbol: str | None = None) -> alt.StrokeDash:
    scale = alt.Scale(domain=list(shown), range=[DASHES[kind] for kind in shown])
    return alt.StrokeDash("labels:N", scale=scale, legend=_legend(shown, symbol))


def _legend(shown: Sequence[str], symbol: str | None = None) -> alt.Legend:
    """One legend for colours, shapes and dashes: Vega-Lite joins those that are alike."""
    said = "".join(f"datum.label == '{kind}' ? '{NAMES[kind]}' : " for kind in shown)
    # Filled symbols have no outline: dashes would bite into them.
    symbols: dict[str, Any] = {"symbolOpacity": 1, "symbolStrokeWidth": 0}
    if symbol is not None:
        symbols |= {"symbolType": symbol, "symbolSize": 400, "symbolStrokeWidth": 2.5}
    return alt.Legend(
        **symbols,
        title=None,
        orient="top",
        direction="vertical",
        labelExpr=f"{said}''",
        labelLimit=320,
        labelFontSize=12,
    )


def _tip(field: str, title: str, number: str = "") -> alt.Tooltip:
    kind = "nominal" if field == "name" else "quantitative"
    return alt.Tooltip(field, type=kind, title=title, **({"format": number} if number else {}))
