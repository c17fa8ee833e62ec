"""A margin as an interval, with the witnesses that prove it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from softwidth._types import Array, Labels
from softwidth.margin_neurons import Neurons, sizes
from softwidth.margin_svm import Gram, evaluated

Rows = np.ndarray[Any, Any]


class Witness(Protocol):
    """What proves an interval."""

    def ends(self) -> tuple[float, float]:
        """Both ends of the interval, from the witness and the data alone."""


@dataclass(frozen=True, eq=False)
class KernelWitness:
    """Multipliers: their function is the lower end's witness, they themselves the upper end's.

    Attributes
    ----------
    gram : Gram
    support, beta : ndarray, shape (V,)
    scale : float
        1 for one logit; ``√(1 - 1/K)`` for K (see `margins.margin`).
    """

    gram: Gram
    support: Rows
    beta: Array
    scale: float

    def ends(self) -> tuple[float, float]:
        """``min_c e_cᵀf(x_c) / ‖f‖`` and ``√(αᵀQα)``."""
        solution = evaluated(self.gram, self.support, self.beta)
        return self.scale * solution.lower, self.scale * solution.upper


@dataclass(frozen=True, eq=False)
class NeuronWitness:
    """α of the simplex for the upper end, a map within the ball at every neuron for the lower."""

    neurons: Neurons
    support: Rows
    alpha: Array
    v: Array  # (m, C, D)

    def ends(self) -> tuple[float, float]:
        """``min_c e_cᵀf_v(x_c) / max_r Σ_k ‖v_rk‖`` and ``mean_r max_k ‖u_rk‖``."""
        largest = float(sizes(self.v).sum(axis=1).max())
        least = float(self.neurons.field(self.v).min())
        alpha = self.alpha / self.alpha.sum()
        upper = self.neurons.dual_value(self.support, alpha)
        return max(least / max(largest, 1.0), 0.0), upper


@dataclass(frozen=True, eq=False)
class NothingSeparates:
    """A row whose features are 0, or two equal rows of different classes: the margin is 0."""

    def ends(self) -> tuple[float, float]:
        """No function is positive on the one, or on both."""
        return 0.0, 0.0


@dataclass(frozen=True, eq=False)
class Margin:
    """A separation margin between two certified ends (THEORY.md section 3).

    Attributes
    ----------
    kind : {"kernel", "sup"}
        The norm of the map: L2, or the largest.
    width : int or None
        Number of drawn neurons; None for the limit.
    lower, upper : float
        The margin is between them: surely, or with probability `confidence`.
    confidence : float
        1 where both ends are exact (up to rounding in double precision).
    n_samples : int
        Rows that the margin is of.
    support : ndarray of int
        Rows with a part in the upper end's witness.
    alpha : ndarray, shape (V,)
        Their weights, a point of the simplex; `rows` and `rivals` say of which constraint each is.
    rows, rivals : ndarray, shape (V,)
        Row, and the class that its own is held against.
    v : ndarray, shape (width, D) or (width, K, D), or None
        The lower end's witness at the drawn neurons, in the order of `W`.
    W : ndarray, shape (width, D), or None
        The drawn neurons: those of `network.initialise` with the same seed.
    conflict : tuple of int
        Rows that no function separates, where the margin is 0.
    rounds : int
    seconds : float
    notes : tuple of str
        What a reader must know: a subsample, an early stop, a margin of 0.
    witness : Witness
        What `verify` recomputes both ends from.
    """

    kind: str
    width: int | None
    lower: float
    upper: float
    confidence: float
    n_samples: int
    rows: Rows
    rivals: Rows
    alpha: Array
    witness: Witness
    conflict: tuple[int, ...] = ()
    v: Array | None = None
    W: Array | None = None
    rounds: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def support(self) -> Rows:
        """Rows with a part in the upper end's witness."""
        return np.unique(self.rows)

    @property
    def n_support(self) -> int:
        """How many they are."""
        return len(self.support)

    @property
    def gap(self) -> float:
        """Relative: ``1 - lower/upper``; 0 if both are 0."""
        return 1 - self.lower / self.upper if self.upper > 0 else 0.0

    def verify(self) -> tuple[float, float]:
        """Both ends again, from the witnesses and the data alone."""
        return self.witness.ends()

    def as_dict(self) -> dict[str, Any]:
        """The fields that ``softwidth margin --json`` prints."""
        return {
            "kind": self.kind,
            "width": self.width,
            "lower": self.lower,
            "upper": self.upper,
            "gap": self.gap,
            "confidence": self.confidence,
            "n_samples": self.n_samples,
            "n_support": self.n_support,
            "conflict": list(self.conflict),
            "rounds": self.rounds,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }


def signed_weights(found: Margin, y: Labels) -> Array:
    """The dual witness of two classes as a weight of every row, signed by its label: shape (N,)."""
    weights = np.zeros(len(y))
    np.add.at(weights, found.rows, found.alpha)
    return weights * (2.0 * y - 1)
