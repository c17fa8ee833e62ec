"""The paper's deep experiment: VGG students on noisy pictures of cats and dogs, soft against hard labels.

Teacher VGG 8+3, student VGG 2+3, Adam with L2, at most 100 epochs, patience 20. The paper gives no
widths of the layers: here they are multiples of the standard ones (`Size`). Of CIFAR-10's 10,000
training images of both classes (JPEG copies) 80 % are for training, for teacher and students alike,
10 % for validation, and 10 % are kept back (``spare_error``); the test images are CIFAR-10's own
2,000, JPEG copies too. Noise is drawn once: an image is the same in every epoch.
The teacher of CIFAR-10 is trained on crops and mirror images, as one that is not has no better test
accuracy than its students here; students see the images as they are, with the soft labels of these.
Step sizes are chosen at one level of noise, each kind its own from one grid, by validation error.

The rule: *supported* if soft labels gain on average over the levels of noise, and more at the two
strongest than at the two weakest above zero, both intervals above 0; *refuted* if one is below 0.
Digits, the form that anyone can run, decide only where CIFAR-10 was not run: the claim is about that.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth._checks import ArgumentError
from softwidth._types import Array
from softwidth.studies._compare import difference, wrong
from softwidth.studies._deep import Cells, Size, cell_line, cells, chosen_steps, resized
from softwidth.studies._gains import interval, sign, told
from softwidth.studies._least import least_columns, least_widths
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import mean_over, points, records

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "VGG students of noisy CIFAR-10 learn more from soft labels than from hard ones, the more so the noisier it is."
COST = "213 worker min, 492 students of digits and cifar10"
LAST = "supported: +2.86 (+1.63 to +3.98) points"

TEMPERATURE, SHARE = 4.0, 0.5  # of Hinton's mixture
KINDS: dict[str, dict[str, Any]] = {
    "hard": {"labels": "hard"},
    "soft": {"labels": "soft"},
    "argmax": {"labels": "argmax"},
    "hinton": {"labels": "soft", "loss": "hinton", "temperature": TEMPERATURE, "share": SHARE},
}
# Test accuracy read off the paper's Figure 1, by variance of the noise.
PAPER = {
    "teacher": {0.01: 82.5, 0.03: 78.4, 0.05: 79.1, 0.1: 77.7, 0.2: 73.4},
    "soft": {0.01: 76.0, 0.03: 75.2, 0.05: 74.2, 0.1: 75.0, 0.2: 70.4},
    "hard": {0.01: 74.6, 0.03: 74.2, 0.05: 73.8, 0.1: 67.2, 0.2: 62.2},
}
FALL = (0.05, 0.2)  # variances between which the paper's hard labels collapse
FIRST_SEEDS = 3  # are trained at every level of noise before the others at any
ENDS = 2  # levels of noise at either end, whose gains are compared
BASE_CHANNELS = 64  # of the first layer at width 1


TEACHER = {"family": "vgg", "convolutional": 8, "fully_connected": 3, "step_size": 1e-3}
AUGMENTED = {**TEACHER, "width": 1 / 8, "augment": True, "weight_decay": 1e-3}
SIZES = {
    "digits": Size(
        (3, 8), (0.0, 0.05, 0.2, 0.5), {**TEACHER, "width": 1 / 8}, 1 / 16, (1 / 32, 1 / 16), 0.2,
        recipe={"batch_size": 32},
    ),
    "cifar10": Size(
        (3, 5), (0.0, 0.01, 0.03, 0.05, 0.1, 0.2), AUGMENTED, 1 / 8,
        (1 / 64, 1 / 32, 1 / 16, 1 / 8), 0.05, recipe={"mixed_precision": True, "weight_decay": 1e-2},
    ),
}  # fmt: skip
SMOKE = Size(
    (3, 8), (0.05, 0.5), {**TEACHER, "width": 1 / 32}, 1 / 16, (1 / 32, 1 / 16), 0.5,
    seeds=2, width_seeds=2, tuning_seeds=1, step_sizes=(1e-3, 3e-3),
    recipe={"epochs": 2, "patience": 2, "batch_size": 64},
)  # fmt: skip


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, noise and label kind, then one for every width and kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    from softwidth.deep.trials import DeepSpec, DeepTrials

    if source not in SIZES:
        raise ArgumentError("data", source, f"must be one of {', '.join(SIZES)} for this study.")
    size = resized(SMOKE if scale.smoke else SIZES[source], scale.settings)
    base = DeepSpec(
        source=source, classes=size.classes, teacher=size.teacher,
        settings={"convolutional": 2, "fully_connected": 3}, **size.recipe,
    )  # fmt: skip
    train = functools.partial(ask, experiment=DeepTrials(scale.device))
    steps = chosen_steps(train, size, base, KINDS)
    noises = [(variance, size.width) for variance in size.variances]
    widths = [(size.at, width) for width in size.widths]
    cells(train, base, KINDS, noises, steps, min(FIRST_SEEDS, size.seeds))
    by_width = cells(train, base, KINDS, widths, steps, size.width_seeds)
    by_noise = cells(train, base, KINDS, noises, steps, size.seeds)
    lines = _noise_lines({"data": source, "part": "noise"}, by_noise)
    return lines + _width_lines({"data": source, "part": "width"}, by_width)


def _noise_lines(group: dict[str, Any], students: Cells) -> list[dict[str, Any]]:
    errors = {name: wrong(rows) for name, rows in students.items()}
    levels = len({variance for variance, _, _ in students})
    over = {kind: _over_noise(errors, kind) for kind in KINDS}
    paper = PAPER if group["data"] == "cifar10" else {}
    return [
        {
            **cell_line(group, name, students, errors, levels),
            "paper": paper.get(name[2], {}).get(name[0]),
            "paper_teacher": paper.get("teacher", {}).get(name[0]),
            **over[name[2]],
        }
        for name in students
    ]


def _over_noise(errors: Mapping[tuple[float, float, str], Array], kind: str) -> dict[str, float]:
    """What a kind gains over hard labels on average, and more at the strong end than at the weak one."""
    noisy = sorted(name[:2] for name in errors if name[0] > 0 and name[2] == kind)
    hard = [errors[*place, "hard"] for place in noisy]
    own = [errors[*place, kind] for place in noisy]
    ends = min(ENDS, len(noisy) // 2)
    weak, strong = slice(ends), slice(len(noisy) - ends, None)
    # (hard - own) at the strong end less (hard - own) at the weak one, as a single difference
    first = mean_over(hard[strong]) + mean_over(own[weak])
    second = mean_over(own[strong]) + mean_over(hard[weak])
    mean = difference(mean_over(hard), mean_over(own), comparisons=2)
    return points("mean_gain", mean) | points("trend", difference(first, second, comparisons=2))


def _width_lines(group: dict[str, Any], students: Cells) -> list[dict[str, Any]]:
    errors = {name: wrong(rows) for name, rows in students.items()}
    by_channels = {
        (round(BASE_CHANNELS * w), kind): rows for (_, w, kind), rows in students.items()
    }
    least = least_widths(by_channels)
    columns = {kind: _in_multiples(least_columns(least, kind)) for kind in KINDS}
    widths = len({width for _, width, _ in students})
    return [
        cell_line(group, name, students, errors, widths) | columns[name[2]] for name in students
    ]


def _in_multiples(columns: dict[str, Any]) -> dict[str, Any]:
    """Least widths as multiples of the standard ones, for channels of the first layer."""
    ends = ("least_width", "least_low", "least_high")
    return columns | {name: columns[name] / BASE_CHANNELS for name in ends}


def judge(table: pandas.DataFrame) -> Verdict:
    """See the head of this module."""
    names = list(dict.fromkeys(table["data"]))
    judged = ["cifar10"] if "cifar10" in names else names
    lines = [records(table, part="noise", data=name, labels="soft") for name in judged]
    firsts = [of_data[0] for of_data in lines]
    signs = [sign(line, column) for line in firsts for column in ("mean_gain", "trend")]
    word = "refuted" if min(signs) < 0 else "supported" if min(signs) > 0 else "undecided"
    least = min(firsts, key=lambda line: float(line["mean_gain"]))
    told_of = "; ".join(
        f"{line['data']}: soft labels gain {told(line)} points on average over the levels of noise, and "
        f"{told(line, 'trend')} points more at the strongest levels than at the weakest"
        for line in firsts
    )
    return Verdict(
        word,
        f"{told_of}.",
        float(least["mean_gain"]),
        interval(least),
        "points",
        tuple(line["row"] for of_data in lines for line in of_data),
        tuple(said for name in names for said in _said(table, name)),
    )


def _said(table: pandas.DataFrame, source: str) -> list[Said]:
    noise = records(table, part="noise", data=source)
    said = [*_pixels(noise), *_fall(source, noise)]
    for kind in ("soft", "argmax", "hinton"):
        own = [line for line in noise if line["labels"] == kind]
        said.append(
            Said(
                f"{source}, {kind}: {told(own[0])} points over hard labels on average over the levels of noise.",
                tuple(line["row"] for line in own),
            )
        )
    for variance in sorted({line["variance"] for line in noise}):
        here = {line["labels"]: line for line in noise if line["variance"] == variance}
        said.append(
            Said(_level(source, variance, here), tuple(line["row"] for line in here.values()))
        )
    widths = records(table, part="width", data=source)
    widest = max(line["width"] for line in widths)
    return said + [
        Said(_least(source, line), (line["row"],))
        for line in widths
        if line["labels"] != "hard" and line["width"] == widest
    ]


def _pixels(noise: list[dict[str, Any]]) -> list[Said]:
    """How far the images are off the original ones."""
    notes = {line["pixels"]: line["row"] for line in noise if isinstance(line["pixels"], str)}
    return [Said(note, (row,)) for note, row in notes.items() if note]


def _fall(source: str, noise: list[dict[str, Any]]) -> list[Said]:
    """What more noise costs either kind, beside what it cost in the paper."""
    ends = {
        kind: [line for line in noise if line["labels"] == kind and line["variance"] in FALL]
        for kind in ("hard", "soft")
    }
    if any(len(pair) < len(FALL) for pair in ends.values()) or source != "cifar10":
        return []
    lost = " and ".join(
        f"{many['test_error'] - few['test_error']:.1f} points of {kind} labels "
        f"(paper {PAPER[kind][FALL[0]] - PAPER[kind][FALL[1]]:.1f})"
        for kind, (few, many) in ends.items()
    )
    text = f"From variance {FALL[0]:g} to {FALL[1]:g} students of {source} lose {lost}."
    return [Said(text, tuple(line["row"] for pair in ends.values() for line in pair))]


def _level(source: str, variance: float, here: Mapping[str, Mapping[str, Any]]) -> str:
    """Accuracies at a level of noise, beside the paper's."""
    soft = here["soft"]
    accuracies = ", ".join(f"{kind} {_accuracy(line)}" for kind, line in here.items())
    return (
        f"{source} at variance {variance:g}: teacher {soft['teacher_accuracy']:.1f} % (mean |p - y| of the "
        f"students' rows {soft['softness']:.2f}), students {accuracies}; soft over hard {told(soft, 'gain')} "
        f"points, over the teacher's top class {told(soft, 'beyond')}."
    )


def _accuracy(line: Mapping[str, Any]) -> str:
    paper = line["paper"]
    beside = "" if paper is None or np.isnan(paper) else f" (paper {paper:.1f})"
    return f"{100 - line['test_error']:.1f} ± {line['sd']:.1f}{beside}"


def _least(source: str, line: Mapping[str, Any]) -> str:
    width = f"{line['least_width']:.3g} of the standard one"
    if np.isinf(line["least_width"]):
        width = "beyond all tried"
    return (
        f"{source} at variance {line['variance']:g}, {line['labels']}: least width {width}; hard "
        f"labels need {'at least ' if line['saving_at_least'] else ''}{line['saving']:.3g} times as much "
        f"({line['saving_low']:.3g} to {line['saving_high']:.3g})."
    )


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Test accuracy against noise beside the paper's, then against width."""
    import altair as alt

    panels = []
    for name in dict.fromkeys(table["data"]):
        own = table[table["data"] == name]
        panels.append(_noise_panel(own[own.part == "noise"], name))
        panels.append(_width_panel(own[own.part == "width"], name))
    return alt.vconcat(*panels)


ORDER = ("soft", "hard", "argmax", "hinton", "teacher")


def _colours() -> Any:
    import altair as alt

    from softwidth.charts import COLOURS

    own = {**COLOURS, "hinton": "#157f5b"}
    return alt.Color(
        "labels:N",
        title=None,
        scale=alt.Scale(domain=list(ORDER), range=[own[kind] for kind in ORDER]),
    )


def _accuracies(rows: pandas.DataFrame) -> pandas.DataFrame:
    accuracy = 100 - rows.test_error
    return rows.assign(accuracy=accuracy, low=accuracy - rows.sd, high=accuracy + rows.sd)


def _noise_panel(rows: pandas.DataFrame, name: str) -> Any:
    import altair as alt
    import pandas as pd

    students = _accuracies(rows)
    teacher = rows.drop_duplicates("variance").assign(labels="teacher")
    teacher = teacher.assign(accuracy=teacher.teacher_accuracy, low=np.nan, high=np.nan)
    papers = [
        rows[rows.labels == kind].assign(accuracy=rows[rows.labels == kind].paper)
        for kind in ("soft", "hard")
    ] + [teacher.assign(accuracy=teacher.paper_teacher)]
    ours = pd.concat([students, teacher]).assign(source="ours")
    shown = pd.concat([ours, pd.concat(papers).assign(source="paper")])
    shown = shown[shown.accuracy.notna()]
    colour = _colours()
    x = alt.X("variance:O", title="variance of the noise", axis=alt.Axis(labelAngle=0))
    y = alt.Y("accuracy:Q", title="test accuracy (%)", scale=alt.Scale(zero=False))
    dash = alt.StrokeDash("source:N", legend=None)
    lines = alt.Chart(shown).mark_line(point=True).encode(x=x, y=y, color=colour, strokeDash=dash)
    bars = (
        alt.Chart(students).mark_rule(opacity=0.5).encode(x=x, y="low:Q", y2="high:Q", color=colour)
    )
    title = [f"{name}: students of one width (mean, one standard deviation over seeds)"]
    if rows.paper.notna().any():
        title.append("dashed: as the paper's figure shows it")
    return alt.layer(bars, lines).properties(width=460, height=260, title=title)


def _width_panel(rows: pandas.DataFrame, name: str) -> Any:
    import altair as alt

    shown = _accuracies(rows)
    axis = alt.Axis(values=sorted(set(shown.width)), format=".3~g")
    x = alt.X("width:Q", title="width multiplier", scale=alt.Scale(type="log", base=2), axis=axis)
    y = alt.Y("accuracy:Q", title="test accuracy (%)", scale=alt.Scale(zero=False))
    return (
        alt.Chart(shown)
        .mark_line(point=True)
        .encode(x=x, y=y, color=_colours())
        .properties(
            width=460, height=200, title=f"{name}: by width, variance {shown.variance.iloc[0]:g}"
        )
    )
