"""Step sizes chosen on validation rows, the same rules for every label kind, within a budget."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softwidth.pace import Pace
from softwidth.plan_spec import PlanSpec
from softwidth.specs import Student
from softwidth.trainer import BANK_SHARE, SHORTEST_BANK, Trainer, Tuned, pack, unpack
from softwidth.training import train_bank
from softwidth.trials import KINDS, MOMENTUM, SCHEDULE, Rows, Setting, Task, look, train
from softwidth.tuning import STEPS_PER_DECADE, add_seeds, choose_setting, tune


def make_task(n=120, d=6, K=2, seed=0):
    """Rows on the sphere with noisy linear classes and the true probabilities as soft labels."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2 * n, d))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    logits = 4 * X @ rng.standard_normal((d, K))
    P = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (rng.random((2 * n, 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1)
    X = X.astype(np.float32)
    held = Rows(X[n:], y[n:], P[n:])
    return Task(X[:n], y[:n], P[:n], held, held)


def tuned_on(task, spec, pace=None):
    """All students of a plan's first round."""
    pace = pace or Pace(1000.0)
    setting, warnings = choose_setting(task, spec, pace)
    found = Tuned(setting, spec.metric, warnings=warnings)
    trainer = Trainer(task, found, pace)
    trainer.begin_round()
    tune(trainer, spec, spec.first_widths)
    return trainer


@pytest.fixture(scope="module")
def tuned():
    task = make_task()
    spec = PlanSpec.of({"widths": [2, 8], "seeds": 4, "epochs": 20})
    return task, spec, tuned_on(task, spec).tuned


def test_every_kind_and_width_gets_all_seeds(tuned):
    _, spec, found = tuned
    for kind in KINDS:
        for width in spec.widths:
            students = [trial.student for trial in found.trials((kind, width))]
            assert [student.seed for student in students] == list(range(spec.seeds))
            assert {student.step_size for student in students} == {found.step_size((kind, width))}


def test_chosen_step_size_has_a_worse_neighbour_on_either_side(tuned):
    _, _, found = tuned
    for combination in found.tried:
        scores = found.scores(combination)
        best = found.step_size(combination)
        places = {round(STEPS_PER_DECADE * np.log10(step)) for step in scores}
        place = round(STEPS_PER_DECADE * np.log10(best))
        assert {place - 1, place + 1} <= places
        assert min(scores.values()) == scores[best]


def test_a_trial_is_the_student_that_a_bank_trains(tuned):
    task, _, found = tuned
    trial = found.trials(("soft", 8))[1]
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
    rows = task.validation
    measured = alone.evaluate(rows.X, rows.y, rows.P)
    wanted = (measured["error"][0], measured["log_loss"][0])
    assert trial.score() == pytest.approx(wanted, abs=2e-2)
    assert trial.score("kl")[0] == pytest.approx(measured["kl"][0], abs=1e-3)
    assert trial.validation.means["brier"] == pytest.approx(measured["brier"][0], abs=1e-3)


def test_diverged_students_are_wrong_everywhere_and_harm_nobody():
    task = make_task()
    spec = PlanSpec.of({"widths": [4], "seeds": 2, "epochs": 10, "step_sizes": [1.0, 1e30]})
    found = tuned_on(task, spec).tuned
    for kind in KINDS:
        assert found.step_size((kind, 4)) == 1.0
        assert found.scores((kind, 4))[1e30] == (1.0, np.inf)
        assert all(not trial.diverged for trial in found.trials((kind, 4)))


def test_multiclass():
    task = make_task(K=4)
    found = tuned_on(task, PlanSpec.of({"widths": [4], "seeds": 1, "epochs": 5})).tuned
    (trial,) = found.trials(("soft", 4))
    assert set(trial.validation.losses) == {"error", "kl"}


def test_a_small_budget_saves_on_seeds_then_epochs_then_rows_and_says_so():
    task = make_task(n=400)
    spec = PlanSpec.of({"widths": [2, 4], "seeds": 2, "epochs": 3000})
    pace = Pace(1.0)
    found = tuned_on(task, spec, pace).tuned
    assert found.setting.tuning_seeds == 1
    assert found.setting.epochs < 3000
    assert any("budget" in warning for warning in found.warnings)
    assert sum(pace.spent.values()) < 5


def test_a_width_beside_tuned_ones_starts_from_their_step_sizes():
    task, spec = make_task(), PlanSpec.of({"widths": [2, 8], "seeds": 2, "epochs": 10})
    trainer = tuned_on(task, spec)
    tune(trainer, spec, [4])
    found = trainer.tuned
    assert found.widths == (2, 4, 8)
    for kind in KINDS:
        first = {found.step_size((kind, width)) for width in (2, 8)}
        assert first <= set(found.scores((kind, 4)))


def test_added_seeds_are_the_same_for_every_kind_and_banks_tell_what_was_trained():
    task, spec = make_task(), PlanSpec.of({"widths": [2, 4], "seeds": 2, "epochs": 5})
    trainer = tuned_on(task, spec)
    add_seeds(trainer, {4: 5}, "more")
    found = trainer.tuned
    assert found.seeds(2) == [0, 1]
    assert found.seeds(4) == list(range(5))
    again = Trainer(task, Tuned(found.setting), Pace(1000.0))
    again.begin_round()
    for bank in found.rounds[0]:
        again.train(unpack(bank), "again")
    for kind in KINDS:
        for mine, theirs in zip(found.losses(kind), again.tuned.losses(kind), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 3), st.integers(0, 5))))
def test_students_survive_packing(drawn):
    students = [Student(2 * width, seed, kind, 1.0) for kind, width, seed in drawn]
    assert unpack(pack(students)) == students


def test_look_agrees_with_the_definitions():
    rng = np.random.default_rng(0)
    P, q = rng.dirichlet(np.ones(3), 40), rng.dirichlet(np.ones(3), 40)
    y = rng.integers(3, size=40)
    seen = look(np.log(q), Rows(np.zeros((40, 1)), y, P, draws=2))
    kl = (P * np.log(P / q)).sum(axis=1)
    np.testing.assert_allclose(seen.losses["kl"], kl.reshape(-1, 2).mean(axis=1), rtol=1e-5)
    wrong = (q.argmax(axis=1) != y).reshape(-1, 2).mean(axis=1)
    np.testing.assert_array_equal(seen.losses["error"], wrong.astype(np.float32))
    assert seen.means["manhattan"] == pytest.approx(abs(P - q).sum(axis=1).mean())
    assert seen.means["brier"] == pytest.approx(((q - np.eye(3)[y]) ** 2).sum(axis=1).mean())
    entropies = [-(p * np.log(p)).sum(axis=1) for p in (P, q)]
    assert seen.means["entropy_correlation"] == pytest.approx(np.corrcoef(*entropies)[0, 1])
    own = look(np.log(P), Rows(np.zeros((40, 1)), y, P))
    assert own.means["kl"] == pytest.approx(0, abs=1e-12)
    assert own.means["entropy_correlation"] == pytest.approx(1)


def test_ctrl_c_is_passed_on(monkeypatch):
    task = make_task()

    class Interrupted:
        interrupted = True

    monkeypatch.setattr("softwidth.trials.train_bank", lambda *_, **__: Interrupted())
    with pytest.raises(KeyboardInterrupt):
        train(task, [Student(2)], Setting(120, 1, 32, 1), None)


def untrained(budget, rate, monkeypatch):
    """A trainer of a known rate, in seconds a unit of work, that writes down its banks."""
    task, tuned = make_task(), Tuned(Setting(120, 20, 32, 1))
    trainer, banks = Trainer(task, tuned, Pace(budget)), []
    trainer.pace.note("measured", rate * 1e3, 1e3)

    def bank(students, label):
        banks.append(students)
        trainer.pace.note(label, rate * trainer.work(students), trainer.work(students))
        trainer.pace.now = sum(trainer.pace.spent.values())  # as a clock would show

    monkeypatch.setattr(trainer, "train_bank", bank)
    return trainer, banks


def students_of(drawn):
    return [Student(2 * w, seed, "soft", 1.0) for seed, w in enumerate(drawn)]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.floats(1e-9, 1e-4))
def test_banks_are_short_and_nobody_is_lost(drawn, rate):
    with pytest.MonkeyPatch.context() as patch:
        trainer, banks = untrained(100.0, rate, patch)
        students = students_of(drawn)
        trainer.train(students, "all")
        assert sorted((s for bank in banks for s in bank), key=lambda s: s.seed) == students
        longest = max(trainer.work([s]) for s in students) * rate
        most = max(SHORTEST_BANK, BANK_SHARE * 100.0)
        assert all(rate * trainer.work(bank) <= most + longest * 1.001 for bank in banks)
        assert len(banks) <= np.ceil(rate * trainer.work(students) / most) + 1


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.floats(1e-7, 1e-4))
def test_what_need_not_be_trained_keeps_to_the_budget(drawn, rate):
    with pytest.MonkeyPatch.context() as patch:
        trainer, banks = untrained(100.0, rate, patch)
        before, students = rate * 1e3, students_of(drawn)
        trainer.train(students, "some", all_of_them=False)
        trained = [s for bank in banks for s in bank]
        if before + rate * trainer.work(students) < 99:
            assert len(trained) == len(students)
        if trained:
            assert trainer.pace.now <= 100.0
            left = [s for s in students if s not in trained]
            assert not left or trainer.pace.now + rate * trainer.work(left) > 100


def test_seeds_are_added_seed_by_seed(monkeypatch):
    """When time runs out every label kind and width has as many seeds."""
    task, spec = make_task(), PlanSpec.of({"widths": [2, 8], "seeds": 1, "epochs": 2})
    trainer = tuned_on(task, spec)
    needed = trainer.work([Student(w, 0, k) for w in (2, 8) for k in KINDS])
    trainer.pace = Pace(100.0)
    trainer.pace.note("measured", 10.0, needed)  # a seed of all takes 10 s
    old = Trainer.train_bank

    def slow(self, students, label):
        began = self.pace.now  # what the bank takes on this machine is not what is looked at
        old(self, students, label)
        self.pace.now = began + 10.0 * self.work(students) / needed
        self.pace.credited = self.pace.now - (time.monotonic() - self.pace.started)

    monkeypatch.setattr(Trainer, "train_bank", slow)
    monkeypatch.setattr(Pace, "_rate", property(lambda self: 10.0 / needed))
    add_seeds(trainer, {2: 50, 8: 50}, "more")
    assert 5 <= len(trainer.tuned.seeds(2)) <= 11
    assert abs(len(trainer.tuned.seeds(2)) - len(trainer.tuned.seeds(8))) <= 1
    assert 85 < trainer.pace.now <= 100 + 1e-9


def dying_task(n=120, d=30):
    """Rows that share a direction, as pixels do: one large step, and all neurons sleep on all rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2 * n, d))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    logits = X @ rng.standard_normal((d, 3))
    P = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y, X = P.argmax(axis=1), np.hstack([X, np.ones((2 * n, 1))]) / np.sqrt(2)
    X = X.astype(np.float32)
    held = Rows(X[n:], y[n:], P[n:])
    return Task(X[:n], y[:n], P[:n], held, held)


@pytest.mark.parametrize("grid", [None, [1.0, 10.0, 100.0]])
def test_dead_students_do_not_pass_for_the_best(grid):
    """Hard labels make students too sure, so that the dead, who answer log 3 alike, diverge less."""
    settings = {"metric": "kl", "widths": [4], "seeds": 2, "epochs": 40}
    found = tuned_on(dying_task(), PlanSpec.of({**settings, "step_sizes": grid})).tuned
    tried = found.tried["hard", 4]
    assert all(trial.diverged for trial in tried[100.0].values())
    dead = np.mean([trial.validation.means["kl"] for trial in tried[100.0].values()])
    at_one = np.mean([trial.validation.means["kl"] for trial in tried[1.0].values()])
    assert dead < at_one
    assert found.step_size(("hard", 4)) == (0.316 if grid is None else 1.0)
