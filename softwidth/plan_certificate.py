"""One student of the theory's kind on a plan's own rows: what it lost beside what it could have lost.

The plan's students are trained by mini-batches with momentum, of which no theorem speaks. This one
is trained as the theorems want: full batch, constant steps, projected, on soft labels of a
transport map within the ball of radius 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from softwidth._types import Array, Labels
from softwidth.certificates import sharp_certificate, theorem_a
from softwidth.network import initialise
from softwidth.specs import Student
from softwidth.tasks import split_rows
from softwidth.training import train_bank
from softwidth.transport import aligned, expansion

ROWS, STEPS, WIDTH = 500, 500, 1024  # 1 to 10 s; the certificate falls with steps and width
RADIUS, STEP_SIZE = 1.0, 1.0


def certified_student(
    X: Array, y: Labels, coefficients: Array, *, seed: int = 0, most: int = ROWS
) -> dict[str, Any]:
    """Average KL over the steps of a binary student, measured and certified before training.

    Parameters
    ----------
    X : ndarray, shape (N, D)
    y : ndarray, shape (N,)
        Only to take a stratified part of the rows; the labels are the map's.
    coefficients : ndarray, shape (N,)
        Signed weights of a kernel expansion: the map is ``u(z)/‖u(z)‖`` with
        ``u(z) = sum_i coefficients_i x_i 1(zᵀx_i > 0)`` (THEORY.md section 3).
    seed : int
    most : int
        Rows that it is trained on, at most.

    Returns
    -------
    dict
        ``width``, ``steps``, ``rows``, and in nats ``measured``, ``theorem A`` (THEORY.md section
        5) and ``sharper`` (docs/theory.md).
    """
    used = np.flatnonzero(coefficients)
    network = initialise(WIDTH, X.shape[1], seed=seed)
    v = aligned(expansion(X[used], coefficients[used]).at(network.W), RADIUS)
    rows = np.arange(len(y)) if len(y) <= most else split_rows(y, most, seed=seed)[0]
    part = X[rows].astype(np.float64)
    logits = ((part @ v.T) * (part @ network.W.T > 0)).mean(axis=1)
    p = expit(logits)
    P = np.stack([1 - p, p], axis=1)
    settings: dict[str, Any] = {"step_size": STEP_SIZE, "n_steps": STEPS, "radius": RADIUS}
    bank = train_bank(
        part,
        y[rows],
        {"theory": P},
        [Student(WIDTH, seed, "theory", step_size=STEP_SIZE, radius=RADIUS)],
        epochs=STEPS,
        tolerance=0.0,
    )
    return {
        "width": WIDTH,
        "steps": STEPS,
        "rows": len(rows),
        "measured": float(bank.kl[0].mean()),
        "theorem A": theorem_a(network, v, part, logits, **settings).as_dict()["value"],
        "sharper": sharp_certificate(network, v, part, P, **settings).as_dict()["value"],
    }
