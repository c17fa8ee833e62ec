"""The hard-margin support-vector machine without bias, by block principal pivoting.

``min ½ βᵀQβ - 1ᵀβ over β ≥ 0``: the margin is ``1/√(Σβ)`` and ``α = β/Σβ`` (THEORY.md section 3). On
a working set one Cholesky factorisation of the free block is one pivot (Portugal, Júdice and
Vicente 1994; Kim and Park 2011); rows that violate their constraint join the set, round by round.
Greedy coordinate steps come first, as in libsvm: on 5,000 rows of MNIST they find nearly the right
free block in 0.1 s, and two or three pivots are left of seven.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from softwidth._ascent import greedy_steps, lower_block
from softwidth._checks import check_memory
from softwidth._types import Array

Rows = np.ndarray[Any, Any]

ALL_ROWS = 6000  # so many constraints are one working set: 275 MiB
FIRST_ROWS = 3000  # of more, at random
NEW_ROWS = 3000  # violators that may join in a round
MOST_PIVOTS = 100
PATIENCE = 3  # pivots that may exchange all without progress before single exchanges
ROUNDING = 1e-10  # of a constraint that is 1
LEFT = 0.01  # of a working set may be on the wrong side while more constraints are to come
COARSE = 1e-2  # violations above this are seen in single precision as well
RIDGES = (0.0, 1e-13, 1e-11, 1e-9, 1e-7)  # of the mean diagonal; the certificate shows the cost
LARGE = 500  # free rows from which a factor in single precision pays
MOST_REFINEMENTS = 20
MEMORY_SHARE = 0.8


class Gram(Protocol):
    """``Q`` of some constraints, computed as needed."""

    @property
    def n(self) -> int:
        """Number of constraints."""

    def block(self, rows: Rows, columns: Rows) -> Array:
        """``Q[rows, columns]`` in float64."""

    def field(self, columns: Rows, beta: Array, *, precise: bool) -> Array:
        """``Q[:, columns] @ beta``, shape (n,); if not `precise`, single precision will do."""


@dataclass(frozen=True, eq=False)
class Solution:
    """A feasible pair of both problems.

    Attributes
    ----------
    support : ndarray, shape (V,)
        Constraints with a positive multiplier.
    beta : ndarray, shape (V,)
        Their multipliers.
    field : ndarray, shape (n,)
        ``Qβ``: every constraint's value, 1 or more at the solution.
    precise : bool
        Whether `field` is in double precision.
    """

    support: Rows
    beta: Array
    field: Array
    precise: bool = True

    @property
    def norm(self) -> float:
        """``√(βᵀQβ)``, the norm of the separating function."""
        return math.sqrt(max(float(self.beta @ self.field[self.support]), 0.0))

    @property
    def upper(self) -> float:
        """The dual value ``√(αᵀQα)``: no margin is larger."""
        return self.norm / float(self.beta.sum())

    @property
    def lower(self) -> float:
        """The margin of the separating function over all constraints."""
        return max(float(self.field.min()) / self.norm, 0.0) if self.norm > 0 else 0.0


def hard_margin(
    gram: Gram,
    *,
    gap: float,
    start: Rows | None = None,
    seed: int = 0,
    on_round: Callable[[Solution], bool] = lambda solution: False,
) -> Solution:
    """Solve to a relative gap between both ends, every round a valid pair.

    Parameters
    ----------
    gram : Gram
    gap : float
        ``1 - lower/upper`` at which to stop.
    start : ndarray, optional
        First working set, for example the support of a similar problem; random by default.
    seed : int
        Of the random first working set.
    on_round : callable
        Sees the solution of every round; True stops here.

    Returns
    -------
    Solution
        In double precision.

    Raises
    ------
    MemoryLimitError
        A working set that does not fit; the message says how much is needed.
    """
    working = _first(gram.n, start, seed)
    check_fits(len(working))
    Q, precise = gram.block(working, working), len(working) == gram.n
    beta: Array = np.zeros(len(working))
    while True:
        beta = minimise(Q, beta, leave=0 if precise else round(LEFT * len(working)))
        support = np.flatnonzero(beta)
        solution = evaluated(gram, working[support], beta[support], precise=precise)
        new, precise = _violators(solution, working), solution.precise
        if on_round(solution) or solution.lower >= (1 - gap) * solution.upper or len(new) == 0:
            return solution if precise else evaluated(gram, solution.support, solution.beta)
        # Rows without a multiplier leave; the objective rises every round, so none comes for ever.
        Q = _extended(gram, Q, support, working[support], new)
        working = np.concatenate([working[support], new])
        beta = np.concatenate([beta[support], np.zeros(len(new))])


def _first(n: int, start: Rows | None, seed: int) -> Rows:
    if start is not None:
        return np.asarray(start)
    if n <= ALL_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).permutation(n)[:FIRST_ROWS])


def evaluated(gram: Gram, support: Rows, beta: Array, *, precise: bool = True) -> Solution:
    """In single precision while violations are large enough to be seen so: half the time."""
    if not precise:
        field = gram.field(support, beta, precise=False)
        if field.min() < 1 - COARSE:
            return Solution(support, beta, field, precise=False)
    return Solution(support, beta, gram.field(support, beta, precise=True))


def _violators(solution: Solution, working: Rows) -> Rows:
    """The constraints outside the working set that are furthest below 1."""
    outside = np.ones(len(solution.field), bool)
    outside[working] = False
    below = np.flatnonzero(outside & (solution.field < 1 - ROUNDING))
    return below[np.argsort(solution.field[below], kind="stable")[:NEW_ROWS]]


def _extended(gram: Gram, Q: Array, kept: Rows, support: Rows, new: Rows) -> Array:
    """Q of `support`, which is `kept` of the old working set, and `new`: only new rows are computed."""
    old, rows = len(kept), np.concatenate([support, new])
    check_fits(len(rows))
    known = np.empty((len(rows), len(rows)))
    known[:old, :old] = Q[np.ix_(kept, kept)]
    known[old:] = gram.block(new, rows)
    known[:old, old:] = known[old:, :old].T
    return known


def check_fits(rows: int) -> None:
    """Three such matrices at a time: the old one, the new one, a factor of the free block."""
    what = f"a working set of {rows:,} rows"
    check_memory(what, 24 * rows**2, share=MEMORY_SHARE, wish="use fewer rows (limit)")


def minimise(Q: Array, beta: Array, *, leave: int = 0) -> Array:
    """``argmin ½ βᵀQβ - 1ᵀβ over β ≥ 0`` of a positive definite matrix that fits.

    Parameters
    ----------
    Q : ndarray, shape (n, n)
    beta : ndarray, shape (n,)
        Where to begin.
    leave : int
        End once so few entries are on the wrong side; they are then set to 0.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> minimise(np.array([[4.0, 5.0], [5.0, 8.0]]), np.zeros(2)).tolist()
    [0.25, 0.0]
    """
    beta, slope = beta.copy(), Q @ beta - 1
    greedy_steps(Q, beta, slope, len(Q))
    scale, diagonal = np.trace(Q) / len(Q), Q.diagonal().copy()
    for ridge in RIDGES:  # a matrix too near to a singular one is not solved as it is
        np.fill_diagonal(Q, diagonal + ridge * scale)
        found, solved = pivot(Q, beta > 0, leave=leave)
        if solved:
            break
    np.fill_diagonal(Q, diagonal)
    return found


def pivot(Q: Array, free: Rows, *, leave: int = 0) -> tuple[Array, bool]:
    """The same by block principal pivoting, from a guess of where β is positive; and if it ended.

    Examples
    --------
    >>> beta, solved = pivot(np.array([[4.0, 5.0], [5.0, 8.0]]), np.array([True, True]))
    >>> beta.tolist(), solved
    ([0.25, 0.0], True)
    """
    free, fewest, patience = free.copy(), len(Q) + 1, PATIENCE
    beta: Array = np.zeros(len(Q))
    for _ in range(MOST_PIVOTS):
        tight = _on_free(Q, free)
        if tight is None:
            break
        beta = tight
        wrong = np.where(free, beta < 0, Q @ beta < 1 - ROUNDING)
        count = int(wrong.sum())
        if count <= leave:
            return np.maximum(beta, 0), True
        patience = PATIENCE if count < fewest else patience - 1
        fewest = min(fewest, count)
        if patience < 0:  # one at a time cannot cycle (Murty's rule)
            wrong[: np.flatnonzero(wrong)[-1]] = False
        free ^= wrong
    return np.maximum(beta, 0), False


def _on_free(Q: Array, free: Rows) -> Array | None:
    """β with the free constraints tight and the others zero; None if their block is singular."""
    chosen = np.flatnonzero(free)
    if len(chosen) >= LARGE:
        beta = _refined(Q, chosen)
        if beta is not None:
            return beta
    beta, factor = np.zeros(len(Q)), _factor(Q, chosen, np.float64)
    if factor is None:
        return None
    beta[chosen] = _solved(factor, np.ones(len(chosen)))
    return beta


def _refined(Q: Array, chosen: Rows) -> Array | None:
    """The same from a single-precision factor, in half the time, its error taken out step by step.

    None where that does not converge: a matrix too near to a singular one.
    """
    factor = _factor(Q, chosen, np.float32)
    if factor is None:
        return None
    beta, left = np.zeros(len(Q)), np.ones(len(chosen))
    for _ in range(MOST_REFINEMENTS):
        beta[chosen] += _solved(factor, left)
        before, left = np.abs(left).max(), 1 - (Q @ beta)[chosen]
        if np.abs(left).max() <= ROUNDING / 10:
            return beta
        if not np.abs(left).max() < before / 2:
            return None
    return None


def _factor(Q: Array, chosen: Rows, dtype: Any) -> Array | None:
    """Cholesky's, of the chosen block; None if it is not positive definite."""
    from scipy.linalg.lapack import dpotrf, spotrf

    block = np.empty((len(chosen), len(chosen)), dtype)
    lower_block(Q, chosen, block)
    # LAPACK reads columns first: our lower triangle is its upper one.
    potrf = spotrf if dtype is np.float32 else dpotrf
    factor, failed = potrf(block.T, lower=0, overwrite_a=1, clean=0)
    return None if failed else factor


def _solved(factor: Array, right: Array) -> Array:
    from scipy.linalg.lapack import dpotrs, spotrs

    if len(right) == 0:
        return right
    if factor.dtype == np.float32:
        return np.asarray(spotrs(factor, right.astype(np.float32), lower=0)[0], np.float64)
    return np.asarray(dpotrs(factor, right, lower=0)[0])
