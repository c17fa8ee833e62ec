"""The tables of a stored plan as rows of plain values, for CSV and Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from softwidth.plan_form import complete
from softwidth.store_tables import check_suffix, write_table

TABLES = ("curve", "classes", "calibration", "training_curves", "step_sizes")


def rows_of(plan: Mapping[str, Any], table: str = "curve") -> list[dict[str, Any]]:
    """The rows of a table of `TABLES`: intervals as two columns, columns without a value left out.

    Examples
    --------
    >>> row = {"labels": "soft", "width": 4, "test_interval": [0.1, 0.2]}
    >>> rows_of({"recommendation": {"labels": "soft"}, "curve": [row]})
    [{'labels': 'soft', 'width': 4, 'test_low': 0.1, 'test_high': 0.2}]
    """
    rows = [dict(_flat(row)) for row in complete(plan)[table]]
    known = {name for row in rows for name, value in row.items() if value is not None}
    return [{name: value for name, value in row.items() if name in known} for row in rows]


def _flat(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if name.endswith("_interval"):
            stem = name.removesuffix("_interval")
            yield from zip((f"{stem}_low", f"{stem}_high"), value or (None, None), strict=True)
        elif isinstance(value, Mapping):
            yield from ((f"{name}_{key}", entry) for key, entry in value.items())
        else:
            yield name, value


def csv_text(rows: list[dict[str, Any]]) -> str:
    r"""Rows as comma-separated text with a header.

    >>> csv_text([{"labels": "soft", "width": 4}])
    'labels,width\r\nsoft,4\r\n'
    """
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_rows(plan: Mapping[str, Any], path: str | Path) -> Path:
    """Write the points of the width curves as a ``.csv`` or ``.parquet`` file.

    Raises
    ------
    ArgumentError
        Another suffix, or a path that cannot be written.
    DataFileError
        If `plan` does not hold what a plan holds.
    """
    import pandas

    path = check_suffix(path)
    return write_table(pandas.DataFrame(rows_of(plan)), path)


def file_name(plan: Mapping[str, Any]) -> str:
    """The data's name as the beginning of a file's: letters, digits, hyphens.

    >>> file_name({"data": {"name": "../<b>my data"}})
    'b-my-data'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", plan["data"]["name"]).strip("-")[:60] or "plan"
