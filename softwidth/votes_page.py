"""How many votes a row are worth paying for, on a plan's page: a figure and a table of what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from softwidth.page_text import LOSSES, MISSING, hundredths, hundredths_span, number, width_span

Plan = Mapping[str, Any]
NAMES = {"soft": "shares of the votes", "hard": "majority of the votes"}
USE = {"soft": "soft", "hard": "hard", "either": "either"}
APART = 2**0.05  # between the marks of two kinds, as a factor


def votes_curve(plan: Plan) -> Any:
    """Validation loss against votes a row, shares and majority, beside the given labels."""
    import altair as alt

    from softwidth.charts import COLOURS, NUMBERS, SHAPES, framed

    metric, votes = plan["metric"], plan["votes"]
    rows = list(_points(plan))
    title, (digits, ticks) = f"validation {LOSSES[metric]}", NUMBERS[metric]
    steps = sorted({row["votes"] for row in rows})
    domain = [steps[0] / 1.15, steps[-1] * 1.15]
    x = alt.X(
        "place:Q",
        title="votes a row",
        scale=alt.Scale(type="log", domain=domain, nice=False),
        axis=alt.Axis(values=steps, format="d", grid=False, labelOverlap=True),
    )
    y = alt.Y("loss:Q", title=title, axis=alt.Axis(format=ticks), scale=alt.Scale(zero=False))
    named = "".join(f"datum.label == '{kind}' ? '{NAMES[kind]}' : " for kind in NAMES)
    scale = alt.Scale(domain=list(NAMES), range=[COLOURS[kind] for kind in NAMES])
    legend = alt.Legend(
        title=None, orient="top", direction="vertical", labelExpr=f"{named}''", labelLimit=320,
        labelFontSize=12, symbolOpacity=1, symbolStrokeWidth=0,
    )  # fmt: skip
    shapes = alt.Scale(domain=list(NAMES), range=[SHAPES[kind] for kind in NAMES])
    tips = [
        alt.Tooltip("name:N", title="labels"),
        alt.Tooltip("votes:Q", title="votes a row"),
        alt.Tooltip("loss:Q", title=title, format=digits),
        alt.Tooltip("low:Q", title=f"from ({plan['level']:.0%} interval)", format=digits),
        alt.Tooltip("high:Q", title="to", format=digits),
    ]
    colour = alt.Color("kind:N", scale=scale, legend=legend)
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, color=colour, tooltip=tips)
    layers = [
        base.mark_rule(strokeWidth=2, opacity=0.7).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2.5).encode(y=y),
        base.mark_point(filled=True, size=65).encode(
            y=y, shape=alt.Shape("kind:N", scale=shapes, legend=legend)
        ),
    ]
    given = _given(plan)
    if given is not None:
        line = alt.Chart(alt.Data(values=[{"loss": given}]))
        rule = line.mark_rule(strokeDash=[3, 3], strokeWidth=1.5, color=COLOURS["argmax"])
        layers.insert(0, rule.encode(y=y, tooltip=[alt.Tooltip("loss:Q", title="given labels", format=digits)]))  # fmt: skip
    return framed(alt.layer(*layers), f"{title.capitalize()} against votes a row. {votes['said']}")


def _points(plan: Plan) -> Iterator[dict[str, Any]]:
    for side, kind in ((1 / APART, "soft"), (APART, "hard")):
        for step in plan["votes"]["steps"]:
            of = step[kind]
            if of["validation"] is not None:
                low, high = of["interval"] or (None, None)
                yield {
                    "kind": kind,
                    "name": NAMES[kind],
                    "votes": step["votes"],
                    "place": step["votes"] * side,
                    "loss": of["validation"],
                    "low": of["validation"] if low is None else low,
                    "high": of["validation"] if high is None else high,
                }


def _given(plan: Plan) -> float | None:
    """Validation loss with the given labels at the same width: hard labels of the plan itself."""
    key = f"validation_{plan['metric']}"
    for row in plan["curve"]:
        if (row["labels"], row["width"]) == ("hard", plan["votes"]["width"]):
            return row.get(key)
    return None


def has_votes(plan: Plan) -> bool:
    """Whether there is something to draw."""
    return plan["votes"] is not None and any(True for _ in _points(plan))


def votes_heads(plan: Plan) -> list[str]:
    """Heads of the table."""
    unit = "KL, nats" if plan["metric"] == "kl" else "error, %"
    heads = ["votes a row", f"shares: {unit}", f"majority: {unit}", "majority - shares"]
    return [*heads, "least width, shares", "majority", "saving", "use"] if _decided(plan) else heads


def votes_table(plan: Plan) -> list[tuple[str, list[str]]]:
    """Rows of the table, one a step."""
    widest = max(plan["votes"]["widths"], default=0)
    rows = []
    for step in plan["votes"]["steps"]:
        cells = [_loss(plan, step[kind]["validation"], step[kind]["interval"]) for kind in NAMES]
        cells.append(_loss(plan, step["more"]["difference"], step["more"]["interval"]))
        if _decided(plan):
            cells += [_least(step["least"].get(kind), widest) for kind in NAMES]
            cells += [_ratio(step["saving"]), USE.get(step["labels"], MISSING)]
        rows.append((f"{'all, ' if step['all'] else ''}{step['votes']:,}", cells))
    return rows


def _decided(plan: Plan) -> bool:
    return any(step["labels"] for step in plan["votes"]["steps"])


def _loss(plan: Plan, value: float | None, interval: Any) -> str:
    """A loss with its interval, in percent or nats."""
    if plan["metric"] != "kl":
        return f"{hundredths(value)} ({hundredths_span(interval).replace('–', ' to ')})"
    ends = MISSING if interval is None else " to ".join(number(end) for end in interval)
    return f"{number(value)} ({ends})"


def _least(least: Any, widest: int) -> str:
    if not least:
        return MISSING
    return f"{least['width'] or f'over {widest}'} ({width_span(least['interval'], widest)})"


def _ratio(saving: Any) -> str:
    if not saving or saving["ratio"] is None:
        return MISSING
    bound = "at least " if saving["at_least"] else ""
    ends = " to ".join(number(end, 3) for end in saving["interval"] or (None, None))
    return f"{bound}{number(saving['ratio'], 3)} ({ends})"
