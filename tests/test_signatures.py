"""Signatures of failure: seen in runs that fail, and not in those that do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth.signatures import signatures, step_too_large, width_too_small
from softwidth.specs import Student
from softwidth.training import train_bank

RUNS = {
    "": Student(256, 0, "soft", 1.0, radius=30.0),
    "width too small": Student(2, 0, "hard", 3.0, radius=1.0),
    "radius too large": Student(8, 0, "hard", 10.0, radius=1000.0),
    "step too large": Student(16, 0, "hard", 1000.0, radius=30.0),
}


@pytest.fixture(scope="module")
def bank():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 5))
    X /= np.linalg.norm(X, axis=1)[:, None]
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    soft = np.where(np.eye(2)[y] > 0, 0.55, 0.45)
    targets = {"hard": np.eye(2)[y], "soft": soft}
    settings = {"epochs": 600, "diagnostics_every": 300, "threads": 1}
    return train_bank(X, y, targets, list(RUNS.values()), **settings)


@pytest.mark.parametrize("member", range(len(RUNS)))
def test_each_failure_has_its_name_and_no_other(bank, member):
    found = [sign.name for sign in signatures(bank, member, target=0.05)]
    assert found == [name for name in [list(RUNS)[member]] if name]


def test_without_diagnostics_nothing_is_said_of_balls(bank):
    bank.diagnostics, kept = {}, bank.diagnostics
    try:
        assert [len(signatures(bank, m, target=0.05)) for m in range(3)] == [0, 0, 0]
    finally:
        bank.diagnostics = kept


@given(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=60))
def test_a_loss_that_only_falls_has_no_step_too_large_and_a_loss_that_returns_has(steps):
    falling = np.cumsum(steps[::-1])[::-1]
    assert step_too_large(falling) is None
    back = np.concatenate([falling, [falling[0]]])
    assert step_too_large(back) is not None


def test_a_loss_that_falls_still_is_no_narrow_student_s():
    assert width_too_small(np.geomspace(1, 0.2, 100), target=0.1) is None
    assert width_too_small(np.full(100, 0.2), target=0.1) is not None
    assert width_too_small(np.full(100, 0.2), target=0.3) is None


def test_what_diverged_is_told():
    assert step_too_large(np.array([0.7, np.inf]), diverged=True).evidence == "training diverged"
