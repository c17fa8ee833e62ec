"""The margin and the theorems beside a plan's measured widths."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from softwidth import plan_theory
from softwidth._checks import MemoryLimitError
from softwidth.bounds import bounds
from softwidth.margins import margin
from softwidth.network import initialise
from softwidth.plan_certificate import certified_student
from softwidth.plan_spec import PlanSpec
from softwidth.plan_store import Keeper
from softwidth.plan_theory import separation_of, theory_of
from softwidth.trials import Rows, Task


def rows(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 6))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return X, (X[:, 0] > 0).astype(int)


def test_theorems_are_evaluated_at_the_upper_end():
    X, y = rows()
    found = theory_of(X, y, n_classes=2, error=0.1)
    own = margin(X, y, kind="kernel", gap=1e-3)
    assert found.margin["lower"] == pytest.approx(own.lower)
    assert found.margin["upper"] == pytest.approx(own.upper)
    direct = bounds(own.upper, 0.1, 60)
    assert found.theory["soft"]["width"] == direct.soft.width
    assert found.theory["paper"]["hard"]["width"] == direct.paper_hard.width


def test_more_rows_than_are_used_are_said_and_bounded_from_above():
    X, y = rows()
    found = theory_of(X, y, n_classes=2, error=0.1, most=30)
    assert found.theory["certificate"] is None  # with so few there is no time for it either
    assert found.margin["rows"] == 30
    assert "30 of the 60 rows" in found.theory["notes"][1]
    assert found.margin["upper"] >= margin(X, y, kind="kernel").lower


def test_a_margin_that_does_not_fit_is_that_of_fewer_rows_and_kept_as_such(monkeypatch, tmp_path):
    X, y = rows(1500)
    held = Rows(X[:9], y[:9])
    task, spec = Task(X, y, np.eye(2)[y], held, held), PlanSpec()
    whole = separation_of(X, y, n_classes=2, most=1500)
    asked, solve = [], plan_theory.margin

    def margin(X, y, **settings):
        asked.append(len(y))
        if len(y) > room:
            raise MemoryLimitError("it does not fit.")
        return solve(X, y, **settings)

    monkeypatch.setattr(plan_theory, "margin", margin)
    room = 800
    with contextlib.closing(Keeper(tmp_path / "plan.sqlite")) as keeper:
        fewer = keeper.separation(task, spec, 2, 40.0)
        assert asked == [1500, 750]
        assert (fewer.used, fewer.rows) == (750, 1500)
        assert fewer.upper >= whole.margin["lower"]  # fewer rows have the larger margin
        room = 10**6
        assert keeper.separation(task, spec, 2, 40.0).used == 1500  # there is memory again
    room = 400
    with pytest.raises(MemoryLimitError):
        Keeper(None).separation(task, spec, 2, 40.0)
    assert asked[3:] == [1500, 750, 500]


def test_what_a_student_lost_is_below_its_certificates():
    found = theory_of(*rows(), n_classes=2, error=0.1).theory["certificate"]
    assert 0 < found["measured"] <= found["sharper"] <= found["theorem A"] * (1 + 1e-12)
    assert found["theorem A"] < np.log(2)  # it says something


def test_certified_student_is_the_theorem_in_ten_lines():
    X, y = rows()
    c = np.where(y == 1, 1.0, -1.0) / len(y)
    found = certified_student(X, y, c)
    W = initialise(found["width"], 6, seed=0).W
    active = X @ W.T > 0
    u = active.T @ (c[:, None] * X)
    v = u / np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-300)
    near = abs(X @ W.T) <= 1 / np.sqrt(found["width"])
    flips = near * (abs(X @ W.T) + abs(X @ v.T) / np.sqrt(found["width"]))
    drift = flips.sum(axis=1) / np.sqrt(
        found["width"]
    )  # the labels are the start's own: no first part
    bound = ((v**2).sum() / found["width"] / found["steps"] + (drift**2).mean() / 4) / 1.5
    assert found["theorem A"] == pytest.approx(bound, rel=1e-6)


def test_what_no_width_separates_has_no_theory():
    X, y = rows()
    X[1] = X[0]
    y[:2] = 0, 1
    found = theory_of(X, y, n_classes=2, error=0.1)
    assert found.margin["upper"] == 0
    assert found.theory is None


def test_no_theory_for_an_error_of_nothing():
    X, y = rows()
    assert theory_of(X, y, n_classes=2, error=0.0).theory is None


def test_several_classes():
    X, _ = rows()
    y = np.abs(X[:, :3]).argmax(axis=1)
    found = theory_of(X, y, n_classes=3, error=0.1)
    assert found.theory["soft"]["width"] > 0
    assert found.theory["paper"] == {}
