"""Which teachers' labels pay: kind, size, the rows it has seen, and probabilities broken on purpose.

(The paper's open question 1, and the failure of its mechanism 1.) Noisy parity (`_scenes`). Hard
labels are the same for every teacher and trained once; teachers of ``larger-data`` have all rows
that are not the students'. Beside them stand the labels that the theorems speak of, those of the map of
largest kernel margin and norm 1 on the students' own rows, which have no part in the verdict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softwidth.studies._gains import draw_gains, everywhere, groups, interval, said_of, sign, told
from softwidth.studies._scenes import SMOKE, noisy_parity, scene
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import KINDS, by_width, group_lines
from softwidth.studies._tuned import tuned

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "Every teacher that has learned from other rows makes soft labels win; one that has memorised the students' rows does not."  # fmt: skip
COST = "6 worker min, 15,270 students of digits and mnist"
LAST = "undecided: -0.08 (-0.64 to +0.43) points"
HELD_OUT, MEMORISED, BROKEN, THEORY = "held out", "memorised", "broken", "theory"
Teacher = tuple[str, dict[str, Any]]  # role in the verdict, settings of the spec


def _wide(width: int, **more: Any) -> dict[str, Any]:
    return {
        "teacher": "wide",
        "teacher_settings": {"width": width},
        "regime": "larger-data",
        **more,
    }


def _other(teacher: str, **settings: Any) -> dict[str, Any]:
    return {"teacher": teacher, "teacher_settings": settings, "regime": "larger-data"}


WIDE: dict[str, Teacher] = {
    "wide 512": (HELD_OUT, _wide(512)),
    "wide 512, in-sample": (MEMORISED, _wide(512, regime="in-sample")),
    "wide 512, cross-fitted": (HELD_OUT, _wide(512, regime="cross-fitted")),
    "wide 512, sharpened": (BROKEN, _wide(512, spoil="tempered(0.2)")),
    "wide 512, flattened": (BROKEN, _wide(512, spoil="tempered(5)")),
    "map, B = 1, in-sample": (THEORY, {**_other("map", radius=1.0), "regime": "in-sample"}),
}
MORE: dict[str, Teacher] = {
    "wide 512, biased": (BROKEN, _wide(512, spoil="biased(2)")),
    "wide 512, noisy logits": (BROKEN, _wide(512, spoil="noisy(2)")),
    "wide 512, a third exchanged": (BROKEN, _wide(512, spoil="exchanged(0.33)")),
    "wide 16": (HELD_OUT, _wide(16)),
    "deep 128-128": (HELD_OUT, _other("network", hidden_layer_sizes=[128, 128])),
    "kernel": (HELD_OUT, _other("kernel")),
    "boosted trees": (HELD_OUT, _other("boosting")),
    "forest": (HELD_OUT, _other("forest", n_estimators=300)),
    "logistic": (HELD_OUT, _other("logistic")),
}
TEACHERS = {"mnist": WIDE}  # others learn for minutes from 47,000 rows
COMPARISONS = 2 * len(WIDE) + len(MORE)


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, teacher, width and label kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    here, few = scene(source, scale), scale({}, SMOKE)
    teachers = TEACHERS.get(source, WIDE | MORE)
    if scale.smoke:
        teachers = {"logistic": MORE["logistic"], "memorised": (MEMORISED, {**_other("kernel"), "regime": "in-sample"})}  # fmt: skip
    hard = noisy_parity(source, scale, teacher=None)
    given = tuned(ask, hard, seeds=scale(10, 2), width=here.widths, labels=KINDS[:1], **few)
    lines: list[dict[str, Any]] = []
    for name, (role, settings) in teachers.items():
        base = noisy_parity(source, scale, **settings)
        found = tuned(ask, base, seeds=scale(10, 2), width=here.widths, labels=KINDS[1:], **few)
        lines += group_lines(
            {"data": source, "teacher": name, "role": role}, by_width([*given, *found]),
            draws=here.draws, comparisons=COMPARISONS,
        )  # fmt: skip
    return lines


def judge(table: pandas.DataFrame) -> Verdict:
    """Supported: all held-out teachers gain, and no memorised one. Refuted: a held-out one loses,
    or a memorised one gains as much as the best of the others.
    """
    lines = groups(table, ("data", "teacher"))
    held, memorised, broken, theory = (
        [line for line in lines if line["role"] == role]
        for role in (HELD_OUT, MEMORISED, BROKEN, THEORY)
    )
    found = everywhere(held, _named, "Teachers of other rows make soft labels win")
    word = found.word
    if word == "supported" and any(sign(line) > 0 for line in memorised):
        most = max(interval(line)[0] for line in held)
        word = "refuted" if any(interval(line)[1] > most for line in memorised) else "undecided"
    said = [
        Said(
            f"{what}, gain in points: {_all_told(of_role)}.", tuple(line["row"] for line in of_role)
        )
        for what, of_role in (
            ("Teachers that have memorised the students' rows", memorised),
            ("Teachers broken on purpose", broken),
            ("The labels that the theorems speak of", theory),
        )
        if of_role
    ]
    each = tuple(said_of(line, _named(line)) for line in held)
    return replace(found, word=word, said=(*said, *each))


def _all_told(lines: list[dict[str, Any]]) -> str:
    return "; ".join(f"{_named(line)} {told(line)}" for line in lines)


def _named(line: Any) -> str:
    return f"{line['teacher']} on {line['data']}"


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """The gains teacher by teacher."""
    return draw_gains(table, "teacher", "teacher")
