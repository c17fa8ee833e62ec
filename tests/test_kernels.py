"""Kernels against Monte Carlo, extended precision and their own definitions."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth._angles import coefficients
from softwidth._checks import ArgumentError, MemoryLimitError
from softwidth.kernels import finite_kernel, limiting_kernel
from softwidth.network import initialise


def precise_kernel(X, Z):
    """The definition in extended precision, the angle from sum and difference of unit vectors."""
    X, Z = X.astype(np.longdouble), Z.astype(np.longdouble)
    U, V = (A / np.linalg.norm(A, axis=1, keepdims=True) for A in (X, Z))
    apart, together = (
        np.sqrt(((U[:, None] + sign * V[None]) ** 2).sum(axis=2)) for sign in (-1, 1)
    )
    return (X @ Z.T) * 2 * np.arctan2(together, apart) / (2 * np.longdouble(np.pi))


def test_closed_form_is_the_expectation():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 4))
    draws = 200_000
    active = (rng.standard_normal((draws, 4)) @ X.T > 0).astype(float)
    both = active.T @ active / draws
    error = abs(limiting_kernel(X) - (X @ X.T) * both)
    standard_error = abs(X @ X.T) * np.sqrt(both * (1 - both) / draws)
    assert (error < 5 * standard_error + 1e-12).all()


def test_finite_kernel_tends_to_the_limit():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((20, 5))
    K = limiting_kernel(X)
    few, many = (
        abs(finite_kernel(X, rng.standard_normal((m, 5))) - K).max() for m in (100, 10_000)
    )
    assert many < few / 4  # 1/sqrt(m) would be a tenth


def test_finite_kernel_is_its_definition():
    rng = np.random.default_rng(2)
    X, Z, W = (rng.standard_normal((n, 3)) for n in (7, 4, 11))
    weights = rng.random(11)
    slow = np.zeros((7, 4))
    for w, weight in zip(W, weights, strict=True):
        slow += weight * np.outer(X @ w > 0, Z @ w > 0) / 11
    np.testing.assert_allclose(
        finite_kernel(X, W, Z, weights=weights), slow * (X @ Z.T), rtol=1e-12
    )


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30), m=st.integers(1, 20))
def test_finite_kernel_is_the_gram_matrix_of_gradients(seed, n, m):
    """Of the network itself in its hidden weights, at its symmetric start: one neuron of a pair."""
    X = np.random.default_rng(seed).standard_normal((n, 3))
    network = initialise(2 * m, 3, seed=seed)
    gates = (X @ network.W.T > 0) * network.A[:, 0] * network.scale
    gradients = (gates[:, :, None] * X[:, None]).reshape(n, -1)
    K = finite_kernel(X, network.W[::2])
    np.testing.assert_allclose(K, gradients @ gradients.T, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(K, K.T)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("angle", [0.3, 1e-2, 1e-4, 1e-6, 1e-8])
def test_nearly_equal_and_opposite_rows_keep_their_digits(sign, angle):
    rng = np.random.default_rng(3)
    x, away = np.linalg.qr(rng.standard_normal((9, 2)))[0].T
    X, Z = x[None], sign * 3 * (np.cos(angle) * x + np.sin(angle) * away)[None]
    exact = precise_kernel(X, Z).astype(float)
    np.testing.assert_allclose(limiting_kernel(X, Z), exact, rtol=1e-7)
    single = limiting_kernel(X, Z, dtype=np.float32)
    np.testing.assert_allclose(single, exact, atol=3e-6)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40), d=st.integers(1, 8))
def test_kernel_is_right_symmetric_and_positive(seed, n, d):
    X = np.random.default_rng(seed).standard_normal((n, d))
    K = limiting_kernel(X)
    np.testing.assert_allclose(K, precise_kernel(X, X).astype(float), rtol=1e-9, atol=1e-14)
    np.testing.assert_array_equal(K, K.T)
    assert np.linalg.eigvalsh(K).min() > -1e-12 * np.trace(K)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_make_no_difference(dtype):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((1300, 6)).astype(dtype)
    rows = [0, 511, 512, 1023, 1024, 1299]
    whole, part = limiting_kernel(X, dtype=dtype), limiting_kernel(X[rows], X, dtype=dtype)
    np.testing.assert_allclose(whole[rows], part, rtol=1e-4 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("batch", [1, 7, 250])
def test_batched_equals_unbatched(batch):
    rng = np.random.default_rng(7)
    X, Z = rng.standard_normal((600, 5)), rng.standard_normal((500, 5))
    parts = [limiting_kernel(X, Z[start : start + batch]) for start in range(0, 500, batch)]
    np.testing.assert_allclose(np.hstack(parts), limiting_kernel(X, Z), rtol=1e-12, atol=1e-14)


def test_equal_opposite_and_scaled_rows():
    x = np.random.default_rng(3).standard_normal(50)
    K, square = limiting_kernel(np.stack([x, -3 * x, 2 * x])), x @ x
    assert K[0, 0] == pytest.approx(square / 2, rel=1e-15)
    assert K[0, 2] == pytest.approx(square, rel=1e-14)
    assert abs(K[0, 1]) <= 1e-15 * square


def test_arccos_polynomial_is_accurate():
    a = np.linspace(0, 1, 10_001)[:-1]
    for dtype, tolerance in ((np.float32, 5e-7), (np.float64, 1e-14)):
        poly = coefficients(dtype).astype(float)
        value = np.sqrt(1 - a) * np.polyval(poly, 2 * a - 1)
        np.testing.assert_allclose(value, np.arccos(a), rtol=tolerance)


def test_rows_of_zeros_have_kernel_zero():
    K = limiting_kernel([[0.0, 0.0], [1.0, 0.0]])
    assert K.tolist() == [[0.0, 0.0], [0.0, 0.5]]


def test_no_second_array_is_held():
    X = np.random.default_rng(5).standard_normal((3000, 10))
    limiting_kernel(X[:10])
    tracemalloc.start()
    limiting_kernel(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.15 * 8 * 3000**2


@pytest.mark.parametrize(
    ("X", "Z", "dtype", "says"),
    [
        ([[np.nan]], None, "float64", "`X`"),
        ([1.0], None, "float64", "`X`"),
        ([[1.0]], [[1.0, 2.0]], "float64", "`Z`"),
        ([[1.0]], None, "float16", "`dtype`"),
    ],
)
def test_bad_input(X, Z, dtype, says):
    with pytest.raises(ArgumentError, match=says):
        limiting_kernel(X, Z, dtype=dtype)


def test_bad_neurons():
    with pytest.raises(ArgumentError, match="`W`"):
        finite_kernel(np.eye(2), np.eye(3))
    with pytest.raises(ArgumentError, match="`weights`"):
        finite_kernel(np.eye(2), np.eye(2), weights=[1.0])


def test_what_does_not_fit_is_refused_with_its_size(monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 2**20}))
    with pytest.raises(MemoryLimitError, match=r"2000 x 2000 rows needs 31 MiB and 1 MiB"):
        limiting_kernel(np.ones((2000, 1)))
