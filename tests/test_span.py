"""Training in the span of the data is training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import random_problem

from softwidth import inputs
from softwidth._cores import blas_threads
from softwidth.network import initialise
from softwidth.span import BLOCK, find_span
from softwidth.specs import Student
from softwidth.training import train_bank

STUDENTS = [
    Student(8, seed=0, radius=0.5, step_size=2),
    Student(6, seed=1, labels="soft", init="he"),
    Student(4, seed=2),
]


def wide_rows(seed, N, D, rank):
    """Rows of unit norm that span `rank` dimensions at most."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, min(rank, N))) @ rng.standard_normal((min(rank, N), D))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@given(
    seed=st.integers(0, 1000),
    N=st.integers(1, 30),
    D=st.integers(40, 60),
    rank=st.integers(1, 40),
    course=st.fixed_dictionaries(
        {
            "bias": st.booleans(),
            "train_output": st.booleans(),
            "momentum": st.sampled_from([0.0, 0.8]),
            "batch_size": st.sampled_from([None, 4]),
        }
    ),
)
def test_the_same_students_as_without(seed, N, D, rank, course):
    X = wide_rows(seed, N, D, rank)
    _, y, targets = random_problem(seed, N)
    course |= {"epochs": 8, "dtype": "float64", "diagnostics_every": 3, "tolerance": 0}
    assert find_span(X) is not None
    inside = train_bank(X, y, targets, STUDENTS, **course)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "find_span", lambda X: None)
        outside = train_bank(X, y, targets, STUDENTS, **course)
    np.testing.assert_allclose(inside.cross_entropy, outside.cross_entropy, atol=1e-10)
    for ours, theirs in zip(inside.networks, outside.networks, strict=True):
        assert ours.W.shape == theirs.W.shape == (ours.width, D + course["bias"])
        np.testing.assert_allclose(ours.W, theirs.W, atol=1e-10)
    for name in ("displacement", "edge"):
        np.testing.assert_allclose(inside.diagnostics[name], outside.diagnostics[name], atol=1e-9)
    fresh = np.random.default_rng(seed).standard_normal((7, D))  # leaves the span
    np.testing.assert_allclose(inside.logits(fresh), outside.logits(fresh), atol=1e-9)


@given(seed=st.integers(0, 1000), N=st.integers(1, 30), rank=st.integers(1, 30))
def test_the_basis_is_orthonormal_and_holds_the_rows(seed, N, rank):
    X = wide_rows(seed, N, 40, rank)
    span = find_span(X)
    r = span.Q.shape[1]
    assert r <= N
    np.testing.assert_allclose(span.Q.T @ span.Q, np.eye(r), atol=1e-12)
    np.testing.assert_allclose(span.X @ span.Q.T, X, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_neuron_that_has_not_moved_comes_back_untouched(dtype, threads):
    span = find_span(wide_rows(0, 20, 100, 20).astype(dtype))
    W = initialise(2 * BLOCK + 6, 100, dtype=dtype).W
    coordinates = np.empty((len(W), 20), dtype)
    span.enter(W, coordinates)
    moved = W.copy()
    with blas_threads(threads):
        span.leave(coordinates, moved)
    np.testing.assert_array_equal(moved, W)


def test_what_is_outside_the_span_never_moves():
    X = wide_rows(3, 20, 100, 20)
    _, y, targets = random_problem(3, 20)
    bank = train_bank(X, y, targets, STUDENTS, epochs=30, dtype="float64")
    Q = find_span(X).Q
    for student, network in zip(STUDENTS, bank.networks, strict=True):
        start = initialise(student.width, 100, init=student.init, seed=student.seed)
        moved = network.W - start.W
        assert np.linalg.norm(moved) > 0.05
        np.testing.assert_allclose(moved, moved @ Q @ Q.T, atol=1e-12)


@pytest.mark.parametrize(("N", "D", "pays"), [(8, 10, True), (9, 10, False), (1, 2, True)])
def test_where_it_pays(N, D, pays):
    assert (find_span(np.ones((N, D))) is not None) == pays
