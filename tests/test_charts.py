"""The figures: what they draw, where they draw it, in colours that can be told apart."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
import vl_convert
from plans import KINDS, WIDTHS, least_plan, stored_plan

from softwidth import charts
from softwidth._checks import ArgumentError

FIGURES = [
    charts.validation_curve, charts.test_curve, charts.calibration, charts.training_curves
]  # fmt: skip
CURVES = FIGURES[:2]
PAGES = {"light": "#ffffff", "dark": "#14171a"}


def drawn(chart):
    """All rows that a chart draws, whichever layer holds them."""
    spec = chart.to_dict()
    layers = [spec, *spec.get("layer", [])]
    return [row for layer in layers for row in layer.get("data", {}).get("values", [])]


def svg(chart):
    return vl_convert.vegalite_to_svg({**chart.to_dict(), "width": 600})


@pytest.mark.parametrize(("make", "rows"), list(zip(CURVES, ("validation", "test"), strict=True)))
def test_curves_draw_the_stored_numbers(make, rows):
    plan = stored_plan()
    found = {(row["labels"], row["width"]): row for row in drawn(make(plan)) if "labels" in row}
    assert len(found) == len(KINDS) * len(WIDTHS)
    for row in plan["curve"]:
        point = found[row["labels"], row["width"]]
        assert point["error"] == row[f"{rows}_error"]
        assert [point["low"], point["high"]] == row[f"{rows}_interval"]


def test_rings_mark_the_least_widths_and_the_line_the_target():
    plan = stored_plan()
    layers = charts.validation_curve(plan).to_dict()["layer"]
    assert {row["error"] for row in layers[0]["data"]["values"]} == {plan["target_error"]}
    assert layers[0]["mark"]["type"] == "rule"
    ringed = {(row["labels"], row["width"]) for row in layers[-1]["data"]["values"]}
    assert ringed == {("soft", 4), ("argmax", 8)}  # hard labels reached the target nowhere


def test_doubled_widths_are_equally_far_apart():
    """On the drawn figure, not in its specification."""
    picture = svg(charts.test_curve(stored_plan()))
    places = {
        int(width): float(x)
        for x, width in re.findall(r"translate\(([\d.]+),[\d.]+\)\"[^>]*>(\d+)</text>", picture)
    }
    steps = np.diff([places[width] for width in WIDTHS])
    np.testing.assert_allclose(steps, steps[0], atol=0.02)


def test_the_text_for_those_who_do_not_see_a_curve_says_its_ends():
    plan = stored_plan()
    said = charts.test_curve(plan).to_dict()["description"]
    for row in plan["curve"]:
        if row["width"] in {WIDTHS[0], WIDTHS[-1]}:
            assert f"{100 * row['test_error']:.1f} % at width {row['width']}" in said


@pytest.mark.parametrize("make", FIGURES)
def test_figures_cope_with_the_least_plan(make):
    assert "<svg" in svg(make(least_plan()))


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<svg"), (".png", b"\x89PNG")])
@pytest.mark.parametrize("make", FIGURES)
def test_figures_are_saved_for_papers(make, suffix, begins, tmp_path):
    path = charts.save_figure(make(stored_plan()), tmp_path / f"figure{suffix}")
    assert path.read_bytes().startswith(begins)


def test_other_figure_formats_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"\.svg or \.png"):
        charts.save_figure(charts.test_curve(stored_plan()), tmp_path / "figure.bmp")


# How the eye mixes linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
SIGHT = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
XYZ = np.array(
    [[0.412456, 0.357576, 0.180438], [0.212673, 0.715152, 0.072175], [0.019334, 0.119192, 0.950304]]
)


def linear(colour):
    """Linear RGB of ``#rrggbb`` (sRGB)."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIELAB of linear RGB, white D65."""
    x = XYZ @ np.clip(rgb, 0, 1) / (XYZ @ np.ones(3))
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a, b):
    """WCAG 2 contrast ratio."""
    dark, light = sorted(float(XYZ[1] @ linear(colour)) for colour in (a, b))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_are_told_apart(sight):
    seen = [lab(SIGHT[sight] @ linear(colour)) for colour in charts.COLOURS.values()]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= 25


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("kind", charts.COLOURS)
def test_colours_stand_out_from_the_page(kind, page):
    assert contrast(charts.COLOURS[kind], PAGES[page]) >= 3
