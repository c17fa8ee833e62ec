"""Margin constraints and their Gram matrix on the limiting kernel.

A constraint is a row and a direction of its logits: ``e`` is the label's sign for one logit, and
``e_y - e_k`` for the class y of the row against another class k. The margin of a function is the least
``eᵀ f(x)``. For K logits this is the hard-margin machine of Crammer and Singer (2001) without bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._ascent import precise_sums
from softwidth._checks import check_memory
from softwidth._types import Array, Labels
from softwidth.kernels import limiting_kernel

Rows = np.ndarray[Any, Any]

BLOCK = 4096  # rows of a field at a time
ERROR = 2e-6  # of the product of norms: more than that of the kernel in single precision, 1e-6


@dataclass(frozen=True, eq=False)
class Constraints:
    """``directions[c]ᵀ f(X[row[c]])`` for every c is to be large.

    Attributes
    ----------
    X : ndarray, shape (N, D)
    row : ndarray, shape (c,)
    directions : ndarray, shape (c, C), int8
        C is 1 for a binary task, else K.
    rival : ndarray, shape (c,)
        The class that the row's own is held against.
    """

    X: Array
    row: Rows
    directions: Rows
    rival: Labels

    @classmethod
    def of(cls, X: Array, y: Labels, n_classes: int, rows: Rows | None = None) -> Constraints:
        """All constraints of `rows`, all by default."""
        rows = np.arange(len(X)) if rows is None else rows
        own = y[rows]
        if n_classes == 2:
            return cls(X, rows, (2 * own - 1).astype(np.int8)[:, None], 1 - own)
        needed = len(own) * n_classes * (n_classes + 16)  # a sign a class, and two places
        check_memory(f"the constraints of {n_classes} classes", needed)
        at, rival = np.nonzero(np.arange(n_classes) != own[:, None])
        directions = np.zeros((len(at), n_classes), np.int8)
        directions[np.arange(len(at)), own[at]] = 1
        directions[np.arange(len(at)), rival] = -1
        return cls(X, rows[at], directions, rival)

    @property
    def n(self) -> int:
        """Number of constraints."""
        return len(self.row)

    def of_rows(self, chosen: Rows) -> tuple[Rows, Rows]:
        """The different rows of some constraints, and which of them each constraint has."""
        rows, which = np.unique(self.row[chosen], return_inverse=True)
        return rows, which

    def coefficients(self, chosen: Rows, weights: Array) -> tuple[Rows, Array]:
        """Rows and ``sum_c weights_c directions_c`` of each, shape (rows, C)."""
        rows, which = self.of_rows(chosen)
        sums = np.zeros((len(rows), self.directions.shape[1]))
        np.add.at(sums, which, weights[:, None] * self.directions[chosen])
        return rows, sums

    def values(self, F: Array) -> Array:
        """Every constraint's value, shape (c,), from the logits (N, C) of all rows."""
        return np.asarray(np.einsum("cj,cj->c", F[self.row], self.directions))

    def spread(self, K: Array, rows: Rows, columns: Rows) -> Array:
        """``K`` times ``directions_cᵀ directions_c'`` in place: K is of the constraints' rows."""
        left, right = self.directions[rows], self.directions[columns]
        if left.shape[1] == 1:
            K *= left
            K *= right[:, 0]
        else:
            K *= left.astype(np.float64) @ right.T.astype(np.float64)
        return K


class LimitingGram:
    """``K(x, x') eᵀe'`` with the limiting kernel."""

    def __init__(self, constraints: Constraints) -> None:
        self.constraints = constraints
        self.longest = float(np.linalg.norm(constraints.X, axis=1).max())

    @property
    def n(self) -> int:
        """Number of constraints."""
        return self.constraints.n

    def block(self, rows: Rows, columns: Rows) -> Array:
        """``Q[rows, columns]``."""
        C = self.constraints
        if C.directions.shape[1] == 1:
            left = C.X[C.row[rows]]
            K = limiting_kernel(left, None if rows is columns else C.X[C.row[columns]])
        else:  # a row has up to K - 1 constraints: its kernel is computed once
            (i, of_i), (j, of_j) = C.of_rows(rows), C.of_rows(columns)
            K = limiting_kernel(C.X[i], C.X[j])[np.ix_(of_i, of_j)]
        return C.spread(K, rows, columns)

    def field(self, columns: Rows, beta: Array, *, precise: bool = True) -> Array:
        """``Q[:, columns] @ beta``, by way of the logits of all rows.

        Single precision rules out most rows as the least, whatever its error: only the others'
        values are computed again if they are to be `precise`. Half the time on 60,000 rows.
        """
        C = self.constraints
        rows, coefficients = C.coefficients(columns, beta)
        F = self._logits(np.arange(len(C.X)), rows, coefficients, np.float32)
        field = C.values(F)
        if precise:
            norms = np.linalg.norm(C.X[rows], axis=1)
            error = ERROR * (norms @ np.abs(coefficients)).sum() * self.longest
            chosen = np.union1d(C.row[columns], C.row[field <= field.min() + 2 * error])
            F[chosen] = self._logits(chosen, rows, coefficients, np.float64)
            field = C.values(F)
        return field

    def _logits(self, rows: Rows, others: Rows, coefficients: Array, dtype: Any) -> Array:
        """``Σ_j K(x, x_j) coefficients_j``, shape (rows, C), summed in double precision."""
        X, Z, weights = (
            self.constraints.X,
            self.constraints.X[others],
            np.ascontiguousarray(coefficients.T),
        )
        F = np.empty((len(rows), len(weights)))
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            precise_sums(limiting_kernel(X[rows[part]], Z, dtype=dtype), weights, F[part])
        return F
