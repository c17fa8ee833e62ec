"""Where hard labels are almost soft already: the advantage against mean |p - y|.

Parity of digits (`_scenes`) with noise from none to much, a teacher of other rows. What differs
between given and soft labels, mean |p - y| of the students' rows, is measured; the noise only moves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from softwidth.studies._gains import groups, said_of, told
from softwidth.studies._scenes import noisy_parity, scene
from softwidth.studies._slope import weighted_slope
from softwidth.studies._study import Ask, Scale, Verdict
from softwidth.studies._table import tuned_lines

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = (
    "The cleaner the data, the smaller the advantage of soft labels: it grows with mean |p - y|."
)
COST = "11 worker min, 9,100 students of digits and mnist"
LAST = "supported: +1.10 (+0.87 to +1.32) points of gain for 0.1 of |p - y|"
NOISES = {"digits": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "mnist": (0.0, 0.4, 0.8)}
COMPARISONS = sum(len(levels) for levels in NOISES.values())


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, noise, width and label kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    here = scene(source, scale)
    lines: list[dict[str, Any]] = []
    for noise in scale(NOISES.get(source, NOISES["digits"]), (0.0, 0.8)):
        base = noisy_parity(source, scale, noise=noise, draws=here.draws if noise else 1)
        group = {"data": source, "noise": noise}
        lines += tuned_lines(ask, scale, base, group, widths=here.widths, comparisons=COMPARISONS)
    return lines


def slope(lines: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Points of gain for each 0.1 of mean |p - y|, see `_slope.weighted_slope`."""
    return weighted_slope(lines, [10 * line["softness"] for line in lines], COMPARISONS)


def judge(table: pandas.DataFrame) -> Verdict:
    """Supported by a slope above 0 on all data together, refuted by one below it."""
    lines = groups(table, ("data", "noise"))
    b, low, high = slope(lines)
    word = "supported" if low > 0 else "refuted" if high < 0 else "undecided"
    cleanest = min(lines, key=lambda line: float(line["softness"]))
    return Verdict(
        word,
        f"{b:+.1f} points ({low:+.1f} to {high:+.1f}) of gain for each 0.1 of mean |p - y|, over "
        f"{len(lines)} levels of noise; at the cleanest ({_named(cleanest)}) the gain is "
        f"{told(cleanest)} points.",
        b,
        (low, high),
        "points of gain for 0.1 of |p - y|",
        tuple(line["row"] for line in lines),
        tuple(said_of(line, _named(line)) for line in lines),
    )


def _named(line: Any) -> str:
    return f"noise {line['noise']:g} on {line['data']}, mean |p - y| {line['softness']:.3f}"


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Gain against mean |p - y|, a point a level of noise."""
    import altair as alt

    rows = table[table.labels == "soft"].drop_duplicates(["data", "noise"])
    base = alt.Chart(rows).encode(
        x=alt.X("softness:Q", title="mean |p - y| of the students' rows"), color="data:N"
    )
    bars = base.mark_rule().encode(
        y=alt.Y("mean_gain_low:Q", title="gain over hard labels (points)"), y2="mean_gain_high:Q"
    )
    marks = base.mark_point(filled=True, size=60).encode(
        y="mean_gain:Q", shape=alt.Shape("data:N", legend=None)
    )
    zero = alt.Chart(rows).mark_rule(strokeDash=[2, 2], color="#6c7275").encode(y=alt.datum(0))
    return alt.layer(zero, bars, marks).properties(height=260)
