"""Numbers at the ends of their range: who diverges is told, and nobody beside them notices."""

from __future__ import annotations

import numpy as np
import pytest

from softwidth._checks import ArgumentError
from softwidth.data import load
from softwidth.network import initialise
from softwidth.specs import Student
from softwidth.training import train_bank

DTYPES = ("float32", "float64")
STEPS = (1e6, 1e20, 1e38, 1e300, 1e-40, 1e-320)  # beyond float32 at both ends, and denormal


def problem(n=150, d=12, K=2, dtype="float32", scale=1.0):
    """Unit rows times `scale`, and labels at random."""
    rng = np.random.default_rng(K)
    X = rng.standard_normal((n, d))
    X *= scale / np.linalg.norm(X, axis=1, keepdims=True)
    y = rng.integers(0, K, n)
    return X.astype(dtype), y, {"hard": np.eye(K)[y]}


def trained(data, step_sizes, widths=(8, 4, 32, 16, 8), radius=np.inf, **recipe):
    students = [
        Student(width, seed=seed, step_size=step_size, radius=radius)
        for seed, (width, step_size) in enumerate(zip(widths, step_sizes, strict=True))
    ]
    recipe = {"epochs": 8, "threads": 1, **recipe}
    return train_bank(*data, students, dtype=str(data[0].dtype), **recipe)


def bits(bank, member):
    """All that is known of a student."""
    network = bank.networks[member]
    arrays = (network.W, network.A, network.b, bank.cross_entropy[member], bank.error[member])
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", [2, 4])
@pytest.mark.parametrize("recipe", [
    {}, {"batch_size": 16, "momentum": 0.9}, {"train_output": True, "bias": True, "batch_size": 40},
])  # fmt: skip
def test_a_step_size_without_measure_harms_no_neighbour_by_a_bit(dtype, K, recipe):
    """A student of a few neurons, so that the others stay where they are when it is lost."""
    data = problem(K=K, dtype=dtype)
    calm = trained(data, [1.0, 0.5, 1.0, 1.0, 1.0], **recipe)
    for wild in STEPS:
        bank = trained(data, [1.0, wild, 1.0, 1.0, 1.0], **recipe)
        assert bank.status == ["trained", "diverged" if wild > 1 else "trained", *3 * ["trained"]]
        for member in (0, 2, 3, 4):
            assert bits(bank, member) == bits(calm, member)
        errors = bank.evaluate(*data[:2])["error"]
        assert (errors == calm.evaluate(*data[:2])["error"])[[0, 2, 3, 4]].all()
        assert 0 <= errors[1] <= 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_when_most_neurons_are_lost_the_others_move_together_and_differ_by_rounding(dtype):
    data = problem(dtype=dtype)
    calm = trained(data, [1.0, 1.0, 1.0, 1.0, 1.0])
    bank = trained(data, [1.0, 1.0, 1e30, 1e30, 1.0])
    assert bank.status == ["trained", "trained", "diverged", "diverged", "trained"]
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    for member in (0, 1, 4):
        ours, theirs = bank.logits(data[0], [member]), calm.logits(data[0], [member])
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", [2, 4])
def test_rows_whose_products_overflow_are_survived_in_a_ball_and_diverge_without(dtype, K):
    far = 1e30 if dtype == "float32" else 1e300
    data = problem(K=K, dtype=dtype, scale=far)
    free = trained(data, 5 * [1.0])
    assert free.status == 5 * ["diverged"]
    assert ((measured := free.evaluate(*data[:2])["error"]) > 0.2).all()
    assert (measured <= 1).all()
    near = trained(data, 5 * [1.0], radius=1.0, epochs=1)
    for student, network in zip(near.students, near.networks, strict=True):
        began = initialise(
            student.width, data[0].shape[1], K, init=student.init, seed=student.seed, dtype=dtype
        )
        lengths = np.linalg.norm(network.W.astype(float) - began.W, axis=1)
        # On the edge, and not put back to where it began.
        assert lengths.max() * np.sqrt(student.width) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_row_at_the_end_of_the_range_is_told_or_fine(dtype):
    X, y, targets = problem(dtype=dtype)
    X[7] *= np.finfo(dtype).max / 4
    bank = trained((X, y, targets), 5 * [1.0])
    assert "diverged" in bank.status
    for status, network in zip(bank.status, bank.networks, strict=True):
        assert status == "diverged" or np.isfinite(network.W).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_denormal_rows_teach_nothing_and_denormal_entries_count_for_nothing(dtype):
    tiny = float(np.finfo(dtype).tiny)
    faint = trained(problem(dtype=dtype, scale=tiny / 4), 5 * [1.0])
    assert faint.status == 5 * ["trained"]
    np.testing.assert_allclose(faint.cross_entropy, np.log(2), rtol=1e-6)
    X, y, targets = problem(dtype=dtype)
    X[:, :4] = 0
    dusty = X.copy()
    dusty[:, :4] = tiny / 8
    banks = [trained((rows, y, targets), 5 * [1.0], radius=2.0) for rows in (X, dusty)]
    assert banks[1].status == 5 * ["trained"]
    np.testing.assert_allclose(banks[1].logits(X), banks[0].logits(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1e38, 1e30, 1e-38, 1e-44])
def test_loaded_rows_of_any_scale_are_unit_rows(scale):
    """Norms whose squares overflow, or vanish, in the numbers' own precision."""
    rng = np.random.default_rng(0)
    X = (scale * rng.uniform(0.5, 1, (40, 5))).astype(np.float32)
    data = load({"X": X, "y": np.arange(40) % 2})
    norms = np.linalg.norm(data.X_train.astype(float), axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)


def test_what_does_not_fit_into_single_precision_is_refused_by_name():
    X, y, targets = problem(dtype="float64")
    X[3, 2] = 1e300
    with pytest.raises(ArgumentError, match="`X`"):
        train_bank(X, y, targets, [Student(4)], epochs=1)
