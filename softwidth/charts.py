"""The figures of a plan as Altair charts, from stored rows; one chart serves page, SVG and PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from softwidth._checks import ArgumentError
from softwidth._output import write_whole

Plan = Mapping[str, Any]

# Told apart by all common forms of colour blindness and on white and on near-black alike; line
# styles say the same once more.
COLOURS = {"soft": "#1f88d2", "hard": "#d9632a", "argmax": "#7d8590", "teacher": "#a0629f"}
DASHES = {"soft": [1, 0], "hard": [7, 3], "argmax": [2, 3], "teacher": [9, 3, 2, 3]}
NAMES = {
    "soft": "soft labels",
    "hard": "hard labels",
    "argmax": "top class of the soft labels (control)",
    "teacher": "teacher",
}
HEIGHT = 300
FORMATS = (".svg", ".png")


def validation_curve(plan: Plan) -> alt.LayerChart:
    """Validation error against width with intervals, the target, and the least widths ringed."""
    curve = _width_curve(plan, "validation")
    target = alt.Chart(_data([{"target": plan["target_error"]}])).mark_rule(
        strokeDash=[3, 3], color=COLOURS["argmax"]
    )
    least = [
        {**row, "name": NAMES[row["labels"]]}
        for row in plan["curve"]
        if row["width"] == plan[row["labels"]]["width"]
    ]
    rings = alt.Chart(_data(least)).mark_point(size=260, strokeWidth=2.5, filled=False)
    return alt.layer(
        curve,
        target.encode(y="target:Q"),
        rings.encode(
            x=_width_axis(plan),
            y="validation_error:Q",
            color=_colour(plan),
            tooltip=[_tip("name", "least width with"), _tip("width", "width")],
        ),
    ).properties(
        width="container",
        height=HEIGHT,
        description="Validation error against width for every label kind, with 95 % intervals; "
        "rings mark the least width of each kind that meets the target.",
    )


def test_curve(plan: Plan) -> alt.LayerChart:
    """Test error against width with intervals."""
    return _width_curve(plan, "test").properties(
        width="container",
        height=HEIGHT,
        description="Test error against width for every label kind, with 95 % intervals.",
    )


def calibration(plan: Plan) -> alt.LayerChart:
    """Accuracy against confidence; points as large as the share of rows they stand for."""
    rows = [{**row, "labels": row["who"], "name": NAMES[row["who"]]} for row in plan["calibration"]]
    kinds = [kind for kind in COLOURS if any(row["who"] == kind for row in rows)]
    axes = {
        "x": alt.X(
            "confidence:Q", title="confidence", axis=alt.Axis(format="%"), scale=_ends(rows)
        ),
        "y": alt.Y("accuracy:Q", title="accuracy", axis=alt.Axis(format="%")),
    }
    points = alt.Chart(_data(rows)).encode(
        **axes,
        color=_colour_of(kinds),
        tooltip=[
            _tip("name", "who"),
            _tip("confidence", "confidence", ".1%"),
            _tip("accuracy", "accuracy", ".1%"),
            _tip("share", "share of rows", ".1%"),
        ],
    )
    ideal = alt.Chart(_data([{"confidence": c, "accuracy": c} for c in _span(rows)]))
    return alt.layer(
        ideal.mark_line(strokeDash=[3, 3], color=COLOURS["argmax"]).encode(**axes),
        points.mark_line(opacity=0.6).encode(strokeDash=_dash_of(kinds)),
        points.mark_point(filled=True, opacity=0.9).encode(
            size=alt.Size("share:Q", title="share of rows", legend=None)
        ),
    ).properties(
        width="container",
        height=HEIGHT,
        description="Accuracy against confidence of the teacher on validation rows and of the "
        "students on test rows; the dashed diagonal is perfect calibration.",
    )


def training_curves(plan: Plan) -> alt.Chart:
    """Excess of the training loss over the labels' entropy, by epoch, mean over seeds."""
    # A loss of exactly 0 has no place on a logarithmic axis.
    rows = [
        {**row, "name": f"{NAMES[row['labels']]}, width {row['width']}"}
        for row in plan["training_curves"]
        if (row["kl"] or 0) > 0
    ]
    return (
        alt.Chart(_data(rows))
        .mark_line()
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y("kl:Q", title="KL excess (nats)", scale=alt.Scale(type="log")),
            color=_colour(plan),
            strokeDash=_dash_of(_kinds(plan)),
            tooltip=[
                _tip("name", "student"),
                _tip("epoch", "epoch"),
                _tip("kl", "KL excess, nats", ".4f"),
                _tip("error", "training error", ".2%"),
            ],
        )
        .properties(
            width="container",
            height=HEIGHT,
            description="Training loss above the entropy of the labels, by epoch.",
        )
    )


def save_figure(chart: alt.TopLevelMixin, path: str | Path, *, width: int = 640) -> Path:
    """A chart as a ``.svg`` or ``.png`` file, without a browser.

    Raises
    ------
    ArgumentError
        Another suffix, or a path that cannot be written.
    """
    import vl_convert

    path = Path(path)
    if path.suffix not in FORMATS:
        raise ArgumentError("figure", path, f"must end in {' or '.join(FORMATS)}.")
    spec = {**chart.to_dict(), "width": width, "background": "white"}
    if path.suffix == ".svg":
        return write_whole("figure", path, vl_convert.vegalite_to_svg(spec))
    return write_whole("figure", path, vl_convert.vegalite_to_png(spec, scale=2))


def _width_curve(plan: Plan, rows: str) -> alt.LayerChart:
    drawn = [
        {
            **row,
            "name": NAMES[row["labels"]],
            "low": row[f"{rows}_interval"][0],
            "high": row[f"{rows}_interval"][1],
        }
        for row in plan["curve"]
    ]
    error = f"{rows}_error"
    base = alt.Chart(_data(drawn)).encode(x=_width_axis(plan), color=_colour(plan))
    y = alt.Y(
        f"{error}:Q", title=f"{rows} error", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)
    )
    tips = [
        _tip("name", "labels"),
        _tip("width", "width"),
        _tip(error, f"{rows} error", ".2%"),
        _tip("low", "from (95 %)", ".2%"),
        _tip("high", "to (95 %)", ".2%"),
        _tip("step_size", "step size"),
    ]
    zoom = alt.selection_interval(bind="scales", encodings=["y"], zoom="wheel![event.shiftKey]")
    return alt.layer(
        base.mark_area(opacity=0.13).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2.5).encode(
            y=y, strokeDash=_dash_of(_kinds(plan)), tooltip=tips
        ),
        base.mark_point(filled=True, size=55, opacity=1).encode(y=y, tooltip=tips).add_params(zoom),
    )


def _data(rows: Sequence[Mapping[str, Any]]) -> alt.Data:
    return alt.Data(values=[dict(row) for row in rows])


def _kinds(plan: Plan) -> list[str]:
    return [kind for kind in COLOURS if any(row["labels"] == kind for row in plan["curve"])]


def _width_axis(plan: Plan) -> alt.X:
    widths = sorted({row["width"] for row in plan["curve"]})
    scale = alt.Scale(type="log", base=2, domain=[widths[0] * 0.85, widths[-1] / 0.85], nice=False)
    axis = alt.Axis(values=widths, format="d", grid=False, labelOverlap=True)
    return alt.X("width:Q", title="width (hidden neurons)", scale=scale, axis=axis)


def _colour(plan: Plan) -> alt.Color:
    return _colour_of(_kinds(plan))


def _colour_of(kinds: Sequence[str]) -> alt.Color:
    scale = alt.Scale(domain=list(kinds), range=[COLOURS[kind] for kind in kinds])
    return alt.Color("labels:N", scale=scale, legend=_legend(kinds))


def _dash_of(kinds: Sequence[str]) -> alt.StrokeDash:
    scale = alt.Scale(domain=list(kinds), range=[DASHES[kind] for kind in kinds])
    return alt.StrokeDash("labels:N", scale=scale, legend=_legend(kinds))


def _legend(kinds: Sequence[str]) -> alt.Legend:
    """One legend for colours and dashes: Vega-Lite joins those that are alike."""
    said = " : ".join(f"datum.label == '{kind}' ? '{NAMES[kind]}'" for kind in kinds)
    return alt.Legend(
        title=None,
        orient="top",
        direction="vertical",
        labelExpr=f"{said} : ''",
        labelLimit=320,
        symbolType="stroke",
        symbolSize=400,
        symbolOpacity=1,
        symbolStrokeWidth=2.5,
    )


def _tip(field: str, title: str, number: str | None = None) -> alt.Tooltip:
    kind = "nominal" if field == "name" else "quantitative"
    return (
        alt.Tooltip(field, type=kind, title=title, format=number)
        if number
        else alt.Tooltip(field, type=kind, title=title)
    )


def _span(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    return min((row["confidence"] for row in rows), default=0.0), 1.0


def _ends(rows: Sequence[Mapping[str, Any]]) -> alt.Scale:
    return alt.Scale(domain=list(_span(rows)), nice=False)
