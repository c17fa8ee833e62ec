"""The soft-label check: what is wrong, or suspicious, with soft labels that came in.

The classic silent error of distillation code is soft labels in another row order than the labels:
nothing crashes, and students learn noise. Agreement between labels and top classes shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from softwidth._checks import ArgumentError, check_class_ids, check_same_length
from softwidth._types import Array, Labels
from softwidth.calibration import mean_distance
from softwidth.labels import as_probabilities, is_votes

SURELY = 4.0  # standard errors above chance from which an agreement is more than luck
MEMORISED = 0.02  # mean |p - y| of a teacher that had memorised its rows (noisy MNIST)
FITS = 0.5  # agreement below which even the best order of columns explains nothing
FEW_VOTES = 3  # a row; below and at this, sampling votes can beat their average
NEIGHBOURS = range(-5, 6)  # row shifts tried where the given order says nothing


@dataclass(frozen=True)
class Finding:
    """One thing that a reader should know of the soft labels.

    Attributes
    ----------
    level : {"error", "warning", "info"}
    code : str
        A short name for programs.
    message, cure : str
        What was found, in plain words with numbers, and what to do.
    """

    level: str
    code: str
    message: str
    cure: str


def check_soft_labels(
    y: Any, soft: Any, *, n_classes: int | None = None, in_sample: bool | None = None
) -> list[Finding]:
    """Everything found to be wrong or suspicious, worst first; an empty list is a clean bill.

    Parameters
    ----------
    y : array_like, shape (N,)
        Class ids.
    soft : array_like, shape (N, K)
        Probabilities or vote counts.
    n_classes : int, optional
        K, when it is known otherwise than from `soft`.
    in_sample : bool, optional
        Whether the model behind the soft labels was trained on these very rows, where it is known.

    Returns
    -------
    list of Finding
        Codes ``not-probabilities``, ``row-order``, ``column-order``, ``uninformative``,
        ``one-hot``, ``in-sample``, ``few-votes``.

    Raises
    ------
    ArgumentError
        If `y` holds no class ids or has another length than `soft`.
    """
    try:
        P = as_probabilities(soft, n_classes=n_classes)
    except ArgumentError as error:
        cure = "Give one row per sample: probabilities that sum to 1, or counts of votes."
        return [Finding("error", "not-probabilities", str(error), cure)]
    y = check_class_ids("y", y, n_classes=P.shape[1])
    check_same_length("soft", P, "y", len(y))
    found = [*_order(P, y), *_softness(P, y, in_sample), *_votes(soft)]
    return sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.level))


def _agreement(top: Labels, y: Labels) -> tuple[float, float]:
    """Share of rows where both agree, and how many standard errors that is above chance.

    Chance is ``sum_k P(y = k) P(top = k)``: what two independent columns of labels would reach.
    """
    K = int(max(top.max(), y.max())) + 1
    chance = float(np.bincount(y, minlength=K) @ np.bincount(top, minlength=K)) / len(y) ** 2
    share = float(np.mean(top == y))
    return share, (share - chance) / max(np.sqrt(chance * (1 - chance) / len(y)), 1e-12)


def _order(P: Array, y: Labels) -> list[Finding]:
    top, K = P.argmax(axis=1), P.shape[1]
    share, sureness = _agreement(top, y)
    table = np.zeros((K, K))
    np.add.at(table, (y, top), 1)
    of_class = linear_sum_assignment(-table)[1]  # the column that fits each class best
    best_share = float(table[np.arange(K), of_class].sum() / len(y))
    # A permutation found on the data fits by luck too: ask for a clear gain and a clear fit.
    gain_error = np.sqrt(best_share * (1 - best_share) / len(y)) + 1 / len(y)
    if best_share - share > max(SURELY * gain_error, 0.05) and best_share > max(
        _lucky(y, top), FITS
    ):
        seen = ", ".join(f"{c} looks like class {k}" for k, c in enumerate(of_class) if c != k)
        return [
            Finding(
                "error",
                "column-order",
                f"the class columns are in another order than the labels: the top class agrees with "
                f"the label on {share:.1%} of rows, after reordering on {best_share:.1%} "
                f"(column {seen}).",
                "Put the columns of the soft labels into the order of the class ids.",
            )
        ]
    if sureness > SURELY or len(np.unique(top)) == 1:
        return []
    return _no_better_than_chance(top, y, share)


def _lucky(y: Labels, top: Labels) -> float:
    """The agreement that the best permutation reaches on unrelated labels, with room to spare."""
    rng = np.random.default_rng(0)
    K = int(max(y.max(), top.max())) + 1
    shares = []
    for _ in range(10):
        table = np.zeros((K, K))
        np.add.at(table, (y, rng.permutation(top)), 1)
        shares.append(table[linear_sum_assignment(-table)].sum() / len(y))
    return float(np.mean(shares) + SURELY * np.sqrt(0.25 / len(y)))


def _no_better_than_chance(top: Labels, y: Labels, share: float) -> list[Finding]:
    if len(y) < 20:  # too few rows to accuse anyone
        return []
    shifts = {s: _agreement(np.roll(top, s), y) for s in NEIGHBOURS}
    shift = max(shifts, key=lambda s: shifts[s][1])
    told = f"the top class agrees with the label on {share:.1%} of rows, no better than chance"
    if shift and shifts[shift][1] > SURELY:
        told += f"; shifted by {shift} row{'s' if abs(shift) > 1 else ''} it agrees on {shifts[shift][0]:.1%}"
    return [
        Finding(
            "error",
            "row-order",
            f"the soft labels seem to be in another row order than the labels: {told}.",
            "Check that row i of the soft labels belongs to row i of X: a shuffled data loader, a "
            "sort or a dropped row between the two is the usual cause. If the order is right, "
            "these soft labels know nothing of the classes.",
        )
    ]


def _softness(P: Array, y: Labels, in_sample: bool | None) -> list[Finding]:
    distance = mean_distance(P, y)
    found = []
    if mean_distance(P, P.argmax(axis=1)) < MEMORISED:
        found.append(
            Finding(
                "warning",
                "one-hot",
                f"the soft labels are almost hard (mean |p - y| = {distance:.3f}): there is hardly "
                "anything soft to learn from.",
                "Take them out of sample (cross-fitting or other rows), raise the temperature, or "
                "collect more votes a row.",
            )
        )
    if in_sample:
        found.append(
            Finding(
                "warning",
                "in-sample",
                "the soft labels come from a model that was trained on these very rows: it may "
                "have memorised their labels.",
                "Cross-fit the teacher: label each fold with a model trained on the others.",
            )
        )
    elif in_sample is None and not found and float(np.mean(P.argmax(axis=1) == y)) == 1.0:
        found.append(
            Finding(
                "info",
                "in-sample",
                "the top class equals the label on every row: these soft labels may come from a "
                "model trained on these rows, which the numbers alone cannot tell.",
                "If so, cross-fit the teacher.",
            )
        )
    return found


def _votes(soft: Any) -> list[Finding]:
    if not is_votes(soft):
        return []
    median = float(np.median(np.asarray(soft).sum(axis=1)))
    if median > FEW_VOTES:
        return []
    return [
        Finding(
            "info",
            "few-votes",
            f"there are only {median:g} votes a row, so shares are coarse.",
            "Try the schemes `sampled` and `multipass`, which can beat the average of few votes.",
        )
    ]
