"""The sup-norm margin in the limit of infinitely many neurons, estimated on fresh ones.

Witnesses found on some drawn neurons say nothing certain about all others: their values are
expectations over z. These are estimated on neurons that had no part in finding the witnesses,
with the empirical Bernstein bound (Maurer and Pontil 2009), all constraints at once by the union
bound. z and -z come as a pair: at every row one of the two is active, which halves the range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import check_integer, check_number
from softwidth._types import Array
from softwidth.margin_grams import Constraints
from softwidth.margin_neurons import Neurons, sizes

Rows = np.ndarray[Any, Any]

PAIRS_AT_A_TIME = 512
CONSTRAINTS_AT_A_TIME = 2048
POWERS = (1.0, 2.0, 4.0, 8.0, 16.0)
LEASTS = (0.0, 0.5, 1.0)  # of the mean size of u


@dataclass(frozen=True)
class Fresh:
    """What the limit is estimated with: neurons for the witnesses, pairs of fresh ones, level."""

    neurons: int
    pairs: int
    confidence: float


def check_fresh(neurons: int, fresh: int, confidence: float) -> Fresh:
    """The settings of the limit."""
    pairs = check_integer("fresh", fresh, low=4) // 2
    confidence = check_number("confidence", confidence, low=0, high=1 - 1e-12, open_low=True)
    return Fresh(check_integer("neurons", neurons, low=2), pairs, confidence)


@dataclass(frozen=True)
class Rule:
    """A map from u: ``v_k = λ_k u_k / max(least, Σ_j λ_j ‖u_j‖)``, ``λ_k = (‖u_k‖/max_j ‖u_j‖)^(p-1)``.

    One logit has λ = 1: for ``least = 0`` the best map of its α, ``u/‖u‖`` (THEORY.md section 3).
    """

    power: float
    least: float

    def apply(self, u: Array) -> Array:
        """The map within the ball, shape (z, C, D)."""
        tiny = np.finfo(float).tiny
        norms = np.linalg.norm(u, axis=2)
        shares = (norms / np.maximum(norms.max(axis=1, keepdims=True), tiny)) ** (self.power - 1)
        total = np.maximum((shares * norms).sum(axis=1), max(self.least, tiny))
        return np.asarray(u * (shares / total[:, None])[:, :, None])


@dataclass(eq=False)
class Sums:
    """Running sums of values and of their squares."""

    count: int
    total: Array
    squares: Array

    @classmethod
    def zero(cls, n: int) -> Sums:
        """Of n variables."""
        return cls(0, np.zeros(n), np.zeros(n))

    def add(self, values: Array, at: slice) -> None:
        """Values of shape (variables, draws); `count` is the caller's."""
        self.total[at] += values.sum(axis=1)
        self.squares[at] += np.einsum("cz,cz->c", values, values)

    @property
    def mean(self) -> Array:
        """Sample means."""
        return self.total / self.count

    def bernstein(self, widest: Array | float, delta: float) -> Array:
        """How far a mean may be off on one side, for each with probability `delta`.

        ``√(2 V ln(2/δ)/M) + 7 R ln(2/δ)/(3(M - 1))``, V the sample variance, R the range (Maurer and
        Pontil 2009, theorem 4).
        """
        M, log = self.count, np.log(2 / delta)
        variance = np.maximum(self.squares - self.total**2 / M, 0) / (M - 1)
        return np.asarray(np.sqrt(2 * variance * log / M) + 7 * widest * log / (3 * (M - 1)))


@dataclass(frozen=True, eq=False)
class LimitWitness:
    """α of the simplex, the rule that makes it a map, and the fresh neurons (by seed and number).

    Attributes
    ----------
    constraints : Constraints
    support, alpha : ndarray, shape (V,)
    rule : Rule
    pairs, seed : int
        Of fresh neurons, as planned.
    confidence : float
    done : int, optional
        Pairs after which the estimate was stopped early.
    """

    constraints: Constraints
    support: Rows
    alpha: Array
    rule: Rule
    pairs: int
    seed: int
    confidence: float
    done: int | None = None

    def ends(self, on_part: Callable[[int], bool] = lambda pairs: False) -> tuple[float, float]:
        """Both ends; `on_part` hears how many pairs are done, and may stop with True."""
        sums = (Sums.zero(self.constraints.n), Sums.zero(1))
        rng = np.random.default_rng([self.seed, 1])  # never the stream of the witnesses' neurons
        parts = 0
        end = self.pairs if self.done is None else self.done
        while sums[0].count < end:
            size = min(PAIRS_AT_A_TIME, end - sums[0].count)
            Z = rng.standard_normal((size, self.constraints.X.shape[1]))
            add_pairs(sums, self.constraints, self.support, self.alpha, self.rule, Z)
            parts += 1
            if on_part(sums[0].count):
                break
        return self._interval(sums, parts)

    def _interval(self, sums: tuple[Sums, Sums], parts: int) -> tuple[float, float]:
        """Half of δ for each end; of that, half is for the planned number of pairs.

        The other half is spread over all earlier stops, ``1/(j(j+1))`` for the j-th: a stop may
        then depend on what was seen.
        """
        delta = (1 - self.confidence) / 4
        if sums[0].count < self.pairs:
            delta /= parts * (parts + 1)
        values, dual = sums
        norms = np.linalg.norm(self.constraints.X, axis=1)[self.constraints.row]
        below = values.mean - values.bernstein(norms, delta / self.constraints.n)
        reach = float(self.alpha @ norms[self.support])
        above = dual.mean[0] + dual.bernstein(reach, delta)[0]
        return max(float(below.min()), 0.0), min(float(above), reach)


def add_pairs(
    sums: tuple[Sums, Sums], C: Constraints, support: Rows, alpha: Array, rule: Rule, Z: Array
) -> None:
    """Add the values of the pairs ``(z, -z)``, z the rows of `Z`, to those of v and of the dual."""
    rows, coefficients = C.coefficients(support, alpha)
    X = C.X.astype(np.float64)
    active = X[rows] @ Z.T > 0  # (V, z); -z activates the others, but for rows at exactly 0
    both = [gates.T.astype(np.float64) for gates in (active, ~active)]
    u = [np.stack([(G * w) @ X[rows] for w in coefficients.T], axis=1) for G in both]
    largest = [np.linalg.norm(part, axis=2).max(axis=1) for part in u]
    sums[1].add(np.mean(largest, axis=0)[None], slice(None))
    v = [rule.apply(part) for part in u]
    first = X @ Z.T > 0
    F = [np.where(first, X @ v[0][:, k].T, X @ v[1][:, k].T) / 2 for k in range(v[0].shape[1])]
    for start in range(0, C.n, CONSTRAINTS_AT_A_TIME):
        part = slice(start, start + CONSTRAINTS_AT_A_TIME)
        sums[0].add(_differences(C, part, F), part)
    for each in sums:
        each.count += len(Z)


def _differences(C: Constraints, part: slice, F: Sequence[Array]) -> Array:
    """``e_cᵀ F`` of some constraints, shape (c, z)."""
    if len(F) == 1:
        return F[0][C.row[part]] * C.directions[part]
    values = np.zeros((len(C.row[part]), F[0].shape[1]))
    for directions, logits in zip(C.directions[part].T, F, strict=True):
        chosen = np.flatnonzero(directions)
        values[chosen] += directions[chosen, None] * logits[C.row[part][chosen]]
    return values


def best_rule(neurons: Neurons, support: Rows, alpha: Array) -> Rule:
    """The rule that is best at the neurons the witnesses were found with."""
    u = neurons.map(support, alpha)
    powers = POWERS if u.shape[1] > 1 else POWERS[:1]
    size = float(neurons.share @ sizes(u).max(axis=1))
    rules = [Rule(power, least * size) for power in powers for least in LEASTS]
    return max(rules, key=lambda rule: neurons.field(rule.apply(u)).min())
