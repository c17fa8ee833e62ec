"""What theory says of a plan's own rows: their margin, and the widths that theorems find sufficient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from softwidth._types import Array, Labels
from softwidth.bounds import bounds
from softwidth.margins import margin

MARGIN_ROWS = 2000  # a kernel margin of these takes seconds; that of more rows is no larger
GAP = 1e-3


@dataclass(frozen=True)
class Theory:
    """The blocks ``margin`` and ``theory`` of a plan's record; ``None`` where nothing can be said."""

    margin: dict[str, Any] | None
    theory: dict[str, Any] | None


def theory_of(X: Array, y: Labels, *, n_classes: int, error: float, seed: int = 0) -> Theory:
    """The kernel margin of the students' rows and the theorems evaluated at it.

    Parameters
    ----------
    X : ndarray, shape (N, D)
    y : ndarray, shape (N,)
    n_classes : int
    error : float
        The error at which the theorems are evaluated.
    seed : int
        Of the subsample, where there are more than `MARGIN_ROWS` rows.
    """
    limit = MARGIN_ROWS if len(y) > MARGIN_ROWS else None
    found = margin(X, y, kind="kernel", gap=GAP, limit=limit, n_classes=n_classes, seed=seed)
    block = {"rows": len(y) if limit is None else limit, **found.as_dict()}
    if found.upper <= 0 or not 0 < error < 1:
        return Theory(block, None)
    answer = bounds(min(found.upper, 0.5), error, len(y), n_classes=n_classes).as_dict()
    settings = {name: answer[name] for name in ("soft", "hard", "paper", "crossover")}
    if n_classes > 2:  # the paper speaks of two classes
        settings = {
            **settings,
            "paper": {},
            "crossover": {"derived": answer["crossover"]["derived"]},
        }
    return Theory(block, {**settings, "error": error, "notes": _notes(limit, len(y))})


def _notes(limit: int | None, n: int) -> list[str]:
    notes = [
        "Evaluated at the upper end of the kernel margin, which the theorems' own margin never "
        "exceeds: with that one the sufficient widths are larger still."
    ]
    if limit is not None:
        notes.append(
            f"The margin is that of {limit:,} of the {n:,} rows: all rows have at most the upper end."
        )
    return notes
