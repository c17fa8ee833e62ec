"""Many data sets in one sheet: what soft labels save, and whether it could have been known before.

Images (digits, MNIST), tables (breast cancer, wine, diabetes) and votes of people (CIFAR-10H on features
of patches, ChaosNLI on sentence vectors), with clean and noisy inputs or labels, two classes and more,
teachers of the same rows and of others. For each the saving,
and four factors known before a student is trained: the margin of the students' rows, mean |p - y|,
how far the teacher is above guessing on rows that it has not seen, rows per feature. A ridge
regression of log2 of the saving on them is judged on sources of data that it was not fitted to
(`softwidth.prior`): a plan's guess before it begins. A saving that is a bound counts as what it is
at least.

The rule: *supported* if the factors guess the savings of sources left out better than the mean of
the other sources does, the interval of the skill (``1 - mse/mse``, 4,000 draws of the sources) above
0; *refuted* if it is below 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth._checks import ArgumentError
from softwidth.data import BUILT_IN
from softwidth.prior import FACTORS, errors_left_out, fit_prior, on_scale, quality, skill_at
from softwidth.resampling import LEVEL
from softwidth.studies._gains import groups, said_of
from softwidth.studies._scenes import PARITY, SMOKE
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import KINDS, by_width, group_lines
from softwidth.studies._tuned import tuned
from softwidth.trial_margins import MarginSpec, MarginTrials
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "Margin, mean |p - y|, the teacher's quality and rows per feature tell what soft labels will save."  # fmt: skip
COST = "32 worker min, 31,912 students of digits, breast-cancer, wine, diabetes, mnist, cifar10h and chaosnli"
LAST = "undecided: +0.37 (-0.01 to +0.51) of the spread on sources left out"

SHEET = ("digits", "breast-cancer", "wine", "diabetes", "mnist", "cifar10h", "chaosnli")
WIDTHS = (2, 4, 8, 16, 32)
EPOCHS, BATCH = 30, 32
WIDE = {"width": 512}
TOY = {"width": 32, "step_size": 3.0, "epochs": 3}
MARGIN_ROWS = 1000
VOTED = {"cifar10h": (2000, 500), "chaosnli": (1500, 400)}  # students' rows
DRAWS = 4000


@dataclass(frozen=True)
class Case:
    """One line of the sheet.

    Attributes
    ----------
    task : str
        For people.
    settings : dict
        Of its `TrialSpec`, besides those that all share.
    """

    task: str
    settings: dict[str, Any] = field(default_factory=dict)


def cases_of(source: str) -> tuple[Case, ...]:
    """The cases of one source of data.

    Raises
    ------
    ArgumentError
        A source that the sheet has not.
    """
    if source in ("digits", "mnist"):
        return _images(source)
    if source in ("breast-cancer", "wine", "diabetes"):
        flipped = Case("a fifth of the labels flipped", {**_taught("wide"), "flip": 0.2})
        return Case("as it is", _taught("wide")), Case("forest", _taught("forest")), flipped
    if source in VOTED:
        rows = VOTED[source]
        votes = [Case(f"votes, {n:,} rows", {"teacher": "data", "student_rows": n}) for n in rows]
        own = {**_taught("wide"), "student_rows": rows[0]}
        return (*votes, Case("teacher of the same rows", own))
    raise ArgumentError("data", source, f"is not in this sheet, which has {', '.join(SHEET)}.")


def _images(source: str) -> tuple[Case, ...]:
    noise, rows = {"digits": (0.6, 200), "mnist": (0.4, 1000)}[source]
    few = {**_taught("wide", "larger-data"), "student_rows": rows}
    same = {**_taught("wide"), "student_rows": rows}
    parity = {"positive": PARITY}
    return (
        Case("parity", {**few, **parity}),
        Case("noisy parity", {**few, **parity, "noise": noise}),
        Case("noisy parity, teacher of the same rows", {**same, **parity, "noise": noise}),
        Case("above 4", {**few, "positive": (5, 6, 7, 8, 9)}),
        Case("noisy 4 against 9", {**few, "pair": (4, 9), "noise": noise, "student_rows": rows // 2}),
        Case("ten classes", few),
        Case("ten noisy classes", {**few, "noise": noise}),
    )  # fmt: skip


def _taught(teacher: str, regime: str = "cross-fitted") -> dict[str, Any]:
    own = {"teacher_settings": dict(WIDE)} if teacher == "wide" else {}
    return {"teacher": teacher, "regime": regime, **own}


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every case, width and label kind."""
    import pandas as pd

    sheet = [(source, case) for source in scale.data for case in cases_of(source)]
    many = len(sheet)
    return pd.DataFrame([line for each in sheet for line in _of_case(ask, scale, *each, many)])


def _of_case(ask: Ask, scale: Scale, source: str, case: Case, many: int) -> list[dict[str, Any]]:
    settings = dict(case.settings)
    if scale.smoke:
        settings["student_rows"] = 60
        settings |= {"teacher_settings": TOY} if settings["teacher"] == "wide" else {}
    base = TrialSpec.of(
        source=source, epochs=scale(EPOCHS, 3), batch_size=BATCH, momentum=0.9, schedule="cosine",
        width=WIDTHS[0], **settings,
    )  # fmt: skip
    (margin,) = ask([MarginSpec(base, limit=scale(MARGIN_ROWS, 60))], MarginTrials())
    found = by_width(
        tuned(ask, base, seeds=scale(10, 2), width=scale(WIDTHS, (2, 4)), labels=KINDS, **scale({}, SMOKE))
    )  # fmt: skip
    facts = next(iter(found.values()))[0].metrics
    n_classes = 2 if base.positive or base.pair else BUILT_IN[source].classes
    known = facts.get("teacher_held_out_accuracy")
    right = facts["soft_accuracy"] if known is None else known
    rows, features = (int(margin.metrics[name]) for name in ("rows", "features"))
    group = {
        "data": source,
        "task": case.task,
        "classes": n_classes,
        "rows": rows,
        "features": features,
        "regime": base.regime or "given",
        "margin": margin.metrics["upper"],
        "margin_id": margin.id,
        "distance": facts["soft_distance"],
        "quality": quality(right, n_classes),
        "rows_per_feature": rows / features,
    }
    return group_lines(group, found, comparisons=many)


def judge(table: pandas.DataFrame) -> Verdict:
    """See the head of this module."""
    lines = groups(table, ("data", "task"))
    sources = np.array([line["data"] for line in lines])
    rows, said = tuple(line["row"] for line in lines), tuple(map(_said, lines))
    if len(set(sources)) < 3:
        sentence = "Of fewer than three sources of data nothing can be guessed about others."
        return Verdict("undecided", sentence, 0.0, (-np.inf, 1.0), UNIT, rows, said)
    X = np.stack([on_scale(line) for line in lines])
    left = errors_left_out(X, np.log2([line["saving"] for line in lines]), sources)
    skill, low, high = skill_of(left, sources)
    prior = fit_prior(lines)
    word = "supported" if low > 0 else "refuted" if high < 0 else "undecided"
    gains = np.array([line["mean_gain"] for line in lines])
    beside, *ends = skill_of(errors_left_out(X, gains, sources), sources)
    wins = sum(line["mean_gain_low"] > 0 for line in lines)
    losses = sum(line["mean_gain_high"] < 0 for line in lines)
    return Verdict(
        word,
        f"Of {len(lines)} data sets from {prior.sources} sources the factors explain {skill:.0%} ({low:.0%} to {high:.0%}) "
        f"of the savings' spread on sources left out; a guess is off by a factor of {2**prior.error:.2g} (one standard error). "
        f"Soft labels gain in {wins}, hard ones in {losses}.",
        skill,
        (low, high),
        UNIT,
        rows,
        (
            _slopes_said(prior.slopes, X, lines, rows),
            Said(f"The gain in points, over the widths: {beside:.0%} ({ends[0]:.0%} to {ends[1]:.0%}) of its spread.", rows),
            *said,
        ),
    )  # fmt: skip


UNIT = "of the spread on sources left out"


def skill_of(left: Any, sources: Any) -> tuple[float, float, float]:
    """``1 - mse/mse of the mean`` with 95 % ends: whole sources are drawn, as their cases are alike.

    Parameters
    ----------
    left : ndarray, shape (N, 2)
        See `prior.errors_left_out`.
    sources : ndarray of str, shape (N,)
    """
    names = np.unique(sources)
    squares = np.stack([(left[sources == name] ** 2).sum(axis=0) for name in names])
    rng = np.random.default_rng(0)
    drawn = squares[rng.integers(len(names), size=(DRAWS, len(names)))].sum(axis=1)
    skills = [skill_at(*pair) for pair in drawn]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(skills, [tail, 1 - tail])
    total = squares.sum(axis=0)
    return skill_at(*total), float(low), float(high)


def _slopes_said(
    slopes: tuple[float, ...], X: Any, lines: list[dict[str, Any]], rows: tuple[int, ...]
) -> Said:
    """Of the guess that plans show, and each factor alone by its rank correlation."""
    from scipy.stats import rankdata

    y = rankdata([line["saving"] for line in lines])
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant has no correlation
        ranks = [np.corrcoef(rankdata(x), y)[0, 1] for x in X.T]
    alone = ", ".join(
        f"{name.replace('_', ' ')} {rank:+.2f}" for name, rank in zip(FACTORS, ranks, strict=True)
    )
    used = "The factors are used" if any(slopes) else "The mean of all is used"
    return Said(f"{used} in plans. Rank correlation of each factor alone with the saving: {alone}.", rows)  # fmt: skip


def _said(line: dict[str, Any]) -> Said:
    named = f"{line['data']}, {line['task']} ({line['rows']:,} rows, {line['regime']})"
    factors = (
        f"margin {line['margin']:.3g}, mean |p - y| {line['distance']:.2f}, teacher {line['quality']:.2f} above guessing, "
        f"{line['rows_per_feature']:.2g} rows per feature"
    )  # fmt: skip
    return said_of(line, f"{named}; {factors}")


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """The saving and the gain of every case with intervals; the saving against each factor."""
    import altair as alt

    rows = table[table.labels == "soft"].drop_duplicates(["data", "task"])
    rows = rows.assign(case=rows.data + ", " + rows.task)  # fmt: skip
    y = alt.Y("case:N", title=None, sort=list(rows.case), axis=alt.Axis(labelLimit=260))
    log = alt.Scale(type="log", base=2)
    panels = []
    for name, title, scale, none in (
        ("saving", "neurons with hard labels / with soft ones", log, 1),
        ("mean_gain", "gain over hard labels (points)", alt.Scale(), 0),
    ):
        base = alt.Chart(rows).encode(y=y, color=alt.Color("data:N", title="data"))
        bars = base.mark_rule().encode(
            x=alt.X(f"{name}_low:Q", title=title, scale=scale), x2=f"{name}_high:Q"
        )
        marks = base.mark_point(filled=True, size=50).encode(x=alt.X(f"{name}:Q", scale=scale))
        at = alt.Chart(rows).mark_rule(strokeDash=[2, 2], color="#6c7275").encode(x=alt.datum(none))
        panels.append(alt.layer(at, bars, marks).properties(width=300))
    factors = [
        alt.Chart(rows)
        .mark_point(filled=True, size=50)
        .encode(
            x=alt.X(f"{name}:Q", title=title, scale=alt.Scale(type=kind, zero=False)),
            y=alt.Y("saving:Q", title="saving", scale=log),
            color="data:N",
        )
        .properties(width=140, height=140)
        for name, title, kind in (
            ("margin", "margin", "log"),
            ("distance", "mean |p - y|", "linear"),
            ("quality", "teacher's quality", "linear"),
            ("rows_per_feature", "rows per feature", "log"),
        )
    ]
    return alt.vconcat(alt.hconcat(*panels), alt.hconcat(*factors))
