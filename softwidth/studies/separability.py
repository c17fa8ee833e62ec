"""How many random neurons separate the data half as well as infinitely many do, beside Lemma 6.

Parity of digits as they are and as noisy as other studies have them. For every width and start the
margin γ_m of its features, in both norms (THEORY.md section 3), over the limit's γ: a certified lower
end over the upper one, so that no ratio is overstated. And the largest deviation of ``f_v,m`` from
``f_v`` over the rows, for two maps v of norm 1 at most, beside Lemma 6's bound as printed and as
Hoeffding gives it for m/2 pairs (THEORY.md section 4 (b)). No labels are learned from here.

Where no deviation is above γ/2 the margin is at least γ/2: for that Lemma 6 asks for
``m = 16 ln(2n/δ)/γ²`` (pairs counted), at the upper end of γ.

The rule: *supported* if on all data, in both norms, every start reaches half of γ, and keeps it, from
a width on that is below the one Lemma 6 asks for, and no more than a share of δ of the deviations
are above the bound for pairs; *refuted* if a start at that width or above it does not reach it, or
more deviations are above than chance allows (binomial, 5 %).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth.bounds_paper import lemma6
from softwidth.studies._cells import cell_name
from softwidth.studies._compare import more_than_chance
from softwidth.studies._scenes import noisy_parity, scene
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import records
from softwidth.trial_margins import MarginSpec, MarginTrials

if TYPE_CHECKING:
    import altair
    import pandas

    from softwidth.store import Row
    from softwidth.trial_spec import TrialSpec

CLAIM = "A random start separates the data half as well as the limit does at the width that Lemma 6 asks for, and long before."  # fmt: skip
COST = "5 worker min, 1,448 students of digits and mnist"
LAST = "supported: +3268.17 (+3268.17 to +13072.66) times fewer neurons than Lemma 6 asks for"

CONFIDENCE = 0.99
NORMS = {"kernel": "kernel margin", "sup": "sup margin"}
MAPS = ("expansion", "constant")
ROWS = {"digits": 500, "mnist": 1000}
WIDTHS = tuple(2**k for k in range(1, 13))
HALF = 0.5


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, noise, norm and width."""
    import pandas as pd

    scenes = [(source, noise) for source in scale.data for noise in (0.0, scene(source, scale).noise)]  # fmt: skip
    return pd.DataFrame([line for each in scenes for line in _of_data(ask, scale, *each)])


def _of_data(ask: Ask, scale: Scale, source: str, noise: float) -> list[dict[str, Any]]:
    rows = scale(ROWS.get(source, ROWS["digits"]), 60)
    base = noisy_parity(source, scale, student_rows=rows, noise=noise, teacher=None)
    widths, seeds = scale(WIDTHS, (8, 256)), range(scale(10, 2))
    off = _starts(ask, base, "deviation", widths, seeds)
    lines = []
    for norm, measured in NORMS.items():
        (limit,) = ask([MarginSpec(base, measured)], MarginTrials())
        starts = _starts(ask, base, measured, widths, seeds)
        group = {"data": source, "noise": noise, "norm": norm, "rows": rows}
        lines += _lines(group, limit, starts, off)
    return lines


def _starts(
    ask: Ask, base: TrialSpec, measured: str, widths: tuple[int, ...], seeds: range
) -> dict[int, list[Row]]:
    specs = [MarginSpec(base, measured, m, seed) for m in widths for seed in seeds]
    rows = ask(specs, MarginTrials())
    return {m: rows[i * len(seeds) : (i + 1) * len(seeds)] for i, m in enumerate(widths)}


def _lines(
    group: dict[str, Any], limit: Row, starts: dict[int, list[Row]], off: dict[int, list[Row]]
) -> list[dict[str, Any]]:
    low, high = limit.metrics["lower"], limit.metrics["upper"]
    ratios = {m: np.array([row.metrics["lower"] / high for row in rows]) for m, rows in starts.items()}  # fmt: skip
    firsts = _passing(np.stack([ratios[m] for m in starts]), list(starts))
    asked = lemma6_width(high, group["rows"])
    return [
        {
            **group,
            "width": m,
            "margin_low": low,
            "margin_high": high,
            "ratio": float(np.median(ratios[m])),
            "ratio_least": float(ratios[m].min()),
            "ratio_most": float(ratios[m].max()),
            "passes_at": float(np.median(firsts)),
            "passes_first": float(firsts.min()),
            "passes_last": float(firsts.max()),
            "lemma6_width": asked,
            **_deviations(off[m], m, group["rows"]),
            "seeds": len(rows),
            "spec": cell_name(rows[0].spec),
        }
        for m, rows in starts.items()
    ]


def lemma6_width(margin: float, rows: int) -> float:
    """``16 ln(2n/δ)/γ²``: where the bound for pairs, `corrected`, is half the margin.

    >>> width = int(lemma6_width(0.03, 300)) // 2 * 2
    >>> abs(corrected(width, 300) / 0.015 - 1) < 1e-4
    True
    """
    return 16 * math.log(2 * rows / (1 - CONFIDENCE)) / margin**2


def corrected(width: int, rows: int) -> float:
    """``2 √(ln(2n/δ)/m)``: Lemma 6 for the m/2 different neurons of a symmetric start."""
    return math.sqrt(2) * lemma6(width, rows, confidence=CONFIDENCE).value


def _passing(ratios: np.ndarray[Any, Any], widths: list[int]) -> np.ndarray[Any, Any]:
    """Of every start (a column) the least width from which on it has half the margin; else inf."""
    kept = np.logical_and.accumulate(ratios[::-1] >= HALF, axis=0)[::-1]
    firsts = np.array([*widths, np.inf])
    return np.asarray(firsts[np.where(kept.any(axis=0), kept.argmax(axis=0), len(widths))])


def _deviations(rows: list[Row], width: int, n: int) -> dict[str, Any]:
    printed, pairs = lemma6(width, n, confidence=CONFIDENCE).value, corrected(width, n)
    found = np.array([[row.metrics[name] for name in MAPS] for row in rows])
    most = {f"{name}_most": float(found[:, i].max()) for i, name in enumerate(MAPS)}
    return {
        **most,
        "printed": printed,
        "corrected": pairs,
        "above_printed": int((found > printed).any(axis=1).sum()),
        "above_corrected": int((found > pairs).any(axis=1).sum()),
    }


def judge(table: pandas.DataFrame) -> Verdict:
    """See the head of this module."""
    lines = _groups(table)
    saved = [line["lemma6_width"] / line["passes_last"] for line in lines]
    least = lines[int(np.argmin(saved))]
    low, effect, high = (
        least["lemma6_width"] / least[name] for name in ("passes_last", "passes_at", "passes_first")
    )
    starts = records(table, norm=lines[0]["norm"])  # deviations are the same in both
    draws, above = (sum(int(line[name]) for line in starts) for name in ("seeds", "above_corrected"))  # fmt: skip
    word = _word(table, low, more_than_chance(above, draws, 1 - CONFIDENCE))
    return Verdict(
        word,
        f"Every start keeps half of the limit's margin from at most {max(line['passes_last'] for line in lines):,.0f} "
        f"neurons on; Lemma 6 asks for {low:,.0f} to {high:,.0f} times as many at the least ({_named(least)}), and "
        f"{above} of {draws} starts deviate by more than its bound for pairs.",
        effect,
        (low, high),
        "times fewer neurons than Lemma 6 asks for",
        tuple(line["row"] for line in lines),
        (_tightness(starts), *map(_said, lines)),
    )


def _groups(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """The first line of every group: what is said of all its widths stands in each."""
    firsts = table.drop_duplicates(["data", "noise", "norm"]).index
    return [line for line in records(table) if line["row"] in set(firsts)]


def _word(table: pandas.DataFrame, low: float, too_many: bool) -> str:
    failed = table[(table.width >= table.lemma6_width) & (table.ratio_least < HALF)]
    if len(failed) or too_many:
        return "refuted"
    return "supported" if low > 1 else "undecided"


def _tightness(starts: list[dict[str, Any]]) -> Said:
    shares = [max(line[f"{name}_most"] for name in MAPS) / line["printed"] for line in starts]
    draws, above = (sum(int(line[name]) for line in starts) for name in ("seeds", "above_printed"))
    closest = starts[int(np.argmax(shares))]
    return Said(
        f"The largest deviation of ten starts is {min(shares):.2f} to {max(shares):.2f} of the bound as printed, whatever "
        f"the width; {above} of {draws} starts are above it.",
        (closest["row"],),
    )


def _said(line: dict[str, Any]) -> Said:
    last = f"{line['passes_last']:,.0f}" if np.isfinite(line["passes_last"]) else "more than all tried"  # fmt: skip
    return Said(
        f"{_named(line)}: margin {line['margin_low']:.3g} to {line['margin_high']:.3g}; half of it is kept from "
        f"{line['passes_first']:,.0f} neurons on by the first start and from {last} on by the last; Lemma 6 asks for "
        f"{line['lemma6_width']:,.0f}.",
        (line["row"],),
    )


def _named(line: dict[str, Any]) -> str:
    noise = f" with noise {line['noise']:g}" if line["noise"] else ""
    return f"{line['rows']:,} rows of {line['data']}{noise}, {line['norm']} norm"


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """γ_m/γ and the deviations against the width, with Lemma 6's bounds."""
    import altair as alt

    shown = table.assign(task=[f"{d}, noise {n:g}" for d, n in zip(table.data, table.noise, strict=True)])  # fmt: skip
    x = alt.X("width:Q", scale=alt.Scale(type="log", base=2), title="neurons", axis=alt.Axis(tickCount=6))  # fmt: skip
    colour = alt.Color("task:N", title=None)
    base = alt.Chart(shown).encode(x=x, color=colour)
    share = alt.Y("ratio:Q", title="margin of the start / of the limit")
    ratio = alt.layer(
        alt.Chart(shown).mark_rule(strokeDash=[2, 2], color="#6c7275").encode(y=alt.datum(HALF)),
        base.mark_rule(opacity=0.4).encode(y="ratio_least:Q", y2="ratio_most:Q"),
        base.mark_line().encode(y=share, strokeDash=alt.StrokeDash("norm:N", title="norm")),
        base.mark_point(filled=True).encode(y=share),
    )  # fmt: skip
    off = shown.rename(columns={f"{name}_most": name for name in MAPS})
    long = off.melt(["task", "width"], list(MAPS), "map", "deviation").drop_duplicates()
    y = alt.Y("deviation:Q", scale=alt.Scale(type="log"), title="largest deviation of a feature mean")  # fmt: skip
    bound = alt.Chart(shown.drop_duplicates(["rows", "width"])).encode(x=x, detail="rows:N")
    deviations = alt.layer(
        alt.Chart(long).mark_point(filled=True).encode(x=x, y=y, color=colour, shape=alt.Shape("map:N", title="map")),
        bound.mark_line(color="#1f2328").encode(y="printed:Q"),
        bound.mark_line(color="#1f2328", strokeDash=[4, 3]).encode(y="corrected:Q"),
    )  # fmt: skip
    size = {"width": 320, "height": 260}
    return alt.hconcat(
        ratio.properties(**size),
        deviations.properties(**size, title="line: Lemma 6 as printed, dashed: for pairs"),
    )
