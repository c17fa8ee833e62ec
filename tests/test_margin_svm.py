"""The bias-free support-vector machine against other solvers and its own optimality conditions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from softwidth import margin_svm
from softwidth._ascent import greedy_steps, lower_block
from softwidth._checks import MemoryLimitError
from softwidth.kernels import limiting_kernel
from softwidth.margin_grams import Constraints, LimitingGram
from softwidth.margin_svm import hard_margin, minimise, pivot


def random_problem(seed, n=40, d=5, K=2):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True), rng.integers(0, K, n)


def random_matrix(seed, n, rank):
    A = np.random.default_rng(seed).standard_normal((n, rank))
    return A @ A.T + 1e-8 * np.eye(n)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40), more=st.integers(0, 40))
def test_solution_is_optimal(seed, n, more):
    """β ≥ 0, Qβ ≥ 1, and β (Qβ - 1) = 0: necessary and sufficient."""
    Q = random_matrix(seed, n, n + more)
    beta = minimise(Q.copy(), np.zeros(n))
    slack = Q @ beta - 1
    assert beta.min() >= 0
    assert slack.min() >= -1e-6
    assert abs(beta * slack).max() <= 1e-6 * max(beta.max(), 1)


@given(seed=st.integers(0, 2**32 - 1), rank=st.integers(1, 12))
def test_a_solution_is_near_the_best_where_nothing_separates(seed, rank):
    """Many more constraints than features: the least αᵀQα is 0, and so nearly is the one found."""
    A = np.random.default_rng(seed).standard_normal((60, rank))
    beta = minimise(A @ A.T, np.zeros(60))
    assert beta.min() >= 0
    alpha = beta / beta.sum()
    assert np.linalg.norm(A.T @ alpha) < 1e-3


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30))
def test_pivoting_agrees_with_nonnegative_least_squares(seed, n):
    """``min ‖Aᵀβ - b‖`` with ``A b = 1`` has the same normal equations as Q = A Aᵀ."""
    A = np.random.default_rng(seed).standard_normal((n, n + 5))
    expected = nnls(A.T, np.linalg.lstsq(A, np.ones(n))[0])[0]
    found = pivot(A @ A.T, np.zeros(n, bool))[0]
    np.testing.assert_allclose(found, expected, atol=1e-8 * max(1, expected.max()))


@pytest.mark.parametrize("start", ["none", "all", "half"])
def test_any_guess_leads_to_the_same_solution(start):
    Q = random_matrix(1, 60, 90)
    free = {"none": np.zeros(60, bool), "all": np.ones(60, bool), "half": np.arange(60) % 2 == 0}
    np.testing.assert_allclose(pivot(Q, free[start])[0], pivot(Q, ~free[start])[0], rtol=1e-5)


def test_single_exchanges_end_what_blocks_do_not(monkeypatch):
    """Murty's rule alone, from the first pivot on."""
    monkeypatch.setattr(margin_svm, "PATIENCE", -1)
    Q = random_matrix(2, 25, 40)
    expected = nnls(np.linalg.cholesky(Q).T, np.linalg.solve(np.linalg.cholesky(Q), np.ones(25)))[0]
    np.testing.assert_allclose(pivot(Q, np.ones(25, bool))[0], expected, atol=1e-8)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 20), steps=st.integers(0, 50))
def test_greedy_steps_descend_and_keep_the_slope(seed, n, steps):
    Q = random_matrix(seed, n, n + 1)
    beta = np.random.default_rng(seed).random(n)
    slope = Q @ beta - 1
    before = beta @ Q @ beta / 2 - beta.sum()
    greedy_steps(Q, beta, slope, steps)
    assert beta.min() >= 0
    assert beta @ Q @ beta / 2 - beta.sum() <= before + 1e-9
    np.testing.assert_allclose(slope, Q @ beta - 1, atol=1e-9 * (1 + abs(Q).max() * beta.sum()))


def test_lower_block_is_what_numpy_takes_out():
    Q = np.random.default_rng(3).standard_normal((9, 9))
    chosen, out = np.array([7, 1, 4]), np.zeros((3, 3))
    lower_block(Q, chosen, out)
    np.testing.assert_array_equal(out, np.tril(Q[np.ix_(chosen, chosen)]))


def test_a_singular_matrix_still_gives_a_valid_pair():
    """Equal constraints, and constraints that conflict: Q has no inverse."""
    Q = np.array([[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    beta = minimise(Q, np.zeros(3))
    assert beta.min() >= 0
    alpha = beta / beta.sum()
    assert alpha @ Q @ alpha < 1e-6  # nothing separates x from -x


@pytest.mark.parametrize("K", [2, 4])
def test_working_sets_lead_to_the_solution_of_all(K, monkeypatch):
    X, y = random_problem(5, n=200, K=K)
    gram = LimitingGram(Constraints.of(X, y, K))
    whole = hard_margin(gram, gap=1e-10)
    monkeypatch.setattr(margin_svm, "ALL_ROWS", 0)
    monkeypatch.setattr(margin_svm, "FIRST_ROWS", 10)
    monkeypatch.setattr(margin_svm, "NEW_ROWS", 20)
    rounds = []
    parts = hard_margin(gram, gap=1e-10, seed=3, on_round=lambda s: rounds.append(s.upper))
    assert len(rounds) > 3
    assert np.diff(rounds).max() < 1e-9  # more constraints, less margin
    assert parts.precise
    assert parts.lower == pytest.approx(whole.lower, rel=1e-7)
    assert parts.upper == pytest.approx(whole.upper, rel=1e-7)


def test_stopping_early_leaves_a_wider_valid_interval(monkeypatch):
    X, y = random_problem(6, n=200)
    gram = LimitingGram(Constraints.of(X, y, 2))
    whole = hard_margin(gram, gap=1e-10)
    monkeypatch.setattr(margin_svm, "ALL_ROWS", 0)
    monkeypatch.setattr(margin_svm, "FIRST_ROWS", 60)
    first = hard_margin(gram, gap=1e-10, on_round=lambda s: True)
    assert first.precise
    assert first.lower <= whole.lower * (1 + 1e-12)
    assert first.upper > whole.upper * (1 + 1e-6)


def test_constraints_of_several_classes():
    """Q is the Gram matrix of the explicit features of Crammer and Singer."""
    X, y = random_problem(7, n=12, K=3)
    C = Constraints.of(X, y, 3)
    assert C.n == 24
    np.testing.assert_array_equal(C.directions.sum(axis=1), 0)
    everything = np.arange(C.n)
    root = np.linalg.cholesky(limiting_kernel(X) + 1e-14 * np.eye(12))  # rows are features
    features = np.einsum("cj,ck->cjk", root[C.row], C.directions).reshape(C.n, -1)
    gram = LimitingGram(C)
    np.testing.assert_allclose(
        gram.block(everything, everything), features @ features.T, atol=1e-12
    )
    beta = np.random.default_rng(0).random(5)
    chosen = np.array([20, 3, 7, 4, 11])
    expected = features @ features[chosen].T @ beta
    field = gram.field(chosen, beta)
    assert field.min() == pytest.approx(expected.min(), rel=1e-12)
    np.testing.assert_allclose(field[chosen], expected[chosen], atol=1e-12)
    np.testing.assert_allclose(field, expected, atol=1e-5)  # rows far from the least
    np.testing.assert_allclose(gram.field(chosen, beta, precise=False), expected, atol=1e-5)


def test_a_working_set_that_does_not_fit_is_refused_with_its_size(monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 2**20}))
    X, y = random_problem(8, n=400)
    with pytest.raises(MemoryLimitError, match="a working set of 400 rows needs 4 MiB"):
        hard_margin(LimitingGram(Constraints.of(X, y, 2)), gap=1e-3)
