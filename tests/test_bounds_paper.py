"""The paper's statements as printed, and where the print does not fit itself (docs/theory.md)."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binom

from softwidth import bounds_paper
from softwidth.bounds import bounds, classification, soft_requirement, theorem_b
from softwidth.network import initialise
from softwidth.transport import GatedMap

margins = st.floats(1e-4, 0.5)
errors = st.floats(1e-3, 0.9)


def binary_kl(p, q):
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def test_paper_widths_at_real_margins():
    paper = bounds(0.0176, 0.05, 60_000).as_dict()["paper"]
    assert paper["soft"]["width"] == pytest.approx(4e9, rel=0.1)
    assert paper["hard"]["width"] == pytest.approx(6e10, rel=0.1)
    assert paper["soft"]["radius"] == 1


@given(error=errors, n=st.integers(1, 10**7), level=st.floats(0.5, 0.9999), norm=st.floats(0.1, 1))
def test_paper_crossover_is_where_its_widths_cross(error, n, level, norm):
    at = {"confidence": level, "norm": norm}
    gamma = bounds_paper.crossover(error, n, **at)
    if 1e-5 <= gamma <= 0.5:
        soft = bounds_paper.corollary4(gamma, error, n, **at).width
        hard = bounds_paper.proposition5(gamma, error, n, **at).width
        assert soft == pytest.approx(hard, rel=1e-9, abs=4)


def test_paper_crossover_is_not_at_the_error_but_near_a_third_of_its_root():
    for error in (0.01, 0.05, 0.2):
        gamma = bounds_paper.crossover(error, 60_000)
        assert 0.25 < gamma / math.sqrt(error) < 0.4
        assert gamma > error or error > 0.1


@given(margin=margins, error=errors)
def test_print_a_corollary_4_is_not_theorem_2_with_lemma_3(margin, error):
    """Lemma 3 asks Theorem 2 for a KL of γ²ε/32; the widths agree, step size and steps do not."""
    kl = margin**2 * error / 32
    needed = bounds_paper.theorem2(kl, 1000)
    printed = bounds_paper.corollary4(margin, error, 1000)
    assert bounds_paper.lemma3(kl, margin).value == pytest.approx(error)
    assert needed.width == pytest.approx(printed.width, rel=1e-9, abs=2)
    assert printed.step_size / needed.step_size == pytest.approx(32)
    assert needed.steps / printed.steps == pytest.approx(32**2, rel=1 / printed.steps)


def test_print_a_even_better_constants_do_not_prove_the_printed_steps():
    """At any width, Theorem B at the printed η and T leaves an error above ε."""
    for margin, error in ((0.0176, 0.05), (0.1, 0.01), (0.4, 0.3)):
        printed = bounds_paper.corollary4(margin, error, 60_000)
        kl = theorem_b(1.0, 10**15, printed.steps, 60_000, step_size=printed.step_size).value
        assert 1.2 * error < classification(kl, margin).value < 1.6 * error


def test_print_b_lemma_6_holds_for_pairs_because_half_of_the_neurons_rest():
    """Plain Hoeffding over m/2 pairs gives √2 more than the print, and is not the last word.

    A pair's part is 0 with probability 1/2 and in [-1, 1] otherwise, so its moment generating
    function is at most ½ + ½(cosh λ + μ sinh λ), μ the mean of the active half: sub-Gaussian with
    variance ½, where the range alone gives 1. The mean of m/2 of them then obeys the print.
    """
    s = np.concatenate([-np.geomspace(1e-3, 300, 4000), np.geomspace(1e-3, 300, 4000)])  # λ/2
    log_cosh = np.logaddexp(s, -s) - math.log(2)
    for mu in np.linspace(-1, 1, 401):
        with np.errstate(divide="ignore"):  # tanh is -1 in floating point: ln 0 is below anything
            log_mgf = 2 * log_cosh + np.log1p(mu * np.tanh(s)) - mu * s
        assert (log_mgf <= s**2 * (1 + 1e-9)).all()
    hoeffding = 2 * math.sqrt(math.log(2 * 50 / 0.01) / 1000)
    assert hoeffding / bounds_paper.lemma6(1000, 50).value == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_print_b_lemma_6_by_simulation(level):
    rng = np.random.default_rng(0)
    x = np.array([[1.0, 0.0]])
    allowed = bounds_paper.lemma6(8, 1, confidence=level).value
    # A sign by another coordinate than the row's: the most variance that a map can have.
    v_of = GatedMap(np.array([[[1.0, 0.0]], [[-1.0, 0.0]]]), np.array([[0.0, 1.0], [0.0, -1.0]]))
    assert v_of.logits(x)[0, 0] == 0
    failures = 0
    for _ in range(4000):
        start = initialise(8, 2, seed=int(rng.integers(2**31)))
        mean = (v_of.at(start.W) @ x[0] * (start.W @ x[0] > 0)).mean()
        failures += abs(mean) > allowed
    assert failures <= binom.isf(1e-4, 4000, 1 - level)


def test_print_c_a_kl_of_reversed_sign_would_be_below_any_bound():
    p, q = expit(np.array([0.3, -0.4])), expit(np.array([2.0, 2.0]))
    printed = (p * np.log(q / p) + (1 - p) * np.log((1 - q) / (1 - p))).mean()
    assert printed < 0
    assert -printed == pytest.approx(np.mean([binary_kl(*pair) for pair in zip(p, q, strict=True)]))


def test_print_c_an_error_with_its_sign_turned_would_call_right_answers_wrong():
    y, f = np.array([1, -1, 1]), np.array([2.0, -1.0, 0.5])
    assert (y * f > 0).mean() == 1  # as printed in (8)
    assert (y * f <= 0).mean() == 0  # what it must be


def test_print_d_the_hard_width_carries_a_squared_logarithm():
    """Squaring a tiny error doubles its logarithm: the printed width grows fourfold, not twofold."""
    one = bounds_paper.proposition5(0.1, 1e-14, 1).width
    two = bounds_paper.proposition5(0.1, 1e-28, 1).width
    assert 3 < two / one < 4


@given(kl=st.floats(1e-9, 0.5), margin=margins)
def test_lemma_3_holds_and_is_looser_than_the_exact_cost(kl, margin):
    ours = classification(kl, margin).value
    assert 3.4 * ours < bounds_paper.lemma3(kl, margin).value < 4.01 * ours


def test_constants_of_section_5_beside_the_papers():
    """THEORY.md: leading constants 16/3 against 103 for the KL, some 65 times for the error."""
    assert pytest.approx(103, abs=0.5) == 9 * bounds_paper.C1
    kl, n = 1e-6, 10**300
    ours = 2 * 2 / 3 / 4 * (4 * math.sqrt(math.log(4 * n) + math.log(100))) ** 2 / kl
    assert ours / (16 / 3 * (math.log(4 * n) + math.log(100)) / kl) == pytest.approx(1)
    soft = soft_requirement(0.1, 0.1, n).width
    paper = bounds_paper.corollary4(0.1, 0.1, n).width
    assert 60 < paper / soft < 72
