"""Labels that are wrong at a known rate: when several votes a row pay, and for what.

Parity of clean digits; annotators vote for the truth with probability 1 - rate, each on its own.
``one label`` is a single vote. ``V votes`` of the same rows are taught as shares (`soft`) and as
their majority (`argmax`); ``knows the rate`` has ``p = (1 - rate, rate)``, what the shares tend to. At ``equal cost``
there are V times fewer rows, and as many steps. Every student has its own draw of votes; validation
and test labels are the truth.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softwidth.store import Row
from softwidth.studies._gains import draw_gains, everywhere, groups, told
from softwidth.studies._scenes import PARITY, SMOKE
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import by_width, group_lines
from softwidth.studies._tuned import tuned
from softwidth.trial_spec import ANNOTATORS, TrialSpec

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "The shares of several votes a row teach students better than the majority of the same votes."  # fmt: skip
COST = "2 worker min, 10,240 students of digits and mnist"
LAST = "undecided: -0.50 (-5.62 to +2.25) points"
RATES = {"digits": (0.1, 0.3), "mnist": (0.3,)}
VOTES = (3, 10, 50)
ROWS = 900
WIDTHS = (2, 4, 8, 16)
SAME, CHEAP, KNOWS = "same rows", "equal cost", "knows the rate"
COMPARISONS = sum(len(rates) for rates in RATES.values()) * (2 * len(VOTES) + 1)


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, rate, way of spending votes, width and label kind."""
    import pandas as pd

    rates = {source: scale(RATES.get(source, RATES["digits"]), (0.3,)) for source in scale.data}
    return pd.DataFrame(
        [line for source in scale.data for rate in rates[source] for line in _of_rate(ask, scale, source, rate)]
    )  # fmt: skip


def _of_rate(ask: Ask, scale: Scale, source: str, rate: float) -> list[dict[str, Any]]:
    rows = scale(ROWS, 90)
    given = _taught(ask, scale, _base(source, scale, rows), [f"flipped({rate:g})"])
    lines: list[dict[str, Any]] = []
    ways = [(KNOWS, 0, rows)] + [(SAME, votes, rows) for votes in scale(VOTES, (3,))]
    ways += [(CHEAP, votes, rows // votes) for votes in scale(VOTES[:2], ())]
    for way, votes, own in ways:
        base = _base(
            source, scale, own, teacher=ANNOTATORS, teacher_settings={"rate": rate},
            **({"votes": votes} if votes else {}),
        )  # fmt: skip
        students = by_width(
            [*given, *_taught(ask, scale, base, ["soft", "argmax"] if votes else ["soft"])]
        )
        group = {"data": source, "rate": rate, "way": way, "votes": votes, "rows": own}
        lines += group_lines(group, students, comparisons=COMPARISONS)
    return lines


def _base(source: str, scale: Scale, rows: int, **settings: Any) -> TrialSpec:
    """Whatever the number of rows, as many steps."""
    return TrialSpec.of(
        source=source, positive=PARITY, student_rows=rows, epochs=scale(40 * ROWS // rows, 3),
        batch_size=32, momentum=0.9, schedule="cosine", width=WIDTHS[0], **settings,
    )  # fmt: skip


def _taught(
    ask: Ask, scale: Scale, base: TrialSpec, labels: list[str]
) -> list[tuple[TrialSpec, list[Row]]]:
    drawn = ("teacher_seed", "label_seed") if base.votes else ("label_seed",)
    return tuned(
        ask, base, seeds=scale(10, 2), follow=drawn, width=scale(WIDTHS, WIDTHS[:1]), labels=labels,
        **scale({}, SMOKE),
    )  # fmt: skip


def judge(table: pandas.DataFrame) -> Verdict:
    """By shares against majority, all rates and numbers of votes: supported by a gain in all of
    them, refuted by a loss in one.
    """
    lines = groups(table, ("data", "rate", "way", "votes"))
    same, cheap, knows = ([line for line in lines if line["way"] == way] for way in (SAME, CHEAP, KNOWS))  # fmt: skip
    found = everywhere(
        same, _named, "Shares teach better than majorities", column="beyond", each=False
    )
    said = [
        Said(f"{what}: " + "; ".join(f"{_named(line)} {told(line)}" for line in of_way) + ".", tuple(line["row"] for line in of_way))
        for what, of_way in (
            ("What the shares of so many votes gain over one label a row, in points", same),
            ("The same at equal cost, so many times fewer rows", cheap),
            ("What labels that know the rate gain, the limit of many votes", knows),
        )
        if of_way
    ]  # fmt: skip
    return replace(found, said=tuple(said))


def _named(line: Any) -> str:
    votes = f"{line['votes']} votes" if line["votes"] else "all votes"
    return f"{votes} at rate {line['rate']:g} on {line['data']}"


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """The gains over one label a row, way by way."""
    votes = " " + table.votes.astype(str)
    spent = table.way + votes.replace(" 0", "") + ", rate " + table.rate.astype(str)
    named = table.assign(spent=spent)
    return draw_gains(named, "spent", "votes")
