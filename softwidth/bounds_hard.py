"""Hard labels with explicit constants, before any network is drawn (THEORY.md sections 6 and 7).

Hard labels ask for large logits, so for a large radius, and ``B²/√m`` is how far the activation
pattern may drift: that is where ``1/γ⁴`` comes from.
"""

from __future__ import annotations

import math

from softwidth._checks import check_count, check_number
from softwidth.bounds_soft import FLIPS, constant_step, drift, log_term
from softwidth.theorems import (
    Bound,
    Requirement,
    bound,
    check_counts,
    check_delta,
    check_error,
    check_margin,
    even_ceil,
)


def hard_loss(
    margin: float,
    radius: float,
    width: int,
    n_steps: int,
    n_samples: int,
    *,
    n_classes: int = 2,
    confidence: float = 0.99,
) -> Bound:
    """Average cross-entropy over T steps of projected gradient descent on hard labels, in nats.

    One logit, η = 1: ``B²/T + 2 exp(Δ - Bγ)``. K logits, η = 1/2:
    ``2B²/T + 2(K-1) exp(2Δ - Bγ)``. Δ is `bounds_soft.drift`; a mistake costs at least ln 2, so the
    0-1 error is at most this over ln 2.

    Raises
    ------
    ArgumentError
        Numbers outside their range.

    Examples
    --------
    >>> loss = hard_loss(0.2, radius=40.0, width=10**6, n_steps=10**5, n_samples=50)
    >>> round(loss.terms["steps"], 3), round(loss.terms["fit"], 4)
    (0.016, 0.0144)
    """
    gamma = check_margin(margin)
    B = check_number("radius", radius, low=0, open_low=True)
    T = check_count("n_steps", n_steps)
    n, K = check_counts(n_samples, n_classes)
    delta = drift(B, width, n, n_classes=K, confidence=confidence).value
    binary = K == 2
    lost = delta if binary else 2 * delta  # a difference of two logits can lose twice as much
    fit = 2 * (K - 1) * math.exp(min(lost - B * gamma, 700.0))
    terms = {"steps": B * B / (constant_step(K) * T), "fit": fit}
    return bound(
        sum(terms.values()), terms, {}, f"THEORY.md section {6 if binary else 7}, hard labels"
    )


def hard_requirement(
    margin: float,
    error: float,
    n_samples: int,
    *,
    n_classes: int = 2,
    confidence: float = 0.99,
) -> Requirement:
    """Settings for an average 0-1 error of at most `error` with hard labels.

    With ``ε = error · ln 2`` the wanted loss. One logit: ``B = 2 ln(4/ε)/γ``, ``T = 2B²/ε``,
    ``m >= (4/γ²)(4√ln(4n/δ) + 1.6B)²``. K logits: ``B = 2 ln(4(K-1)/ε)/γ``, ``T = 4B²/ε``,
    ``m >= (16/γ²)(4√ln(4nK/δ) + 1.6B)²``. At that width `bounds_soft.drift` is Bγ/2 (Bγ/4), so half
    of the margin survives and each term of `hard_loss` is ε/2.

    Raises
    ------
    ArgumentError
        Numbers outside their range.

    Examples
    --------
    >>> hard = hard_requirement(0.0176, 0.05, n_samples=60_000)
    >>> f"{hard.width:.1e}", round(hard.radius)
    ('1.0e+10', 540)
    """
    gamma = check_margin(margin)
    n, K = check_counts(n_samples, n_classes)
    loss = check_error(error) * math.log(2)
    B = hard_radius(gamma, loss, K)
    bracket = 4 * log_term(n, K, check_delta(confidence)) + FLIPS * B
    return Requirement(
        width=even_ceil((hard_share(K) / gamma * bracket) ** 2),
        steps=math.ceil(2 * B**2 / (constant_step(K) * loss)),
        radius=B,
        step_size=constant_step(K),
        source="THEORY.md sections 6 and 7",
    )


def hard_share(n_classes: int) -> float:
    """2 for one logit, 4 for K: drift may take 1/2 of a logit's margin, 1/4 of a difference's.

    >>> hard_share(2), hard_share(3)
    (2.0, 4.0)
    """
    return 2.0 if n_classes == 2 else 4.0


def hard_radius(margin: float, loss: float, n_classes: int = 2) -> float:
    """``B = 2 ln(4(K-1)/ε)/γ`` for a wanted loss ε: logits of ``Bγ/2`` then cost ε/4 a term.

    >>> round(hard_radius(0.5, 0.04), 2)
    18.42
    """
    return 2 * math.log(4 * (n_classes - 1) / loss) / margin
