"""Row weights and classes that do not count alike, from the table to the decision."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from softwidth._checks import ArgumentError
from softwidth.balance import (
    Shares,
    balanced_shares,
    class_counts,
    class_factors,
    class_warnings,
    effective_rows,
)
from softwidth.data import load
from softwidth.least_width import decide
from softwidth.planner import plan
from softwidth.resampling import DRAWS, nested_draws
from softwidth.specs import Student
from softwidth.trials import Rows, Setting, Task, look, train

TINY = {"widths": [2, 4], "seeds": 1, "rounds": 0, "epochs": 2, "step_sizes": [10.0]}


def predictions(seed, n=40, K=3):
    rng = np.random.default_rng(seed)
    q, P = rng.dirichlet(np.ones(K), n), rng.dirichlet(np.ones(K), n)
    return np.log(q), P, np.arange(n) % K, rng


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999))
def test_a_row_of_weight_three_is_seen_as_three_rows(seed):
    log_q, P, y, rng = predictions(seed)
    weight = rng.integers(1, 4, len(y))
    again = np.repeat(np.arange(len(y)), weight)
    X = np.empty((len(y), 0))
    weighed = look(log_q, Rows(X, y, P, weight=5.0 * weight))
    repeated = look(log_q[again], Rows(X[again], y[again], P[again]))
    assert weighed.means == pytest.approx(repeated.means, abs=1e-6)
    np.testing.assert_allclose(weighed.bins, repeated.bins, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.integers(2, 5))
def test_the_balanced_error_does_not_change_when_a_class_is_copied(seed, copies):
    log_q, P, y, rng = predictions(seed)
    weight = rng.random(len(y)) + 0.1
    again = np.repeat(np.arange(len(y)), np.where(y == 1, copies, 1))
    X = np.empty((len(y), 0))
    before = look(log_q, Rows(X, y, P, weight=weight)).means
    after = look(log_q[again], Rows(X[again], y[again], P[again], weight=weight[again])).means
    by_hand = np.mean(
        [
            np.average(log_q.argmax(1)[y == k] != k, weights=weight[y == k])
            for k in range(log_q.shape[1])
        ]
    )
    assert before["balanced"] == pytest.approx(after["balanced"]) == pytest.approx(by_hand)
    assert before["error"] != pytest.approx(after["error"], abs=1e-6) or by_hand in (0, 1)


def losses(seed, n=60):
    rng = np.random.default_rng(seed)
    hard_rows = rng.random(n)  # hard for all seeds: what is unsure is the rows'
    return {
        kind: [hard_rows + 0.1 * rng.random((3, n)) < p for p in (0.4, 0.2)]
        for kind in ("hard", "soft")
    }


def test_a_decision_on_weighed_rows_estimates_as_one_on_repeated_rows():
    wrong, weight = losses(0), np.random.default_rng(1).integers(1, 4, 60)
    again = np.repeat(np.arange(60), weight)
    repeated = {kind: [cell[:, again] for cell in cells] for kind, cells in wrong.items()}
    weighed = decide(wrong, [2, 4], tolerance=0.1, shares=Shares(weight / weight.sum()))
    twice = decide(repeated, [2, 4], tolerance=0.1)
    for kind in wrong:
        np.testing.assert_allclose(weighed.errors[kind], twice.errors[kind], atol=1e-12)
        # A row of weight 3 is one row: it makes no interval narrower.
        of_weighed, of_twice = (np.diff(d.intervals[kind]).mean() for d in (weighed, twice))
        assert of_weighed > 1.1 * of_twice
    assert weighed.target == pytest.approx(twice.target)


def test_rows_of_equal_weight_are_rows():
    wrong = losses(2)
    plain = decide(wrong, [2, 4], tolerance=0.1)
    weighed = decide(wrong, [2, 4], tolerance=0.1, shares=Shares(np.full(60, 1 / 60)))
    for kind in wrong:
        np.testing.assert_allclose(plain.intervals[kind], weighed.intervals[kind], atol=1e-6)


def test_draws_of_weighed_rows_spread_as_the_formula_of_a_weighed_mean_says():
    rng = np.random.default_rng(3)
    loss, weight = rng.random((1, 400)), rng.exponential(size=400)
    shares = Shares(weight / weight.sum())
    drawn = nested_draws([np.zeros((1, 1, 400))], [2], others=loss, shares=shares).others
    mean = np.average(loss[0], weights=weight)
    formula = np.sqrt((weight**2 * (loss[0] - mean) ** 2).sum()) / weight.sum()
    assert drawn[0, 0] == pytest.approx(mean)
    assert drawn[1:].std() == pytest.approx(formula, rel=0.1)


def test_a_draw_of_balanced_rows_takes_as_much_of_every_class():
    y = np.array([0] * 50 + [1] * 5)
    shares = balanced_shares(y, np.random.default_rng(0).random(55) + 0.5)
    drawn = nested_draws([np.zeros((1, 1, 55))], [2], others=(y == 1)[None], shares=shares).others
    assert drawn.shape == (1 + DRAWS, 1)
    np.testing.assert_allclose(drawn, 0.5, atol=1e-6)


def problem(n=60, rare=12):
    rng = np.random.default_rng(0)
    y = (np.arange(n) < rare).astype(int)
    X = rng.standard_normal((n, 5)).astype(np.float32) + y[:, None]
    X = (X / np.linalg.norm(X, axis=1)[:, None]).astype(np.float32)
    return X, y, np.stack([1 - 0.8 * y, 0.8 * y], 1)


def test_balanced_classes_train_as_if_the_rare_one_came_more_often():
    X, y, soft = problem()
    held = Rows(X, y)
    again = np.repeat(np.arange(len(y)), np.where(y == 1, 4, 1))
    weighed = Task(X, y, soft, held, held, factors=class_factors(y, None, 2))
    repeated = Task(X[again], y[again], soft[again], held, held)
    students = [Student(4, 0, kind, 3.0) for kind in ("hard", "argmax")]
    setting = Setting(len(again), 50, 1000, 1)  # all rows a step
    for one, other in zip(
        train(weighed, students, setting, None),
        train(repeated, students, setting, None),
        strict=True,
    ):
        assert one.student == other.student
        assert one.test.means == pytest.approx(other.test.means, abs=1e-4)
        assert one.curve["kl"][-1] == pytest.approx(other.curve["kl"][-1], abs=1e-4)


def test_votes_for_a_class_weigh_alike_in_hard_and_in_soft_labels():
    """The best prediction for soft labels p is proportional to c p: gradient 0 there."""
    X, y, soft = problem()
    factors = np.array([0.5, 3.0])
    lessons = Task(X, y, soft, Rows(X, y), Rows(X, y), factors=factors).lessons
    (targets, weight) = next(lesson for lesson in lessons if "soft" in lesson[0])
    wanted = soft * factors
    np.testing.assert_allclose(weight, wanted.sum(1))
    np.testing.assert_allclose(targets["soft"], wanted / wanted.sum(1, keepdims=True))


def arrays(n=60, seed=0):
    rng = np.random.default_rng(seed)
    made = {}
    for suffix in ("", "_val", "_test"):
        y = np.arange(n) % 2
        made |= {f"X{suffix}": rng.standard_normal((n, 4)) + y[:, None], f"y{suffix}": y}
        made[f"soft{suffix}"] = np.where(np.eye(2)[y] > 0, 3, 1)
        made[f"sample_weight{suffix}"] = rng.integers(1, 4, n).astype(float)
    return made


def numbers(found):
    told = found.as_dict()
    return {k: told[k] for k in ("curve", "soft", "hard", "saving", "target", "calibration")}


def test_a_plan_does_not_see_rows_of_no_weight():
    full = arrays()
    spoiled = {}
    for name, array in full.items():
        junk = array[:7] if name.startswith(("X", "soft")) else 1 - array[:7]
        junk = np.zeros(7) if name.startswith("sample_weight") else junk
        spoiled[name] = np.concatenate([array, junk])
    one, other = plan(full, **TINY), plan(spoiled, **TINY)
    assert numbers(one) == numbers(other)
    assert any("weight 0" in note for note in other.soft_labels.dataset.notes)


def test_weights_that_are_all_alike_change_nothing_and_others_do():
    full = arrays()
    weights = {k: v for k, v in full.items() if k.startswith("sample_weight")}
    alike = plan(full | {k: np.full(60, 7.0) for k in weights}, **TINY).as_dict()
    none = plan({k: v for k, v in full.items() if k not in weights}, **TINY).as_dict()
    for one, other in zip(alike["curve"], none["curve"], strict=True):
        assert one["test_error"] == pytest.approx(other["test_error"], abs=0.02)
        assert one["log_loss"] == pytest.approx(other["log_loss"], abs=1e-3)
    weighed = plan(full, **TINY).as_dict()
    assert weighed["curve"][0]["log_loss"] != pytest.approx(none["curve"][0]["log_loss"], abs=1e-4)


def test_weights_reach_a_teacher_that_takes_them():
    full = {k: v for k, v in arrays().items() if not k.startswith("soft")}
    found = plan(full, teacher=LogisticRegression(), **TINY)
    assert not any("row weights" in told for told in found.warnings)
    blind = plan(full, teacher=KNeighborsClassifier(), **TINY)
    assert any("KNeighborsClassifier takes no row weights" in told for told in blind.warnings)


def test_a_plan_by_balanced_error_tells_base_rate_and_classes():
    full = arrays()
    del full["sample_weight_test"]
    rare = {}
    for suffix in ("", "_val", "_test"):
        keep = np.flatnonzero((full[f"y{suffix}"] == 0) | (np.arange(60) < 8))
        rare |= {k: v[keep] for k, v in full.items() if k.partition("_")[2] in (suffix[1:], "weight" + suffix)}  # fmt: skip
    told = plan(rare, metric="balanced", **TINY).as_dict()
    row = told["curve"][0]
    low, high = row["validation_balanced_interval"]
    assert low <= row["validation_balanced"] <= high
    assert told["base_rate"] == pytest.approx(
        {"class": "0", "val_error": told["base_rate"]["val_error"], "test_error": 4 / 34, "balanced": 0.5}
    )  # fmt: skip
    by_class = [entry["test_error"][row["labels"]] for entry in told["classes"]]
    shown = next(
        r for r in told["curve"] if r["labels"] == "hard" and r["width"] == (told["hard"]["width"] or 4)
    )  # fmt: skip
    of_hard = [entry["test_error"]["hard"] for entry in told["classes"]]
    assert np.mean(of_hard) == pytest.approx(shown["test_balanced"], abs=1e-5)
    assert len(by_class) == 2
    assert any("Few held-out rows of 1 (4 to choose by, 4 to test)" in w for w in told["warnings"])


def test_kl_cannot_go_with_weighed_classes():
    with pytest.raises(ArgumentError, match=r"`class_weight` .* cannot go with metric='kl'"):
        plan(arrays(), metric="kl", class_weight="balanced", **TINY)


def test_what_is_rare_is_named_and_what_is_not_is_not():
    rng = np.random.default_rng(0)
    y = (rng.random(2000) < 0.05).astype(int)
    data = load({"X": rng.standard_normal((2000, 3)), "y": np.where(y, "fraud", "ok")})
    counts = class_counts(data)
    assert sum(c.train for c in counts) == len(data.y_train)
    assert [c.val for c in counts] == np.bincount(data.y_val).tolist()
    (told,) = class_warnings(counts, "error")
    assert told.startswith("Rare classes (fraud:")
    assert class_warnings(counts, "balanced") == []


def test_effective_rows_are_no_more_than_the_rows():
    weight = np.random.default_rng(0).exponential(size=50)
    assert effective_rows(weight) < 50
    assert effective_rows(np.ones(50)) == 50


def table(tmp_path, **columns):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.random(40), "b": rng.random(40), "label": ["u", "v"] * 20})
    frame = frame.assign(**columns)
    path = tmp_path / "data.csv"
    frame.to_csv(path)  # with pandas' row numbers
    return path


def test_a_table_s_weights_rows_numbers_and_ignored_columns_are_no_features(tmp_path):
    path = table(tmp_path, w=[0.0, 2.0] + [1.0] * 38, id=[f"row {i}" for i in range(40)])
    data = load(path, target="label", weight_column="w", ignore_columns=["id"])
    assert data.n_features == 2
    assert sum(len(data.part(split)[1]) for split in ("train", "val", "test")) == 39
    weights = np.concatenate([data.weight_train, data.weight_val, data.weight_test])
    assert weights.max() / weights.min() == pytest.approx(2)
    assert any("counts the rows" in note for note in data.notes)
    assert any("weight 0" in note for note in data.notes)


@pytest.mark.parametrize(
    ("columns", "settings", "says"),
    [
        ({"w": 1.0}, {"weight_column": "weight"}, "did you mean|choices"),
        ({"w": 1.0}, {"weight_column": "label"}, "`weight_column` .*target"),
        ({"w": [-1.0] * 40}, {"weight_column": "w"}, "`sample_weight` .*negative"),
        ({"w": 0.0}, {"weight_column": "w"}, "zero throughout"),
        ({"w": [None] + [1.0] * 39}, {"weight_column": "w"}, "`source` .*=w.* no value in 1 rows .0"),
        ({}, {"ignore_columns": ["q"]}, "`ignore_columns`"),
        ({"c": "text"}, {}, "`source` .*=c.*row 0: 'text'.*leave the column out"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_used_are_named_with_the_next_move(
    tmp_path, columns, settings, says
):
    with pytest.raises(ArgumentError, match=says):
        load(table(tmp_path, **columns), target="label", **settings)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_seen(tmp_path, separator):
    path = tmp_path / "data.csv"
    pd.read_csv(table(tmp_path)).to_csv(path, index=False, sep=separator)
    assert load(path, target="label").n_features == 2
