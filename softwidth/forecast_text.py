"""A forecast on a terminal: what was measured at which size, and what to expect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from softwidth.forecast_page import table


def print_forecast(forecast: Mapping[str, Any], page: Path) -> None:
    """Print the content of ``forecast.json`` to stdout for a person to read."""
    console = Console()
    data, labels = forecast["data"], forecast["labels"]
    console.print(
        Text(
            f"{data['name']} ({' against '.join(data['classes'][:10])}): soft labels: "
            f"{labels['source']}, {labels['regime']}; {data['validation_rows']:,} rows to judge by"
        )
    )
    shown = Table(title="least widths and saving, 95 % intervals in brackets")
    for column in ("rows", "soft", "hard", "control", "saving"):
        shown.add_column(column, justify="right")
    for name, cells in table(forecast):
        shown.add_row(name, *cells[:4])
    console.print(shown)
    for warning in forecast["warnings"]:
        console.print(Text(f"Note: {warning}"))
    console.print(Text(forecast["recommendation"]["reason"], style="bold"))
    console.print(Text(f"{page}", style="cyan"), soft_wrap=True)
