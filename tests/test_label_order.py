"""The statistics of the soft-label check against enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth.label_order import (
    above_chance,
    as_claims,
    at_frequencies,
    log_moments,
    log_tail,
    wrong_columns,
    wrong_rows,
)

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(2, 6), st.integers(2, 4))
def test_chance_is_the_mean_and_deviation_over_all_orders(seed, N, K):
    rng = np.random.default_rng(seed)
    score, y = rng.standard_normal((N, K)), rng.integers(0, K, N)
    sums = [
        sum(score[i, y[j]] for i, j in enumerate(order))
        for order in itertools.permutations(range(N))
    ]
    given_sum = sum(score[i, y[i]] for i in range(N))
    if np.std(sums) < 1e-9:
        assert above_chance(score, y) == 0
    else:
        by_hand = (given_sum - np.mean(sums)) / np.std(sums)
        assert above_chance(score, y) == pytest.approx(by_hand, abs=1e-7)


@given(seeds, st.integers(1, 6), st.integers(2, 3))
def test_tails_are_never_below_the_exact_ones(seed, N, K):
    rng = np.random.default_rng(seed)
    P, score = rng.dirichlet(np.full(K, 0.5), N), rng.standard_normal((N, K))
    outcomes = [
        (
            sum(score[i, k] for i, k in enumerate(ks)),
            np.prod([P[i, k] for i, k in enumerate(ks)]),
        )
        for ks in itertools.product(range(K), repeat=N)
    ]
    moments = log_moments(P, score)
    for total in {outcome[0] for outcome in outcomes}:
        exact = sum(p for value, p in outcomes if value >= total - 1e-12)
        assert np.exp(log_tail(moments, total)) >= exact - 1e-9


def test_tails_come_near_the_exact_ones():
    """Chernoff's exponent is the right one: for 1,000 coins the relative entropy."""
    fair, heads = np.full((1000, 2), 0.5), np.tile([0.0, 1.0], (1000, 1))
    entropy = 0.6 * np.log(0.6 / 0.5) + 0.4 * np.log(0.4 / 0.5)
    assert log_tail(log_moments(fair, heads), 600) == pytest.approx(-1000 * entropy, rel=0.02)


@given(seeds)
def test_claims_of_votes_predict_a_further_vote(seed):
    """Log loss of a fresh vote: the claims of few votes are better than their bare shares."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet([0.8, 0.8, 0.8], 2000)
    votes = np.array([rng.multinomial(3, p) for p in P]).astype(float)
    claims, shares = as_claims(votes), (votes + 1e-3) / (votes + 1e-3).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(claims.sum(axis=1), 1)
    losses = [-(P * np.log(Q)).sum(axis=1).mean() for Q in (claims, shares, np.full((1, 3), 1 / 3))]
    assert losses[0] < min(losses[1:])
    # Within a hundredth of the best shrinkage towards the mean.
    best = min(
        -(P * np.log((votes + a / 3) / (3 + a))).sum(axis=1).mean() for a in np.geomspace(0.1, 50)
    )
    assert losses[0] < best + 0.01


def test_claims_of_single_votes_and_of_nothing():
    np.testing.assert_allclose(as_claims(np.eye(2)[[0, 1, 0, 1]]), 0.5)
    many = as_claims(np.array([[90.0, 10.0], [20.0, 80.0]] * 50))
    np.testing.assert_allclose(many[:2], [[0.9, 0.1], [0.2, 0.8]], atol=0.03)


@pytest.mark.parametrize("K", [2, 3, 5, 8])
def test_columns_are_put_back(K):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        P = rng.dirichlet(np.full(K, 0.2), 1500)
        y = (rng.random((1500, 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1)
        order = rng.permutation(K)
        column_of = np.argsort(order)  # class k now stands in this column
        moved = {k: column_of[k] for k in range(K) if column_of[k] != k}
        assert wrong_columns(P[:, order], y) == moved


@given(seeds, st.integers(2, 5))
def test_reweighted_soft_labels_have_the_classes_frequencies(seed, K):
    rng = np.random.default_rng(seed)
    P, frequency = rng.dirichlet(np.ones(K), 200), rng.dirichlet(np.full(K, 5.0))
    Q = at_frequencies(P, frequency, rounds=200)
    np.testing.assert_allclose(Q.sum(axis=1), 1)
    np.testing.assert_allclose(Q.mean(axis=0), frequency, atol=0.02)
    odds = (Q / P) / (Q / P)[:, :1]  # each class by one factor, the same in all rows
    np.testing.assert_allclose(odds, odds[:1].repeat(200, axis=0), rtol=1e-6)


def test_soft_labels_for_absent_classes_only_are_no_miracle():
    Q = at_frequencies(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1.0, 0.0]))
    np.testing.assert_array_equal(Q, [[1, 0], [1, 0]])


@pytest.mark.parametrize("shift", [-20, -1, 1, 7])
def test_a_shift_is_told_with_its_size(shift):
    rng = np.random.default_rng(0)
    P = rng.dirichlet([0.3, 0.3, 0.3], 500)
    y = (rng.random((500, 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1)
    assert wrong_rows(P, y) is None
    found = wrong_rows(np.roll(P, shift, axis=0), y)
    assert found is not None
    assert (found.start, found.shift) == (0, shift)


def test_a_dropped_row_is_placed():
    placed = 0
    for dropped in range(250, 801, 25):
        rng = np.random.default_rng(dropped)
        P = rng.dirichlet([0.2, 0.2, 0.2], 1000)
        y = (rng.random((1000, 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1)
        found = wrong_rows(np.concatenate([P[:dropped], P[dropped + 1 :], P[:1]]), y)
        if found is not None:  # by chance the rest agrees as only one shuffle in 700 does
            placed += abs(found.start - dropped) <= 100 and found.shift == -1
    assert placed >= 21  # of 23
