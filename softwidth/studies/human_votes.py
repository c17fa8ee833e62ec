"""VGG students of people's votes: their shares against their majority, and against one person's label.

CIFAR-10H: 47 to 63 people on each of CIFAR-10's 10,000 test images. The last 3,000 are the test
images here; of the others 80 % are for training, 15 % for validation, 5 % are kept back. Error is
against the true class, the divergence (KL, nats) that of the held-out votes over what a student says.
CIFAR-10N: three people on each training image. The first 8,000 are shared out in the same way; the
test images are CIFAR-10's 10,000, and error is against the true class. All images are JPEG copies.
Students and recipe are those of `vgg_cifar10`, without noise, on all ten classes.

Where votes have no majority, one of the first is drawn by lot, anew for every student (6 % of
CIFAR-10N's images; where they have one it is the set's ``aggre_label``). The one person is drawn by lot
for every image and student. Step size and best epoch are chosen by validation error against the true
class: alike for every kind, and by labels cleaner than those that it learns from. Tempered divergences
are after every student has had its temperature fitted to the true classes of validation images: an
advantage over students that are only too sure is gone from them.

Nobody has voted on digits. People there are simulated, wrong at about the rates of CIFAR-10H (50
people, 5 %) and CIFAR-10N (3, 18 %), on all images and towards all other classes alike: such votes
do not tell a hard image from an easy one, and shares only average the mistakes.

The rule, written before the first full run. Four differences are judged together: on both sets what the
shares gain in error over the majority; with many votes also what they gain in divergence over the
majority; with few also what they gain in error over one person's label. *Supported* if all four
intervals are above 0, *refuted* if one is below 0. The effect told is the smaller gain in error over
the majority. Digits decide only where CIFAR-10 was not run.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth._checks import check_choice
from softwidth._types import Array
from softwidth.store import Row
from softwidth.studies import vgg_cifar10
from softwidth.studies._compare import Difference, difference, wrong
from softwidth.studies._deep import Size, Train, behind_cell, cells, chosen_steps, resized
from softwidth.studies._gains import interval, sign, told
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import errors_told, points, records

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "VGG students of the shares of people's votes err less, and are nearer to held-out votes, than students of their majority or of one person's label."  # fmt: skip
COST = "126 worker min, 156 students of digits and cifar10"
LAST = "undecided: -0.59 (-3.24 to +2.00) points"

MANY, FEW = "many", "few"
NAMES = {"soft": "shares of the votes", "argmax": "their majority", "drawn": "one person's label"}
KINDS = {MANY: ("soft", "argmax"), FEW: ("soft", "argmax", "drawn")}
SETS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "cifar10": {
        MANY: ("CIFAR-10H", {"source": "cifar10h", "votes": {}}),
        FEW: ("CIFAR-10N", {"source": "cifar10n", "votes": {}, "limit": 8000}),
    },
    "digits": {
        MANY: ("50 simulated people", {"source": "digits", "votes": {"people": 50, "rate": 0.05}}),
        FEW: ("3 simulated people", {"source": "digits", "votes": {"people": 3, "rate": 0.18}}),
    },
}
COMPARISONS = 4  # see the rule
JUDGED = {MANY: ("over_majority", "nearer"), FEW: ("over_majority", "over_one")}
SHARES = (0.8, 0.15, 0.05)


def _of_votes(size: Size) -> Size:
    """The same students without noise or teacher, of all classes."""
    return replace(
        size, classes=None, variances=(0.0,), at=0.0, teacher={}, widths=(size.width,),
        recipe={**size.recipe, "shares": SHARES},
    )  # fmt: skip


SIZES = {name: _of_votes(size) for name, size in vgg_cifar10.SIZES.items()}
SMOKE = _of_votes(vgg_cifar10.SMOKE)


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every set of votes and label kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    from softwidth.deep.trials import DeepTrials

    size = resized(SMOKE if scale.smoke else SIZES[check_choice("data", source, SIZES)], scale.settings)  # fmt: skip
    train = functools.partial(ask, experiment=DeepTrials(scale.device))
    return [
        line
        for people, (name, votes) in SETS[source].items()
        for line in _lines(
            {"data": source, "people": people, "set": name, "width": size.width},
            _students(train, size, votes, KINDS[people]),
        )
    ]


def _students(
    train: Train, size: Size, votes: Mapping[str, Any], kinds: Sequence[str]
) -> dict[str, list[Row]]:
    """Those of every label kind, each with its own step size."""
    from softwidth.deep.trials import DeepSpec

    base = DeepSpec(
        classes=size.classes, teacher=size.teacher,
        settings={"convolutional": 2, "fully_connected": 3}, **votes, **size.recipe,
    )  # fmt: skip
    labels = {kind: {"labels": kind} for kind in kinds}
    steps = chosen_steps(train, size, base, labels)
    found = cells(train, base, labels, [(size.at, size.width)], steps, size.seeds)
    return {kind: rows for (_, _, kind), rows in found.items()}


def _lines(group: Mapping[str, Any], students: Mapping[str, list[Row]]) -> list[dict[str, Any]]:
    errors = {kind: wrong(rows) for kind, rows in students.items()}
    lines = []
    for kind, rows in students.items():
        line = {**group, "labels": kind, **errors_told(errors[kind])}
        for name, other in (("over_majority", "argmax"), ("over_one", "drawn")):
            if other in errors:
                line |= points(name, _gain(errors[other], errors[kind]))
        line["log_loss"] = float(np.mean([row.metrics["test_log_loss"] for row in rows]))
        if group["people"] == MANY:
            line |= _divergence("kl", "nearer", rows, students["argmax"])
            line |= _divergence("kl_tempered", "nearer_tempered", rows, students["argmax"])
        line["temperature"] = float(np.mean([row.metrics["temperature"] for row in rows]))
        lines.append(line | _behind(rows))
    return lines


def _gain(first: Array, second: Array) -> Difference:
    return difference(first, second, comparisons=COMPARISONS)


def _divergence(
    name: str, gain: str, rows: Sequence[Row], majority: Sequence[Row]
) -> dict[str, float]:
    """From held-out votes, and how much less than that of the majority's students it is; nats."""
    own, other = (np.stack([row.curves[f"test_{name}"] for row in each]) for each in (rows, majority))  # fmt: skip
    found, of_seed = _gain(other, own), own.mean(axis=1, dtype=np.float64)
    low, high = found.interval
    return {
        name: float(of_seed.mean()),
        f"{name}_sd": float(of_seed.std(ddof=1)) if len(of_seed) > 1 else 0.0,
        gain: found.mean,
        f"{gain}_low": low,
        f"{gain}_high": high,
    }


def _behind(rows: Sequence[Row]) -> dict[str, Any]:
    """Of `_deep.behind_cell` what there is without a teacher."""
    found = behind_cell(rows)
    fit = found.pop("teacher_fit")
    del found["teacher_accuracy"]
    return {"majority_right": fit, **found}


def judge(table: pandas.DataFrame) -> Verdict:
    """See the head of this module."""
    names = list(dict.fromkeys(table["data"]))
    lines = records(table, labels="soft", data="cifar10" if "cifar10" in names else names[0])
    signs = [sign(line, name) for line in lines for name in JUDGED[line["people"]]]
    word = "refuted" if min(signs) < 0 else "supported" if min(signs) > 0 else "undecided"
    least = min(lines, key=lambda line: float(line["over_majority"]))
    return Verdict(
        word,
        f"Of four differences the shares win {signs.count(1)} and lose {signs.count(-1)}. "
        + " ".join(map(_gains, lines)),
        float(least["over_majority"]),
        interval(least, "over_majority"),
        "points",
        tuple(line["row"] for line in lines),
        tuple(said for name in names for said in _said(table, name)),
    )


def _gains(line: Mapping[str, Any]) -> str:
    """What is judged of a set."""
    over = f"{line['set']}: shares gain {told(line, 'over_majority')} points over the majority"
    if line["people"] == FEW:
        return f"{over} and {told(line, 'over_one')} over one person's label."
    return f"{over}, and are nearer to held-out votes by {_nats(line, 'nearer')} nats."


def _nats(line: Mapping[str, Any], name: str) -> str:
    low, high = interval(line, name)
    return f"{line[name]:+.3f} ({low:+.3f} to {high:+.3f})"


def _said(table: pandas.DataFrame, source: str) -> list[Said]:
    said = [_accuracies(records(table, data=source, people=people)) for people in (MANY, FEW)]
    said += [Said(_gains(line), (line["row"],)) for line in records(table, data=source, labels="soft")]  # fmt: skip
    many = records(table, data=source, people=MANY)
    said.append(Said(_distances(many), tuple(line["row"] for line in many)))
    note = many[0]["pixels"]
    return said + ([Said(note, (many[0]["row"],))] if isinstance(note, str) and note else [])


def _accuracies(lines: Sequence[Mapping[str, Any]]) -> Said:
    first = lines[0]
    each = ", ".join(
        f"{NAMES[line['labels']]} {100 - line['test_error']:.1f} ± {line['sd']:.1f}"
        for line in lines
    )
    text = (
        f"{first['set']}: mean share of votes on other classes {first['softness']:.3f}, the majority is right on "
        f"{first['majority_right']:.1f} % of the students' images; test accuracy (%) of students of {each}."
    )
    return Said(text, tuple(line["row"] for line in lines))


def _distances(lines: Sequence[Mapping[str, Any]]) -> str:
    """Divergences from held-out votes, and what tempering leaves between them."""
    each = ", ".join(
        f"{NAMES[line['labels']]} {line['kl']:.3f} ± {line['kl_sd']:.3f}, tempered "
        f"{line['kl_tempered']:.3f} (mean temperature {line['temperature']:.2f})"
        for line in lines
    )
    soft = next(line for line in lines if line["labels"] == "soft")
    return (
        f"{soft['set']}: divergence from held-out votes (nats) of students of {each}; tempered, shares are "
        f"nearer by {_nats(soft, 'nearer_tempered')}."
    )


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Test accuracy, and divergence from held-out votes; one standard deviation over seeds."""
    import altair as alt

    panels = [_panels(table[table.data == name]) for name in dict.fromkeys(table.data)]
    return alt.vconcat(*panels)


def _panels(rows: pandas.DataFrame) -> Any:
    import pandas as pd

    accuracy = rows.assign(at=rows.set, value=100 - rows.test_error)
    many = rows[rows.people == MANY]
    far = pd.concat([
        many.assign(at="as told", value=many.kl, sd=many.kl_sd),
        many.assign(at="tempered", value=many.kl_tempered, sd=many.kl_tempered_sd),
    ])  # fmt: skip
    title = f"{many.set.iloc[0]}: divergence from held-out votes"
    return _panel(accuracy, "test accuracy (%)", f"{rows.data.iloc[0]}: accuracy") | _panel(far, "KL (nats)", title)  # fmt: skip


def _panel(rows: pandas.DataFrame, measure: str, title: str) -> Any:
    """Points with bars of one standard deviation, by place and label kind."""
    import altair as alt

    from softwidth.charts import COLOURS, SHAPES

    shown = rows.assign(
        kind=rows.labels.map(NAMES), low=rows.value - rows.sd, high=rows.value + rows.sd
    )
    colour, shape = (
        make("kind:N", title=None, scale=alt.Scale(domain=list(NAMES.values()), range=[of[k] for k in ("soft", "argmax", "hard")]))
        for make, of in ((alt.Color, COLOURS), (alt.Shape, SHAPES))
    )  # fmt: skip
    x = alt.X("at:N", title=None, sort=list(dict.fromkeys(shown["at"])), axis=alt.Axis(labelAngle=0))  # fmt: skip
    offset = alt.XOffset("kind:N", sort=list(NAMES.values()))
    y = alt.Y("low:Q", title=measure, scale=alt.Scale(zero=False))
    base = alt.Chart(shown).encode(x=x, xOffset=offset, color=colour)
    bars = base.mark_rule().encode(y=y, y2="high:Q")
    marks = base.mark_point(filled=True, size=60).encode(y="value:Q", shape=shape)
    return alt.layer(bars, marks).properties(width=240, height=200, title=title)
