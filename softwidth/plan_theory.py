"""What theory says of a plan's own rows: their margin, and the widths that theorems find sufficient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._types import Array, Labels
from softwidth.bounds import bounds
from softwidth.margin_record import signed_weights
from softwidth.margins import margin
from softwidth.plan_certificate import certified_student
from softwidth.tasks import split_rows

MARGIN_ROWS = 2000  # a kernel margin of these takes seconds; that of more rows is no larger
ROWS_A_CERTIFICATE = 4  # rows of the margin for one of the certified student's
LEAST_ROWS, ALL_ROWS_FROM = 500, 40.0  # however little is left; seconds that allow all
GAP = 1e-3


@dataclass(frozen=True)
class Theory:
    """The blocks ``margin`` and ``theory`` of a plan's record; ``None`` where nothing can be said."""

    margin: dict[str, Any] | None
    theory: dict[str, Any] | None


@dataclass(frozen=True, eq=False)
class Separation:
    """The margin of a plan's rows, and the student that it certifies: what needs no target."""

    margin: dict[str, Any]
    upper: float
    rows: int
    used: int
    n_classes: int
    certificate: dict[str, Any] | None


def margin_rows(left: float) -> int:
    """Rows whose margin is looked for in the seconds left: it takes the square of their number.

    >>> margin_rows(40), margin_rows(10), margin_rows(-5)
    (2000, 1000, 500)
    """
    return int(max(LEAST_ROWS, MARGIN_ROWS * min(1.0, np.sqrt(max(left, 0.0) / ALL_ROWS_FROM))))


def separation_of(
    X: Array, y: Labels, *, n_classes: int, seed: int = 0, most: int = MARGIN_ROWS
) -> Separation:
    """The kernel margin of the students' rows.

    Parameters
    ----------
    X : ndarray, shape (N, D)
    y : ndarray, shape (N,)
    n_classes : int
    seed : int
        Of the subsample, where there are more than `most` rows.
    most : int
        Rows whose margin is looked for; a certified student is trained with more than `LEAST_ROWS`.

    Raises
    ------
    MemoryError
        Where these rows do not fit.
    """
    n = len(y)
    if n > most:
        rows, _ = split_rows(y, most, seed=seed, name="limit")
        X, y = X[rows], y[rows]
    found = margin(X, y, kind="kernel", gap=GAP, n_classes=n_classes, seed=seed)
    block = {"rows": len(y), **found.as_dict()}
    del block["seconds"]  # stands with all that was spent: equal specs give equal records
    certificate = None
    # Our certified student speaks of two classes, and takes seconds.
    if found.upper > 0 and n_classes == 2 and most > LEAST_ROWS:
        certificate = certified_student(
            X, y, signed_weights(found, y), seed=seed, most=most // ROWS_A_CERTIFICATE
        )
    return Separation(block, found.upper, n, len(y), n_classes, certificate)


def fewer_rows(most: int, n: int) -> int | None:
    """Half of so many of `n` rows, for margins that do not fit into memory; None where these are few.

    >>> fewer_rows(2000, 900), fewer_rows(500, 900)
    (500, None)
    """
    tried = min(most, n)
    return None if tried <= LEAST_ROWS else max(LEAST_ROWS, tried // 2)


def theory_at(separation: Separation, error: float, *, bias: bool = False) -> Theory:
    """The theorems evaluated at a margin and an error on the training rows.

    Students may have biases (`bias`), of which no theorem speaks.
    """
    upper, n, n_classes = separation.upper, separation.rows, separation.n_classes
    if upper <= 0 or not 0 < error < 1:
        return Theory(separation.margin, None)
    theory: dict[str, Any] = {"error": error, "notes": _notes(separation.used, n, bias)}
    answer = bounds(min(upper, 0.5), error, n, n_classes=n_classes).as_dict()
    theory |= {name: answer[name] for name in ("soft", "hard", "paper", "crossover")}
    if n_classes > 2:  # the paper speaks of two classes
        theory |= {"paper": {}, "crossover": {"derived": answer["crossover"]["derived"]}}
    else:
        theory["certificate"] = separation.certificate
    return Theory(separation.margin, theory)


def theory_of(
    X: Array,
    y: Labels,
    *,
    n_classes: int,
    error: float,
    seed: int = 0,
    most: int = MARGIN_ROWS,
) -> Theory:
    """The kernel margin of some rows and the theorems evaluated at it and at this error."""
    return theory_at(separation_of(X, y, n_classes=n_classes, seed=seed, most=most), error)


def _notes(used: int, n: int, bias: bool) -> list[str]:
    notes = [
        "Evaluated at the upper end of the kernel margin, which the theorems' own margin never "
        "exceeds: with that one the sufficient widths are larger still."
    ]
    if used < n:
        notes.append(
            f"The margin is that of {used:,} of the {n:,} rows: all rows have at most the upper end."
        )
    if bias:
        notes.append("Theorems speak of students without biases; these have some.")
    return notes
