"""The compiled pieces, one by one: losses, gradients, products, projection, judgement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.special import log_softmax, softmax

from softwidth import _blas, _losses, _passes, _steps

dtypes = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 2**32 - 1)
EPS = {np.float32: 4e-7, np.float64: 1e-15}


def random_logits(seed, K, n, dtype, spread):
    rng = np.random.default_rng(seed)
    F = (spread * rng.standard_normal((K, n))).astype(dtype)
    T = rng.dirichlet(np.ones(max(K, 2)), n).T.astype(dtype)
    return F, T[-K:], rng.integers(0, max(K, 2), n)


def exact_losses(F, T):
    """Cross-entropies in double precision from one logit or K, and their gradients."""
    F, T = F.astype(np.float64), T.astype(np.float64)
    if len(F) == 1:
        F, T = np.vstack([0 * F, F]), np.vstack([1 - T, T])
        return -(T * log_softmax(F, axis=0)).sum(), (softmax(F, axis=0) - T)[1:]
    return -(T * log_softmax(F, axis=0)).sum(), softmax(F, axis=0) - T


def as_in_the_loop(array):
    """The same numbers with gaps between them: the type for which the loop is compiled."""
    return np.stack([array, array], axis=-1)[..., 0]


def compiled_loss(F, T, y, gain=1.0):
    """Loss, mistakes and the gradient of a piece of samples."""
    F, T, gain = as_in_the_loop(F), as_in_the_loop(T), F.dtype.type(gain)
    if len(F) == 1:
        return *_losses.binary_loss(F[0], T[0], y, gain), F
    return *_losses.multiclass_loss(F, T, y, gain, np.empty(256, F.dtype)), F


@given(x=st.floats(-120, 0, width=32))
def test_exponential_in_single_precision(x):
    got = exponential(np.array([x], np.float32))[0]
    if x > -87:
        assert got == pytest.approx(np.exp(np.float64(x)), rel=3e-7)
    else:
        assert 0 < got < 2e-38


def exponential(x):
    """`_losses.exp_nonpositive` on a vector, through the only door it has: the gradient."""
    F = compiled_loss(x[None], np.zeros_like(x[None]), np.zeros(len(x), np.int64))[2][0]
    q = F.astype(np.float64)  # e / (1 + e)
    return q / (1 - q)


@given(
    seed=seeds, K=st.integers(1, 12), n=st.integers(1, 256), dtype=dtypes,
    spread=st.sampled_from([0.1, 1, 10, 60]), gain=st.floats(0.1, 10),
)  # fmt: skip
def test_losses_and_their_gradients(seed, K, n, dtype, spread, gain):
    K = 1 if K == 2 else K
    F, T, y = random_logits(seed, K, n, dtype, spread)
    exact, gradient = exact_losses(F, T)
    logits = np.vstack([0 * F, F]) if K == 1 else F
    loss, mistakes, out = compiled_loss(F, T, y, gain)
    size = float(n * (1 + abs(F).max()))
    assert loss == pytest.approx(exact, abs=20 * EPS[dtype] * size)
    right = [logits[c, i] > np.delete(logits[:, i], c).max() for i, c in enumerate(y)]
    assert mistakes == n - np.sum(right)
    np.testing.assert_allclose(out, gain * gradient, atol=20 * EPS[dtype] * gain)


@given(K=st.integers(1, 5).filter(lambda K: K != 2), dtype=dtypes, tied=st.floats(-3, 3, width=32))
def test_a_tie_is_a_mistake(K, dtype, tied):
    n = 7
    F = np.full((K, n), 0 if K == 1 else tied, dtype)
    y = np.arange(n) % max(K, 2)
    T = np.full((K, n), 1 / max(K, 2), dtype)
    _, mistakes, _ = compiled_loss(F, T, y)
    assert mistakes == n


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("K", [1, 3])
def test_what_overflowed_shows_in_the_loss(dtype, bad, K):
    F = np.zeros((K, 4), dtype)
    F[0, 2] = bad
    T, y = np.full((K, 4), 1 / max(K, 2), dtype), np.zeros(4, np.int64)
    loss, _, _ = compiled_loss(F, T, y)
    assert not loss < _steps.DIVERGED_ABOVE


@given(n=st.integers(0, 200), K=st.floats(1, 1e9), dtype=dtypes, seed=seeds)
def test_sum_of_logs_does_not_overflow(n, K, dtype, seed):
    values = np.random.default_rng(seed).uniform(1, K, n).astype(dtype)
    got = _losses.sum_of_logs(values)
    assert got == pytest.approx(np.log(values.astype(np.float64)).sum(), rel=1e-12, abs=1e-12)


products = {
    "H": st.integers(1, 40), "D": st.integers(1, 40), "n": st.integers(1, 50),
    "room": st.integers(0, 9), "dtype": dtypes, "seed": seeds,
}  # fmt: skip


@given(**products)
def test_activations_are_the_product(H, D, n, room, dtype, seed):
    rng = np.random.default_rng(seed)
    W, X = rng.standard_normal((H, D)).astype(dtype), rng.standard_normal((n, D)).astype(dtype)
    out = np.full((H, n + room), np.nan, dtype)
    _blas.activations(W, X, out)
    np.testing.assert_allclose(out[:, :n], W @ X.T, rtol=1e-4, atol=40 * EPS[dtype] * D)
    assert np.isnan(out[:, n:]).all()  # nothing is written beyond the rows


@given(alpha=st.floats(-2, 2), beta=st.sampled_from([0.0, 0.5, 1.0]), **products)
def test_add_outer_adds(H, D, n, room, dtype, seed, alpha, beta):
    rng = np.random.default_rng(seed)
    G, X, start = (
        rng.standard_normal(shape).astype(dtype) for shape in ((H, n + room), (n, D), (H, D))
    )
    out = start if beta else np.full_like(start, np.nan)  # a factor of 0 does not read
    expected = alpha * G[:, :n] @ X + (beta * start if beta else 0)
    out = out.copy()
    _blas.add_outer(G, X, alpha, beta, out)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=80 * EPS[dtype] * n)


def loss_of(W, A, b, scale, X, T):
    F = scale * np.maximum(X @ W.T, 0) @ A + b
    return exact_losses(F.T, T)[0] / len(X)


@given(K=st.sampled_from([1, 3, 4]), width=st.integers(1, 5), n=st.integers(1, 9), seed=seeds)
def test_gradients_are_finite_differences(K, width, n, seed):
    """Of hidden weights, output weights and output biases, through the compiled pieces."""
    rng = np.random.default_rng(seed)
    X, W = rng.standard_normal((n, 3)), rng.standard_normal((width, 3))
    A, b, scale = rng.standard_normal((width, K)), rng.standard_normal(K), 0.7
    _, T, y = random_logits(seed, K, n, np.float64, 1)
    H, F, g = np.empty((width, n)), np.empty((K, 256)), np.empty(256)
    _blas.activations(W, X, H)
    _passes.student_logits(H, 0, n, A, scale, b, F)
    piece = F[:, :n]
    piece[:] = compiled_loss(piece, T, y, 1 / n)[2]
    A_step, b_step, W_step = np.zeros_like(A), np.zeros_like(b), np.zeros_like(W)
    _passes.add_output_step(H, 0, n, scale, F, A_step)
    _passes.add_bias_step(piece, b_step)
    _passes.student_gradient(H, 0, n, A, scale, F, g)
    _blas.add_outer(H, X, 1.0, 0.0, W_step)
    for step, differences in (
        (
            W_step,
            approx_fprime(W.ravel(), lambda w: loss_of(w.reshape(W.shape), A, b, scale, X, T)),
        ),
        (
            A_step,
            approx_fprime(A.ravel(), lambda a: loss_of(W, a.reshape(A.shape), b, scale, X, T)),
        ),
        (b_step, approx_fprime(b, lambda c: loss_of(W, A, c, scale, X, T))),
    ):
        np.testing.assert_allclose(step.ravel(), differences, atol=2e-6)


def full_share(S=2, width=3, D=4, steps=6, dtype=np.float64, **arrays):
    """A `Share` of S students with zeros everywhere, for pieces that take it whole."""
    H = S * width
    fields = {
        "W": np.zeros((H, D), dtype), "W_start": np.zeros((H, D), dtype),
        "W_velocity": np.ones((H, D), dtype), "A": np.ones((H, 1), dtype),
        "A_step": np.zeros((H, 1), dtype), "A_velocity": np.ones((H, 1), dtype),
        "b": np.zeros((S, 1), dtype), "b_step": np.zeros((S, 1), dtype),
        "b_velocity": np.ones((S, 1), dtype), "moments": _steps.Moments(*np.zeros((6, 0, 0), dtype)),
        "scale": np.ones(S, dtype),
        "first": width * np.arange(S), "width": np.full(S, width),
        "kind": np.zeros(S, np.int64), "paired": np.zeros(S, bool), "step_size": np.ones(S),
        "ball": np.full(S, np.inf), "status": np.zeros(S, np.int8),
        "stopped": np.full(S, 99), "slot": np.arange(S),
        "ce": np.zeros((steps, S)), "error": np.zeros((steps, S)),
    }  # fmt: skip
    return _steps.Share(**{**fields, **arrays})


@given(seed=seeds, dtype=dtypes, log_far=st.floats(0, 1), log_ball=st.floats(-3, 2))
def test_projection_from_afar_ends_on_the_ball_too(seed, dtype, log_far, log_ball):
    """From as far as the numbers go, where a distance has no square; in long doubles beside it."""
    rng = np.random.default_rng(seed)
    start, ball = rng.standard_normal((3, 5)).astype(dtype), 10.0**log_ball
    far = dtype(np.finfo(dtype).max ** (0.5 + 0.49 * log_far) / 8)
    moved = start + rng.standard_normal((3, 5)).astype(dtype) * far
    students = full_share(1, 3, 5, W=moved.copy(), W_start=start, ball=np.array([ball]))
    _steps.project(students)
    way = moved.astype(np.longdouble) - start
    wanted = start + way * (ball / np.sqrt((way**2).sum(axis=1, keepdims=True)))
    np.testing.assert_allclose(students.W, wanted.astype(float), rtol=0, atol=20 * EPS[dtype] * max(ball, 4))  # fmt: skip


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_projection_keeps_what_overflowed_visible(bad):
    moved = np.ones((2, 3), np.float32)
    moved[0, 1] = bad
    students = full_share(1, 2, 3, W=moved, W_start=np.zeros_like(moved), ball=np.ones(1))
    _steps.project(students)
    assert np.isnan(students.W[0, 1])
    assert np.linalg.norm(students.W[1]) == pytest.approx(1)


@given(seed=seeds, dtype=dtypes, log_ball=st.floats(-3, 2))
def test_projection_ends_on_the_ball_and_keeps_the_direction(seed, dtype, log_ball):
    rng = np.random.default_rng(seed)
    start, ball = rng.standard_normal((6, 4)).astype(dtype), 10.0**log_ball
    moved = start + rng.standard_normal((6, 4)).astype(dtype)
    students = full_share(W=moved.copy(), W_start=start, ball=np.array([ball, np.inf]), dtype=dtype)
    _steps.project(students)
    distance = np.linalg.norm(moved - start, axis=1)
    after = np.linalg.norm(students.W - start, axis=1)
    tolerance = 20 * EPS[dtype]
    np.testing.assert_allclose(
        after[:3], np.minimum(distance[:3], ball), rtol=tolerance, atol=tolerance
    )
    np.testing.assert_array_equal(students.W[3:], moved[3:])  # no ball, no projection
    inside = np.flatnonzero(distance[:3] < ball * (1 - 1e-5))
    np.testing.assert_array_equal(students.W[inside], moved[inside])
    direction = np.sum((students.W - start) * (moved - start), axis=1) / (after * distance)
    np.testing.assert_allclose(direction, 1, atol=1e3 * tolerance / min(1, ball))


COURSE = _steps.Course(10, 10, 0.5, 0.01, True, True, False)


@pytest.mark.parametrize(
    ("losses", "status"),
    [
        ([0.7, 0.7, 0.7], _steps.TRAINING),
        ([0.705, 0.705, 0.7], _steps.CONVERGED),  # 0.7 is the entropy
        ([0.7, 0.7, 5e4], _steps.DIVERGED),
        ([0.7, np.inf, 0.7], _steps.DIVERGED),
        ([np.nan, 0.7, 0.7], _steps.DIVERGED),
        ([9.0, 0.1, 0.1], _steps.TRAINING),
    ],
)
def test_who_is_finished(losses, status):
    entropy = 0.69 if status == _steps.TRAINING else 0.7
    students = full_share(S=1)
    students.ce[3:6, 0] = losses
    _steps.settle(students, np.array([entropy]), 3, 30, 1, COURSE)
    assert students.status[0] == status
    finished = status != _steps.TRAINING
    assert students.stopped[0] == (2 if finished else 99)
    for velocity in (students.W_velocity, students.A_velocity, students.b_velocity):
        assert (velocity == (0 if finished else 1)).all()


def test_a_small_last_batch_counts_for_its_rows_only():
    """101 rows in steps of 100: the last row alone, well learnt, does not make an epoch."""
    course = COURSE._replace(batch=100)
    students = full_share(S=1)
    students.ce[:2, 0] = [1.0, 0.0]
    _steps.settle(students, np.array([0.95]), 0, 101, 0, course)
    assert students.status[0] == _steps.TRAINING
    _steps.settle(students, np.array([100 / 101]), 0, 101, 0, course)
    assert students.status[0] == _steps.CONVERGED


def test_tolerance_zero_takes_nobody_out():
    students = full_share(S=1)
    students.ce[:2, 0] = 0.5
    _steps.settle(students, np.array([0.6]), 0, 20, 0, COURSE._replace(tolerance=0.0))
    assert students.status[0] == _steps.TRAINING


@given(
    seed=seeds, n=st.integers(1, 20), kinds=st.integers(1, 3), C=st.integers(1, 3), dtype=dtypes,
    weighted=st.booleans(),
)  # fmt: skip
def test_gathered_rows_are_the_rows(seed, n, kinds, C, dtype, weighted):
    rng = np.random.default_rng(seed)
    rows = _steps.Rows(
        rng.standard_normal((30, 5)).astype(dtype),
        rng.random((kinds, C, 30)).astype(dtype),
        rng.integers(0, 3, 30),
        rng.random(30 if weighted else 0).astype(dtype),
    )
    order = rng.permutation(30)[:n].astype(np.int32)
    out = _steps.Rows(
        np.zeros((25, 5), dtype),
        np.zeros((kinds, C, 25), dtype),
        np.zeros(25, np.int64),
        np.zeros(25 if weighted else 0, dtype),
    )
    _steps.gather(rows, order, out)
    np.testing.assert_array_equal(out.X[:n], rows.X[order])
    np.testing.assert_array_equal(out.T[:, :, :n], rows.T[:, :, order])
    np.testing.assert_array_equal(out.y[:n], rows.y[order])
    if weighted:
        np.testing.assert_array_equal(out.weight[:n], rows.weight[order])
