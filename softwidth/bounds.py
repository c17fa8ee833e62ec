"""What theory says suffices for a wanted error at a given margin: the shop front of the theorems.

`bounds` answers for soft and hard labels, by this project's theorems (THEORY.md sections 5 to 7)
and by the paper's as printed (section 4). All of it is *sufficient*, nothing necessary, and at the
margins of real data the widths are vacuous: show them beside measured widths, never alone.

One function is one theorem: `bounds_soft`, `bounds_hard`, `bounds_paper`; `certificates` has those
that speak of one network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from softwidth import bounds_paper
from softwidth._checks import check_number
from softwidth.bounds_hard import hard_loss, hard_radius, hard_requirement, hard_share
from softwidth.bounds_soft import (
    FLIPS,
    SOFT_RADIUS,
    classification,
    drift,
    kappa,
    log_term,
    soft_error,
    soft_requirement,
    soft_scales,
    theorem_b,
)
from softwidth.theorems import Bound, Requirement, check_counts, check_delta, check_error, finite

__all__ = [
    "Bound",
    "Bounds",
    "Requirement",
    "bounds",
    "classification",
    "crossover",
    "drift",
    "hard_loss",
    "hard_requirement",
    "kappa",
    "soft_error",
    "soft_requirement",
    "theorem_b",
]


@dataclass(frozen=True)
class Bounds:
    """Settings that suffice for an error, per label kind.

    Attributes
    ----------
    soft, hard : Requirement
        By this project's theorems.
    paper_soft, paper_hard : Requirement or None
        The paper's Corollary 4 and Proposition 5 as printed; ``None`` for more than two classes.
    crossover, paper_crossover : float or None
        Margin below which soft labels' width is the smaller; ``None`` where there is none.
    assumptions : dict of str to bool or None
        Whether each holds; ``None`` for those that only the data can tell.
    """

    soft: Requirement
    hard: Requirement
    paper_soft: Requirement | None
    paper_hard: Requirement | None
    crossover: float | None
    paper_crossover: float | None
    assumptions: dict[str, bool | None]

    def as_dict(self) -> dict[str, Any]:
        """The fields of ``softwidth bounds --json``."""
        return {
            "soft": self.soft.as_dict(),
            "hard": self.hard.as_dict(),
            "paper": {
                "soft": self.paper_soft and self.paper_soft.as_dict(),
                "hard": self.paper_hard and self.paper_hard.as_dict(),
            },
            "crossover": {"derived": self.crossover, "paper": self.paper_crossover},
            "assumptions": dict(self.assumptions),
        }


def bounds(
    margin: float,
    error: float,
    n_samples: int,
    n_classes: int = 2,
    confidence: float = 0.99,
    norm: float = 1.0,
) -> Bounds:
    """Width, steps, radius and step size that suffice for an average 0-1 error of `error`.

    Parameters
    ----------
    margin : float
        γ, the sup-norm margin (or less) of the data, in (0, 1/2]; for K > 2 classes γ_K.
    error : float
        ε, the wanted share of mistakes on the training rows, averaged over the steps.
    n_samples, n_classes : int
    confidence : float
        Probability over the random start with which the statements hold.
    norm : float
        c, the least norm of a row, at most 1; only the paper's statements use it.

    Returns
    -------
    Bounds

    Raises
    ------
    ArgumentError
        Numbers outside their range.

    Examples
    --------
    >>> answer = bounds(margin=0.0176, error=0.05, n_samples=60_000).as_dict()
    >>> f"{answer['soft']['width']:.0e}", f"{answer['hard']['width']:.0e}"
    ('6e+07', '1e+10')
    >>> f"{answer['paper']['soft']['width']:.0e}", f"{answer['paper']['hard']['width']:.0e}"
    ('4e+09', '6e+10')
    """
    K, level = n_classes, confidence
    soft = soft_requirement(margin, error, n_samples, n_classes=K, confidence=level)
    hard = hard_requirement(margin, error, n_samples, n_classes=K, confidence=level)
    norm = check_number("norm", norm, low=bounds_paper.SMALLEST_NORM, high=1)
    paper = _paper(margin, error, n_samples, confidence, norm) if K == 2 else _NO_PAPER
    return Bounds(
        soft,
        hard,
        paper[0],
        paper[1],
        crossover(error, n_samples, n_classes=K, confidence=level),
        paper[2],
        {
            **soft.assumptions,
            **(paper[0].assumptions if paper[0] else {"two classes (paper)": False}),
            **(paper[1].assumptions if paper[1] else {}),
            **_OF_THE_DATA,
        },
    )


_NO_PAPER = (None, None, None)
# What no number given to `bounds` can tell.
_OF_THE_DATA: dict[str, bool | None] = {
    "margin is the sup-norm margin or less": None,
    "norm <= ‖x‖ <= 1 for every row": None,
    "symmetric initialisation, full-batch projected gradient descent": None,
    "soft labels are those of a teacher that reaches the margin with logits of at most radius/2": None,
}


def _paper(
    margin: float, error: float, n_samples: int, confidence: float, norm: float
) -> tuple[Requirement, Requirement, float]:
    level = confidence
    return (
        bounds_paper.corollary4(margin, error, n_samples, confidence=level, norm=norm),
        bounds_paper.proposition5(margin, error, n_samples, confidence=level, norm=norm),
        bounds_paper.crossover(error, n_samples, confidence=level, norm=norm),
    )


def crossover(
    error: float, n_samples: int, *, n_classes: int = 2, confidence: float = 0.99
) -> float | None:
    """The margin at which both derived widths are equal; below it soft labels' is the smaller.

    Soft labels ask for ``s²/γ²`` and hard ones for ``(h + l/γ)²/γ²``, so
    ``γ = l/(s - h)``. ``None`` where ``s <= h``: soft labels' is then the smaller at any margin.

    Raises
    ------
    ArgumentError
        Numbers outside their range.

    Examples
    --------
    >>> round(crossover(0.05, n_samples=60_000), 3)
    0.281
    """
    n, K = check_counts(n_samples, n_classes)
    epsilon, delta = check_error(error), check_delta(confidence)
    scale, _, square = soft_scales(1.0, SOFT_RADIUS, n, K, confidence)
    soft = math.sqrt(2 * scale * square / epsilon)
    hard = hard_share(K) * 4 * log_term(n, K, delta)
    slope = hard_share(K) * FLIPS * hard_radius(1.0, epsilon * math.log(2), K)
    return finite(slope / (soft - hard)) if soft > hard else None
