"""Step sizes chosen on validation rows, the same rules for every label kind, within a budget."""

from __future__ import annotations

import numpy as np
import pytest

from softwidth.pace import Pace
from softwidth.plan_spec import PlanSpec
from softwidth.training import train_bank
from softwidth.trials import KINDS, MOMENTUM, SCHEDULE, Setting, Task, predicted, train
from softwidth.tuning import STEPS_PER_DECADE, tune


def make_task(n=120, d=6, K=2, seed=0):
    """Rows on the sphere with noisy linear classes and the true probabilities as soft labels."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2 * n, d))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    logits = 4 * X @ rng.standard_normal((d, K))
    P = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (rng.random((2 * n, 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1)
    X = X.astype(np.float32)
    return Task(X[:n], y[:n], P[:n], X[n:], y[n:])


@pytest.fixture(scope="module")
def tuned():
    task = make_task()
    spec = PlanSpec.of({"widths": [2, 8], "seeds": 4, "epochs": 20})
    return task, spec, tune(task, spec, Pace(1000.0))


def test_every_kind_and_width_gets_all_seeds(tuned):
    _, spec, found = tuned
    for kind in KINDS:
        for width in spec.widths:
            students = [trial.student for trial in found.trials[kind, width]]
            assert [student.seed for student in students] == list(range(spec.seeds))
            assert {student.step_size for student in students} == {found.step_size((kind, width))}


def test_chosen_step_size_has_a_worse_neighbour_on_either_side(tuned):
    _, _, found = tuned
    for combination, scores in found.scores.items():
        best = found.step_size(combination)
        places = {round(STEPS_PER_DECADE * np.log10(step)) for step in scores}
        place = round(STEPS_PER_DECADE * np.log10(best))
        assert {place - 1, place + 1} <= places
        assert min(scores.values()) == scores[best]


def test_a_trial_is_the_student_that_a_bank_trains(tuned):
    task, _, found = tuned
    trial = found.trials["soft", 8][1]
    alone = train_bank(
        task.X,
        task.y,
        {"soft": task.soft},
        [trial.student],
        epochs=found.setting.epochs,
        batch_size=found.setting.batch_size,
        momentum=MOMENTUM,
        schedule=SCHEDULE,
    )
    logits = alone.logits(task.X_val)
    np.testing.assert_allclose(trial.network.logits(task.X_val), logits[0], atol=2e-3)
    measured = alone.evaluate(task.X_val, task.y_val)
    assert trial.score == pytest.approx((measured["error"][0], measured["log_loss"][0]), abs=2e-2)


def test_diverged_students_are_wrong_everywhere_and_harm_nobody():
    task = make_task()
    spec = PlanSpec.of({"widths": [4], "seeds": 2, "epochs": 10, "step_sizes": [1.0, 1e30]})
    found = tune(task, spec, Pace(1000.0))
    for kind in KINDS:
        assert found.step_size((kind, 4)) == 1.0
        assert found.scores[kind, 4][1e30] == (1.0, np.inf)
        assert all(not trial.diverged for trial in found.trials[kind, 4])


def test_multiclass():
    task = make_task(K=4)
    found = tune(task, PlanSpec.of({"widths": [4], "seeds": 1, "epochs": 5}), Pace(1000.0))
    assert found.trials["soft", 4][0].network.A.shape == (4, 4)


def test_a_small_budget_saves_on_seeds_then_epochs_then_rows_and_says_so():
    task = make_task(n=400)
    spec = PlanSpec.of({"widths": [2, 4], "seeds": 2, "epochs": 3000})
    pace = Pace(1.0)
    found = tune(task, spec, pace)
    assert found.setting.tuning_seeds == 1
    assert found.setting.epochs < 3000
    assert any("budget" in warning for warning in found.warnings)
    assert sum(pace.spent.values()) < 5


def test_predicted_takes_the_sign_or_the_top_class():
    assert predicted(np.array([[[-1.0], [2.0]]])).tolist() == [[0, 1]]
    assert predicted(np.array([[[0.0, 3.0, 1.0]]])).tolist() == [[1]]


def test_ctrl_c_is_passed_on(monkeypatch):
    task = make_task()

    class Interrupted:
        interrupted = True

    monkeypatch.setattr("softwidth.trials.train_bank", lambda *_, **__: Interrupted())
    with pytest.raises(KeyboardInterrupt):
        train(task, [], Setting(120, 1, 32, 1), None)
