"""What a theorem returns: its value and its parts, never a bare float.

`Bound` is a number that some measured quantity cannot exceed, `Requirement` the width, steps,
radius and step size that suffice for a wanted error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from softwidth._checks import ArgumentError, check_count, check_integer, is_real

SMALLEST = 1e-30  # of a margin or error: its fourth power is still a floating-point number
LARGEST_MARGIN = 0.5


@dataclass(frozen=True)
class Bound:
    """A statement "what is measured is at most `value`".

    Attributes
    ----------
    value : float
        Infinite where an assumption fails: the statement then says nothing.
    terms : dict of str to float
        What the value is made of; those in nats or logits add up as `source` says.
    assumptions : dict of str to bool
        Each assumption that can be checked from the arguments, and whether it holds.
    source : str
        Where the statement stands.
    """

    value: float
    terms: dict[str, float]
    assumptions: dict[str, bool]
    source: str

    @property
    def holds(self) -> bool:
        """Whether every assumption holds."""
        return all(self.assumptions.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON, which knows no infinity: those are ``None``."""
        return {
            "value": finite(self.value),
            "terms": {name: finite(term) for name, term in self.terms.items()},
            "assumptions": dict(self.assumptions),
            "source": self.source,
        }


def bound(
    value: float, terms: dict[str, float], assumptions: dict[str, bool], source: str
) -> Bound:
    """A `Bound` that is infinite unless every assumption holds.

    >>> bound(0.25, {}, {"step_size < 4": False}, "").value
    inf
    """
    holds = all(assumptions.values())
    return Bound(float(value) if holds else math.inf, terms, assumptions, source)


def finite(value: float) -> float | None:
    """`value`, or ``None`` where it is infinite or no number."""
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True)
class Requirement:
    """Settings that suffice for an error, none of them said to be necessary.

    Attributes
    ----------
    width : int
        Neurons, even.
    steps : int
    radius : float
        B of THEORY.md section 1.
    step_size : float
    assumptions : dict of str to bool
    source : str
    """

    width: int
    steps: int
    radius: float
    step_size: float
    assumptions: dict[str, bool] = field(default_factory=dict)
    source: str = ""

    def as_dict(self) -> dict[str, float]:
        """The four settings, for JSON."""
        return {
            "width": self.width,
            "steps": self.steps,
            "radius": self.radius,
            "step_size": self.step_size,
        }


def even_ceil(value: float) -> int:
    """The least even whole number of at least `value`, and at least 2.

    >>> even_ceil(0.3), even_ceil(4.0), even_ceil(4.1)
    (2, 4, 6)
    """
    return max(2, 2 * math.ceil(value / 2))


def check_margin(margin: Any) -> float:
    """`margin` in (0, 1/2]: with ``‖v‖ ≤ 1`` and ``‖x‖ ≤ 1``, ``f_v(x) ≤ P(zᵀx > 0) = 1/2``."""
    if not is_real(margin) or not SMALLEST <= margin <= LARGEST_MARGIN:
        wish = (
            "must be above 0 and at most 0.5: rows of at most unit norm have no larger one, "
            "and with margin 0 no width suffices."
        )
        raise ArgumentError("margin", margin, wish)
    return float(margin)


def check_error(error: Any, name: str = "error") -> float:
    """A wanted share of mistakes (or loss), in (0, 1)."""
    return check_open_unit(name, error)


def check_delta(confidence: Any) -> float:
    """The failure probability ``δ = 1 - confidence``, in (0, 1)."""
    return 1 - check_open_unit("confidence", confidence)


def check_open_unit(name: str, value: Any) -> float:
    """`value` in (0, 1)."""
    if not is_real(value) or not SMALLEST <= value < 1:
        raise ArgumentError(name, value, "must be above 0 and below 1.")
    return float(value)


def check_counts(n_samples: int, n_classes: int) -> tuple[int, int]:
    """At least one sample and two classes."""
    return check_integer("n_samples", n_samples, low=1), check_count("n_classes", n_classes, low=2)


def log_ratio(count: float, delta: float) -> float:
    """``ln(count/δ)`` without overflow.

    >>> round(log_ratio(200, 0.02), 3)
    9.21
    """
    return math.log(count) - math.log(delta)
