"""Teachers of two widths and two depths, and one of other images, for VGG students of one width.

Data, students and recipe are those of `vgg_cifar10` at the level of noise where its step sizes are
chosen; its own teacher is the first one here. Soft labels of every teacher, and their argmax, have
step sizes of their own; hard labels are the same students throughout. A cross-fitted teacher is two,
each of half the images, that speak of the other half.

The rule: *supported* if the soft labels of every teacher gain over hard ones, all intervals above 0;
*refuted* if one is below 0. Digits decide only where CIFAR-10 was not run.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softwidth._checks import check_choice
from softwidth.studies import vgg_cifar10
from softwidth.studies._compare import difference, wrong
from softwidth.studies._deep import Cells, Size, Train, cell_line, cells, chosen_steps, resized
from softwidth.studies._gains import interval, sign, told
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import points, records
from softwidth.studies.vgg_cifar10 import FIRST_SEEDS

if TYPE_CHECKING:
    import altair
    import pandas

    from softwidth.deep.trials import DeepSpec

CLAIM = "Soft labels of every VGG teacher beat hard ones, be it narrow or wide, shallow or deep, of the same images or of others."  # fmt: skip
COST = "408 worker min, 338 students of digits and cifar10"
LAST = "undecided: -1.05 (-3.18 to +0.95) points"

HARD = {"hard": vgg_cifar10.KINDS["hard"]}
TAUGHT = {kind: vgg_cifar10.KINDS[kind] for kind in ("soft", "argmax")}
SHALLOW = {"convolutional": 2}
OTHERS = "8+3, cross-fitted"
TEACHERS = ("8+3", "8+3, half as wide", "2+3", "2+3, half as wide", OTHERS)
ROWS = ["hard", "soft", "argmax"]


def _of_one_place(size: Size) -> Size:
    return replace(size, variances=(size.at,), widths=(size.width,))


SIZES = {name: _of_one_place(size) for name, size in vgg_cifar10.SIZES.items()}
SMOKE = _of_one_place(vgg_cifar10.SMOKE)


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, teacher and label kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    from softwidth.deep.trials import DeepSpec, DeepTrials

    size = resized(SMOKE if scale.smoke else SIZES[check_choice("data", source, SIZES)], scale.settings)  # fmt: skip
    base = DeepSpec(
        source=source, classes=size.classes, teacher=size.teacher,
        settings={"convolutional": 2, "fully_connected": 3}, **size.recipe,
    )  # fmt: skip
    train = functools.partial(ask, experiment=DeepTrials(scale.device))
    taught = {name: _taught(base, name) for name in TEACHERS}
    steps = {name: chosen_steps(train, size, spec, TAUGHT) for name, spec in taught.items()}
    hard_steps = chosen_steps(train, size, base, HARD)
    hard = _students(train, size, base, HARD, hard_steps, size.seeds)
    own: dict[str, Cells] = {}
    for seeds in (min(FIRST_SEEDS, size.seeds), size.seeds):  # of every teacher some first
        for name, spec in taught.items():
            own[name] = _students(train, size, spec, TAUGHT, steps[name], seeds)
    return [
        line
        for name, students in own.items()
        for line in _lines(source, name, {**hard, **students}, own[TEACHERS[0]])
    ]


def _taught(base: DeepSpec, name: str) -> DeepSpec:
    """Students of another teacher, by its name in `TEACHERS`."""
    teacher = dict(base.teacher)
    if name.startswith("2+3"):
        teacher |= SHALLOW
    if name.endswith("half as wide"):
        teacher["width"] /= 2
    return replace(base, teacher=teacher, regime="cross-fitted" if name == OTHERS else "in-sample")


def _students(
    train: Train, size: Size, spec: DeepSpec, kinds: Any, steps: Mapping[str, float], seeds: int
) -> Cells:
    return cells(train, spec, kinds, [(size.at, size.width)], steps, seeds)


def _lines(source: str, teacher: str, students: Cells, firsts: Cells) -> list[dict[str, Any]]:
    errors = {name: wrong(rows) for name, rows in students.items()}
    group, many = {"data": source, "teacher": teacher}, len(TEACHERS)
    lines = []
    for name in students:
        line = cell_line(group, name, students, errors, many)
        if name in firsts:
            than_first = difference(wrong(firsts[name]), errors[name], comparisons=many)
            line |= points("than_first", than_first)
        lines.append(line)
    return lines


def judge(table: pandas.DataFrame) -> Verdict:
    """See the head of this module."""
    names = list(dict.fromkeys(table["data"]))
    lines = records(table, labels="soft", data="cifar10" if "cifar10" in names else names[0])
    signs = [sign(line, "gain") for line in lines]
    word = "refuted" if min(signs) < 0 else "supported" if min(signs) > 0 else "undecided"
    least = min(lines, key=lambda line: float(line["gain"]))
    return Verdict(
        word,
        f"Soft labels win with {signs.count(1)} of {len(lines)} teachers, hard ones with {signs.count(-1)}; the "
        f"least gain is {told(least, 'gain')} points ({least['teacher']} on {least['data']}).",
        float(least["gain"]),
        interval(least, "gain"),
        "points",
        tuple(line["row"] for line in lines),
        tuple(_said(line) for line in records(table, labels="soft")),
    )


def _said(line: Mapping[str, Any]) -> Said:
    beside = ""
    if line["teacher"] != TEACHERS[0]:
        beside = f", {told(line, 'than_first')} beside those of {TEACHERS[0]}"
    return Said(
        f"{line['teacher']} on {line['data']}: right on {line['teacher_accuracy']:.1f} % of held-out images (mean "
        f"|p - y| of the students' {line['softness']:.2f}); its soft labels gain {told(line, 'gain')} points over "
        f"hard ones, {told(line, 'beyond')} over its top class{beside}.",
        (line["row"],),
    )


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Test accuracy by teacher and label kind, one standard deviation over seeds."""
    import altair as alt

    from softwidth.charts import label_colours

    accuracy = 100 - table.test_error
    shown = table.assign(accuracy=accuracy, low=accuracy - table.sd, high=accuracy + table.sd)
    x = alt.X("teacher:N", title="teacher", sort=list(TEACHERS), axis=alt.Axis(labelAngle=-30))
    offset = alt.XOffset("labels:N", sort=ROWS)
    y = alt.Y("low:Q", title="test accuracy (%)", scale=alt.Scale(zero=False))
    base = alt.Chart(shown).encode(x=x, xOffset=offset, color=label_colours())
    bars = base.mark_rule().encode(y=y, y2="high:Q")
    marks = base.mark_point(filled=True, size=60).encode(y="accuracy:Q")
    panel = alt.layer(bars, marks).properties(width=440, height=200)
    return panel.facet(row=alt.Row("data:N", title=None)).resolve_scale(y="independent")
