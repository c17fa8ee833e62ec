"""The soft-label check: what is wrong, or suspicious, with soft labels that came in.

The classic silent error of distillation code is soft labels in another row order than the labels:
nothing crashes, and students learn noise. `label_order` tells it from labels that are only weak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_class_ids,
    check_flag,
    check_integer,
    check_same_length,
)
from softwidth._types import Array, Labels
from softwidth.calibration import accuracy, mean_distance
from softwidth.distributions import as_probabilities, is_votes
from softwidth.label_order import above_chance, as_claims, wrong_columns, wrong_rows

MEMORISED = 0.02  # mean |p - y| of a teacher that had memorised its rows (noisy MNIST)
FEW_VOTES = 3  # a row; below and at this, sampling votes can beat their average
HARDLY_ANY = 0.02  # of what hard labels tell, what soft labels must tell to be called informative
LEVELS = ("error", "warning", "info")


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
        Codes ``not-probabilities``, ``column-order``, ``row-order``, ``uninformative``,
        ``one-hot``, ``in-sample``, ``few-votes``.

    Raises
    ------
    ArgumentError
        If `y` holds no class ids or has another length than `soft`.

    Examples
    --------
    >>> y = np.arange(90) % 3
    >>> soft = 0.9 * np.eye(3)[y] + 0.1 / 3
    >>> [finding.code for finding in check_soft_labels(y, soft, in_sample=False)]
    []
    >>> [finding.code for finding in check_soft_labels(y, soft[:, [1, 0, 2]])]
    ['column-order']
    """
    if n_classes is not None:
        n_classes = check_integer("n_classes", n_classes, low=2)
    if in_sample is not None:
        check_flag("in_sample", in_sample)
    try:
        P = as_probabilities(soft, n_classes=n_classes)
    except ArgumentError as error:
        cure = (
            "Give one row per sample: probabilities that sum to 1, or counts of votes. Logits need "
            "a softmax first, percentages a division by 100."
        )
        return [Finding("error", "not-probabilities", str(error), cure)]
    y = check_class_ids("y", y, n_classes=P.shape[1])
    check_same_length("soft", P, "y", len(y))
    claims = P
    if is_votes(soft):
        claims = as_claims(np.asarray(soft, float))
        in_sample = bool(in_sample)  # people vote: their majority may well be every row's label
    found = [*_order(P, claims, y), *_softness(P), *_sample(P, y, in_sample), *_votes(soft)]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def _order(P: Array, claims: Array, y: Labels) -> list[Finding]:
    return _columns(P, claims, y) or _rows(P, claims, y) or _uninformative(P, y)


def _columns(P: Array, claims: Array, y: Labels) -> list[Finding]:
    column_of = wrong_columns(claims, y)
    if not column_of:
        return []
    order = np.arange(P.shape[1])
    order[list(column_of)] = list(column_of.values())
    shown = list(column_of.items())[:5]
    seen = ", ".join(f"column {column} looks like class {label}" for label, column in shown)
    more = f" and {len(column_of) - 5} more" if len(column_of) > 5 else ""
    return [
        Finding(
            "error",
            "column-order",
            "the class columns are in another order than the labels: the top class agrees with "
            f"the label on {accuracy(P, y):.1%} of rows, after reordering on "
            f"{accuracy(P[:, order], y):.1%} ({seen}{more}).",
            "Put the columns of the soft labels into the order of the class ids.",
        )
    ]


def _rows(P: Array, claims: Array, y: Labels) -> list[Finding]:
    found = wrong_rows(claims, y)
    if found is None:
        return []
    start, shift = found.start, found.shift
    where = f"from about row {start} on, " if start else ""
    told = (
        f"{where}the top class agrees with the label on {accuracy(P[start:], y[start:]):.1%} of "
        "rows, no better than chance, though the soft labels claim to know more"
    )
    if shift is not None:
        again = accuracy(np.roll(P[start:], -shift, axis=0), y[start:])
        way = f"{'up' if shift > 0 else 'down'} by {abs(shift)} row{'s' * (abs(shift) > 1)}"
        told += f"; moved {way} it agrees on {again:.1%}"
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


def _uninformative(P: Array, y: Labels) -> list[Finding]:
    """Soft labels that surely tell of the labels next to nothing beyond how frequent classes are."""
    share = np.bincount(y, minlength=P.shape[1]) / len(y)
    told = float(P[np.arange(len(y)), y].mean() - share @ P.mean(axis=0))
    most = float(1 - share @ share)
    if most == 0 or above_chance(P, y) > 4 or told + _error(P, y) > HARDLY_ANY * most:
        return []
    return [
        Finding(
            "warning",
            "uninformative",
            "the soft labels tell next to nothing of the classes: they are almost the same for "
            "rows of every class.",
            "Use a better teacher, or hard labels.",
        )
    ]


def _error(P: Array, y: Labels) -> float:
    """Three standard errors of the mean of ``P[i, y_i]``."""
    return 3 * float(P[np.arange(len(y)), y].std()) / float(np.sqrt(len(y)))


def _softness(P: Array) -> list[Finding]:
    distance = mean_distance(P, P.argmax(axis=1))
    if distance >= MEMORISED:
        return []
    return [
        Finding(
            "warning",
            "one-hot",
            f"the soft labels are almost hard (their top class has all but {distance:.3f} on "
            "average): there is hardly anything soft to learn from.",
            "Take them out of sample (cross-fitting or other rows), raise the temperature, or "
            "collect more votes a row.",
        )
    ]


def _sample(P: Array, y: Labels, in_sample: bool | None) -> list[Finding]:
    if in_sample:
        return [
            Finding(
                "warning",
                "in-sample",
                "the soft labels come from a model that was trained on these very rows: it may "
                "have memorised their labels.",
                "Cross-fit the teacher: label each fold with a model trained on the others.",
            )
        ]
    if in_sample is None and accuracy(P, y) == 1:
        return [
            Finding(
                "info",
                "in-sample",
                "the top class equals the label on every row: these soft labels may come from a "
                "model trained on these rows, which the numbers alone cannot tell.",
                "If so, cross-fit the teacher.",
            )
        ]
    return []


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
