"""A stored plan as one self-contained page: nothing is computed here, and nothing is fetched."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from softwidth._checks import DataFileError, MissingDataError
from softwidth._output import write_whole

LARGEST = 2**26  # bytes of a stored plan; a plan of 100 curve points has 0.1 MB


def write_page(plan: Mapping[str, Any], path: str | Path) -> Path:
    """Write the page of a plan.

    Parameters
    ----------
    plan : mapping
        The content of ``plan.json``.
    path : str or Path

    Returns
    -------
    Path

    Raises
    ------
    ArgumentError
        If the path cannot be written; nothing is left behind.
    DataFileError
        If `plan` does not hold what a plan holds.
    """
    return write_whole("out", path, page(plan))


def page(plan: Mapping[str, Any]) -> str:
    """The page of a plan as HTML, every value of it escaped."""
    from jinja2 import TemplateError

    from softwidth import charts

    try:
        figures = {
            "validation": charts.validation_curve(plan),
            "test": charts.test_curve(plan),
            "calibration": charts.calibration(plan),
            "training": charts.training_curves(plan),
        }
        return _template().render(
            plan=plan,
            rows=_by_width(plan),
            names=charts.NAMES,
            colours=charts.COLOURS,
            figures={name: _script_json(chart.to_dict()) for name, chart in figures.items()},
            stored=_script_json(plan),
            vega=_vega(),
        )
    except (KeyError, TypeError, ValueError, AttributeError, TemplateError) as error:
        raise DataFileError(f"this is not a stored plan: {type(error).__name__} {error}.") from None


def read_stored(path: str | Path) -> dict[str, Any]:
    """The content of a ``plan.json``.

    Raises
    ------
    MissingDataError, DataFileError
        No such file; no JSON object, or an unlikely large one.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"there is no file {str(path)!r}.")
    if path.stat().st_size > LARGEST:
        raise DataFileError(f"{path.name} is larger than any plan ({LARGEST / 2**20:.0f} MiB).")
    try:
        stored = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise DataFileError(f"{path.name} is not readable JSON: {error}.") from None
    if not isinstance(stored, dict):
        raise DataFileError(f"{path.name} holds no JSON object.")
    return stored


def _by_width(plan: Mapping[str, Any]) -> dict[int, dict[str, Mapping[str, Any]]]:
    """Curve rows by width, then by label kind."""
    rows: dict[int, dict[str, Mapping[str, Any]]] = {}
    for row in sorted(plan["curve"], key=lambda row: row["width"]):
        rows.setdefault(row["width"], {})[row["labels"]] = row
    return rows


def _script_json(value: Any) -> str:
    """JSON that can stand in a script element: no ``<``, so no end tag and no comment."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the installed package."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


@functools.cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("softwidth"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, number=_number, span=_span)
    return environment.get_template("report.html.j2")


def _percent(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _number(value: float | None, digits: int = 4) -> str:
    """Whole numbers with thousands apart, others to some digits.

    >>> _number(12560), _number(0.123456), _number(None)
    ('12,560', '0.1235', '–')
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if value == round(value) else f"{value:.{digits}g}"


def _span(interval: list[float | None], widest: int) -> str:
    """A width interval in words: a missing end lies beyond the widest width tried."""
    low, high = (f"over {widest}" if end is None else f"{end:g}" for end in interval)
    return low if low == high else f"{low} to {high}"
