"""Margins beside libsvm, and the times that a user waits for.

libsvm always fits a bias: it is given the same kernel and solves the nearest problem it can. Both
solvers get the kernel matrix ready made. Its gap is that of its own problem's primal and dual
values; ours ends at rounding, far below.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits, make_classification
from sklearn.svm import SVC

from softwidth.kernels import limiting_kernel
from softwidth.margin_svm import minimise
from softwidth.margins import margin

REPEATS = 3
TOLERANCE = 1e-5  # libsvm's: a relative gap of about 5e-6 on MNIST
Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def mnist_parity(rows: int) -> Arrays | None:
    """So many rows of MNIST in random order, of unit norm; None where it is not to be had."""
    from softwidth import load
    from softwidth._checks import SoftwidthError

    try:
        data = load("mnist", positive=[1, 3, 5, 7, 9])
    except SoftwidthError:
        return None
    chosen = np.random.default_rng(0).permutation(len(data.X_train))[:rows]
    return data.X_train[chosen], data.y_train[chosen]


def made_up(rows: int) -> Arrays:
    """A task of the same form where there is no MNIST."""
    X, y = make_classification(rows, 50, n_informative=20, class_sep=0.5, random_state=0)
    return X / np.linalg.norm(X, axis=1, keepdims=True), y


def best_time(*ways: Callable[[], Any]) -> list[float]:
    """Of each, the best of alternating runs."""
    best = [np.inf] * len(ways)
    for _ in range(REPEATS):
        for number, way in enumerate(ways):
            start = time.perf_counter()
            way()
            best[number] = min(best[number], time.perf_counter() - start)
    return best


def beside_libsvm(X: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> dict[str, float]:
    """The solver alone."""
    K, signs = limiting_kernel(X), 2.0 * y - 1
    Q = K * np.outer(signs, signs)
    machine = SVC(kernel="precomputed", C=1e10, tol=TOLERANCE, cache_size=1000)
    minimise(Q[:600, :600].copy(), np.zeros(min(600, len(Q))))  # compiled
    ours, theirs = best_time(lambda: minimise(Q, np.zeros(len(Q))), lambda: machine.fit(K, y))
    beta = minimise(Q, np.zeros(len(Q)))
    field = Q @ beta
    gap = 1 - field.min() * beta.sum() / (beta @ field)
    return {"ratio_to_libsvm": theirs / ours, "seconds": ours, "gap": max(gap, 0.0)}


def run(quick: bool) -> dict[str, Any]:
    rows, width = (700, 64) if quick else (5000, 4096)
    found = {
        f"margin.kernel_{n}": v
        for n, v in beside_libsvm(*(mnist_parity(rows) or made_up(rows))).items()
    }
    X, y = load_digits(return_X_y=True)
    X, y = X / np.linalg.norm(X, axis=1, keepdims=True), y % 2
    seconds = best_time(lambda: margin(X, y, "sup", width, init="gaussian", gap=1e-3))[0]
    return {
        name: float(f"{value:.4g}")
        for name, value in {**found, "margin.sup_seconds": seconds}.items()
    }
