"""What a plan says against itself: rows that cannot tell, inputs that do not, a poor teacher."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from softwidth.least_width import Gain, LeastWidth
from softwidth.plan_doubts import doubts, why_not
from softwidth.plan_spec import PlanSpec
from softwidth.trials import Rows


def students(mistakes: float):
    """Students of two widths that make so many mistakes, with any labels."""
    trial = SimpleNamespace(validation=SimpleNamespace(means={"error": mistakes}))
    return SimpleNamespace(widths=(4, 8), trials=lambda _: [trial], metric="error")


UNSURE = Gain(0.004, (-0.002, 0.01), False)


@pytest.mark.parametrize(("rows", "said"), [(100, False), (10_000, True)])
def test_a_teacher_is_called_poor_only_beyond_chance(rows, said):
    data = SimpleNamespace(y_train=np.zeros(rows), y_val=np.zeros(rows), draws=1)
    lesson = SimpleNamespace(health=SimpleNamespace(accuracy=0.97))
    labels = SimpleNamespace(warnings=[], dataset=data, lesson=lesson)
    (told,) = why_not(labels, students(0.01), UNSURE)
    assert ("better teacher" in told) == said
    assert said or "too few to tell" in told
    (told,) = why_not(labels, students(0.01), UNSURE, worse=True)
    assert "better teacher" in told  # whatever chance says: that hard labels do better is sure
    (told,) = why_not(labels, students(0.05), UNSURE, worse=True)
    assert "another teacher" in told


@pytest.mark.parametrize(("metric", "gain", "words"), [
    ("error", UNSURE, "they make 0.4% fewer mistakes on average, which 9 validation rows are too few"),
    ("error", Gain(-0.004, (-0.009, -0.001), False), "0.4% more mistakes on average, which is less than the tolerance."),
    ("kl", Gain(0.0051, (0.0012, 0.0093), False), "0.0051 nats nearer to held-out ones on average, which is less"),
    ("kl", Gain(-0.02, (-0.05, 0.01), False), "0.02 nats farther from held-out ones on average, which 9 val"),
    ("balanced", UNSURE, "their balanced error is 0.4% lower on average, which 9"),
])  # fmt: skip
def test_what_is_not_seen_to_matter_is_told_in_the_unit_of_the_plan(metric, gain, words):
    data = SimpleNamespace(y_train=np.zeros(9), y_val=np.zeros(9), draws=1)
    lesson = SimpleNamespace(health=SimpleNamespace(accuracy=1.0))
    labels = SimpleNamespace(warnings=[], dataset=data, lesson=lesson)
    students_ = students(0.01)
    students_.metric = metric
    (told,) = why_not(labels, students_, gain)
    assert words in told
    assert why_not(labels, students_, replace(gain, matters=True)) == []


FALLING = np.exp(-np.arange(30.0))


def told(*, loss=0.1, rows=100, draws=1, curve=FALLING, diverged=False, **settings):
    """Doubts of a plan with two rows of five in the rarer class, whose least width is in between."""
    y = (np.arange(rows * draws) % 5 < 2).astype(int)
    P = np.eye(2)[y] * 0.5 + 0.25
    data = SimpleNamespace(y_val=y, draws=draws, n_classes=2, classes=("no", "yes"))
    task = SimpleNamespace(soft=P, validation=Rows(np.zeros((len(y), 1)), y, P, draws))
    least = LeastWidth(8, (8, 8))
    decision = SimpleNamespace(
        least={"hard": least, "soft": least}, widths=(4, 8), errors={"hard": np.full(2, loss)}
    )
    trial = SimpleNamespace(curve={"kl": curve}, diverged=diverged)
    tuned = SimpleNamespace(widths=(4, 8), trials=lambda _: [trial], step_size=lambda _: 10.0)
    trainer = SimpleNamespace(task=task, tuned=tuned)
    return doubts(
        SimpleNamespace(spec=PlanSpec.of(settings), decision=decision, trainer=trainer), data
    )


@pytest.mark.parametrize(("loss", "said"), [(0.39, True), (0.35, False), (0.1, False)])
def test_inputs_that_tell_next_to_nothing_are_named(loss, said):
    found = [text for text in told(loss=loss) if "a constant answer (no) on 40.0%" in text]
    assert len(found) == said


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"curve": np.tile([0.1, 0.1, 0.1, 0.9, 0.9, 0.9], 5)}, "at the step size that was chosen, 10"),
        ({"diverged": True}, "1 of 1 students diverged with hard labels at width 8"),
        ({"step_sizes": [1.0, 10.0]}, "stands at the edge of those given (step_sizes): a larger one"),
        ({"step_sizes": [10.0, 100.0]}, "a smaller one may be better"),
    ],
)  # fmt: skip
def test_steps_that_are_too_large_or_at_the_edge_are_told_for_both_kinds(given, says):
    assert sum(says.replace("hard", kind) in text for kind in ("hard", "soft") for text in told(**given)) >= 2  # fmt: skip
    noisy = 0.3 + 0.01 * np.random.default_rng(0).standard_normal(100) + np.exp(-np.arange(100.0))
    assert told(curve=noisy, step_sizes=[1.0, 10.0, 100.0]) == []


def test_of_classes_that_count_alike_a_constant_answer_gets_one():
    (found,) = told(loss=0.48, metric="balanced")
    assert "balanced error is 48.0%, that of a constant answer (no) 50.0%" in found


@pytest.mark.parametrize(("share", "said"), [(0.95, True), (0.85, False)])
def test_inputs_that_tell_nothing_of_votes_are_named(share, said):
    """The mean of (3/4, 1/4) and (1/4, 3/4), three to two, is (0.55, 0.45)."""
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    apart = -(0.55 * np.log(0.55) + 0.45 * np.log(0.45)) - entropy  # of the mean, on average
    found = [text for text in told(loss=share * apart, metric="kl") if f"{apart:.3f}" in text]
    assert len(found) == said


def test_a_tolerance_finer_than_the_rows_is_named():
    def named(**settings):
        return any("less than one mistake" in text for text in told(loss=0.1, **settings))

    assert named(rows=80)
    assert named(rows=80, draws=8)  # of the noise on the same rows
    assert not named(rows=80, tolerance=0.05)
    assert not named(rows=100)
    assert not named(rows=80, metric="kl")
