"""What the margin has to do with it: γ moved in three ways, certified each time, beside the advantage.

*Noise* on the inputs of digits' parity (`_scenes`). *Thinning*: of the noisy training rows only the
share that has the largest margins of its own (`tasks.keep_by_margin`) is for students and teacher;
of MNIST the margins of all rows do not fit into memory. Both with a teacher of other rows. And
*circles* of N points with alternating classes, whose margin is ``1/(N cos(π/N))``; their soft labels
are exact, those of the map of largest margin. γ is the upper end of the certified kernel margin of
the students' rows (`trial_margins`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth.studies._gains import groups, said_of, told
from softwidth.studies._scenes import Scene, noisy_parity, scene
from softwidth.studies._slope import weighted_slope
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import tuned_lines
from softwidth.studies.clean_limit import NOISES
from softwidth.trial_margins import MarginSpec, MarginTrials
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "The smaller the margin, the larger the advantage of soft labels."
COST = "3 worker min, 18,446 students of digits and mnist"
LAST = "undecided: +1.11 (-2.31 to +4.54) points of gain for half the margin"

KEPT = (0.4, 0.6, 0.8)  # of the training rows, those of largest margin
TOO_MANY = ("mnist",)  # rows for the margin of each
POINTS = (8, 16, 32, 64)
CIRCLE = Scene(0.0, 0, 1, 1000, 64, (2, 4, 8, 16, 32, 64))
COMPARISONS = len(POINTS) + len(KEPT) + sum(map(len, NOISES.values()))


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every way, level, width and label kind."""
    import pandas as pd

    lines = _circles(ask, scale)
    for source in scale.data:
        lines += _noisy(ask, scale, source)
        if source not in TOO_MANY:
            lines += _thinned(ask, scale, source)
    return pd.DataFrame(lines)


def _circles(ask: Ask, scale: Scale) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    here = replace(CIRCLE, epochs=scale(CIRCLE.epochs, 5), widths=scale(CIRCLE.widths, (2, 4)))
    for points in scale(POINTS, (8,)):
        base = TrialSpec.of(
            source=f"circle({points})", teacher="data", epochs=here.epochs, batch_size=points,
            momentum=0.9, schedule="cosine", width=here.widths[0],
        )  # fmt: skip
        lines += _group(ask, scale, here, {"way": "circle", "level": points}, base)
    return lines


def _noisy(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for noise in scale(NOISES.get(source, NOISES["digits"]), (0.0, 0.8)):
        here = scene(source, scale)
        base = noisy_parity(source, scale, noise=noise, draws=here.draws if noise else 1)
        lines += _group(ask, scale, here, {"way": f"noise on {source}", "level": noise}, base)
    return lines


def _thinned(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for share in scale(KEPT, (0.5,)):
        base = noisy_parity(source, scale, keep="largest", keep_fraction=share)
        group = {"way": f"thinned {source}", "level": share}
        lines += _group(ask, scale, scene(source, scale), group, base)
    return lines


def _group(
    ask: Ask, scale: Scale, here: Scene, group: dict[str, Any], base: TrialSpec
) -> list[dict[str, Any]]:
    (limit,) = ask([MarginSpec(base)], MarginTrials())
    margin = {"data": base.source, "margin": limit.metrics["upper"], "margin_low": limit.metrics["lower"], "margin_id": limit.id}  # fmt: skip
    return tuned_lines(
        ask, scale, base, {**group, **margin}, widths=here.widths, comparisons=COMPARISONS
    )


def halvings(lines: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Points of gain for half the margin, one slope for all ways; see `_slope.weighted_slope`."""
    x = [-float(np.log2(line["margin"])) for line in lines]
    return weighted_slope(lines, x, COMPARISONS, by="way")


def judge(table: pandas.DataFrame) -> Verdict:
    """By points of gain for half the margin, over all ways: supported above 0, refuted below."""
    lines = [line for line in groups(table, ("way", "level")) if line["margin"] > 0]
    b, low, high = halvings(lines)
    word = "supported" if low > 0 else "refuted" if high < 0 else "undecided"
    return Verdict(
        word,
        f"{b:+.1f} points ({low:+.1f} to {high:+.1f}) of gain for half the margin, over {len(lines)} margins from "
        f"{min(line['margin'] for line in lines):.3g} to {max(line['margin'] for line in lines):.3g}.",
        b,
        (low, high),
        "points of gain for half the margin",
        tuple(line["row"] for line in lines),
        (*_by_way(lines), *(said_of(line, _named(line)) for line in lines)),
    )


def _by_way(lines: list[dict[str, Any]]) -> list[Said]:
    """The slope of each way alone: whether they agree."""
    said = []
    for way in dict.fromkeys(line["way"] for line in lines):
        own = [line for line in lines if line["way"] == way]
        if len(own) > 1:
            b, low, high = halvings(own)
            ends = sorted(own, key=lambda line: float(line["margin"]))
            said.append(
                Said(
                    f"By {way} alone: {b:+.1f} points ({low:+.1f} to {high:+.1f}) for half the margin; the gain is "
                    f"{told(ends[0])} at {ends[0]['margin']:.3g} and {told(ends[-1])} at {ends[-1]['margin']:.3g}.",
                    tuple(line["row"] for line in own),
                )
            )
    return said


def _named(line: dict[str, Any]) -> str:
    return f"{line['way']}, {line['level']:g}, margin {line['margin']:.3g}"


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Gain and saving against the margin, by the way that it was moved."""
    import altair as alt

    soft = table[table.labels == "soft"].drop_duplicates(["way", "level"])
    axis = alt.Axis(values=[0.01, 0.02, 0.05, 0.1, 0.2])
    x = alt.X(
        "margin:Q",
        scale=alt.Scale(type="log", nice=False, padding=12),
        title="kernel margin of the students' rows",
        axis=axis,
    )
    base = alt.Chart(soft[soft.margin > 0]).encode(x=x, color=alt.Color("way:N", title=None))
    return alt.hconcat(
        _panel(base, "mean_gain", "gain over hard labels (points)", 0, alt.Scale()),
        _panel(base, "saving", "width of hard labels / of soft ones", 1, alt.Scale(type="log", base=2)),
    )  # fmt: skip


def _panel(base: Any, name: str, title: str, nothing: float, scale: Any) -> Any:
    import altair as alt

    bars = base.mark_rule(opacity=0.5).encode(
        y=alt.Y(f"{name}_low:Q", title=title, scale=scale), y2=f"{name}_high:Q"
    )
    marks = base.mark_point(filled=True, size=60).encode(y=f"{name}:Q")
    even = alt.Chart().mark_rule(strokeDash=[2, 2], color="#6c7275").encode(y=alt.datum(nothing))
    return alt.layer(even, bars, marks).properties(width=300, height=240)
