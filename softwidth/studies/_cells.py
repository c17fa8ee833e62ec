"""From a line of a study's table back to the students behind it: their spec, and their rows' ids.

A cell is what differs in nothing but seeds. Its name is the hash of that spec and stands in the
column ``spec`` of a table; ``NAME.specs.jsonl`` beside the table holds the spec itself and the
seeds, from which the ids of the stored rows follow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from softwidth.store import Row, spec_id

SEEDS = ("seed", "label_seed", "teacher_seed")
DIGITS = 12  # of the name: of 1,000 cells two are alike once in 10^8 tables


def cell_name(spec: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits for all seeds of a spec.

    >>> cell_name({"width": 8, "seed": 0}) == cell_name({"width": 8, "seed": 7})
    True
    """
    return spec_id(_settings(spec))[:DIGITS]


def _settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in SEEDS}


def cell_lines(rows: Iterable[Row], wanted: Iterable[str]) -> str:
    """JSON Lines: name, settings and seeds of every cell that is wanted, in that order."""
    students: dict[str, list[Row]] = {name: [] for name in wanted}
    for row in rows:
        students.get(cell_name(row.spec), []).append(row)
    return "".join(json.dumps(_line(name, of_cell)) + "\n" for name, of_cell in students.items())


def _line(name: str, rows: list[Row]) -> dict[str, Any]:
    seeds = {seed: [row.spec[seed] for row in rows] for seed in SEEDS if seed in rows[0].spec}
    return {"spec": name, **seeds, "settings": _settings(rows[0].spec)}


def stored_ids(line: Mapping[str, Any]) -> list[str]:
    """The ids of a cell's rows in the store.

    Parameters
    ----------
    line : mapping
        A line of ``NAME.specs.jsonl``, read.
    """
    names = [name for name in SEEDS if name in line]
    students = zip(*(line[name] for name in names), strict=True)
    return [
        spec_id({**line["settings"], **dict(zip(names, seeds, strict=True))}) for seeds in students
    ]
