"""Weights of rows: a row of weight 2 is the row twice, a row of weight 0 is none."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from problems import problems, random_problem
from scipy.optimize import approx_fprime
from scipy.special import log_softmax

from softwidth._checks import ArgumentError
from softwidth._weighted import weighted_loss
from softwidth.labels import make_targets
from softwidth.specs import Student
from softwidth.training import train_bank

STUDENTS = [Student(4, seed=1, labels="hard"), Student(6, 2, "soft", 0.5, radius=0.3)]
RECIPE = {"dtype": "float64", "tolerance": 0, "threads": 1}


def trained(X, y, targets, **settings):
    return train_bank(X, y, targets, STUDENTS, **{**RECIPE, "epochs": 5, **settings})


def assert_alike(bank, other, *, ties=0.0):
    """Equal but for rounding; mistakes may also differ by a share of `ties`, shape (S, steps)."""
    for one, two in zip(bank.networks, other.networks, strict=True):
        np.testing.assert_allclose(one.W, two.W, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(one.A, two.A, rtol=1e-9, atol=1e-10)
    for name in ("cross_entropy", "kl"):
        np.testing.assert_allclose(getattr(bank, name), getattr(other, name), atol=1e-10)
    assert (abs(bank.error - other.error) <= ties + 1e-10).all()


def whole_weights(seed, n):
    weight = np.random.default_rng(seed).integers(0, 4, n)
    weight[0] += 1
    return weight


def shares_of_ties(problem, weight, **recipe):
    """The share of the weight, before every step, on rows of which rounding decides: (S, steps).

    Output biases stay at 0 where the weights of both classes balance, and a row on which no neuron
    is active has nothing else; of many classes two may have equal output weights in all neurons that
    are active. A class is then ahead of its best rival by the last digit of a sum, and a sum over
    a row twice has another order: which way it falls, and so whether it is a mistake, is open.
    """
    full = trained(*problem, sample_weight=weight, **recipe)
    # At the start neurons cancel in pairs: all logits are 0 to the last digit, and none may differ.
    shares = [np.zeros(len(STUDENTS))]
    for steps in range(1, full.error.shape[1]):
        bank = trained(*problem, sample_weight=weight, **recipe, epochs=steps)
        np.testing.assert_array_equal(bank.error, full.error[:, :steps])
        shares.append(undecided(bank, problem.X, problem.y) @ weight / weight.sum())
    return np.stack(shares, axis=1)


def undecided(bank, X, y):
    """Rows (S, N) whose class is as far from its best rival as rounding goes."""
    rows, F = np.arange(len(y)), bank.logits(X)
    if F.shape[2] == 1:
        F = np.concatenate([0 * F, F], axis=2)
    own = F[:, rows, y]
    F[:, rows, y] = -np.inf
    # Without a bias a row on which no neuron is active has logits of exactly 0 in any order.
    moved = [n.bias | (X @ n.W[:, : X.shape[1]].T > -1e-10).any(axis=1) for n in bank.networks]
    return (abs(own - F.max(axis=2)) < 1e-10) & np.stack(moved)


def some_rows(problem, rows):
    X, y, targets = problem
    return X[rows], y[rows], {name: P[rows] for name, P in targets.items()}


TIED = [  # the weights and the repeated rows differ in mistakes: 151 of 9,000 such examples did
    (random_problem(14, N=3, D=1), 14, True),
    (random_problem(71, N=19, D=1, K=3), 71, False),
]


@given(problem=problems(), seed=st.integers(0, 99), both=st.booleans())
@example(*TIED[0])
@example(*TIED[1])
def test_whole_weights_are_rows_repeated(problem, seed, both):
    weight = whole_weights(seed, len(problem.y))
    rows = np.repeat(np.arange(len(weight)), weight)
    recipe = {"train_output": both, "bias": both, "momentum": 0.5}
    assert_alike(
        trained(*problem, sample_weight=7.0 * weight, **recipe),
        trained(*some_rows(problem, rows), **recipe),
        ties=shares_of_ties(problem, 7.0 * weight, **recipe),
    )


@pytest.mark.parametrize(("problem", "seed", "both"), TIED)
def test_rows_of_which_rounding_decides_are_found(problem, seed, both):
    weight = whole_weights(seed, len(problem.y))
    shares = shares_of_ties(problem, weight, train_output=both, bias=both, momentum=0.5)
    assert shares.max() > 0


@given(problem=problems(), seed=st.integers(0, 99), batch=st.integers(1, 20))
def test_rows_of_no_weight_are_absent(problem, seed, batch):
    kept = np.random.default_rng(seed).random(len(problem.y)) < 0.6
    kept[0] = True
    assert_alike(
        trained(*problem, sample_weight=kept, batch_size=batch),
        trained(*some_rows(problem, kept), batch_size=batch),
    )


def test_equal_weights_are_none_to_the_last_digits():
    problem = random_problem(3, N=50, K=4)
    assert_alike(
        trained(*problem, sample_weight=np.full(50, 0.1), batch_size=8),
        trained(*problem, batch_size=8),
    )


def test_votes_of_rows_of_no_weight_are_left_out_too():
    X, y, _ = random_problem(5, N=12)
    votes = np.random.default_rng(0).integers(1, 4, (12, 2))
    kept = np.arange(12) % 3 > 0

    def targets(rows):
        made = make_targets("multipass", P=votes, n_classes=2, seed=1).rows(rows)
        return {"hard": made, "soft": made}

    everything = np.ones(12, bool)
    assert_alike(
        trained(X, y, targets(everything), sample_weight=kept),
        trained(X[kept], y[kept], targets(kept)),
    )


@pytest.mark.parametrize("K", [1, 3])
def test_the_weighted_loss_and_its_gradient(K):
    rng = np.random.default_rng(K)
    F, T = rng.standard_normal((K, 9)), rng.dirichlet(np.ones(max(K, 2)), 9).T[-K:].copy()
    y, w = rng.integers(0, max(K, 2), 9), rng.random(9)

    def exact(flat):
        logits, P = flat.reshape(K, 9), T
        if K == 1:
            logits, P = np.vstack([0 * logits, logits]), np.vstack([1 - T, T])
        return -(w * P * log_softmax(logits, axis=0)).sum()

    gradient = F.copy()
    loss, mistakes = weighted_loss(gradient, T, y, w, 1.0, np.empty(16))
    logits = np.vstack([0 * F, F]) if K == 1 else F
    assert loss == pytest.approx(exact(F.ravel()), rel=1e-12)
    assert mistakes == pytest.approx(w[logits.argmax(axis=0) != y].sum())
    np.testing.assert_allclose(gradient.ravel(), approx_fprime(F.ravel(), exact), atol=1e-6)


@pytest.mark.parametrize(
    ("weight", "told"),
    [
        ([1.0, -1.0, 1.0, 1.0], "negative weights in rows 1"),
        ([0.0] * 4, "some weight has to be above 0"),
        ([1.0, np.nan, 1.0, 1.0], "NaN or infinite"),
        ([1.0, 1.0], "as many rows as `X`"),
        (np.ones((4, 1)), "a weight a row"),
    ],
)
def test_weights_that_are_none(weight, told):
    with pytest.raises(ArgumentError, match=told):
        trained(*random_problem(0, N=4), sample_weight=weight)
