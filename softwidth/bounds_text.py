"""What theorems find sufficient, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

FIELDS = ("width", "steps", "radius", "step_size")


def print_bounds(found: Mapping[str, Any]) -> None:
    """Print the content of `Bounds.as_dict` to stdout for a person to read."""
    table = Table(title="sufficient, by theorem")
    for column in ("labels", "theorem", *(name.replace("_", " ") for name in FIELDS)):
        table.add_column(column, justify="left" if column in {"labels", "theorem"} else "right")
    for theorem, group in (("derived", found), ("paper, as printed", found["paper"])):
        for kind in ("soft", "hard"):
            if group[kind] is not None:
                table.add_row(kind, theorem, *(_short(group[kind][name]) for name in FIELDS))
    console = Console()
    console.print(table)
    for name, value in found["crossover"].items():
        if value is not None:
            console.print(
                f"Soft labels' sufficient width is the smaller below a margin of {value:.3g} ({name})."
            )
    console.print(
        Text(
            "Sufficient is not necessary: at the margins of real data these widths say little; "
            "`softwidth plan` measures."
        )
    )
    for assumption, holds in found["assumptions"].items():
        if holds is not True:
            console.print(Text(f"{'Not given' if holds is False else 'Assumed'}: {assumption}."))


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
