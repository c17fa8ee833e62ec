"""Rows and classes that do not all count alike: what each row counts for in a mean.

A weight says how much a row counts, as in scikit-learn: a loss with weight 2 is the loss of the row
twice. It does not say that the row was seen twice: a resampling of rows takes it once or not at
all, so that intervals come from the number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from softwidth._types import SPLITS, Array, Dataset, Labels

FEW_HELD_OUT = 10  # rows of a class below which its error is known to 10 points or worse
RARE = 0.1  # share of the weight below which the mean error hardly heeds a class


@dataclass(frozen=True, eq=False)
class Shares:
    """What each of some rows counts for in a mean.

    Attributes
    ----------
    of_row : ndarray, shape (N,)
        Sums to 1.
    stratum : ndarray of int, shape (N,), or None
        Rows of one number count for the same together, however they are resampled: those of one
        class where all classes count alike. ``None``: all rows are one stratum.
    """

    of_row: Array
    stratum: Labels | None = None

    def strata(self) -> list[Labels]:
        """The numbers of the rows of every stratum."""
        if self.stratum is None:
            return [np.arange(len(self.of_row))]
        return [np.flatnonzero(self.stratum == s) for s in np.unique(self.stratum)]

    def mean(self, losses: Array) -> float:
        """The mean of losses by row (N,)."""
        return float(self.of_row @ losses)


def balanced_shares(y: Labels, weight: Array | None = None) -> Shares:
    """Every class that has rows counts alike, and within it every row as it weighs.

    >>> balanced_shares(np.array([0, 0, 0, 1])).of_row.round(3).tolist()
    [0.167, 0.167, 0.167, 0.5]
    """
    weight = np.ones(len(y)) if weight is None else weight
    of_class = np.bincount(y, weight)
    return Shares(weight / of_class[y] / np.count_nonzero(of_class), y)


def class_factors(y: Labels, weight: Array | None, n_classes: int) -> Array:
    """Factors that give all classes that have rows the same weight in all, shape (K,).

    ``c_k = sum_i w_i / (K sum_{i in k} w_i)``, as scikit-learn's ``class_weight="balanced"``.

    >>> class_factors(np.array([0, 0, 0, 1]), None, 2).round(3).tolist()
    [0.667, 2.0]
    """
    of_class = np.bincount(y, weight, minlength=n_classes).astype(float)
    even = of_class.sum() / np.count_nonzero(of_class)
    return np.divide(even, of_class, out=np.zeros_like(of_class), where=of_class > 0)


def effective_rows(weight: Array) -> float:
    """``(sum w)^2 / sum w^2``: as many equal rows would make a mean as unsure (Kish 1965).

    >>> effective_rows(np.array([1.0, 1.0])), effective_rows(np.array([1.0, 0.0]))
    (2.0, 1.0)
    """
    return float(weight.sum() ** 2 / (weight**2).sum())


@dataclass(frozen=True)
class ClassCount:
    """One class: its rows by part (held-out ones without their draws), and its share of the weight.

    `share` is of the test part: what always saying this class would get right there.
    """

    name: str
    train: int
    val: int
    test: int
    share: float


def class_counts(data: Dataset) -> list[ClassCount]:
    """All classes of some data, in their order."""
    train, val, test = (
        np.bincount(_rows(data, split)[0], minlength=data.n_classes).tolist() for split in SPLITS
    )
    share = class_share(data, "test").tolist()
    columns = zip(data.classes, train, val, test, share, strict=True)
    return [ClassCount(*column) for column in columns]


def class_share(data: Dataset, split: str) -> Array:
    """Each class's share of the weight of a part, shape (K,)."""
    y, weight = _rows(data, split)
    of_class = np.bincount(y, weight, minlength=data.n_classes)
    return np.asarray(of_class / of_class.sum())


def _rows(data: Dataset, split: str) -> tuple[Labels, Array | None]:
    """Class ids and weights of a part, every row once."""
    every = 1 if split == "train" else data.draws
    weight = getattr(data, f"weight_{split}")
    return getattr(data, f"y_{split}")[::every], None if weight is None else weight[::every]


def class_warnings(counts: Sequence[ClassCount], metric: str) -> list[str]:
    """What rare classes keep from being known, each in a sentence or two with its cure."""
    found = []
    few = [c for c in counts if c.train > 0 and min(c.val, c.test) < FEW_HELD_OUT]
    if few:
        named = ", ".join(f"{c.name} ({c.val} to choose by, {c.test} to test)" for c in few[:5])
        more = f" and {len(few) - 5} more classes" if len(few) > 5 else ""
        effect = (
            "one of these rows moves the balanced error by whole points, so that the decision rests on them"
            if metric == "balanced"
            else "they have next to no say in the decision"
        )
        found.append(
            f"Few held-out rows of {named}{more}: {effect}, and how well students do on "
            "such a class cannot be told. More rows of it are what helps."
        )
    rare = [c for c in counts if c.share < RARE / len(counts) * 2 and c not in few]
    if rare and metric == "error":
        share = sum(c.share for c in rare)
        named = ", ".join(c.name for c in rare[:5]) + (", …" if len(rare) > 5 else "")
        found.append(
            f"Rare classes ({named}: {share:.1%} of the test rows): the share of mistakes hardly "
            "heeds them; --metric balanced counts all classes alike."
        )
    return found


def weight_note(weight: Array, name: str) -> str:
    """What a reader must know of the weights of some held-out rows."""
    return (
        f"The {len(weight):,} {name} rows have weights: a mean over them is as unsure as one over "
        f"{effective_rows(weight):,.0f} equal rows."
    )
