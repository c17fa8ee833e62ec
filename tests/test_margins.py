"""Margins: known numbers, independent solvers, witnesses, invariances, and what stops a solve."""

from __future__ import annotations

import signal

import clarabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from softwidth import margin_task
from softwidth._checks import ArgumentError, MemoryLimitError
from softwidth.kernels import limiting_kernel
from softwidth.margin_grams import Constraints
from softwidth.margin_neurons import Neurons, reweighted
from softwidth.margins import margin
from softwidth.network import initialise


def problem(seed, n=30, d=5, K=2):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = np.concatenate([np.arange(K), rng.integers(0, K, n - K)])
    return X / np.linalg.norm(X, axis=1, keepdims=True), y


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / np.linalg.norm(X, axis=1, keepdims=True), y % 2


def conic(P, q, A, b, cones):
    """clarabel's value of ``min ½ zᵀPz + qᵀz`` with ``b - A z`` in the cones."""
    options = clarabel.DefaultSettings()
    options.verbose = False
    P, A = sparse.csc_matrix(P), sparse.csc_matrix(A)
    return clarabel.DefaultSolver(P, q, A, b, cones, options).solve().obj_val


def conic_kernel_margin(X, y):
    """``min αᵀQα`` over the simplex."""
    n, signs = len(y), 2.0 * y - 1
    Q = limiting_kernel(X) * np.outer(signs, signs)
    A = np.vstack([np.ones((1, n)), -np.eye(n)])
    b = np.concatenate([[1.0], np.zeros(n)])
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(n)]
    return np.sqrt(2 * conic(Q, np.zeros(n), A, b, cones))


def conic_sup_margin(X, y, W, K):
    """``min mean_r t_r``, ``‖u_rk‖ ≤ t_r`` for every neuron and class, α in the simplex."""
    (n, d), m, P = X.shape, len(W), (X @ W.T > 0).astype(float)
    if K == 2:
        terms = [(i, {0: 2.0 * y[i] - 1}) for i in range(n)]
    else:
        terms = [(i, {y[i]: 1.0, k: -1.0}) for i in range(n) for k in range(K) if k != y[i]]
    a, C = len(terms), 1 if K == 2 else K
    A = [np.concatenate([np.ones(a), np.zeros(m)])[None], np.hstack([-np.eye(a), np.zeros((a, m))])]
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(a)]
    for r in range(m):
        for k in range(C):
            block = np.zeros((1 + d, a + m))
            block[0, a + r] = -1
            for c, (i, e) in enumerate(terms):
                block[1:, c] = -e.get(k, 0.0) * P[i, r] * X[i]
            A.append(block)
            cones.append(clarabel.SecondOrderConeT(1 + d))
    q = np.concatenate([np.zeros(a), np.full(m, 1 / m)])
    A = np.vstack(A)
    return conic(np.zeros((a + m, a + m)), q, A, np.eye(1, len(A))[0], cones)


def test_kernel_margin_of_digits(digits):
    found = margin(*digits, gap=1e-9)
    assert found.lower == pytest.approx(0.0214839, abs=5e-8)
    assert found.gap < 1e-9
    assert found.confidence == 1
    assert (found.n_samples, found.n_support) == (1797, 376)


def test_kernel_margin_of_digits_by_a_conic_solver(digits):
    """On the support all constraints of the other rows are slack: its margin is that of all."""
    X, y = digits
    support = margin(X, y, gap=1e-9).support
    assert conic_kernel_margin(X[support], y[support]) == pytest.approx(0.0214839, abs=5e-8)


@pytest.mark.parametrize(("init", "seed"), [("symmetric", 0), ("symmetric", 1), ("gaussian", 0)])
def test_sup_margin_of_digits(digits, init, seed):
    found = margin(*digits, "sup", 4096, init=init, seed=seed, gap=2e-2)
    assert 0.0165 <= found.lower <= found.upper <= 0.0185
    assert found.gap <= 2e-2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [2, 30, 150])
def test_kernel_margin_against_a_conic_solver(seed, n):
    X, y = problem(seed, n)
    found = margin(X, y, gap=1e-9)
    assert found.upper == pytest.approx(conic_kernel_margin(X, y), rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "K"), [(12, 2), (40, 2), (12, 3)])
def test_sup_margin_against_a_conic_solver(seed, n, K):
    X, y = problem(seed, n, d=4, K=K)
    found = margin(X, y, "sup", 40, init="gaussian", gap=1e-3, seed=seed)
    truth = conic_sup_margin(X, y, found.W, K)
    assert found.lower <= truth * (1 + 1e-6) + 1e-8
    assert found.upper >= truth * (1 - 1e-6) - 1e-8
    assert found.gap < (2e-3 if K == 2 else 0.05)


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 25),
    d=st.integers(2, 6),
    K=st.integers(2, 4),
    kind=st.sampled_from(["kernel", "sup"]),
    width=st.sampled_from([None, 8, 64]),
)
@settings(max_examples=30)
def test_witnesses_prove_the_interval(seed, n, d, K, kind, width):
    X, y = problem(seed, n, d, K)
    small = {"neurons": 64, "fresh": 256} if kind == "sup" and width is None else {}
    found = margin(X, y, kind, width, seed=seed % 1000, gap=1e-2, **small)
    assert 0 <= found.lower <= found.upper * (1 + 1e-9)
    assert found.alpha.min() >= 0
    assert found.alpha.sum() == pytest.approx(1)
    assert (found.rivals != y[found.rows]).all()
    if not found.conflict:
        np.testing.assert_allclose(
            found.verify(), (found.lower, found.upper), rtol=1e-6, atol=1e-12
        )


@given(seed=st.integers(0, 2**32 - 1), K=st.integers(2, 4))
@settings(max_examples=15)
def test_no_other_pair_beats_the_interval(seed, K):
    """Weak duality, attacked: any map in the ball is below the upper end, any α above the lower."""
    X, y = problem(seed, 15, 4, K)
    rng = np.random.default_rng(seed)
    found = margin(X, y, "sup", 32, seed=seed % 1000, gap=1e-2)
    if found.conflict:
        return
    neurons = found.witness.neurons
    near = found.witness.v + 0.1 * rng.standard_normal(found.witness.v.shape)
    for other in (near, rng.standard_normal(near.shape)):
        v = other / np.linalg.norm(other, axis=2).sum(axis=1).max()
        assert neurons.field(v).min() <= found.upper * (1 + 1e-9)
    alpha = rng.dirichlet(np.ones(neurons.constraints.n))
    assert neurons.dual_value(np.arange(len(alpha)), alpha) >= found.lower * (1 - 1e-9)


@pytest.mark.parametrize("K", [2, 3])
def test_the_map_at_the_drawn_neurons_has_the_margin(K):
    """By the network's own definition, at the neurons that a student of this seed starts from."""
    X, y = problem(3, 25, 5, K)
    found = margin(X, y, "sup", 128, seed=4)
    np.testing.assert_array_equal(found.W, initialise(128, 5, K, seed=4).W)
    v = found.v.reshape(128, -1, 5)
    assert np.linalg.norm(v, axis=2).sum(axis=1).max() <= 1 + 1e-12
    F = np.einsum("rkd,nd,nr->nk", v, X, X @ found.W.T > 0) / 128
    if K == 2:
        margins = F[:, 0] * (2 * y - 1)
    else:
        others = np.where(np.arange(K) == y[:, None], -np.inf, F)
        margins = F[np.arange(25), y] - others.max(axis=1)
    assert margins.min() == pytest.approx(found.lower, rel=1e-9)


def test_a_false_witness_is_found_out():
    found = margin(*problem(0), "sup", 64)
    witness = found.witness
    object.__setattr__(witness, "v", 3 * witness.v)  # outside the ball: scaled back, nothing gained
    assert witness.ends()[0] <= found.lower * (1 + 1e-9)
    object.__setattr__(witness, "v", -witness.v)
    assert witness.ends()[0] == 0
    object.__setattr__(witness, "alpha", 2 * np.roll(witness.alpha, 1))
    assert witness.ends()[1] > found.upper


@pytest.mark.parametrize(("kind", "width"), [("kernel", None), ("kernel", 64), ("sup", 64)])
def test_equal_rows_change_nothing(kind, width):
    X, y = problem(1)
    once = margin(X, y, kind, width, gap=1e-6)
    twice = margin(np.vstack([X, X[:7], X]), np.concatenate([y, y[:7], y]), kind, width, gap=1e-6)
    assert twice.upper == pytest.approx(once.upper, rel=1e-9)
    assert twice.n_samples == 67


def test_rotation_changes_nothing():
    X, y = problem(2)
    R = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0]
    once, turned = margin(X, y, gap=1e-9), margin(X @ R, y, gap=1e-9)
    assert turned.lower == pytest.approx(once.lower, rel=1e-8)
    W = np.random.default_rng(1).standard_normal((50, 5))
    pairs = []
    for inputs, neurons in ((X, W), (X @ R, W @ R)):
        N = Neurons(Constraints.of(inputs, y, 2), neurons, np.full(50, 1 / 50))
        pairs.append(reweighted(N, np.arange(30), gap=1e-5, on_round=lambda pair: False))
    assert pairs[0].upper == pytest.approx(pairs[1].upper, rel=1e-4)


@given(seed=st.integers(0, 2**32 - 1), length=st.floats(0.1, 10))
@settings(max_examples=10)
def test_margins_scale_with_the_rows(seed, length):
    X, y = problem(seed, 12)
    assert margin(length * X, y, gap=1e-9).upper == pytest.approx(
        length * margin(X, y, gap=1e-9).upper, rel=1e-6
    )


@pytest.mark.parametrize("K", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_the_largest_norm_is_the_stronger_condition(seed, K):
    X, y = problem(seed, 20, 4, K)
    assert margin(X, y, "sup", 256).lower <= margin(X, y, "kernel", 256).upper * (1 + 1e-9)
    assert margin(X, y, "sup", neurons=256, fresh=2**14).lower <= margin(X, y).upper


def test_two_classes_are_the_binary_task():
    """The constraints of K logits at K = 2, both norms: v_1 = -v_0 = v/2."""
    X, y = problem(5)
    both = np.zeros((30, 2), np.int8)
    both[np.arange(30), y], both[np.arange(30), 1 - y] = 1, -1
    W = np.random.default_rng(0).standard_normal((64, 5))
    found = []
    for C in (Constraints.of(X, y, 2), Constraints(X, np.arange(30), both, 1 - y)):
        neurons = Neurons(C, W, np.full(64, 1 / 64))
        found.append(reweighted(neurons, np.arange(30), gap=1e-4, on_round=lambda pair: False))
    assert found[1].upper == pytest.approx(found[0].upper, rel=1e-3)
    assert found[1].lower == pytest.approx(found[0].lower, rel=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_a_bias_can_only_widen_the_margin(seed):
    X, y = problem(seed, 60)
    K = limiting_kernel(X)
    machine = SVC(kernel="precomputed", C=1e9, tol=1e-9).fit(K, y)
    a, s = machine.dual_coef_[0], machine.support_
    with_bias = 1 / np.sqrt(a @ K[np.ix_(s, s)] @ a)
    assert with_bias >= margin(X, y, gap=1e-8).lower * (1 - 1e-6)


def test_a_subset_bounds_from_above(digits):
    X, y = digits
    few = margin(X, y, limit=300, seed=1)
    assert few.upper > 0.0214839
    assert few.n_samples == 300
    assert "upper end holds for all rows" in few.notes[0]
    np.testing.assert_array_equal(few.rows, margin(X, y, limit=300, seed=1).rows)
    again = margin(X[few.support], y[few.support])  # row numbers are those of the whole
    assert again.upper == pytest.approx(few.upper, rel=2e-3)
    assert margin(X[:50], y[:50], limit=50).notes == ()


@pytest.mark.parametrize(("kind", "width"), [("kernel", None), ("sup", 32), ("sup", None)])
def test_what_cannot_be_separated_has_margin_zero(kind, width):
    X, y = problem(4)
    twin = margin(np.vstack([X, X[3:4]]), np.append(y, 1 - y[3]), kind, width)
    assert (twin.lower, twin.upper, twin.conflict) == (0, 0, (3, 30))
    assert twin.verify() == (0, 0)
    assert "rows 3, 30" in twin.notes[0]
    zero = margin(np.vstack([X, 0 * X[:1]]), np.append(y, 1), kind, width)
    assert (zero.upper, zero.conflict) == (0, (30,))


def test_a_row_without_an_active_neuron_has_margin_zero():
    X, y = problem(0, 40)
    found = margin(X, y, "sup", 2, seed=0)
    assert found.upper == 0
    row = found.conflict[0]
    assert not (X[row] @ initialise(2, 5, seed=0).W.T > 0).any()


def test_a_combination_of_rows_may_conflict():
    """φ(x) - φ(-x) = x: with three directions in the plane the features are dependent."""
    X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    X, y = np.vstack([X, -X]), np.array([1, 1, 1, 0, 0, 0])
    found = margin(X, y)
    assert found.lower == 0
    assert found.upper < 1e-6
    assert found.conflict == (0, 1, 2, 3, 4, 5)
    assert "combination" in found.notes[0]


def test_one_class_alone_has_a_margin():
    assert margin(np.eye(3), [1, 1, 1]).lower == pytest.approx(np.sqrt(1 / 6), rel=1e-3)


@pytest.mark.parametrize(("kind", "width"), [("sup", 256), ("sup", None)])
def test_an_interrupt_leaves_a_valid_wider_interval(kind, width, monkeypatch):
    X, y = problem(6, 12, 6)
    small = {"gap": 1e-4, "neurons": 256, "fresh": 2**16}
    whole = margin(X, y, kind, width, **small)
    inner = margin_task.Watch.__call__

    def interrupted(self, found):
        signal.raise_signal(signal.SIGINT)
        return inner(self, found)

    monkeypatch.setattr(margin_task.Watch, "__call__", interrupted)
    early = margin(X, y, kind, width, **small)
    assert early.rounds == 1
    assert early.gap > whole.gap
    assert early.lower <= whole.upper
    assert early.upper >= whole.lower
    assert any("Stopped early" in note for note in early.notes)
    np.testing.assert_allclose(early.verify(), (early.lower, early.upper), rtol=1e-9)


def test_progress_shows_the_gap(monkeypatch, capsys):
    monkeypatch.setattr("softwidth._progress.APPEARS_AFTER", 0.0)
    monkeypatch.setattr("softwidth._progress.LINE_EVERY", 0.0)
    margin(*problem(0), "sup", 64, progress_label="margin")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "gap" in shown.err


def test_record_of_a_margin():
    record = margin(*problem(0), "sup", 64).as_dict()
    assert {"kind", "lower", "upper", "confidence", "n_samples", "n_support", "seconds"} <= set(
        record
    )
    assert record["gap"] <= 1e-3
    assert record["seconds"] > 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kind": "kernal"}, "did you mean 'kernel'"),
        ({"kind": "sup", "width": 3}, "`width` (=3) must be even"),
        ({"width": 4, "init": "he"}, "`init`"),
        ({"gap": -1}, "`gap`"),
        ({"confidence": 1.0}, "`confidence`"),
        ({"limit": 1}, "`limit`"),
        ({"n_classes": 1}, "`n_classes`"),
        ({"fresh": 1}, "`fresh`"),
        ({"y": [0, 1, 5]}, "`y`"),
        ({"y": [0, 1, np.nan]}, "`y`"),
        ({"y": [0, 1]}, "`y`"),
        ({"y": [-1, 1, 1]}, "`y`"),
        ({"X": [[1.0], [np.inf], [2.0]]}, "`X`"),
        ({"X": [1.0, 2.0, 3.0]}, "`X`"),
    ],
)
def test_bad_input(settings, says):
    arguments = {"X": np.eye(3), "y": [0, 1, 1], **settings}
    with pytest.raises(ArgumentError) as error:
        margin(**arguments)
    assert says in str(error.value)


def test_what_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 2**20}))
    with pytest.raises(MemoryLimitError, match="a map at 20000 neurons"):
        margin(np.eye(8), np.arange(8) % 2, "sup", 20_000)
