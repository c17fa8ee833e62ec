"""A stored plan in plain words: how sure it is, what the figures show, what the labels are worth.

All functions take the completed plan of `plan_form.complete` and compute nothing: they say what is
stored. Numbers that are missing are passed over in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from softwidth._types import Width, width_text
from softwidth.plan_spec import PlanSpec

Plan = Mapping[str, Any]
Table = tuple[str, list[tuple[str, str]]]

# Every kind in the order of all tables, figures and legends.
NAMES = {
    "soft": "soft labels",
    "hard": "hard labels",
    "argmax": "control: top class of the soft labels",
    "teacher": "teacher",
}
REGIMES = {
    "in-sample": "The teacher learned from the very rows that it labels for the students.",
    "cross-fitted": "Every row was labelled by a teacher that had not learned from it.",
    "larger data": "The teacher learned from rows that the students never see.",
    "from file": "They came with the data.",
}
SETTINGS = ("width", "steps", "radius", "step_size")
SAID_ELSEWHERE = ("soft", "hard", "paper", "error", "notes")
CAPTIONS = {
    "certificate": "A student trained as theorems want, on soft labels of the theory's own kind (p near "
    "1/2): its average KL over the steps in nats, measured, and certified before training.",
    "crossover": "Margins below which the sufficient width of soft labels is the smaller one.",
    "assumptions": "Assumptions, and whether they hold (–: numbers alone cannot tell).",
}
MISSING = "–"


def percent(value: float | None, digits: int = 2) -> str:
    """A share in percent.

    >>> percent(0.12345), percent(None)
    ('12.35 %', '–')
    """
    return MISSING if value is None else f"{100 * value:.{digits}f} %"


def loss(value: float | None, metric: str) -> str:
    """A loss of a metric with its unit.

    >>> loss(0.12345, "error"), loss(0.12345, "kl")
    ('12.35 %', '0.1235 nats')
    """
    return f"{number(value)} nats" if metric == "kl" and value is not None else percent(value)


def _short_loss(value: float, metric: str) -> str:
    return loss(value, metric) if metric == "kl" else percent(value, 1)


def drawn(plan: Plan, rows: str) -> tuple[str, str, str]:
    """What a curve draws: the name of its metric, and the keys of value and interval.

    Test rows may lack the soft labels that validation rows have: their mistakes are drawn then.
    """
    metric = plan["metric"]
    key = f"{rows}_{metric}"
    if metric != "error" and any(row[key] is not None for row in plan["curve"]):
        return metric, key, f"{key}_interval"
    return "error", f"{rows}_error", f"{rows}_interval"


LOSSES = {
    "error": "error",
    "balanced": "balanced error (mean over classes)",
    "kl": "divergence from soft labels (KL)",
}
SHORT = {"error": "error", "balanced": "balanced error", "kl": "KL"}


def base_rate(plan: Plan) -> str:
    """What always saying one class gets wrong, to hold the errors against.

    >>> base_rate({"base_rate": {"name": "no", "test_error": 0.04, "balanced": 0.5}, "metric": "error"})
    'Always saying no gets 4.00 % of the test rows wrong.'
    """
    base = plan["base_rate"]
    if base is None or base["name"] is None or base["test_error"] is None:
        return ""
    said = f"Always saying {base['name']} gets {percent(base['test_error'])} of the test rows wrong"
    if plan["metric"] == "balanced":
        said += f", a balanced error of {percent(base['balanced'])}"
    return f"{said}."


def points(value: float | None, metric: str) -> str:
    """A loss without its unit, for columns: errors in percent, divergence in nats."""
    return number(value) if metric == "kl" else hundredths(value)


def points_span(interval: Sequence[float | None] | None, metric: str) -> str:
    """An interval of such losses.

    >>> points_span([0.1, 0.25], "balanced"), points_span([0.1, 0.25], "kl"), points_span(None, "kl")
    ('10.00–25.00', '0.1–0.25', '–')
    """
    return MISSING if interval is None else "–".join(points(end, metric) for end in interval)


def hundredths(value: float | None) -> str:
    """A share in percent without its sign, for columns of them."""
    return MISSING if value is None else f"{100 * value:.2f}"


def hundredths_span(interval: Sequence[float | None] | None) -> str:
    """An interval of shares in percent.

    >>> hundredths_span([0.1, 0.25]), hundredths_span(None)
    ('10.00–25.00', '–')
    """
    return MISSING if interval is None else "–".join(map(hundredths, interval))


def number(value: Any, digits: int = 4) -> str:
    """Whole numbers with thousands apart, others to some digits, huge ones by their power of ten.

    >>> number(12560), number(0.123456), number(4.1e12), number(None), number(True)
    ('12,560', '0.1235', '4.1e+12', '–', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (int, float)):
        return MISSING if value is None else str(value)
    return f"{value:,.0f}" if abs(value) < 1e9 and value == round(value) else f"{value:.{digits}g}"


def width_span(interval: Sequence[float | None] | None, widest: Width) -> str:
    """An interval of widths; a missing end lies beyond the widest width tried.

    >>> width_span([2, 8], 128), width_span([16, None], 128), width_span([None, None], 128)
    ('2 to 8', '16 to over 128', 'over 128')
    >>> width_span([0.125, None], 1.0)
    '×1/8 to over ×1'
    """
    if interval is None:
        return MISSING
    multiplied = isinstance(widest, float)
    low, high = (
        f"over {width_text(widest)}"
        if end is None
        else width_text(end)
        if multiplied
        else f"{end:g}"
        for end in interval
    )
    return low if low == high else f"{low} to {high}"


def ratio_span(part: Plan, wider: Plan | None) -> str:
    """The interval of a ratio of least widths.

    Where `wider`, the least width on top of the fraction, was not reached in some redrawings, the
    widest width tried stands in for it and the upper end is a lower bound.

    >>> ratio_span({"interval": [4.0, 64.0]}, {"interval": [64, None]})
    '4 to at least 64'
    """
    if part["interval"] is None:
        return MISSING
    low, high = part["interval"]
    open_end = wider is not None and wider["interval"] is not None and wider["interval"][1] is None
    return f"{number(low)} to {'at least ' if open_end and low != high else ''}{number(high)}"


def headline(plan: Plan) -> str:
    """What to do, in a line: the labels and the width, and what is not sure of it."""
    labels, width = plan["recommendation"]["labels"], plan["recommendation"]["width"]
    use = {"soft": "Use soft labels", "hard": "Use hard labels"}
    text = use.get(labels, "Either kind of labels will do")
    told = [kind for kind in use if plan[kind]]
    enough = [kind for kind in told if plan[kind]["width"] is not None]
    if width is None:
        none = labels == "either" and told
        return "No width that was tried is enough with either kind of labels" if none else text
    if labels == "either" and len(told) == 2 and len(enough) == 1:
        (kind,) = enough
        doubt = f"{'hard' if kind == 'soft' else 'soft'} ones may do as well, but no width tried was enough with them"
        return f"{use[kind]}, width {width_text(width)}: {doubt}"
    if labels == "either" and plan["gain"]["matters"]:
        better = "soft" if plan["gain"]["value"] > 0 else "hard"
        return f"{text}, width {width_text(width)}; at equal width {better} ones are better"
    return f"{text}, width {width_text(width)}"


def gained(gain: Mapping[str, Any] | None, metric: str) -> str:
    """How much less one kind of labels loses at equal width.

    >>> gained({"value": 0.0123, "interval": [-0.001, 0.02]}, "error")
    '1.23 points'
    """
    if gain is None or gain["value"] is None:
        return MISSING
    return f"{number(gain['value'])} nats" if metric == "kl" else f"{_points(gain['value'])} points"


def gain_span(gain: Mapping[str, Any] | None, metric: str) -> str:
    """Its interval.

    >>> gain_span({"value": 0.0123, "interval": [-0.001, 0.02]}, "error")
    '-0.1 to 2'
    """
    if gain is None or gain["interval"] is None or None in gain["interval"]:
        return MISSING
    low, high = (number(end) if metric == "kl" else _points(end) for end in gain["interval"])
    return f"{low} to {high}"


def _points(share: float) -> str:
    return number(100 * share, 3)


def how_sure(plan: Plan) -> str:
    """What the interval of the saving says, for readers who do not read intervals."""
    saving = plan["saving"]
    if saving["interval"] is None or None in saving["interval"]:
        return ""
    low, high = saving["interval"]
    redrawn = (
        f"In {100 * plan['level']:g} of 100 redrawings of seeds and held-out rows, hard labels took "
        f"{ratio_span(saving, plan['hard'])} times the width of soft labels"
    )
    if low > 1:
        return f"{redrawn}. That is more throughout: not the luck of the draw."
    if high < 1:
        return f"{redrawn}. That is less throughout: soft labels cost width here."
    if plan["gain"]["matters"]:
        better = "soft" if plan["gain"]["value"] > 0 else "hard"
        return (
            f"{redrawn}. That includes 1: no width is surely saved, though at equal width "
            f"{better} labels are better in as many redrawings."
        )
    return (
        f"{redrawn}. That includes 1, no difference: these rows and seeds cannot tell the two apart. "
        "More held-out rows or a longer search (--budget) would narrow it."
    )


def describe_curves(plan: Plan, rows: str) -> str:
    """Alternative text of a width curve: both ends of every kind's curve, and the target."""
    metric, key, _ = drawn(plan, rows)
    said = [f"{rows.capitalize()} {LOSSES[metric]} against width, {plan['level']:.0%} intervals."]
    for kind in kinds(plan["curve"]):
        points = sorted(
            (row["width"], row[key])
            for row in plan["curve"]
            if row["labels"] == kind and row[key] is not None
        )
        ends = [
            f"{_short_loss(value, metric)} at width {width_text(width)}" for width, value in points
        ]
        said.append(f"{NAMES[kind]}: {' to '.join(dict.fromkeys(ends[:1] + ends[-1:]))}.")
    if rows == "validation" and plan["target"] is not None:
        said.append(f"Target: {_short_loss(plan['target'], plan['metric'])}.")
    return " ".join(said)


def kinds(rows: Sequence[Mapping[str, Any]], key: str = "labels") -> list[str]:
    """The kinds among some rows, in the order of `NAMES`."""
    found = {row[key] for row in rows}
    return [kind for kind in NAMES if kind in found]


def health(plan: Plan) -> list[tuple[str, str, str]]:
    """What the soft labels are worth: measure, value, and what the value means."""
    of = plan["labels"]["health"]
    measures = [
        (
            "right on the rows the teacher learned from",
            percent(of["train_accuracy"], 1),
            "If far above the next line, the teacher has learned these rows by heart.",
        ),
        (
            "right on validation rows",
            percent(of["held_out_accuracy"], 1),
            "Rows that the teacher did not learn from.",
        ),
        (
            "top class equals the label, students' rows",
            percent(of["accuracy"], 1),
            "At 100 % the control trains on the hard labels themselves.",
        ),
        (
            "distance from hard labels, mean |p - y|, students' rows",
            number(of["distance"], 3),
            "The probability that is not on the true class. At 0 the soft labels are hard labels.",
        ),
        (
            "the same on validation rows",
            number(of["held_out_distance"], 3),
            "If far above the line before, the teacher knows the students' rows by heart.",
        ),
        (
            "calibration error, validation rows",
            number(of["calibration_error"], 3),
            "By how much confidence and accuracy differ on average. At 0, of all rows "
            "said to be 80 % sure, 80 % are right.",
        ),
        (
            "temperature",
            number(of["temperature"], 3),
            "Above 1 the teacher was too sure and was softened; set on validation rows.",
        ),
    ]
    return [measure for measure in measures if measure[1] != MISSING]


CONFIDENCE = (
    ("log_loss", "log loss, nats", "Mean surprise at the label. Smaller is better."),
    ("brier", "Brier score", "Mean squared distance from the label. Smaller is better."),
    ("ece", "calibration error (ECE)", "How far confidence and accuracy lie apart. At 0, of all rows said to be 80 % sure, 80 % are right."),
    ("test_kl", "KL from soft labels, nats", "How far the predictions are from held-out soft labels; 0 repeats them."),
    ("manhattan", "Manhattan distance from soft labels", "Sum of the differences over the classes, 0 to 2."),
    ("entropy_correlation", "entropy correlation", "At 1 the student is unsure of the same rows as the soft labels are."),
)  # fmt: skip


def confidence(plan: Plan) -> tuple[list[str], list[tuple[str, list[str], str]]]:
    """Calibration on test rows: the students shown, and per measure their values and its meaning."""
    shown = [(kind, _shown(plan, kind)) for kind in ("soft", "hard")]
    rows = [(kind, row) for kind, row in shown if row is not None]
    measures = [
        (name, [number(row[key], 3) for _, row in rows], meaning)
        for key, name, meaning in CONFIDENCE
        if any(row[key] is not None for _, row in rows)
    ]
    return [f"{kind}, width {width_text(row['width'])}" for kind, row in rows], measures


def _shown(plan: Plan, kind: str) -> Mapping[str, Any] | None:
    """The curve row at the least width of a label kind, or at the widest tried."""
    rows = {row["width"]: row for row in plan["curve"] if row["labels"] == kind}
    least = (plan[kind] or {}).get("width")
    return rows.get(least, rows[max(rows)]) if rows else None


def saved(plan: Plan) -> str:
    """Parameters and multiply-adds that soft labels save.

    >>> saved({"saving": {"saved": {"parameters": 650, "operations": -3}, "at_least": True}})
    'At the least widths that is at least 650 parameters less and 3 multiply-adds a prediction more.'
    """
    found = plan["saving"]["saved"] or {}
    if None in (found.get("parameters"), found.get("operations")):
        return ""
    parts = [
        f"{number(abs(found[key]))} {what} {'less' if found[key] >= 0 else 'more'}"
        for key, what in (
            ("parameters", "parameters"),
            ("operations", "multiply-adds a prediction"),
        )
    ]
    bound = "at least " if plan["saving"]["at_least"] else ""
    return f"At the least widths that is {bound}{' and '.join(parts)}."


def rounds(plan: Plan) -> list[tuple[str, list[str]]]:
    """Rows of the table of rounds: number, and what was done, spent and known after each."""
    widest, table = max(row["width"] for row in plan["curve"]), []
    for place, entry in enumerate(plan["search"]["rounds"], 1):
        seeds = ", ".join(f"{_named(w, widest)}: {number(n)}" for w, n in entry["seeds"].items())
        spans = [width_span(entry["intervals"].get(kind), widest) for kind in ("soft", "hard")]
        saving = ratio_span(entry["saving"], None)
        students, seconds = number(entry["students"]), number(entry["seconds"], 2)
        why = "; ".join(entry["why"])
        table.append((str(place), [why, seeds, students, seconds, *spans, saving]))
    return table


def _named(key: str, widest: Width) -> str:
    """A width that is the key of a mapping, in words.

    >>> _named("4", 128), _named("0.125", 1.0)
    ('4', '×1/8')
    """
    try:
        return width_text(type(widest)(key))
    except ValueError:
        return key


def remake(plan: Plan) -> list[tuple[str, str]]:
    """What to type to have a plan again: words, and the line.

    >>> remake({"command": None, "spec": {"noise": 0.4, "seeds": 5}})[0][1]
    'softwidth.plan(data, noise=0.4)'
    """
    if plan["command"]:
        return [
            ("The command that makes it again:", plan["command"]),
            (
                "The same rounds on a machine of any speed, from the file beside this page:",
                "softwidth plan --spec plan.toml",
            ),
        ]
    usual = {} if plan.get("family") else PlanSpec().model_dump(mode="json")
    asked = {k: v for k, v in plan["spec"].items() if v is not None and v != usual.get(k)}
    first = ["make_student", "data"] if plan.get("family") else ["data"]
    told = ", ".join([*first, *(f"{name}={value!r}" for name, value in asked.items())])
    call = "softwidth.deep.plan" if plan.get("family") else "softwidth.plan"
    return [("In Python, with the same data:", f"{call}({told})")]


def margin_words(margin: Mapping[str, Any]) -> str:
    """Where the margin lies, and what that means.

    >>> margin_words({"kind": "kernel", "lower": 0.0410013, "upper": 0.0410014})
    'The kernel margin of the rows is 0.041.'
    """
    low, high = number(margin["lower"]), number(margin["upper"])
    said = f"The {margin['kind']} margin of the rows "
    if margin["upper"] is not None and margin["upper"] <= 0:
        return f"{said}is 0: no network of this kind, however wide, gets all of them right."
    return f"{said}is {low}." if low == high else f"{said}lies between {low} and {high}."


def sufficient(theory: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Rows of the table of sufficient settings, named by theorem and labels: `SETTINGS` of each.

    >>> sufficient({"soft": {"width": 64, "steps": 9}, "paper": {"hard": None}})
    [('soft', ['64', '9', '–', '–'])]
    """
    return [
        (f"{kind}{whose}", [_short(group[kind].get(name)) for name in SETTINGS])
        for group, whose in ((theory, ""), (theory.get("paper"), ", paper as printed"))
        for kind in ("soft", "hard")
        if isinstance(group, Mapping) and isinstance(group.get(kind), Mapping)
    ]


def _short(value: Any) -> str:
    """A number in the width of a phone's column.

    >>> _short(163_126_050), _short(290_562), _short(0.000134119)
    ('1.63e8', '290,562', '1.34e-4')
    """
    if isinstance(value, (int, float)) and value and not 1e-3 <= abs(value) < 1e6:
        digits, power = f"{value:.2e}".split("e")
        return f"{float(digits):g}e{int(power)}"
    return number(value, 3)


def further(theory: Mapping[str, Any]) -> list[Table]:
    """Tables of all else that theory says."""
    return tables({key: value for key, value in theory.items() if key not in SAID_ELSEWHERE})


def tables(values: Mapping[str, Any]) -> list[Table]:
    """Nested results as tables, one for each mapping of plain values.

    Returns
    -------
    list of (caption, rows)
        The caption is the mapping's keys from the root; rows are names and values.

    Examples
    --------
    >>> tables({"bound": {"kl": 0.25, "holds": True}, "seeds": [1, 2]})
    [('bound', [('kl', '0.25'), ('holds', 'yes')]), ('seeds', [('value', '1; 2')])]
    """
    leaves = (leaf for key, value in values.items() for leaf in _leaves(value, key))
    return [
        (CAPTIONS.get(name, name), [(key, number(value)) for key, value in leaf.items()])
        for name, leaf in leaves
        if leaf
    ]


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Mappings of plain values below `value`, with their keys from the root as names."""
    if isinstance(value, list) and any(isinstance(entry, (Mapping, list)) for entry in value):
        value = {str(position): entry for position, entry in enumerate(value, 1)}
    if isinstance(value, list):
        yield name, {"value": "; ".join(map(number, value))}
    elif not isinstance(value, Mapping):
        yield name, {"value": value}
    elif any(isinstance(entry, (Mapping, list)) for entry in value.values()):
        for key, entry in value.items():
            yield from _leaves(entry, f"{name}, {key}")
    else:
        yield name, value
