"""Students of a plan are looked at as they are."""

import numpy as np
import pytest

from softwidth.bank import log_likelihoods
from softwidth.specs import Student
from softwidth.trials import KINDS, Rows, Setting, Task, look, train, trained


def _task(K: int) -> Task:
    rng = np.random.default_rng(K)
    X = rng.standard_normal((90, 5)).astype(np.float32)
    P = rng.dirichlet(np.arange(1, K + 1), 90)
    held = [Rows(X[a : a + 30], P[a : a + 30].argmax(axis=1), P[a : a + 30]) for a in (30, 60)]
    return Task(X[:30], P[:30].argmax(axis=1), P[:30], *held)


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("bias", [False, True])
def test_what_is_seen_of_students_is_what_their_networks_say(bias, K):
    task = _task(K)
    students = [Student(width, 0, kind, 1.0) for width in (6, 10) for kind in KINDS]
    setting = Setting(rows=30, epochs=20, batch_size=10, tuning_seeds=1, bias=bias)
    networks = trained(task, students, setting, None)
    assert all(np.any(network.b) == bias for network in networks.values())
    for trial in train(task, students, setting, None):
        for rows, seen in ((task.validation, trial.validation), (task.test, trial.test)):
            alone = look(log_likelihoods(networks[trial.student].logits(rows.X)), rows)
            for name in ("error", "log_loss", "brier", "kl"):
                assert seen.means[name] == pytest.approx(alone.means[name], rel=1e-4), name
