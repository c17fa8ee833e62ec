"""What a page says of a store: one pass over its rows, sums kept instead of rows.

A row's id is a hash, so the first rows in the order of ids are a sample without a choice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from softwidth.store_rows import Row

SAMPLE = 200  # rows of a study shown
MOST_CELLS = 5_000  # label kinds by widths by step sizes of a study that are told apart
MOST_KINDS = 8  # drawn in one figure
MOST_MAKERS = 20  # versions or machines of a study told apart
LEVEL = 0.95
Key = tuple[str, int, float | None]


@dataclass
class Sums:
    """Of one cell: how many, and the sums of errors and of squared test errors."""

    n: int = 0
    diverged: int = 0
    test: float = 0.0
    squares: float = 0.0
    validation: float = 0.0

    def add(self, metrics: dict[str, Any]) -> None:
        """One more student; a diverged one has no error to average."""
        self.diverged += metrics.get("status") == "diverged"
        test, validation = metrics.get("test_error"), metrics.get("val_error")
        if _is_share(test):
            self.n += 1
            self.test += test
            self.squares += test * test
            self.validation += validation if _is_share(validation) else test


@dataclass
class Study:
    """What is told of a study."""

    name: str
    rows: int = 0
    seconds: float = 0.0
    diverged: int = 0
    first: str = ""
    last: str = ""
    machines: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    cells: dict[Key, Sums] = field(default_factory=dict)
    sample: list[Row] = field(default_factory=list)
    left_out: int = 0

    def add(self, row: Row) -> None:
        """One more row."""
        self.rows += 1
        self.seconds += row.seconds
        self.diverged += row.metrics.get("status") == "diverged"
        self.first = min(self.first or row.created, row.created)
        self.last = max(self.last, row.created)
        _count(self.machines, row.machine)
        _count(self.versions, ", ".join(f"{k} {v}" for k, v in sorted(row.versions.items())))
        if len(self.sample) < SAMPLE:
            self.sample.append(row)
        self._add_student(row)

    def _add_student(self, row: Row) -> None:
        labels, width = row.spec.get("labels"), row.spec.get("width")
        rate = row.spec.get("step_size")
        if not isinstance(labels, str) or type(width) is not int or not 0 < width <= 2**31:
            return
        key = labels[:60], width, float(rate) if _is_number(rate) else None
        if key not in self.cells and len(self.cells) >= MOST_CELLS:
            self.left_out += 1
            return
        self.cells.setdefault(key, Sums()).add(dict(row.metrics))


def studies_of(rows: Iterable[Row]) -> list[Study]:
    """Every study of some rows, by name."""
    found: dict[str, Study] = {}
    for row in rows:
        found.setdefault(row.study, Study(row.study)).add(row)
    return sorted(found.values(), key=lambda study: study.name)


def curve(study: Study) -> list[dict[str, Any]]:
    """Test error by label kind and width, at the step size of least mean validation error.

    Returns
    -------
    list of dict
        ``labels, width, step_size, n, diverged, error, low, high``: the mean and its interval of
        level `LEVEL` over students (Student's t); no interval for one student.
    """
    best: dict[tuple[str, int], tuple[float, float | None, Sums]] = {}
    for (labels, width, rate), sums in study.cells.items():
        if sums.n:
            mean = sums.validation / sums.n
            if (labels, width) not in best or mean < best[labels, width][0]:
                best[labels, width] = mean, rate, sums
    return [
        {"labels": labels, "width": width, "step_size": rate, "n": sums.n,
         "diverged": sums.diverged, "error": sums.test / sums.n, **_interval(sums)}
        for (labels, width), (_, rate, sums) in sorted(best.items(), key=lambda item: item[0])
    ]  # fmt: skip


def _interval(sums: Sums) -> dict[str, float | None]:
    from scipy.special import stdtrit

    if sums.n < 2:
        return {"low": None, "high": None}
    mean = sums.test / sums.n
    variance = max(sums.squares - sums.n * mean * mean, 0.0) / (sums.n - 1)
    half = float(stdtrit(sums.n - 1, 0.5 + LEVEL / 2)) * math.sqrt(variance / sums.n)
    return {"low": max(mean - half, 0.0), "high": min(mean + half, 1.0)}


def _count(counter: Counter[str], name: str) -> None:
    name = name[:200]
    counter[name if name in counter or len(counter) < MOST_MAKERS else "others"] += 1


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _is_share(value: Any) -> TypeGuard[float]:
    return _is_number(value) and 0 <= value <= 1
