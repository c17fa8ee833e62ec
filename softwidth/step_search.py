"""The step size of one student, chosen on rows set apart; and the training that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from softwidth._types import Array
from softwidth.bank import Bank, log_likelihoods
from softwidth.examples import Examples
from softwidth.labels import Targets
from softwidth.specs import Student
from softwidth.training import train_bank

# Half decades around those that plans end with (1 to 300 at unit rows): all are one bank.
STEP_SIZES = (0.1, 0.316, 1.0, 3.16, 10.0, 31.6, 100.0, 316.0, 1000.0)


def fit_students(
    examples: Examples, students: Sequence[Student], *, mode: Targets | None = None, **recipe: Any
) -> Bank:
    """Train students on weighted examples; `mode` holds targets that change by epoch.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    """
    targets = Targets("labels", examples.P) if mode is None else mode
    bank = train_bank(
        examples.X,
        examples.P.argmax(axis=1),
        {"labels": targets},
        students,
        sample_weight=examples.weight,
        dtype=examples.X.dtype.name,
        **recipe,
    )
    if bank.interrupted:
        raise KeyboardInterrupt
    return bank


def choose_step_size(
    examples: Examples, student: Student, *, fraction: float, seed: int, **recipe: Any
) -> tuple[float, dict[float, float]]:
    """The step size of least held-out cross-entropy, and that of all tried in nats.

    A student that diverged has an infinite loss; the smallest step size wins among equals.
    """
    train, held = examples.split(fraction, seed)
    students = [replace(student, step_size=step) for step in STEP_SIZES]
    bank = fit_students(train, students, **recipe)
    losses = cross_entropies(bank.logits(held.X), held)
    losses[np.array(bank.status) == "diverged"] = np.inf
    scores = dict(zip(STEP_SIZES, losses.tolist(), strict=True))
    return min(scores, key=scores.__getitem__), scores


def cross_entropies(logits: Array, held: Examples) -> Array:
    """Weighted mean cross-entropy of every student (S,) from its logits (S, N, C); inf for NaN."""
    log_q = log_likelihoods(logits.astype(np.float64))
    with np.errstate(invalid="ignore"):
        per_row = -np.einsum("nk,snk->sn", held.P, log_q)
    losses = per_row @ held.weight / held.weight.sum()
    return np.where(np.isfinite(losses), losses, np.inf)
