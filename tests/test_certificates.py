"""Certificates against definitions, brute force, and networks that try to break them."""

import itertools

import numpy as np
import pytest
from attacks import attack, random_map, random_rows, random_spec, violations
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr, log_softmax

from softwidth import reach as reach_module
from softwidth._checks import ArgumentError
from softwidth._worst_case import worst_cross_entropy, worst_kl
from softwidth.certificates import hard_certificate, sharp_certificate, theorem_a
from softwidth.kernels import limiting_kernel
from softwidth.network import initialise, probabilities
from softwidth.reach import comparator, reach_of
from softwidth.specs import Student
from softwidth.training import train_bank
from softwidth.transport import aligned, both_active, constant, expansion

seeds = st.integers(0, 2**32 - 1)
COURSE = {"step_size": 0.7, "n_steps": 9, "radius": 2.0}


def problem(seed: int, K: int, width: int = 16, N: int = 7, D: int = 3):
    """A start, rows, a map of norm at most 2 at the neurons, and its logits."""
    rng = np.random.default_rng(seed)
    X = random_rows(rng, N, D)
    v_of = random_map(rng, "mixture", X, K).scaled(2.0)
    start = initialise(width, D, K, seed=seed)
    return start, X, v_of.at(start.W), v_of.logits(X)


@pytest.mark.parametrize("family", ["constant", "halfspace", "expansion", "mixture"])
@pytest.mark.parametrize("K", [2, 3])
def test_closed_form_of_a_map_is_its_mean_over_neurons(family, K):
    rng = np.random.default_rng(K)
    X = random_rows(rng, 12, 4)
    v_of = random_map(rng, family, X, K)
    Z = rng.standard_normal((40_000, 4))
    v = v_of.at(Z).reshape(len(Z), -1, 4)
    assert np.linalg.norm(v, axis=2).sum(axis=1).max() <= v_of.norm() * (1 + 1e-12)
    for i, x in enumerate(X):
        draws = (v @ x) * (Z @ x > 0)[:, None]
        error = draws.std(axis=0) / np.sqrt(len(Z))
        assert (np.abs(draws.mean(axis=0) - v_of.logits(X)[i]) <= 5 * error + 1e-12).all()


def test_expansion_is_the_limiting_kernel():
    rng = np.random.default_rng(0)
    X, Z, beta = rng.standard_normal((9, 5)), rng.standard_normal((4, 5)), rng.standard_normal(9)
    teacher = expansion(X, beta)
    np.testing.assert_allclose(teacher.logits(Z)[:, 0], limiting_kernel(Z, X) @ beta, atol=1e-12)
    assert teacher.scaled(3.0).norm() == pytest.approx(3.0)


def test_half_spaces_keep_their_digits_near_the_same_and_the_opposite_direction():
    for angle in (1e-12, 1e-9, 1e-5, np.pi - 1e-9):
        x = np.array([[np.cos(angle), np.sin(angle)]])
        expected = (np.pi - angle) / (2 * np.pi)
        assert both_active(x, np.array([1.0, 0.0]))[0] == pytest.approx(expected, abs=1e-16)


def linearised(network, W_star, W_t, X):
    """``⟨∇f_k,t(x), W*⟩`` by its definition, and ``max_k ‖∇f_k,t(x)‖²``."""
    active = W_t @ X.T > 0  # (m, N)
    parts = np.where(active, W_star @ X.T, 0)
    squares = (network.A**2).T @ active * (X**2).sum(axis=1)
    return network.scale * parts.T @ network.A, network.scale**2 * squares.max(axis=0)


@settings(max_examples=60)
@given(seed=seeds, K=st.sampled_from([2, 3]), radius=st.floats(1e-3, 20))
def test_no_network_in_the_balls_leaves_its_reach(seed, K, radius):
    start, X, v, _ = problem(seed, K)
    rng = np.random.default_rng(seed)
    moved, ball = comparator(start, v), radius / 4
    reach = reach_of(start, moved, X, ball)
    for _ in range(20):
        step = rng.standard_normal(start.W.shape)
        step *= ball * rng.random((16, 1)) ** 0.1 / np.linalg.norm(step, axis=1, keepdims=True)
        f, gain = linearised(start, start.W + moved, start.W + step, X)
        assert (f <= reach.start + reach.up + 1e-12).all()
        assert (f >= reach.start - reach.down - 1e-12).all()
        assert (np.abs(f - reach.start) <= reach.flips + 1e-12).all()
        assert (gain <= reach.gain + 1e-12).all()


@given(seed=seeds, K=st.sampled_from([2, 3]), radius=st.floats(0.1, 3))
def test_ends_of_the_reach_are_the_extremes_over_all_flips(seed, K, radius):
    start, x, v, _ = problem(seed, K, width=8, N=1)
    moved, ball = comparator(start, v), radius / 8**0.5
    reach = reach_of(start, moved, x, ball)
    h, full = (start.W @ x.T)[:, 0], ((start.W + moved) @ x.T)[:, 0]
    near = np.abs(h) <= ball * np.linalg.norm(x)
    options = [(False, True) if n else (a,) for n, a in zip(near, h > 0, strict=True)]
    f = np.array(
        [start.scale * (np.array(on) * full) @ start.A for on in itertools.product(*options)]
    )
    np.testing.assert_allclose(f.max(axis=0), (reach.start + reach.up)[0], atol=1e-12)
    np.testing.assert_allclose(f.min(axis=0), (reach.start - reach.down)[0], atol=1e-12)


def test_reach_does_not_depend_on_blocks(monkeypatch):
    start, X, v, _ = problem(3, 3, N=50)
    moved = comparator(start, v)
    whole = reach_of(start, moved, X, 0.2)
    monkeypatch.setattr(reach_module, "BLOCK_BYTES", 8 * 16 * 7)  # blocks of 7 rows
    for one, other in zip(whole, reach_of(start, moved, X, 0.2), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-14)


@given(seed=seeds, K=st.sampled_from([2, 3]))
def test_theorem_a_is_the_formula_of_the_theory(seed, K):
    """THEORY.md sections 5 and 7, written with loops."""
    start, X, v, F = problem(seed, K)
    m, C, B, eta, T = (
        start.width,
        F.shape[1],
        *(COURSE[k] for k in ("radius", "step_size", "n_steps")),
    )
    v = v.reshape(m, C, -1)
    total, distance = 0.0, 0.0
    for r in range(m):
        u = sum(start.A[r, j] * v[r, j] for j in range(C))
        distance += u @ u / m
    for i, x in enumerate(X):
        drifts = []
        for k in range(C):
            mean, flips = 0.0, 0.0
            for r in range(m):
                u, h = sum(start.A[r, j] * v[r, j] for j in range(C)), start.W[r] @ x
                mean += start.A[r, k] * (u @ x) * (h > 0) / m
                if abs(h) <= B * np.linalg.norm(x) / m**0.5:
                    flips += (abs(h) + abs(u @ x) / m**0.5) / m**0.5
            drifts.append(abs(mean - F[i, k]) + flips)
        total += max(drifts) ** 2 / len(X)
    if K == 2:
        expected = (distance / (eta * T) + total / 4) / (2 - eta / 2)
    else:
        expected = (distance / (eta * T) + total) / (2 - 2 * eta)
    certificate = theorem_a(start, v if C > 1 else v[:, 0], X, F, **COURSE)
    assert certificate.holds
    assert certificate.value == pytest.approx(expected, rel=1e-6)
    assert certificate.value == pytest.approx(
        certificate.terms["steps"] + certificate.terms["width"], rel=1e-12
    )


@settings(max_examples=50)
@given(
    seed=seeds,
    N=st.integers(1, 40),
    D=st.integers(1, 12),
    K=st.sampled_from([2, 2, 3, 6]),
    T=st.integers(1, 80),
)
def test_no_certificate_breaks_under_attack(seed, N, D, K, T):
    rng = np.random.default_rng(seed)
    rows = attack(random_rows(rng, N, D), K, [random_spec(rng) for _ in range(8)], T)
    for row in rows:
        assert not violations(row), row
        assert row["sharp"] <= row["theorem_a"] * (1 + 1e-9) + 1e-12
        assert row["realised"] <= row["sharp"] * (1 + 1e-9) + 1e-12


def test_the_attack_would_notice_a_wrong_constant():
    """It comes within a few per cent of the certificates, so a factor 0.9 would be found out."""
    rng = np.random.default_rng(5)
    rows = [
        row
        for _ in range(12)
        for row in attack(random_rows(rng, 6, 4), 2, [random_spec(rng) for _ in range(32)], 10)
    ]
    for name in ("theorem_a", "sharp", "realised"):
        weaker = [{**row, name: 0.9 * row[name]} for row in rows]
        assert any(name in violations(row) for row in weaker), name


@given(seed=seeds, init=st.sampled_from(["gaussian", "he", "glorot"]), K=st.sampled_from([2, 3]))
def test_sharper_certificate_holds_for_starts_that_are_not_symmetric(seed, init, K):
    rng = np.random.default_rng(seed)
    X = random_rows(rng, 10, 4)
    P = rng.dirichlet(np.ones(K), 10)
    start = initialise(12, 4, K, init=init, seed=3)
    v = rng.standard_normal((12, 4) if K == 2 else (12, K, 4))
    moved = comparator(start, v)
    radius = float(np.linalg.norm(moved, axis=1).max() * 12**0.5)
    gain = reach_of(start, moved, X, radius / 12**0.5).gain.max()
    eta = float(rng.uniform(0.1, 0.95) * (4 if K == 2 else 1) / gain)
    bank = train_bank(
        X, np.zeros(10, int), {"p": P}, [Student(12, 3, "p", eta, radius, init)],
        epochs=30, dtype="float64", tolerance=0,
    )  # fmt: skip
    certificate = sharp_certificate(start, v, X, P, step_size=eta, n_steps=30, radius=radius)
    assert certificate.holds
    assert bank.kl.mean() <= certificate.value * (1 + 1e-9)


def test_realised_displacement_certifies_runs_without_projection():
    rng = np.random.default_rng(0)
    X = random_rows(rng, 30, 6)
    teacher = constant(rng.standard_normal((1, 6))).scaled(2.0)
    start = initialise(512, 6, seed=1)
    P = probabilities(teacher.logits(X))
    bank = train_bank(
        X, np.zeros(30, int), {"p": P}, [Student(512, 1, "p", 1.0)],
        epochs=200, dtype="float64", tolerance=0, diagnostics_every=1,
    )  # fmt: skip
    far = bank.diagnostics["displacement"][0, :-1].max()
    course = {"step_size": 1.0, "n_steps": 200, "radius": np.inf}
    v = teacher.at(start.W)
    certificate = sharp_certificate(start, v, X, P, displacement=far, **course)
    assert bank.kl.mean() <= certificate.value < 0.02
    assert sharp_certificate(start, v, X, P, **course).value > 10 * certificate.value


@given(seed=seeds, K=st.sampled_from([2, 3, 5]), room=st.floats(0, 3))
def test_worst_kl_is_not_below_any_logits_in_the_box(seed, K, room):
    rng = np.random.default_rng(seed)
    C = 1 if K == 2 else K
    P = rng.dirichlet(np.full(K, 0.5), 6)
    low = 2 * rng.standard_normal((6, C))
    high = low + room * rng.random((6, C))
    worst, ce = worst_kl(P, low, high), worst_cross_entropy(P, low, high)
    seen = np.zeros(6)
    for corner in itertools.product((0, 1), repeat=C):
        f = np.where(np.array(corner, bool), high, low)
        logits = np.hstack([np.zeros((6, 1)), f]) if C == 1 else f
        values = -(P * log_softmax(logits, axis=1)).sum(axis=1) - entr(P).sum(axis=1)
        seen = np.maximum(seen, values)
    assert (seen <= worst + 1e-12).all()
    assert (worst <= ce - entr(P).sum(axis=1) + 1e-12).all()
    if C == 1 or room == 0:
        np.testing.assert_allclose(seen, worst, atol=1e-12)


def test_assumptions_that_fail_leave_no_value():
    start, X, v, F = problem(1, 2)
    too_long = theorem_a(start, v, X, F, step_size=4.0, n_steps=9, radius=2.0)
    assert not too_long.holds
    assert too_long.value == np.inf
    assert too_long.as_dict()["value"] is None
    outside = theorem_a(start, 5 * v, X, F, **{**COURSE, "radius": 1e-3})
    assert not outside.assumptions["comparator within the balls"]
    he = theorem_a(initialise(16, 3, init="he"), v, X, F, **COURSE)
    assert not he.assumptions["output weights ±1/√width"]


def test_longer_rows_leave_shorter_steps():
    start, X, v, F = problem(2, 2)
    assert theorem_a(start, v, X, F, **{**COURSE, "step_size": 3.9}).holds
    assert not theorem_a(start, v, 2 * X, F, **{**COURSE, "step_size": 1.1}).holds


def test_more_width_and_more_steps_certify_less_loss():
    rng = np.random.default_rng(0)
    X = random_rows(rng, 20, 5)
    teacher = constant(rng.standard_normal((1, 5))).scaled(1.0)
    values = []
    for width in (64, 1024, 16384):
        start = initialise(width, 5, seed=0)
        certificate = theorem_a(
            start, teacher.at(start.W), X, teacher.logits(X),
            step_size=1.0, n_steps=width, radius=1.0,
        )  # fmt: skip
        values.append(certificate.value)
    assert values[0] > 4 * values[1] > 16 * values[2]


def test_hard_certificate_of_a_map_aligned_with_the_margin():
    """A separable task: hard labels need a large radius, and then their loss is certified."""
    rng = np.random.default_rng(1)
    y = np.arange(10) % 2
    X = np.column_stack([2.0 * y - 1, 0.2 * rng.standard_normal(10)])
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    start = initialise(2**15, 2, seed=0)
    certificates = []
    for radius in (1.0, 12.0):
        teacher = constant([[radius, 0.0]])
        certificates.append(
            hard_certificate(
                start,
                aligned(teacher.at(start.W), radius),
                X,
                y,
                teacher.logits(X),
                step_size=1.0,
                n_steps=20_000,
                radius=radius,
            )
        )
    assert all(certificate.holds for certificate in certificates)
    assert certificates[0].value > 0.5
    assert certificates[1].value < 0.1


def test_bad_input_is_named():
    start, X, v, F = problem(1, 2)
    P = probabilities(F)
    biased = initialise(16, 3, bias=True)
    calls = {
        "must have none": lambda: theorem_a(biased, v, X, F, **COURSE),
        "`v` .* the map at every neuron": lambda: theorem_a(start, v[:-1], X, F, **COURSE),
        "`X` .* 3 columns": lambda: theorem_a(start, v, X[:, :2], F, **COURSE),
        "`logits`": lambda: theorem_a(start, v, X, F[:-1], **COURSE),
        "`v` .*NaN": lambda: theorem_a(start, v * np.nan, X, F, **COURSE),
        "`radius`": lambda: theorem_a(start, v, X, F, **{**COURSE, "radius": np.inf}),
        "`step_size`": lambda: theorem_a(start, v, X, F, **{**COURSE, "step_size": 0}),
        "`n_steps`": lambda: theorem_a(start, v, X, F, **{**COURSE, "n_steps": 0}),
        "`y`": lambda: hard_certificate(start, v, X, np.full(7, 2), F, **COURSE),
        "as many rows": lambda: sharp_certificate(start, v, X, P[:-1], **COURSE),
        "`displacement`": lambda: sharp_certificate(
            start, v, X, P, displacement=-1.0, **COURSE
        ),
        "`coefficients`": lambda: expansion(X, np.ones((7, 1, 1))),
    }  # fmt: skip
    for message, call in calls.items():
        with pytest.raises(ArgumentError, match=message):
            call()
