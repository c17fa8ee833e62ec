"""Soft labels with explicit constants, before any network is drawn (THEORY.md sections 5 and 7).

Theorem B, what it says of mistakes, and the settings that suffice for a wanted error. Rows have at
most unit norm. Two classes are one logit; K > 2 classes are K logits and section 7.
"""

from __future__ import annotations

import math

from softwidth._checks import check_count, check_number, check_width
from softwidth.theorems import (
    Bound,
    Requirement,
    bound,
    check_counts,
    check_delta,
    check_error,
    check_margin,
    even_ceil,
    log_ratio,
)

FLIPS = 1.6  # 2√(2/π) = 1.5958, rounded up as in THEORY.md
# Mistakes a nat, over γ²: κ(u) >= 0.11 u² for |u| <= 1 (1/8 at 0, 0.1109 at 1).
ONE_LOGIT = 6.1  # (2/3)/0.11 = 6.06
K_LOGITS = 9.1  # 1/0.11 = 9.09
SOFT_RADIUS = 1.0  # the paper's; any radius up to 1/γ has the same rate


def constant_step(n_classes: int) -> float:
    """The step size of the explicit forms: 1 for one logit, 1/2 for K logits.

    >>> constant_step(2), constant_step(10)
    (1.0, 0.5)
    """
    return 1.0 if n_classes == 2 else 0.5


def denominator(step_size: float, n_classes: int) -> float:
    """``2 - η/2`` for one logit, ``2 - 2η`` for K: how much of a step's progress is left.

    The gradient's square is at most ½ (Pinsker, one logit) or 2 (K logits) times the mean KL.

    >>> denominator(1.0, 2), denominator(0.5, 3)
    (1.5, 1.0)
    """
    return 2 - step_size / 2 if n_classes == 2 else 2 - 2 * step_size


def log_term(n_samples: int, n_classes: int, delta: float) -> float:
    """``√ln(4n/δ)`` for one logit, ``√ln(4nK/δ)`` for K."""
    logits = 1 if n_classes == 2 else n_classes
    return math.sqrt(log_ratio(4 * n_samples * logits, delta))


def drift(
    radius: float, width: int, n_samples: int, *, n_classes: int = 2, confidence: float = 0.99
) -> Bound:
    """``max_{i,k} Δ_ik <= (B/√m)[4√ln(4n/δ) + 1.6 B]``: Theorem B's first line, in logits.

    How far a network that keeps its initial features may be from its teacher, on any row at any
    time, with probability ``1-δ`` over the start. Hoeffding over the m/2 independent pairs, once
    for the features' mean and once for the number of neurons that could flip.

    Examples
    --------
    >>> small = drift(1.0, width=100, n_samples=50)
    >>> round(small.value, 3), round(small.terms["flips"], 3)
    (1.419, 0.16)
    """
    B = check_number("radius", radius, low=0, open_low=True)
    m = check_width("width", width, paired=True)
    n, K = check_counts(n_samples, n_classes)
    root = math.sqrt(m)
    terms = {
        "features": 4 * B * log_term(n, K, check_delta(confidence)) / root,
        "flips": FLIPS * (B * B) / root,
    }
    return bound(sum(terms.values()), terms, {}, "THEORY.md section 5, Theorem B")


def theorem_b(
    radius: float,
    width: int,
    n_steps: int,
    n_samples: int,
    *,
    n_classes: int = 2,
    confidence: float = 0.99,
    step_size: float | None = None,
) -> Bound:
    """Average KL over T steps of projected gradient descent on soft labels, in nats.

    One logit: ``[B²/(ηT) + Δ²/4] / (2 - η/2)``; with η = 1 that is
    ``(2/3)[B²/T + (B²/4m)(4√ln(4n/δ) + 1.6B)²]``. K logits: ``[B²/(ηT) + Δ²] / (2 - 2η)``.

    Parameters
    ----------
    radius : float
        B: of the balls, and of the teacher's ``‖v(z)‖``.
    width, n_steps, n_samples, n_classes : int
    confidence : float
        ``1-δ``.
    step_size : float, optional
        η; 1 for one logit and 1/2 for K by default.

    Raises
    ------
    ArgumentError
        Numbers outside their range; a step size that is too large makes the value infinite.

    Examples
    --------
    >>> value = theorem_b(1.0, width=10_000, n_steps=100, n_samples=50)
    >>> round(value.value, 5), round(value.terms["steps"], 5)
    (0.01002, 0.00667)
    """
    n, K = check_counts(n_samples, n_classes)
    T = check_count("n_steps", n_steps)
    eta = constant_step(K) if step_size is None else check_step(step_size)
    B = check_number("radius", radius, low=0, open_low=True)
    delta = drift(B, width, n, n_classes=K, confidence=confidence).value
    rest = denominator(eta, K)
    rest = rest if rest > 0 else math.nan
    terms = {
        "steps": B * B / (eta * T) / rest,
        "width": (delta**2 / 4 if K == 2 else delta**2) / rest,
    }
    section = "5, Theorem B" if K == 2 else "7"
    return bound(
        sum(terms.values()), terms, step_assumption(eta, K), f"THEORY.md section {section}"
    )


def check_step(step_size: float) -> float:
    """A step size above 0."""
    return check_number("step_size", step_size, low=0, open_low=True)


def step_assumption(step_size: float, n_classes: int, steepest: float = 1.0) -> dict[str, bool]:
    """Theory allows steps below 4 for one logit and below 1 for K, over ``max‖∇f‖²``.

    That is at most 1 for rows of at most unit norm.

    >>> step_assumption(1.0, 3)
    {'step_size · max‖∇f‖² < 1': False}
    """
    limit = 4 if n_classes == 2 else 1
    return {f"step_size · max‖∇f‖² < {limit}": step_size * steepest < limit}


def kappa(logit: float) -> float:
    """``κ(u) = ln 2 - H(s(u))``: the least KL, in nats, of a label ``s(u)`` to a mistaken student.

    ``κ(u) = h tanh h - ln cosh h`` with ``h = u/2``; at least ``0.88 u²/8`` for ``|u| <= 1``.

    Examples
    --------
    >>> round(kappa(1.0), 4), round(kappa(0.001) / 0.001**2, 4), round(kappa(1e9), 4)
    (0.1109, 0.125, 0.6931)
    """
    h = abs(check_number("logit", logit)) / 2
    if h > 20:  # ln 2 - (1 + 2h) exp(-2h): the same to 16 digits, and cosh does not overflow
        return math.log(2)
    if h < 1e-100:  # the square would lose its digits
        return h * h / 2
    return h * math.tanh(h) - math.log1p(math.sinh(h) ** 2) / 2


def classification(kl: float, logit_margin: float, *, n_classes: int = 2) -> Bound:
    """0-1 error of at most ``KL/κ(μ)``, or ``K KL/κ(μ)`` for K classes.

    `logit_margin` is μ = Bγ: the teacher's logits favour the right class by so much on every row.
    A mistake on a row costs at least κ(μ) nats, for K > 2 classes at least κ(μ)/K.

    Examples
    --------
    >>> round(classification(0.01, logit_margin=1.0).value, 4)
    0.0901
    """
    _, K = check_counts(1, n_classes)
    mu = check_number("logit_margin", logit_margin, low=0, open_low=True)
    nats = kappa(mu) / (1 if K == 2 else K)
    lost = check_number("kl", kl, low=0)
    value = lost / nats if nats else math.inf  # of a margin whose square is no number any more
    section = "5, corollary" if K == 2 else "7"
    return bound(value, {"KL": lost, "nats a mistake": nats}, {}, f"THEORY.md section {section}")


def soft_error(
    margin: float,
    width: int,
    n_steps: int,
    n_samples: int,
    *,
    radius: float = SOFT_RADIUS,
    n_classes: int = 2,
    confidence: float = 0.99,
) -> Bound:
    """0-1 error, averaged over T steps, of students of soft labels ``s(B f_v)``: the explicit form.

    ``(6.1/γ²)[1/T + (2√ln(4n/δ) + 0.8B)²/m]`` for one logit and η = 1; for K logits and η = 1/2
    ``(9.1K/γ²)[2/T + (4√ln(4nK/δ) + 1.6B)²/m]``. Needs ``Bγ <= 1``, where κ is at least 0.11 u².

    Raises
    ------
    ArgumentError
        Numbers outside their range.

    Examples
    --------
    >>> round(soft_error(0.2, width=100_000, n_steps=2000, n_samples=50).value, 4)
    0.153
    """
    gamma = check_margin(margin)
    T, m = check_count("n_steps", n_steps), check_width("width", width, paired=True)
    scale, steps, square = soft_scales(gamma, radius, n_samples, n_classes, confidence)
    terms = {"steps": scale * steps / T, "width": scale * square / m}
    assumptions = {"radius · margin <= 1": radius * gamma <= 1}
    return bound(sum(terms.values()), terms, assumptions, "THEORY.md sections 5 and 7")


def soft_requirement(
    margin: float,
    error: float,
    n_samples: int,
    *,
    radius: float = SOFT_RADIUS,
    n_classes: int = 2,
    confidence: float = 0.99,
) -> Requirement:
    """The least steps and even width at which `soft_error` gives each half of `error`.

    ``m = O(ln(n/δ)/(γ²ε))`` and ``T = O(1/(γ²ε))``, times K for K > 2 classes.

    Raises
    ------
    ArgumentError
        Numbers outside their range.

    Examples
    --------
    >>> soft = soft_requirement(0.0176, 0.05, n_samples=60_000)
    >>> f"{soft.width:.1e}", soft.steps
    ('6.4e+07', 787707)
    """
    gamma, epsilon = check_margin(margin), check_error(error)
    scale, steps, square = soft_scales(gamma, radius, n_samples, n_classes, confidence)
    return Requirement(
        width=even_ceil(2 * scale * square / epsilon),
        steps=math.ceil(2 * scale * steps / epsilon),
        radius=radius,
        step_size=constant_step(n_classes),
        assumptions={"radius · margin <= 1": radius * gamma <= 1},
        source="THEORY.md sections 5 and 7",
    )


def soft_scales(
    gamma: float, radius: float, n_samples: int, n_classes: int, confidence: float
) -> tuple[float, float, float]:
    """``(scale, steps, square)`` with ``error <= scale (steps/T + square/m)``: `soft_error`."""
    B = check_number("radius", radius, low=0, open_low=True)
    n, K = check_counts(n_samples, n_classes)
    bracket = 4 * log_term(n, K, check_delta(confidence)) + FLIPS * B
    if K == 2:
        return ONE_LOGIT / gamma**2, 1.0, (bracket / 2) ** 2
    return K_LOGITS * K / gamma**2, 2.0, bracket**2
