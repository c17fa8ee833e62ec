"""Specs of trials: checked, equal where the trials are, and whole again from the store."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth._checks import ArgumentError
from softwidth.cutting import Queue, cut, even_pieces
from softwidth.experiments import StudentTrials
from softwidth.spoils import spoiled
from softwidth.store import spec_id
from softwidth.trial_data import prepare
from softwidth.trial_spec import TrialSpec

settings = st.fixed_dictionaries(
    {"width": st.integers(1, 32).map(lambda n: 2 * n)},
    optional={
        "positive": st.sampled_from([None, [1, 3], "7", (2,)]),
        "noise": st.sampled_from([0, 0.4, np.float32(0.5)]),
        "teacher": st.sampled_from(["wide", "kernel", "forest", "map"]),
        "labels": st.sampled_from(["hard", "smoothed(0.1)"]),
        "step_size": st.floats(1e-3, 1e3),
        "radius": st.one_of(st.none(), st.floats(0.1, 100)),
        "epochs": st.integers(1, 100),
        "batch_size": st.one_of(st.none(), st.integers(1, 64)),
        "seed": st.integers(0, 2**40),
        "dtype": st.sampled_from(["float32", "float64"]),
    },
)


@given(settings)
def test_through_json_and_back(given_settings):
    spec = TrialSpec.of(**given_settings)
    again = TrialSpec.of(**json.loads(json.dumps(spec.as_dict())))
    assert again == spec
    assert spec_id(again.as_dict()) == spec_id(spec.as_dict())


def test_what_is_implied_is_written_down_and_implied_anew_by_a_grid():
    said = TrialSpec.of(width=2, teacher="wide", regime="cross-fitted", folds=5, calibrated=True)
    assert TrialSpec.of(width=2, teacher="wide") == said
    plain, mapped = TrialSpec.of(width=2, teacher="wide").grid(teacher=[None, "map"])
    assert (plain.regime, plain.folds) == (None, None)
    assert (mapped.regime, mapped.calibrated) == ("cross-fitted", False)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"widht": 3}, "did you mean 'width'"),
        ({"teacher": "foest"}, "did you mean 'forest'"),
        ({"teacher": "forest", "teacher_settings": {"n_estimator": 3}}, "'n_estimators'"),
        ({"labels": "sofd"}, "did you mean 'soft'"),
        ({"labels": "soft"}, "need a `teacher`"),
        ({"labels": "multipass", "teacher": "wide"}, "need `votes`"),
        ({"regime": "in-sample"}, "goes with a `teacher`"),
        ({"teacher": "wide", "regime": "larger-data"}, "needs `student_rows`"),
        ({"teacher": "wide", "spoil": "biased"}, r"biased\(number\)"),
        ({"teacher": "annotators"}, "`rate`"),
        ({"keep": "smallest"}, "goes with `keep_fraction`"),
        ({"width": 3}, "must be even"),
        ({"step_size": float("nan")}, "`step_size`"),
        ({"epochs": "many"}, "`epochs`"),
        ({"momentum": 1.0}, "must be below 1"),
    ],
)
def test_what_cannot_be_used_is_named(wrong, told):
    with pytest.raises(ArgumentError, match=told):
        TrialSpec.of(**{"width": 2, **wrong})


def test_a_file_that_changes_makes_other_trials(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 3)), np.arange(60) % 2
    np.savez(tmp_path / "own.npz", X=X, y=y)
    spec = TrialSpec.of(width=2, source=tmp_path / "own.npz")
    assert prepare(spec).dataset.n_features == 3
    np.savez(tmp_path / "own.npz", X=X + 1, y=y)
    assert TrialSpec.of(width=2, source=tmp_path / "own.npz").digest != spec.digest
    with pytest.raises(ArgumentError, match="has changed"):
        prepare(spec)


COMMON = {"width": 2, "positive": [1, 3, 5, 7, 9], "student_rows": 150, "noise": 0.3}


@pytest.mark.parametrize(
    "more",
    [
        {"teacher": "logistic", "regime": "in-sample"},
        {"teacher": "logistic", "regime": "larger-data", "spoil": "noisy(1)"},
        {"teacher": "annotators", "teacher_settings": {"rate": 0.2}, "votes": 3},
        {"keep": "largest", "keep_fraction": 0.5},
    ],
)
def test_prepared_twice_is_the_same(more):
    first, second = (prepare(TrialSpec.of(**COMMON, **more)) for _ in range(2))
    assert first.facts == second.facts
    assert len(first.dataset.y_train) == 150
    for split, P in first.soft.items():
        np.testing.assert_array_equal(P, second.soft[split])
        assert P.shape == (len(first.dataset.part(split)[1]), 2)
    if "votes" in more:
        np.testing.assert_array_equal(first.soft["train"].sum(axis=1), 3)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=60), st.integers(1, 12))
def test_pieces_are_even(costs, count):
    cuts = even_pieces(costs, count)
    assert cuts[0] == 0
    assert cuts[-1] == len(costs)
    assert cuts == sorted(set(cuts))
    assert len(cuts) <= count + 1
    for first, last in itertools.pairwise(cuts):
        assert sum(costs[first:last]) <= sum(costs) / count + max(costs) + 1e-9


def test_banks_do_not_depend_on_order_of_handing_out_and_balance():
    base = TrialSpec.of(**COMMON)
    specs = base.grid(noise=[0.0, 0.3], width=[2, 4, 8, 128], seed=range(20))
    portions = cut(StudentTrials(), specs + specs, seconds=0.05)
    assert sorted(id_ for p in portions for id_ in p.ids) == sorted(
        {spec_id(spec.as_dict()) for spec in specs}
    )
    costs = [p.cost for p in portions]
    assert max(costs) < 2.5 * min(costs)
    queue = Queue(portions)
    keys = []
    while queue:
        keys.append(queue.take(keys[-1] if keys else None).key)
    assert sum(a != b for a, b in itertools.pairwise(keys)) == 1  # made once each


@given(st.sampled_from(["tempered(2)", "biased(-1)", "noisy(3)", "exchanged(0.5)"]))
def test_spoiled_probabilities_are_probabilities(text):
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(3), 40)
    Q = spoiled(P, text, rng)
    np.testing.assert_allclose(Q.sum(axis=1), 1)
    assert (Q >= 0).all()
    assert not np.allclose(P, Q)
