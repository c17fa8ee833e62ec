"""A stored plan as one self-contained page: nothing is computed here, and nothing is fetched."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from softwidth._checks import DataFileError, MissingDataError, check_path
from softwidth._output import write_whole
from softwidth._types import Width, width_text
from softwidth.plan_form import complete

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
    from softwidth import charts, page_text, votes_page
    from softwidth.plan_tables import TABLES, csv_text, file_name, rows_of

    whole = complete(plan)
    scripts = [_vega(), _source("report.js"), _source("print.js")]
    return _template().render(
        plan=whole,
        rows=_by_width(whole),
        shown=page_text.kinds(whole["curve"]),
        text=page_text,
        votes=votes_page,
        colours=charts.COLOURS,
        shapes=charts.SHAPES,
        figures={name: _script_json(chart) for name, chart in _figures(whole).items()},
        spec=json.dumps(whole["spec"], indent=1, ensure_ascii=False),
        stored=_script_json(plan),
        csv={name: _base64(csv_text(rows_of(whole, name))) for name in TABLES},
        file_name=file_name(whole),
        style=_source("report.css"),
        scripts=scripts,
        digests=[_digest(script) for script in scripts],
    )


def read_stored(path: str | Path) -> dict[str, Any]:
    """The content of a ``plan.json``.

    Raises
    ------
    MissingDataError, DataFileError
        No such file; no JSON object, or an unlikely large one.
    """
    path = check_path("stored", path)
    if not os.path.isfile(path):
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


def _figures(plan: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The charts that have something to show, by name."""
    from softwidth import charts
    from softwidth.votes_page import has_votes, votes_curve

    has_rows = {
        charts.validation_curve: _drawn(plan, "validation"),
        charts.test_curve: _drawn(plan, "test"),
        charts.calibration: bool(plan["calibration"]),
        votes_curve: has_votes(plan),
        charts.training_curves: any((row["kl"] or 0) > 0 for row in plan["training_curves"]),
    }
    return {
        make.__name__: make(plan).to_dict(validate=False) for make, some in has_rows.items() if some
    }


def _drawn(plan: Mapping[str, Any], rows: str) -> bool:
    """Whether any point of a width curve is known."""
    from softwidth.page_text import drawn

    return any(row[drawn(plan, rows)[1]] is not None for row in plan["curve"])


def _by_width(plan: Mapping[str, Any]) -> dict[Width, dict[str, Mapping[str, Any]]]:
    """Curve rows by width, then by label kind."""
    rows: dict[Width, dict[str, Mapping[str, Any]]] = {}
    for row in sorted(plan["curve"], key=lambda row: row["width"]):
        rows.setdefault(row["width"], {})[row["labels"]] = row
    return rows


def _options(sentence: str) -> Any:
    """A sentence, escaped, in which options such as ``--seeds`` are code and stay on one line.

    >>> str(_options("More seeds (--seeds) <b>"))
    'More seeds (<code>--seeds</code>) &lt;b&gt;'
    """
    from markupsafe import Markup, escape

    marked = re.sub(r"(?<!\S)(\(?)(--[a-z][a-z-]*)", r"\1<code>\2</code>", str(escape(sentence)))
    return Markup(marked)  # noqa: S704 - escaped above


def _script_json(value: Any) -> str:
    """JSON that can stand in a script element: no ``<``, so no end tag and no comment."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _digest(script: str) -> str:
    """What the page's content security policy calls a script that may run: these, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the installed package."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("softwidth"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(name: str) -> str:
    """A file that stands beside the template, as it is."""
    return _environment().loader.get_source(_environment(), name)[0]


def environment() -> Any:
    """The templates with the filters that pages share."""
    from softwidth import page_text

    found = _environment()
    found.filters.update(
        percent=page_text.percent, number=page_text.number, width=width_text, options=_options
    )
    return found


def _template() -> Any:
    return environment().get_template("report.html.j2")
