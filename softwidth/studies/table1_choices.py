"""Which untold choices of the paper's protocol would give its gap at width 4: 88.84 against 95.62.

The paper gives neither steps, step size, radius nor seeds. Here nothing is tuned: hard and soft labels
share each choice of them, as they may have there. Digits above 4 against the rest, teacher of width
512 on the same rows. ``chance_1`` and ``chance_3`` are how often means over one and over three seeds,
drawn anew for each kind, would show a gap as large as the printed one: what luck can do.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth._types import Array
from softwidth.store import Row
from softwidth.studies._compare import difference, wrong
from softwidth.studies._gains import sign
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import KINDS, behind, errors_told, points, records
from softwidth.studies.table1 import POSITIVE, printed_gain
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "Some choice of steps, step size and radius, the same for both kinds of labels, gives the printed gap at width 4."  # fmt: skip
COST = "14 worker min, 2,160 students of digits and mnist"
LAST = "undecided: +1.24 (-1.04 to +4.58) points"
WIDTH = 4
GAP = printed_gain({"task": "all", "width": WIDTH})  # points
EPOCHS = {"digits": (10, 100), "mnist": (1,)}
STEP_SIZES = (0.1, 1.0, 10.0, 100.0)
RADII = (1.0, 10.0, None)  # None: no projection
COMPARISONS = sum(map(len, EPOCHS.values())) * len(STEP_SIZES) * len(RADII)
DRAWS = 20000  # of seeds


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, number of epochs, step size, radius and label kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    base = TrialSpec.of(
        source=source,
        only=range(10),
        positive=POSITIVE,
        teacher="wide",
        teacher_settings=scale({"width": 512}, {"width": 64, "step_size": 3.0, "epochs": 3}),
        regime="in-sample",
        batch_size=128,
        width=WIDTH,
    )
    epochs = scale(EPOCHS.get(source, EPOCHS["digits"]), (2,))
    steps, radii = scale(STEP_SIZES, STEP_SIZES[1:3]), scale(RADII, RADII[:1])
    seeds = scale(20, 2)
    axes = {"epochs": epochs, "step_size": steps, "radius": radii, "labels": KINDS}
    rows = ask(base.grid(**axes, seed=range(seeds)))
    cells = [rows[first : first + seeds] for first in range(0, len(rows), seeds)]
    of_key = dict(zip(itertools.product(*axes.values()), cells, strict=True))
    return [_line(of_key, source, *key) for key in of_key]


def _line(
    cells: dict[tuple[Any, ...], list[Row]],
    source: str,
    epochs: int,
    step_size: float,
    radius: float | None,
    kind: str,
) -> dict[str, Any]:
    own = wrong(cells[epochs, step_size, radius, kind])
    hard = wrong(cells[epochs, step_size, radius, "hard"])
    return {
        "data": source,
        "epochs": epochs,
        "radius": radius,
        "width": WIDTH,
        "labels": kind,
        **errors_told(own),
        **points("gain", difference(hard, own, comparisons=COMPARISONS)),
        "chance_1": chance(hard, own, 1),
        "chance_3": chance(hard, own, 3),
        **behind(cells[epochs, step_size, radius, kind]),
    }


def chance(hard: Array, own: Array, seeds: int) -> float:
    """Share of drawings of so many seeds, for each kind anew, that show at least the printed gap.

    Parameters
    ----------
    hard, own : ndarray, shape (S, N)
        Shares of mistakes.
    seeds : int

    Examples
    --------
    >>> errors = np.array([[0.0], [0.5]])  # one seed of two ends at 50 %
    >>> abs(chance(errors, errors, 1) - 0.25) < 0.01
    True
    """
    rng = np.random.default_rng(0)
    first, second = (
        rng.choice(100 * errors.mean(axis=1), (DRAWS, seeds)).mean(axis=1) for errors in (hard, own)
    )
    return float((first - second >= GAP).mean())


def judge(table: pandas.DataFrame) -> Verdict:
    """Supported by a choice whose gain is above 0 without doubt and not below the printed gap's.

    That is, its interval reaches it; refuted if no choice's interval does.
    """
    soft = records(table, labels="soft")
    reach = [line for line in soft if line["gain_high"] >= GAP]
    sure = [line for line in reach if sign(line, "gain") > 0]
    most = max(sure or soft, key=lambda line: float(line["gain"]))
    luck = max(soft, key=lambda line: float(line["chance_3"]))
    best = min(soft, key=lambda line: float(line["test_error"]))
    low, high = float(most["gain_low"]), float(most["gain_high"])
    return Verdict(
        "supported" if sure else "undecided" if reach else "refuted",
        f"The printed gap is {GAP:.2f} points. Of {len(soft)} choices, soft labels win without doubt in "
        f"{sum(sign(line, 'gain') > 0 for line in soft)} and lose in {sum(sign(line, 'gain') < 0 for line in soft)}; "
        f"{len(sure)} of them win by as much as the printed gap; the largest such gain is {most['gain']:+.2f} points "
        f"({low:+.2f} to {high:+.2f}), with {_named(most)}.",
        float(most["gain"]),
        (low, high),
        "points",
        tuple(line["row"] for line in soft),
        (
            Said(
                f"Luck: with {_named(luck)} means over three seeds a kind show the printed gap or more in "
                f"{100 * luck['chance_3']:.1f} % of drawings, single runs in {100 * luck['chance_1']:.1f} %.",
                (luck["row"],),
            ),
            Said(
                f"Where soft labels do best ({_named(best)}: {100 - best['test_error']:.2f} % right) they gain "
                f"{best['gain']:+.2f} points ({best['gain_low']:+.2f} to {best['gain_high']:+.2f}).",
                (best["row"],),
            ),
        ),
    )


def _named(line: Any) -> str:
    radius = "no projection" if np.isnan(line["radius"]) else f"radius {line['radius']:g}"
    return f"{line['epochs']} epochs, step size {line['step_size']:g}, {radius} on {line['data']}"


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Test error against step size by label kind, a panel for epochs and radius."""
    import altair as alt

    from softwidth.charts import label_colours

    radius = table.radius.map("radius {:g}".format).replace("radius nan", "no projection")
    rows = table.assign(panel=table.data + ", " + table.epochs.astype(str) + " epochs, " + radius)
    return (
        alt.Chart(rows)
        .mark_line(point=True)
        .encode(
            x=alt.X("step_size:Q", scale=alt.Scale(type="log"), title="step size"),
            y=alt.Y("test_error:Q", title="mean test error (%)"),
            color=label_colours(),
            strokeDash=alt.StrokeDash("labels:N", legend=None),
        )
        .properties(width=170, height=150)
        .facet(alt.Facet("panel:N", title=None, sort=list(dict.fromkeys(rows.panel))), columns=3)
    )
