"""What a plan says against itself: rows that cannot tell, inputs that do not, a poor teacher."""

from types import SimpleNamespace

import numpy as np
import pytest

import softwidth
from softwidth.plan_doubts import why_not

QUICK = {"widths": [2, 4], "seeds": 2, "rounds": 0, "epochs": 3, "step_sizes": [10.0]}


def measured(*, teacher_mistakes: float, student_mistakes: float, rows: int):
    """Soft labels and students as `why_not` looks at them."""
    data = SimpleNamespace(y_train=np.zeros(rows), y_val=np.zeros(rows), draws=1)
    health = SimpleNamespace(accuracy=1 - teacher_mistakes)
    labels = SimpleNamespace(warnings=[], dataset=data, lesson=SimpleNamespace(health=health))
    trial = SimpleNamespace(validation=SimpleNamespace(means={"error": student_mistakes}))
    return labels, SimpleNamespace(widths=(2, 4), trials=lambda _: [trial])


@pytest.mark.parametrize(("rows", "said"), [(100, False), (10_000, True)])
def test_a_teacher_is_called_poor_only_beyond_chance(rows, said):
    (told,) = why_not(*measured(teacher_mistakes=0.03, student_mistakes=0.01, rows=rows))
    assert ("better teacher" in told) == said
    assert said or "too few to tell" in told


def clouds(n: int, signal: float):
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.4).astype(int)
    X = rng.standard_normal((n, 4))
    X[:, 0] += signal * y
    return {"X": X, "y": y, "soft": np.eye(2)[y] * 0.8 + 0.1}


@pytest.mark.parametrize(("signal", "said"), [(0.0, True), (4.0, False)])
def test_inputs_that_tell_nothing_are_named(signal, said):
    found = softwidth.plan(clouds(400, signal), **QUICK)
    told = [text for text in found.warnings if "tell little" in text]
    assert len(told) == said
    assert all("always says 0 is wrong on 40" in text for text in told)


@pytest.mark.parametrize(("tolerance", "said"), [(0.01, True), (0.05, False)])
def test_a_tolerance_finer_than_the_rows_is_named(tolerance, said):
    found = softwidth.plan(clouds(200, 2.0), tolerance=tolerance, **QUICK)
    assert any("less than one mistake on 32 " in text for text in found.warnings) == said
