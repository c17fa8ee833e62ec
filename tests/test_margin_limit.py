"""The margin in the limit: its interval must cover the truth as often as it says.

In the plane a neuron acts by its direction only: neurons at equal angles are a quadrature of the
expectation, and give the truth to more digits than any draw.
"""

from __future__ import annotations

import numpy as np
import pytest

from softwidth.margin_grams import Constraints
from softwidth.margin_limit import LimitWitness, Rule, Sums
from softwidth.margin_neurons import Neurons, reweighted
from softwidth.margins import margin

REPETITIONS = 200


def circle(m):
    angles = 2 * np.pi * (np.arange(m) + 0.5) / m
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def plane_problem(K, seed):
    """Rows in two or three sectors of the circle."""
    rng = np.random.default_rng(seed)
    y = np.arange(9) % K
    angles = 2 * np.pi * y / K + rng.uniform(-0.7, 0.7, 9) / K
    return np.stack([np.cos(angles), np.sin(angles)], axis=1), y


def quadrature(X, y, K, m=2000):
    return Neurons(Constraints.of(X, y, K), circle(m), np.full(m, 1 / m))


def everything(neurons):
    return np.arange(neurons.constraints.n)


@pytest.mark.parametrize("K", [2, 3])
def test_interval_covers_the_limit(K):
    """At level 0.9, with few fresh neurons; and it is no interval that holds for its width alone."""
    X, y = plane_problem(K, seed=0)
    neurons = quadrature(X, y, K)
    truth = reweighted(neurons, everything(neurons), gap=1e-3, on_round=lambda pair: False)
    covered, gaps = 0, []
    for seed in range(REPETITIONS):
        found = margin(X, y, "sup", neurons=64, fresh=2000, confidence=0.9, seed=seed, gap=0.05)
        covered += found.lower <= truth.upper and truth.lower <= found.upper
        gaps.append(found.gap)
    assert covered >= 0.9 * REPETITIONS
    assert np.median(gaps) < 0.6


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("K", [2, 3])
def test_each_end_covers_its_own_truth(K, end):
    """The values of fixed witnesses, whose expectations the quadrature knows, at level 0.5."""
    X, y = plane_problem(K, seed=1)
    neurons = quadrature(X, y, K)
    support = everything(neurons)
    alpha = np.random.default_rng(2).dirichlet(np.ones(len(support)))
    rule = Rule(power=4.0, least=0.0)
    u = neurons.map(support, alpha)
    truth = (neurons.field(rule.apply(u)).min(), neurons.dual_value(support, alpha))[end]
    right = 0
    for seed in range(REPETITIONS):
        ends = LimitWitness(neurons.constraints, support, alpha, rule, 500, seed, 0.5).ends()
        right += ends[0] <= truth if end == 0 else ends[1] >= truth
    assert right >= 0.75 * REPETITIONS  # each end has half of what may fail


def test_bernstein_bound_fails_no_more_often_than_it_says():
    """Of skewed draws in [0, 1], 2,000 means at once; and it is no wider than Hoeffding's by far."""
    rng = np.random.default_rng(0)
    p, M, delta = 0.02, 400, 0.05
    values = (rng.random((2000, M)) < p).astype(float)
    sums = Sums.zero(2000)
    sums.add(values[:, :150], slice(None))
    sums.add(values[:, 150:], slice(None))
    sums.count = M
    off = sums.bernstein(1.0, delta)
    assert np.mean(sums.mean - off > p) <= delta
    assert np.mean(sums.mean + off < p) <= delta
    assert np.median(off) < np.sqrt(np.log(1 / delta) / (2 * M))


def test_more_fresh_neurons_narrow_the_interval():
    X, y = plane_problem(2, seed=3)
    few, many = (margin(X, y, "sup", neurons=256, fresh=fresh) for fresh in (2**10, 2**16))
    assert many.gap < few.gap / 3
    assert few.lower <= many.upper
    assert many.lower <= few.upper
    assert many.confidence == 0.99


def test_an_early_stop_pays_for_having_been_possible():
    """The same pairs, planned or stopped at: the stop is less sure of them."""
    X, y = plane_problem(2, seed=4)
    C = Constraints.of(X, y, 2)
    alpha = np.full(9, 1 / 9)
    planned = LimitWitness(C, np.arange(9), alpha, Rule(1.0, 0.0), 1024, 0, 0.9)
    stopped = LimitWitness(C, np.arange(9), alpha, Rule(1.0, 0.0), 4096, 0, 0.9, done=1024)
    assert stopped.ends()[0] < planned.ends()[0]
    assert stopped.ends()[1] > planned.ends()[1]


@pytest.mark.parametrize("power", [1.0, 3.0, 16.0])
@pytest.mark.parametrize("least", [0.0, 0.5])
@pytest.mark.parametrize("C", [1, 4])
def test_rules_stay_within_the_ball(power, least, C):
    u = np.random.default_rng(0).standard_normal((50, C, 3))
    u[0] = 0
    total = np.linalg.norm(Rule(power, least).apply(u), axis=2).sum(axis=1)
    assert total.max() <= 1 + 1e-12
    assert total[0] == 0
    assert least > 0 or total[1:].min() == pytest.approx(1)
