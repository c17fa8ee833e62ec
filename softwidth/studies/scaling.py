"""How fast the least width grows with 1/γ and 1/ε, beside the theorems' exponents.

`circle(N)`: N inputs on a circle with alternating classes, margin ``γ = 1/(N cos(π/N))`` exactly in both
norms, and the soft labels of the map that has it. Full-batch gradient descent of a constant, tuned
step size from a symmetric start, as in theory: *projected* with the theorems' radii (1 for soft
labels, `bounds_hard.hard_radius` for hard ones), and *free*. The inputs are all that there are, so the
error of training is the error. Exact soft labels have the given classes on top: argmax is hard.

The least width at an error ε is where the mean over seeds, made monotone, falls to ε, between widths
on a log scale; intervals are of 2,000 draws of the seeds. The theorems' widths suffice, and their
exponents are of what suffices: 2 and 1 of soft labels, 4 and a logarithm of hard ones.

The rule: *supported* if with the theorems' radii the exponent of 1/γ is larger with hard labels than
with soft ones, the interval of the difference above 0; *refuted* if it is below 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth._checks import ArgumentError
from softwidth.bounds import bounds
from softwidth.bounds_hard import hard_radius
from softwidth.resampling import LEVEL
from softwidth.studies._compare import wrong
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import behind, errors_told, records
from softwidth.studies._tuned import tuned
from softwidth.synthetic import circle_margin
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import altair
    import pandas

    from softwidth._types import Array

CLAIM = "As the margin falls the least width grows faster with hard labels than with soft ones."
COST = "2 worker min, 4,672 students of digits"
LAST = "supported: +0.35 (+0.25 to +0.49) of the exponent of 1/\u03b3"

POINTS = (8, 16, 32, 64)
WIDTHS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
ERRORS = (0.3, 0.2, 0.1, 0.05)
ERROR = 0.1  # at which widths are compared over margins
RECIPES = ("projected", "free")
KINDS = ("hard", "soft")
THEORY = {"soft": (2, "1"), "hard": (4, "a logarithm")}
STEP_SIZES = (0.316, 1.0, 3.16, 10.0, 31.6, 100.0, 316.0)
DRAWS = 2000

Curves = dict[int, "Array"]  # errors (widths, seeds) by the number of points


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every recipe, label kind, number of points and width."""
    import pandas as pd

    if scale.data != Scale().data:
        wish = "goes with other studies: this one has circles of known margin, and those only."
        raise ArgumentError("data", scale.data, wish)
    lines: list[dict[str, Any]] = []
    for recipe in RECIPES:
        found = {kind: _of_kind(ask, scale, recipe, kind) for kind in KINDS}
        curves = {kind: of_kind[0] for kind, of_kind in found.items()}
        columns = exponents(curves, scale(WIDTHS, (2, 64)))
        lines += [line | columns[kind] for kind in KINDS for line in found[kind][1]]
    return pd.DataFrame(lines)


def _of_kind(ask: Ask, scale: Scale, recipe: str, kind: str) -> tuple[Curves, list[dict[str, Any]]]:
    curves: Curves = {}
    lines: list[dict[str, Any]] = []
    few: dict[str, Any] = {"step_sizes": (3.0,), "tuning_seeds": 1} if scale.smoke else {"step_sizes": STEP_SIZES, "tuning_seeds": 3}  # fmt: skip
    for points in scale(POINTS, (8, 16)):
        gamma = circle_margin(points)
        radius = {"soft": 1.0, "hard": hard_radius(gamma, ERROR)}[kind]
        base = TrialSpec.of(
            source=f"circle({points})", teacher="data", labels=kind, epochs=scale(2000, 100), tolerance=0.0,
            radius=radius if recipe == "projected" else None, width=WIDTHS[0],
        )  # fmt: skip
        cells = tuned(ask, base, seeds=scale(10, 2), width=scale(WIDTHS, (2, 64)), **few)
        errors = [wrong(rows) for _, rows in cells]
        curves[points] = np.stack([own.mean(axis=1) for own in errors])
        asked = bounds(min(gamma, 0.5), ERROR, points).as_dict()[kind]["width"]
        group = {
            "data": base.source,
            "recipe": recipe,
            "labels": kind,
            "points": points,
            "margin": gamma,
            "radius": radius,
        }
        lines += [
            {**group, "width": cell.width, **errors_told(own), "sufficient_width": asked, **behind(rows)}
            for (cell, rows), own in zip(cells, errors, strict=True)
        ]  # fmt: skip
    return curves, lines


def exponents(curves: dict[str, Curves], widths: tuple[int, ...]) -> dict[str, dict[str, Any]]:
    """Columns of each label kind: its least widths' exponents of 1/γ and 1/ε, with intervals.

    Parameters
    ----------
    curves : dict of dict of ndarray (W, S)
        Mean errors by label kind, number of points, width and seed.
    widths : tuple of int
    """
    rng = np.random.default_rng(0)
    points = list(next(iter(curves.values())))
    seeds = next(iter(curves["hard"].values())).shape[1]
    draws = [
        np.arange(seeds),
        *rng.integers(seeds, size=(DRAWS, seeds)),
    ]  # the first is the estimate
    logs = {
        kind: np.array([[[least_log(of_kind[n][:, draw].mean(axis=1), widths, e) for e in ERRORS] for n in points] for draw in draws])
        for kind, of_kind in curves.items()
    }  # fmt: skip
    x_margin = -np.log2([circle_margin(n) for n in points])
    x_error = -np.log2(ERRORS)
    at = ERRORS.index(ERROR)
    margin = {
        kind: np.array([line_slope(x_margin, L[:, at]) for L in logs[kind]]) for kind in curves
    }
    error = {kind: np.array([_common_slope(x_error, L) for L in logs[kind]]) for kind in curves}
    excess = margin["hard"] - margin["soft"]
    return {
        kind: {
            **_ends("margin_exponent", margin[kind]),
            **_ends("error_exponent", error[kind]),
            **_ends("excess", excess),
            **{f"least_at_{e:g}_of_{n}": float(2.0 ** logs[kind][0, i, k]) for i, n in enumerate(points) for k, e in enumerate(ERRORS)},
        }
        for kind in curves
    }  # fmt: skip


def least_log(errors: Array, widths: tuple[int, ...], error: float) -> float:
    """log2 of the width at which a curve made monotone falls to `error`; nan if it never does.

    >>> least_log(np.array([0.4, 0.2, 0.1]), (2, 4, 8), 0.15)
    2.5
    >>> least_log(np.array([0.1, 0.0, 0.0]), (2, 4, 8), 0.15)
    1.0
    """
    curve, x = np.minimum.accumulate(errors), np.log2(widths)
    below = np.flatnonzero(curve <= error)
    if not len(below):
        return float("nan")
    k = int(below[0])
    if k == 0:
        return float(x[0])
    share = (curve[k - 1] - error) / (curve[k - 1] - curve[k])
    return float(x[k - 1] + share * (x[k] - x[k - 1]))


def line_slope(x: Array, y: Array) -> float:
    """Of least squares; nan where a value is not known.

    >>> line_slope(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
    2.0
    """
    dx = x - x.mean()
    return float(dx @ (y - y.mean()) / (dx @ dx))


def _common_slope(x: Array, L: Array) -> float:
    """One slope through several curves, each with a height of its own."""
    known = np.isfinite(L)
    own = [row for row, ok in zip(L, known, strict=True) if ok.sum() > 1]
    top = bottom = 0.0
    for row in own:
        ok = np.isfinite(row)
        dx = x[ok] - x[ok].mean()
        top, bottom = top + float(dx @ (row[ok] - row[ok].mean())), bottom + float(dx @ dx)
    return top / bottom if bottom else float("nan")


def _ends(name: str, drawn: Array) -> dict[str, float]:
    """The estimate and its interval; endless where a draw in twenty has none."""
    tail = (1 - LEVEL) / 2
    known = drawn[1:][np.isfinite(drawn[1:])]
    low, high = (-np.inf, np.inf)
    if len(known) >= LEVEL * (len(drawn) - 1):
        low, high = np.quantile(known, [tail, 1 - tail])
    return {name: float(drawn[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def judge(table: pandas.DataFrame) -> Verdict:
    """See the head of this module."""
    firsts = {
        (recipe, kind): records(table, recipe=recipe, labels=kind)[0]
        for recipe in RECIPES
        for kind in KINDS
    }
    line = firsts["projected", "hard"]
    low, high = line["excess_low"], line["excess_high"]
    word = "supported" if low > 0 else "refuted" if high < 0 else "undecided"
    return Verdict(
        word,
        f"With the theorems' radii the least width at error {ERROR:g} grows as 1/γ to the power "
        f"{_told(line, 'margin_exponent')} with hard labels and {_told(firsts['projected', 'soft'], 'margin_exponent')} "
        f"with soft ones.",
        float(np.nan_to_num(line["excess"])),
        (float(low), float(high)),
        "of the exponent of 1/γ",
        tuple(int(firsts["projected", kind]["row"]) for kind in KINDS),
        tuple(_said(table, first) for first in firsts.values()),
    )


def _said(table: pandas.DataFrame, line: dict[str, Any]) -> Said:
    of_margin, of_error = THEORY[line["labels"]]
    lines = records(table, recipe=line["recipe"], labels=line["labels"])
    by_points = {each["points"]: each for each in lines}
    widths = ", ".join(
        f"{_width(each[f'least_at_{ERROR:g}_of_{n}'])} at γ = {each['margin']:.3g} (sufficient {each['sufficient_width']:.2g})"
        for n, each in by_points.items()
    )
    return Said(
        f"{line['labels']} labels, {line['recipe']}: exponent of 1/γ {_told(line, 'margin_exponent')} (of what suffices: "
        f"{of_margin}), of 1/ε {_told(line, 'error_exponent')} (of what suffices: {of_error}); least widths at error "
        f"{ERROR:g}: {widths}.",
        tuple(int(each["row"]) for each in by_points.values()),
    )


def _width(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "beyond all tried"


def _told(line: dict[str, Any], name: str) -> str:
    return f"{line[name]:.2f} ({line[f'{name}_low']:.2f} to {line[f'{name}_high']:.2f})"


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Error against width by margin; least widths against 1/γ."""
    import altair as alt
    import pandas as pd

    from softwidth.charts import label_colours

    dash = alt.StrokeDash("recipe:N", title="recipe")
    curves = (
        _line(
            alt.Chart(table).encode(
                x=alt.X("width:Q", scale=alt.Scale(type="log", base=2), title="neurons"),
                y=alt.Y("test_error:Q", title="error (%)"),
                color=label_colours(),
            ),
            dash,
        )
        .properties(width=170, height=170)
        .facet(column=alt.Column("points:O", title="points on the circle"))
    )
    firsts = table.drop_duplicates(["recipe", "labels", "points"])
    wide = [line[f"least_at_{ERROR:g}_of_{line['points']}"] for line in firsts.to_dict("records")]
    least = firsts.assign(inverse=1 / firsts.margin, least=pd.array(wide)).dropna(subset=["least"])
    y = alt.Y(
        "least:Q", scale=alt.Scale(type="log", base=2), title=f"least width at error {ERROR:g}"
    )
    x = alt.X("inverse:Q", scale=alt.Scale(type="log", base=2), title="1/γ")
    lines = _line(alt.Chart(least).encode(x=x, y=y, color=label_colours()), dash)
    return alt.vconcat(curves, lines.properties(width=300, height=220))


def _line(base: Any, dash: Any) -> Any:
    """Points of their own, so that the legend shows dashes."""
    import altair as alt

    return alt.layer(base.mark_line().encode(strokeDash=dash), base.mark_point(filled=True))
