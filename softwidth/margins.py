"""Separation margins as intervals that can be checked (THEORY.md section 3)."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

from softwidth._checks import check_choice, check_number, check_width
from softwidth._interrupt import asked_to_stop
from softwidth._progress import progress
from softwidth.margin_limit import Fresh, check_fresh
from softwidth.margin_record import Margin
from softwidth.margin_rows import margin_rows
from softwidth.margin_task import MarginTask, Watch

KINDS = ("kernel", "sup")
INITIALISATIONS = ("symmetric", "gaussian")  # those of standard normal neurons
LEAST_GAP = 1e-12  # beyond it is rounding
NEURONS = 8192  # drawn to find the witnesses of the limit
FRESH = 2**18  # drawn to estimate their values


def margin(
    X: Any,
    y: Any,
    kind: str = "kernel",
    width: int | None = None,
    *,
    gap: float = 1e-3,
    confidence: float = 0.99,
    limit: int | None = None,
    n_classes: int | None = None,
    seed: int = 0,
    init: str = "symmetric",
    neurons: int = NEURONS,
    fresh: int = FRESH,
    progress_label: str | None = None,
) -> Margin:
    """The margin at which the kernel's features separate the classes, as an interval with witnesses.

    ``max over v of min_i y_i f_v(x_i)``, ``f_v(x) = E_z[v(z)ᵀx 1(zᵀx > 0)]``. With ``kind="kernel"``
    over ``‖v‖_L2 ≤ 1``: γ_2, exact. With ``kind="sup"`` over ``‖v(z)‖ ≤ 1`` for all z: at a `width` the
    expectation is the mean over the drawn neurons, γ_m, exact; without one it is γ_∞, and the
    interval holds with probability `confidence` over fresh neurons. ``γ_∞ ≤ γ_2`` always.

    Parameters
    ----------
    X : array_like, shape (N, D)
        Rows as they are: scale them to unit norm for the theorems.
    y : array_like, shape (N,)
        Class ids ``0 .. K-1``; of a binary task 0 stands for -1 and 1 for +1.
    kind : {"kernel", "sup"}
    width : int, optional
        Drawn neurons; none for the limit. (The L2 norm too has a margin at a width: of K_m.)
    gap : float
        Relative gap ``1 - lower/upper`` to stop at. (In the limit that of the drawn neurons'
        problem: the interval is as wide as `neurons` and `fresh` leave it.)
    confidence : float
        Of the interval in the limit.
    limit : int, optional
        Use so many rows, stratified and seeded: the upper end then still holds for all rows, since
        a margin of more rows is no larger, but the lower end only for the rows used.
    n_classes : int, optional
        By default one more than the largest id, and at least 2.
    seed : int
        Of neurons and subsamples.
    init : {"symmetric", "gaussian"}
        Whether the `width` neurons come in pairs (THEORY.md section 1), which are width/2 different.
    neurons, fresh : int
        In the limit: neurons drawn to find the witnesses, and to estimate their values.
    progress_label : str, optional
        Shows progress, with the gap so far, under this label.

    Returns
    -------
    Margin
        Ctrl-C returns the interval so far, wider and as valid, with a note.

    Raises
    ------
    ArgumentError
        Input that cannot be used; the message names it.
    MemoryLimitError
        Data or witnesses that do not fit; the message says how much they need.

    Notes
    -----
    K classes: margins ``f_y - f_k`` over all other classes k. For ``sup`` the norm at z is
    ``Σ_k ‖v_k(z)‖`` (THEORY.md section 7). For ``kernel`` it is ``Σ_k ‖v_k - v̄‖²_L2 ≤ 1 - 1/K``, v̄ the mean
    over the classes: the least such ball around the former, so that γ_∞ ≤ γ_2 for every K, and for
    K = 2 both are the binary margins.

    Data that are not separable have margin 0, and `conflict` names the rows: a row of zeros, two
    equal rows of different classes, a row without an active neuron, or, where only a combination
    of rows conflicts, all rows of the combination.

    Examples
    --------
    >>> found = margin([[1.0, 0.0], [0.0, 1.0]], [0, 1])  # K = I/2: γ_2 = 1/2
    >>> round(found.lower, 12), round(found.upper, 12), found.confidence
    (0.5, 0.5, 1.0)
    """
    started = time.perf_counter()
    check_choice("kind", kind, KINDS)
    gap = check_number("gap", gap, low=0, high=1)
    if width is not None:
        check_choice("init", init, INITIALISATIONS)
        width = check_width("width", width, paired=init == "symmetric")
    limits = check_fresh(neurons, fresh, confidence)
    rows = margin_rows(X, y, n_classes=n_classes, limit=limit, seed=seed)
    with progress(progress_label, -math.log10(max(gap, LEAST_GAP))) as shown:
        task = MarginTask(rows, gap, seed, Watch(shown))
        with asked_to_stop(task.watch.stop):
            found = _solved(task, kind, width, init, limits)
    return replace(found, seconds=time.perf_counter() - started)


def _solved(task: MarginTask, kind: str, width: int | None, init: str, limits: Fresh) -> Margin:
    if task.rows.conflict:
        return task.nothing_separates(kind, width, task.rows.conflict)
    if kind == "kernel":
        return task.kernel(width, init)
    return task.sup(width, init) if width is not None else task.limit(limits)
