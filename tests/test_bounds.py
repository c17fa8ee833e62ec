"""The theorems before training: definitions, inversions, the paper's print, and attempts to break them."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import entr, expit
from scipy.stats import binom

from softwidth import bounds_paper
from softwidth._checks import ArgumentError
from softwidth.bounds import (
    bounds,
    classification,
    crossover,
    drift,
    hard_loss,
    hard_requirement,
    kappa,
    soft_error,
    soft_requirement,
    theorem_b,
)
from softwidth.network import initialise, probabilities
from softwidth.reach import comparator, reach_of
from softwidth.specs import Student
from softwidth.training import train_bank
from softwidth.transport import GatedMap, constant

margins = st.floats(1e-4, 0.5)
errors = st.floats(1e-3, 0.9)
sizes = st.integers(1, 10**7)
classes = st.sampled_from([2, 2, 3, 10, 100])
levels = st.floats(0.5, 0.9999)


def binary_kl(p, q):
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


# --- what a mistake costs


@given(u=st.floats(1e-3, 20))
def test_kappa_is_the_least_kl_of_a_mistake(u):
    p = float(expit(u))
    assert kappa(u) == pytest.approx(math.log(2) - entr(p) - entr(1 - p), rel=1e-9, abs=1e-12)
    assert kappa(u) <= min(binary_kl(p, q) for q in np.linspace(0.01, 0.5, 50)) + 1e-12
    assert kappa(-u) == kappa(u)


@given(u=st.floats(1e-12, 1))
def test_kappa_is_quadratic_up_to_one(u):
    assert 0.88 * u**2 / 8 <= kappa(u) <= u**2 / 8 * (1 + 1e-12)


@given(seed=st.integers(0, 2**32 - 1), K=st.sampled_from([2, 3, 5]), mu=st.floats(0.01, 5))
def test_no_mistake_is_cheaper_than_the_corollary_says(seed, K, mu):
    """Random labels of logit margin mu against random mistaken students."""
    rng = np.random.default_rng(seed)
    f = rng.standard_normal((200, K)) * rng.choice([0.1, 1, 5])
    f[:, 0] = f[:, 1:].max(axis=1) + mu
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    q = p * np.exp(rng.choice([0.01, 1]) * rng.standard_normal((200, K)))
    # The nearest mistakes take the top class down to the runner-up's share.
    q[:, 0] = q[:, 1:].max(axis=1) * rng.choice([1, rng.random()])
    q /= q.sum(axis=1, keepdims=True)
    kl = (p * np.log(p / q)).sum(axis=1)
    assert (kl * classification(1.0, mu, n_classes=K).value >= 1 - 1e-9).all()


# --- Theorem B


@given(
    radius=st.floats(0.01, 30),
    half=st.integers(1, 10**6),
    steps=st.integers(1, 10**6),
    n=sizes,
    level=levels,
)
def test_theorem_b_is_the_displayed_formula(radius, half, steps, n, level):
    m = 2 * half
    log = math.sqrt(math.log(4 * n / (1 - level)))
    expected = 2 / 3 * (radius**2 / steps + radius**2 / (4 * m) * (4 * log + 1.6 * radius) ** 2)
    value = theorem_b(radius, m, steps, n, confidence=level).value
    assert value == pytest.approx(expected, rel=1e-9)
    log = math.sqrt(math.log(4 * n * 3 / (1 - level)))
    delta = radius / math.sqrt(m) * (4 * log + 1.6 * radius)
    expected = (radius**2 / (0.3 * steps) + delta**2) / (2 - 0.6)
    value = theorem_b(radius, m, steps, n, n_classes=3, confidence=level, step_size=0.3).value
    assert value == pytest.approx(expected, rel=1e-9)


def test_theorem_b_says_nothing_of_steps_that_are_too_long():
    assert theorem_b(1.0, 100, 10, 10, step_size=4.0).value == math.inf
    assert theorem_b(1.0, 100, 10, 10, step_size=3.99).value < math.inf
    assert theorem_b(1.0, 100, 10, 10, n_classes=3, step_size=1.0).value == math.inf


def most_failures(trials, delta):
    """A number of failures that a rate of delta exceeds once in 10,000 experiments."""
    return binom.isf(1e-4, trials, delta)


def opposed(rng, D, C, radius):
    """A map of norm `radius` everywhere that is of one sign on half of the neurons."""
    g = rng.standard_normal(D)
    u = rng.standard_normal((C, D))
    u *= radius / np.linalg.norm(u, axis=1).sum()
    return GatedMap(np.stack([u, -u]), np.stack([g, -g]))


@pytest.mark.parametrize("K", [2, 4])
@pytest.mark.parametrize("radius", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("level", [0.1, 0.9])
def test_drift_exceeds_theorem_b_no_more_often_than_delta(K, radius, level):
    """A map made to be unlucky, on one row and on twenty."""
    rng = np.random.default_rng(0)
    for N in (1, 20):
        X = rng.standard_normal((N, 4))
        X /= np.linalg.norm(X, axis=1, keepdims=True)
        allowed = drift(radius, 32, N, n_classes=K, confidence=level).value
        failures = 0
        for seed in range(200):
            start = initialise(32, 4, K, seed=seed)
            v_of = opposed(rng, 4, 1 if K == 2 else K, radius)
            v = v_of.at(start.W)
            reach = reach_of(start, comparator(start, v), X, radius / 32**0.5)
            seen = np.abs(reach.start - v_of.logits(X)) + reach.flips
            failures += seen.max() > allowed
        assert failures <= most_failures(200, 1 - level)


def test_trained_students_exceed_theorem_b_no_more_often_than_delta():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((15, 3))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    for K, step in ((2, 1.0), (3, 0.5)):
        teacher = constant(rng.standard_normal((1 if K == 2 else K, 3))).scaled(1.0)
        P = probabilities(teacher.logits(X))
        students = [Student(8, seed, "p", step, 1.0) for seed in range(300)]
        bank = train_bank(
            X, np.zeros(15, int), {"p": P}, students, epochs=20, dtype="float64", tolerance=0
        )
        allowed = theorem_b(1.0, 8, 20, 15, n_classes=K, confidence=0.5).value
        assert (bank.kl.mean(axis=1) > allowed).sum() <= most_failures(300, 0.5)


# --- inversions


@given(margin=margins, error=errors, n=sizes, K=classes, level=levels)
def test_soft_requirement_is_the_least_that_suffices(margin, error, n, K, level):
    needs = soft_requirement(margin, error, n, n_classes=K, confidence=level)
    at = {"n_classes": K, "confidence": level}
    reached = soft_error(margin, needs.width, needs.steps, n, **at)
    assert reached.value <= error * (1 + 1e-9)
    half = error / 2 * (1 - 1e-9)
    if needs.width > 2:
        narrower = soft_error(margin, needs.width - 2, needs.steps, n, **at)
        assert narrower.terms["width"] > half
    if needs.steps > 1:
        assert soft_error(margin, needs.width, needs.steps - 1, n, **at).terms["steps"] > half
    # The theorem and the exact cost of a mistake say the same, by at most a quarter less.
    kl = theorem_b(1.0, needs.width, needs.steps, n, n_classes=K, confidence=level).value
    exact = classification(kl, margin, n_classes=K).value
    assert 0.75 * reached.value <= exact <= reached.value


@given(margin=margins, error=errors, n=sizes, K=classes, level=levels)
def test_hard_requirement_suffices(margin, error, n, K, level):
    needs = hard_requirement(margin, error, n, n_classes=K, confidence=level)
    loss = hard_loss(
        margin, needs.radius, needs.width, needs.steps, n, n_classes=K, confidence=level
    )
    assert loss.value <= error * math.log(2) * (1 + 1e-9)
    if needs.width > 1000:  # 6 per cent less must fit worse
        narrower = 2 * int(0.47 * needs.width)
        worse = hard_loss(
            margin, needs.radius, narrower, needs.steps, n, n_classes=K, confidence=level
        )
        assert worse.terms["fit"] > loss.terms["fit"] * 1.01


@given(margin=margins, error=errors, n=sizes, K=classes)
def test_requirements_shrink_with_margin_and_error_and_grow_with_samples(margin, error, n, K):
    one = bounds(margin, error, n, K)
    for easier in (
        bounds(min(0.5, 1.5 * margin), error, n, K),
        bounds(margin, min(0.95, 1.5 * error), n, K),
        bounds(margin, error, max(1, n // 2), K),
        bounds(margin, error, n, K, confidence=0.9),
    ):
        assert easier.soft.width <= one.soft.width
        assert easier.hard.width <= one.hard.width


@given(error=errors, n=sizes, K=classes, level=levels)
def test_widths_cross_where_crossover_says(error, n, K, level):
    at = {"n_classes": K, "confidence": level}
    gamma = crossover(error, n, **at)
    if gamma is None or gamma > 0.5:
        gamma = 0.5 * (1 + 1e-9)
    elif gamma >= 1e-5:
        soft, hard = (
            soft_requirement(gamma, error, n, **at),
            hard_requirement(gamma, error, n, **at),
        )
        assert soft.width == pytest.approx(hard.width, rel=1e-9, abs=4)
    below = 0.9 * gamma
    assert (
        soft_requirement(below, error, n, **at).width
        < hard_requirement(below, error, n, **at).width
    )


def test_promised_settings_keep_their_promise():
    """Two classes an angle of 150 degrees apart: small enough to train at the promised width."""
    error, n = 0.5, 8
    angles = np.where(np.arange(n) % 2, 0.26, np.pi - 0.26) + np.linspace(-0.02, 0.02, n)
    X, y = np.column_stack([np.cos(angles), np.sin(angles)]), np.arange(n) % 2
    direction = constant([[1.0, 0.0]])
    margin = float(((2 * y - 1) * direction.logits(X)[:, 0]).min())
    answer = bounds(margin, error, n)
    for needs, P in (
        (answer.soft, probabilities(direction.scaled(answer.soft.radius).logits(X))),
        (answer.hard, np.eye(2)[y]),
    ):
        bank = train_bank(
            X, y, {"p": P}, [Student(needs.width, 5, "p", needs.step_size, needs.radius)],
            epochs=needs.steps, dtype="float64", tolerance=0,
        )  # fmt: skip
        assert bank.error.mean() <= error


# --- the shop front


@given(
    margin=st.floats(1e-30, 0.5),
    error=st.floats(1e-30, 0.999),
    n=st.integers(1, 10**400),
    K=st.integers(2, 10**6),
    norm=st.floats(1e-12, 1),
)
def test_every_answer_is_json(margin, error, n, K, norm):
    answer = bounds(margin, error, n, K, norm=norm).as_dict()
    again = json.loads(json.dumps(answer, allow_nan=False))
    assert set(again) == {"soft", "hard", "paper", "crossover", "assumptions"}
    for kind in ("soft", "hard"):
        assert set(again[kind]) == {"width", "steps", "radius", "step_size"}
        assert again[kind]["width"] % 2 == 0
        assert (again["paper"][kind] is None) == (K > 2)


def test_bound_and_requirement_speak_json():
    parts = theorem_b(1.0, 100, 10, 10).as_dict()
    assert set(parts) == {"value", "terms", "assumptions", "source"}
    assert json.loads(json.dumps(parts, allow_nan=False)) == parts


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("margin", 0), ("margin", -0.1), ("margin", 0.51), ("margin", math.nan), ("margin", "wide"),
        ("error", 0), ("error", 1), ("error", math.nan), ("error", None), ("n_samples", 0),
        ("n_samples", 2.5), ("n_classes", 1), ("confidence", 0), ("confidence", 1),
        ("norm", 0), ("norm", 1.5), ("norm", math.nan),
    ],
)  # fmt: skip
def test_bad_input_is_named(name, wrong):
    good = {"margin": 0.1, "error": 0.1, "n_samples": 100}
    with pytest.raises(ArgumentError, match=rf"^`{name}` \(={wrong}\)"):
        bounds(**{**good, name: wrong})


@pytest.mark.parametrize("call", [
    lambda: theorem_b(0.0, 10, 1, 1), lambda: theorem_b(1.0, 11, 1, 1),
    lambda: theorem_b(1.0, 10, 0, 1), lambda: drift(math.inf, 10, 1),
    lambda: hard_loss(0.1, -1.0, 10, 1, 1), lambda: soft_error(0.1, 9, 1, 1),
    lambda: classification(-1.0, 0.1), lambda: kappa(math.nan),
    lambda: bounds_paper.lemma3(-1.0, 0.1), lambda: bounds_paper.theorem2(1.0, 10),
])  # fmt: skip
def test_bad_numbers_of_single_theorems_are_refused(call):
    with pytest.raises(ArgumentError):
        call()


def test_no_rows_of_unit_norm_have_a_margin_above_one_half():
    """Why `margin` stops at 1/2: the best that any map of unit norm can do for one row."""
    x = np.array([[0.6, 0.8]])
    best = GatedMap(x[None], x)  # v(z) = x wherever zᵀx > 0
    assert best.logits(x)[0, 0] == 0.5
