"""Label distributions: probabilities or vote counts as they come, to rows that sum to one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr

from softwidth._checks import (
    ArgumentError,
    as_type,
    check_finite,
    check_integer,
    check_number,
    check_numeric,
    check_table,
    rows_text,
)
from softwidth._types import Array, Labels

MOST_VOTES = 2**53  # of a row: more are not exact as floating-point numbers
SUM_TOLERANCE = 1e-3  # how far from 1 the probabilities of a row may sum before they are refused


def is_votes(soft: Any) -> bool:
    """Whether a matrix holds vote counts: whole numbers, and not every row a single vote.

    >>> is_votes([[3, 0], [1, 2]]), is_votes([[1, 0], [0, 1]]), is_votes([[0.5, 0.5]])
    (True, False, False)
    """
    table = np.asarray(soft)
    if table.ndim != 2 or table.dtype.kind not in "fiub":
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        whole = (table >= 0).all() and (table == np.rint(table)).all()
        return bool(whole and (table.sum(1) != 1).any())


def as_probabilities(soft: Any, *, name: str = "soft", n_classes: int | None = None) -> Array:
    """Class probabilities (N, K) from probabilities, vote counts, or one column.

    Parameters
    ----------
    soft : array_like, shape (N, K) or (N,)
        Rows of probabilities (they may miss 1 by 1e-3 and are made to sum to 1 exactly), rows of
        vote counts, or the probability of the positive class alone.
    name : str
        What to call it in an error.
    n_classes : int, optional
        K, when it is known.

    Returns
    -------
    ndarray, shape (N, K), float64

    Raises
    ------
    ArgumentError
        Rows that are neither probabilities nor votes: negative or missing entries, sums that are
        not 1, rows without a vote; or another number of columns than `n_classes`.

    Examples
    --------
    >>> as_probabilities([[3, 1], [0, 2]]).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    >>> as_probabilities([0.25, 0.5]).tolist()
    [[0.75, 0.25], [0.5, 0.5]]
    """
    table = check_numeric(name, soft)
    if table.ndim not in (1, 2) or 0 in table.shape:
        raise ArgumentError(
            name, table, "must be a non-empty matrix (N, K) of probabilities or votes."
        )
    if n_classes is not None:
        n_classes = check_integer("n_classes", n_classes, low=2)
    table = check_finite(name, as_type(name, table, np.float64))
    if table.ndim == 1:
        table = both_columns(table, name=name)
    if table.shape[1] < 2 or (n_classes is not None and table.shape[1] != n_classes):
        wish = f"{n_classes} columns" if n_classes else "at least two columns"
        raise ArgumentError(name, table, f"must have {wish}, one for each class.")
    _refuse_rows(name, np.any(table < 0, axis=1), "has negative entries")
    with np.errstate(over="ignore"):
        total = table.sum(axis=1, keepdims=True)
    if is_votes(table):
        _refuse_rows(name, total[:, 0] == 0, "has no votes")
        _refuse_rows(name, total[:, 0] > MOST_VOTES, "has more votes than can be counted")
    else:
        unlike_one = abs(total[:, 0] - 1) > SUM_TOLERANCE
        _refuse_rows(name, unlike_one, "sums to neither 1 (probabilities) nor whole votes")
    return table / total


def both_columns(positive: Any, *, name: str = "soft") -> Array:
    """Probabilities (N, 2) from those of the positive class alone, shape (N,)."""
    p = check_finite(name, check_numeric(name, positive, dtype=np.float64))
    _refuse_rows(
        name, (p < 0) | (p > 1), "(the probability of the positive class) is not within 0..1"
    )
    return np.stack([1 - p, p], axis=1)


def _refuse_rows(name: str, bad: np.ndarray[Any, Any], what: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        raise ArgumentError(name, f"{len(bad)} rows", f"{what} in rows {rows_text(rows)}.")


def entropy(P: Array) -> Array:
    """Entropy of every row in nats, ``-sum_k p_k ln p_k``, shape (N,).

    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(4).tolist()
    [0.0, 0.6931]
    """
    return np.asarray(entr(P).sum(axis=1))


def one_hot(y: Labels, n_classes: int) -> Array:
    """Class ids as rows of zeros with a single one, shape (N, K)."""
    check_table(len(y), n_classes)
    table = np.zeros((len(y), n_classes))
    table[np.arange(len(y)), y] = 1
    return table


def temper(P: Array, temperature: float) -> Array:
    """``p_k^(1/T) / sum_j p_j^(1/T)``: flatter for T > 1, sharper for T < 1.

    >>> temper(np.array([[0.8, 0.2]]), 0.5).round(4).tolist()
    [[0.9412, 0.0588]]
    """
    temperature = check_number("temperature", temperature, low=0, open_low=True)
    powers = (P / P.max(axis=1, keepdims=True)) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
