"""The statements of Mandal, Lin and Srikant (arXiv 2412.09579) as printed, one function each.

THEORY.md section 4. Binary classes, natural logarithms, ``norm`` is the paper's c: every row has
``c <= ‖x‖ <= 1``. Where the print does not fit itself it is kept here to the letter; docs/theory.md
has the list. `bounds_soft.py` and `bounds_hard.py` hold what this project proves instead.
"""

from __future__ import annotations

import math

from softwidth._checks import check_number, check_width
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

C1 = 96 / (1 + math.e**2)
C2 = 32 * C1
SMALLEST_NORM = 1e-12  # rows this short are zero rows; widths stay floating-point numbers


def deviation(n_samples: int, delta: float, norm: float, reach: float = 1.0) -> float:
    """``reach √(2/π)/c + 3 √ln(2n/δ)``, the bracket that every width of the paper has squared.

    `reach` is 1 in (6) and (10) and ``2 ln(2/(β ln 2))`` in (13).
    """
    return reach * math.sqrt(2 / math.pi) / norm + 3 * math.sqrt(
        log_ratio(2 * int(n_samples), delta)
    )


def theorem2(
    kl: float, n_samples: int, *, confidence: float = 0.99, norm: float = 1.0
) -> Requirement:
    """Settings for an average KL of at most β = `kl` with soft labels: equations (6) and (7).

    ``m >= (C₁/β)(√(2/π)/c + 3√ln(2n/δ))²``, ``C₁ = 96/(1+e²)``, ``B = 1``, ``η = β/3``,
    ``T = 9/β²``, with probability ``1-3δ``.

    Raises
    ------
    ArgumentError
        Numbers outside their range.

    Examples
    --------
    >>> theorem2(0.1, n_samples=1000).steps
    900
    """
    beta, delta, c = _check(kl, n_samples, confidence, norm, "kl")
    return Requirement(
        width=even_ceil(C1 / beta * deviation(n_samples, delta, c) ** 2),
        steps=math.ceil(9 / beta**2),
        radius=1.0,
        step_size=beta / 3,
        assumptions={"δ < 1/3": delta < 1 / 3, "β < 1": beta < 1},
        source="arXiv 2412.09579, Theorem 2",
    )


def lemma3(kl: float, margin: float) -> Bound:
    """0-1 error of at most ``(32/γ²) KL`` for soft labels of the teacher: equation (9).

    Examples
    --------
    >>> round(lemma3(0.001, margin=0.4).value, 6)
    0.2
    """
    gamma = check_margin(margin)
    value = 32 / gamma**2 * check_number("kl", kl, low=0)
    return bound(value, {"KL": kl, "per nat": 32 / gamma**2}, {}, "arXiv 2412.09579, Lemma 3")


def corollary4(
    margin: float, error: float, n_samples: int, *, confidence: float = 0.99, norm: float = 1.0
) -> Requirement:
    """Settings for an average 0-1 error of at most ε with soft labels: equations (10) and (11).

    ``m >= (C₂/(γ²ε))(√(2/π)/c + 3√ln(2n/δ))²``, ``C₂ = 32 C₁``, ``B = 1``, ``η = γ²ε/3``,
    ``T = 9/(γ⁴ε²)``, with probability ``1-3δ``. Theorem 2 and Lemma 3 together give
    ``η = γ²ε/96`` and ``T = 9·32²/(γ⁴ε²)``: docs/theory.md.

    Raises
    ------
    ArgumentError
        Numbers outside their range.

    Examples
    --------
    >>> f"{corollary4(0.0176, 0.05, n_samples=60_000).width:.1e}"  # vacuous on real data
    '4.2e+09'
    """
    gamma = check_margin(margin)
    epsilon, delta, c = _check(error, n_samples, confidence, norm)
    rate = gamma**2 * epsilon
    return Requirement(
        width=even_ceil(C2 / rate * deviation(n_samples, delta, c) ** 2),
        steps=math.ceil(9 / rate**2),
        radius=1.0,
        step_size=rate / 3,
        assumptions={"δ < 1/3": delta < 1 / 3},
        source="arXiv 2412.09579, Corollary 4",
    )


def proposition5(
    margin: float, error: float, n_samples: int, *, confidence: float = 0.99, norm: float = 1.0
) -> Requirement:
    """Settings for an average 0-1 error of at most ε with hard labels: equations (13) and (14).

    With ``β = ε ln 2`` the wanted logistic loss and ``ℓ = ln(2/(β ln 2))``: ``B = 2ℓ/γ``,
    ``η = 1``, ``T = 8ℓ²/(γ²ηβ ln 2)``, ``m >= (16/γ⁴)(2√2 ℓ/(c√π) + 3√ln(2n/δ))²``, with
    probability ``1-3δ``. Adapted by the authors from Ji and Telgarsky (ICLR 2020).

    Raises
    ------
    ArgumentError
        Numbers outside their range.

    Examples
    --------
    >>> f"{proposition5(0.0176, 0.05, n_samples=60_000).width:.1e}"
    '6.4e+10'
    """
    gamma = check_margin(margin)
    epsilon, delta, c = _check(error, n_samples, confidence, norm)
    beta = epsilon * math.log(2)
    ell = hard_logit(epsilon)
    return Requirement(
        width=even_ceil(16 / gamma**4 * deviation(n_samples, delta, c, 2 * ell) ** 2),
        steps=math.ceil(8 * ell**2 / (gamma**2 * beta * math.log(2))),
        radius=2 * ell / gamma,
        step_size=1.0,
        assumptions={"δ < 1/3": delta < 1 / 3, "β < 1": beta < 1},
        source="arXiv 2412.09579, Proposition 5",
    )


def hard_logit(error: float) -> float:
    """``ℓ = ln(2/(β ln 2))`` with ``β = ε ln 2``: the logits that hard labels ask for.

    >>> round(hard_logit(0.05), 3)
    4.422
    """
    return math.log(2 / (error * math.log(2) ** 2))


def lemma6(width: int, n_samples: int, *, confidence: float = 0.99) -> Bound:
    """``max_i |f_{v,m}(x_i) - f_v(x_i)| <= √(2 ln(2n/δ)/m)`` for ``‖v‖ <= 1``: equation (15).

    With probability ``1-δ`` over the m neurons of a symmetric start.

    Examples
    --------
    >>> round(lemma6(1000, n_samples=50, confidence=0.99).value, 4)
    0.1357
    """
    m = check_width("width", width, paired=True)
    n, _ = check_counts(n_samples, 2)
    delta = check_delta(confidence)
    value = math.sqrt(2 * log_ratio(2 * n, delta) / m)
    return bound(value, {"δ": delta}, {}, "arXiv 2412.09579, Lemma 6")


def crossover(
    error: float, n_samples: int, *, confidence: float = 0.99, norm: float = 1.0
) -> float:
    """The margin at which (10) and (13) ask for the same width; below it (10) asks for less.

    ``γ² = 16 ε h²/(C₂ s²)`` with s and h the two brackets.

    Examples
    --------
    >>> round(crossover(0.05, n_samples=60_000) / 0.05**0.5, 3)  # in units of √ε
    0.307
    """
    epsilon, delta, c = _check(error, n_samples, confidence, norm)
    soft = deviation(n_samples, delta, c)
    hard = deviation(n_samples, delta, c, 2 * hard_logit(epsilon))
    return math.sqrt(16 * epsilon / C2) * hard / soft


def _check(
    error: float, n_samples: int, confidence: float, norm: float, name: str = "error"
) -> tuple[float, float, float]:
    """Error, the paper's δ (its statements hold with ``1-3δ``) and c."""
    check_counts(n_samples, 2)
    c = check_number("norm", norm, low=SMALLEST_NORM, high=1)
    return check_error(error, name), check_delta(confidence) / 3, c
