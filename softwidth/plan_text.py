"""A plan on a terminal: the table of errors, least widths, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from softwidth._types import width_text
from softwidth.page_text import SHORT, base_rate, headline, loss
from softwidth.plan_form import complete

KINDS = ("hard", "argmax", "soft")


def print_plan(plan: Mapping[str, Any], page: Path) -> None:
    """Print the content of ``plan.json`` to stdout for a person to read."""
    console = Console()
    console.print(_headline(plan))
    console.print(_table(plan))
    reason = plan["recommendation"]["reason"]
    for warning in plan["warnings"]:
        if warning not in reason:
            console.print(Text(f"Note: {warning}"))
    console.print(Text(f"{plan['search']['said']} {_spent(plan)}"))
    console.print(Text(reason))
    if plan.get("votes"):
        console.print(Text(plan["votes"]["said"]))
    console.print(Text(f"{headline(plan)}.", style="bold"))
    console.print(Text(f"{page}", style="cyan"), soft_wrap=True)


def _headline(plan: Mapping[str, Any]) -> Text:
    data, labels = plan["data"], plan["labels"]
    return Text(
        f"{data['name']} ({' against '.join(data['classes'][:10])}): {data['students_rows']:,} "
        f"students' rows, {data['validation_rows']:,} to choose by, {data['test_rows']:,} to test; "
        f"soft labels: {labels['source']}, {labels['regime']}, "
        f"mean |p - y| {labels['health']['distance']:.3f}"
    )


def _table(plan: Mapping[str, Any]) -> Table:
    """Test error in % ± standard deviation over seeds; a star marks the least width."""
    rows = {(row["labels"], row["width"]): row for row in plan["curve"]}
    short = SHORT[plan["metric"]]
    what = "balanced error, % mean" if plan["metric"] == "balanced" else "error, % ± sd"
    said = base_rate(complete(plan))
    target = f"* least width: validation {short} at most {loss(plan['target'], plan['metric'])}"
    table = Table(title=f"test {what} over seeds", caption=f"{target}\n{said}".strip())
    for column in ("width", *KINDS):
        table.add_column(column, justify="right")
    for width in sorted({width for _, width in rows}):
        cells = [
            _cell(rows[kind, width], plan["metric"], plan[kind]["width"] == width) for kind in KINDS
        ]
        table.add_row(width_text(width), *cells)
    return table


def _cell(row: Mapping[str, Any], metric: str, least: bool) -> str:
    if metric == "balanced":
        return f"{100 * row['test_balanced']:.2f} {'*' if least else ' '}"
    spread = "" if row["test_sd"] is None else f" ± {100 * row['test_sd']:.2f}"
    return f"{100 * row['test_error']:.2f}{spread} {'*' if least else ' '}"


def _spent(plan: Mapping[str, Any]) -> str:
    """Seconds by what they were spent on."""
    parts = [
        f"{what} {seconds:.1f} s" for what, seconds in plan["spent"].items() if seconds >= 0.05
    ]
    return f"{len(plan['search']['rounds'])} rounds; {', '.join(parts)}."
