"""The list of studies as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def print_studies(listed: Sequence[dict[str, str]]) -> None:
    """Name, claim, cost and last verdict of each."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("study", "claim", "cost", "last verdict"):
        table.add_column(heading)
    for each in listed:
        table.add_row(*(Text(each[key]) for key in ("name", "claim", "cost", "verdict")))
    Console().print(table)
