"""Whether soft labels' gain hangs on the symmetric start: the paper's open question 4.

The theorems are about a symmetric start, at which the network is 0 everywhere. Noisy parity
(`_scenes`), a teacher of other rows; every start has its own tuned step size at every width and for
every label kind. ``ahead`` is how much less soft labels err from the symmetric start than from this
one, on average over the widths: the other half of the question, told and not judged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softwidth.studies._compare import difference, wrong
from softwidth.studies._gains import draw_gains, everywhere, groups, told
from softwidth.studies._scenes import SMOKE, noisy_parity, scene
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import KINDS, by_width, group_lines, mean_over, points
from softwidth.studies._tuned import tuned

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "Soft labels win whatever the start: symmetric, Gaussian, He or Glorot."
COST = "2 worker min, 7,980 students of digits and mnist"
LAST = "supported: +0.59 (+0.00 to +1.46) points"
INITS = ("symmetric", "gaussian", "he", "glorot")
COMPARISONS = 2 * len(INITS)  # on two data sets


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, start, width and label kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    here, inits = scene(source, scale), scale(INITS, INITS[:2])
    found = tuned(
        ask, noisy_parity(source, scale), seeds=scale(10, 2), init=inits, width=here.widths,
        labels=KINDS, **scale({}, SMOKE),
    )  # fmt: skip
    students = {i: by_width(each for each in found if each[0].init == i) for i in inits}
    errors = {
        init: mean_over([wrong(students[init][width, "soft"], here.draws) for width in here.widths])
        for init in inits
    }
    return [
        {
            **line,
            **points("ahead", difference(errors[init], errors["symmetric"], comparisons=COMPARISONS)),
        }
        for init in inits
        for line in group_lines(
            {"data": source, "init": init}, students[init], draws=here.draws, comparisons=COMPARISONS
        )
    ]  # fmt: skip


def judge(table: pandas.DataFrame) -> Verdict:
    """Supported by a gain with every start on all data, refuted by a loss with one."""
    lines = groups(table, ("data", "init"))
    found = everywhere(lines, lambda line: f"{line['init']} on {line['data']}", "Soft labels win")
    others = [line for line in lines if line["init"] != "symmetric"]
    ahead = "; ".join(f"{line['init']} on {line['data']} {told(line, 'ahead')}" for line in others)
    said = Said(
        f"How many points more soft labels err from another start than from the symmetric one: {ahead}.",
        tuple(line["row"] for line in others),
    )
    return replace(found, said=(*found.said, said))


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """The gains start by start."""
    return draw_gains(table, "init", "start")
