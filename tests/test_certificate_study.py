"""Students beside their certificates: an attack on these, their parts by another road, the rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softwidth._checks import ArgumentError
from softwidth.kernels import limiting_kernel
from softwidth.margins import margin
from softwidth.network import initialise
from softwidth.studies import certificate
from softwidth.trial_certificates import (
    CertificateSpec,
    CertificateTrials,
    averaged_steps,
    kernel_weights,
)
from softwidth.trial_data import prepare
from softwidth.trial_spec import TrialSpec

TASKS = {
    "parity": TrialSpec.of(width=2, positive=(1, 3, 5, 7, 9), student_rows=40),
    "digits": TrialSpec.of(width=2, student_rows=40),
    "circle": TrialSpec.of(width=2, source="circle(8)"),
}
TRIALS = CertificateTrials()
LESSONS = {name: TRIALS.prepare(CertificateSpec(task)) for name, task in TASKS.items()}


@given(
    task=st.sampled_from(list(TASKS)),
    labels=st.sampled_from(["soft", "hard"]),
    radius=st.floats(0.01, 300),
    pairs=st.integers(1, 60),
    seed=st.integers(0, 10_000),
    share=st.floats(0.01, 0.95),
)
@settings(max_examples=40, deadline=None)
def test_no_student_loses_more_than_its_certificate(task, labels, radius, pairs, seed, share):
    lesson = LESSONS[task]
    step = share * (4 if lesson.n_classes == 2 else 1)
    spec = CertificateSpec(TASKS[task], labels, radius, 2 * pairs, seed, step, 100)
    (row,) = TRIALS.run(lesson, [spec])
    found = row.metrics
    assert found["holds"]
    for T in averaged_steps(spec.n_steps):
        assert found[f"loss_{T}"] <= found[f"sharper_{T}"] * (1 + 1e-9) + 1e-6
        assert found[f"sharper_{T}"] <= found[f"certificate_{T}"] * (1 + 1e-9)
        mistakes = found[f"mistakes_{T}"]
        assert mistakes is None or found[f"error_{T}"] <= mistakes + 1e-9


@pytest.mark.parametrize("task", ["parity", "digits"])
def test_the_maps_weights_are_a_function_of_the_margin_found(task):
    """By the limiting kernel, not by the map: least margin over norm is the lower end."""
    data = prepare(TASKS[task]).dataset
    X, y, K = data.X_train.astype(float), data.y_train, data.n_classes
    found = margin(X, y, gap=1e-6, n_classes=K)
    weights = kernel_weights(found, y, K)
    F = limiting_kernel(X) @ weights
    norm = np.sqrt(np.sum(weights * F))
    if K == 2:
        least, scale = ((2 * y - 1) * F[:, 0]).min(), 1.0
    else:
        own = F[np.arange(len(y)), y]
        F[np.arange(len(y)), y] = -np.inf
        least, scale = (own - F.max(axis=1)).min(), (1 - 1 / K) ** 0.5
    # of K logits a unit of Σ‖v_k‖ is worth more than one of the L2 norm by `scale`, see `margins`
    assert least / norm * scale == pytest.approx(found.lower, rel=1e-4)


@pytest.mark.parametrize("task", list(TASKS))
def test_a_maps_logits_are_its_mean_over_other_neurons(task):
    lesson = LESSONS[task]
    W = initialise(2**15, lesson.X.shape[1], init="gaussian", seed=1).W
    v = lesson.at(W, 1.0)
    v = v[:, None] if v.ndim == 2 else v
    assert np.linalg.norm(v, axis=2).sum(axis=1).max() == pytest.approx(1.0)
    parts = np.einsum("rkd,nd->nrk", v, lesson.X) * (lesson.X @ W.T > 0)[:, :, None]
    spread = parts.std(axis=1) / np.sqrt(len(W)) * np.sqrt(1.5)  # of the difference to 2**16 others
    assert np.all(np.abs(parts.mean(axis=1) - lesson.logits) <= 5 * spread + 1e-12)
    assert lesson.margin() > 0
    P = lesson.soft(3.0)
    np.testing.assert_allclose(P.sum(axis=1), 1)
    own = np.log(P[np.arange(len(P)), lesson.y])
    P[np.arange(len(P)), lesson.y] = 0
    assert (own - np.log(P.max(axis=1))).min() == pytest.approx(3 * lesson.margin())


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"labels": "argmax"}, "labels"),
        ({"radius": np.inf}, "radius"),
        ({"width": 3}, "width"),
        ({"step_size": 0.0}, "step_size"),
        ({"n_steps": 99}, "n_steps"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_is_certified_is_checked(wrong, name):
    with pytest.raises(ArgumentError, match=name):
        CertificateSpec(TASKS["parity"], **wrong)


def test_rows_that_nothing_separates_have_no_map(tmp_path):
    path = tmp_path / "equal.csv"
    path.write_text("a,b,y\n" + "1,0,no\n0,1,yes\n" * 20 + "1,0,yes\n" * 20)
    spec = TrialSpec.of(width=2, source=str(path), target="y")
    with pytest.raises(ArgumentError, match="cannot be separated"):
        TRIALS.prepare(CertificateSpec(spec))


def lost(loss, *, prior=1.0, error=5.0, mistakes=10.0, above=0, above_prior=0):
    """A table of one group."""
    lines = [
        {"data": "digits", "classes": 2, "labels": "soft", "radius": 1.0, "width": m, "steps": 100, "loss": loss,
         "error": error, "certificate": 0.1, "certificate_share": loss / 0.1, "least_share": loss / 0.2,
         "above_certificate": above, "sharper": 0.05, "above_sharper": 0, "prior": prior, "above_prior": above_prior * (m == 64),
         "steps_term": 0.01, "mistakes": mistakes, "above_mistakes": 0, "vacuous": mistakes >= 100, "seeds": 10}
        for m in (64, 256)
    ]  # fmt: skip
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("table", "word"),
    [
        (lost(0.02), "supported"),
        (lost(0.02, prior=np.inf, mistakes=400.0), "supported"),
        (lost(0.02, above=1), "refuted"),
        (lost(0.02, above_prior=1), "supported"),  # one of twenty where one of 100 may be: chance
        (lost(0.02, above_prior=3), "refuted"),
    ],
)
def test_certificates_have_their_rule(table, word):
    verdict = certificate.judge(table)
    assert verdict.word == word
    assert verdict.effect == pytest.approx(table.loss.iloc[0] / 0.1)
