"""The letters of all shapes, and the containers that travel between the rooms of the house.

Every shape comment in the package uses the same five letters:

    S  students of a bank
    N  samples (rows of X)
    D  features (columns of X)
    H  neurons of all students of a bank together
    K  classes (a binary task has K = 2 and one logit)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]
Width = int | float  # neurons of the hidden layer; a float multiplies the layers of a family

MOST_PARTS = 256  # of a whole, that a multiplier is told in
SPLITS = ("train", "val", "test")


def width_text(width: Width) -> str:
    """A width in words: neurons as they are, a multiplier with its sign.

    >>> width_text(16), width_text(0.125), width_text(1.5), width_text(0.3333)
    ('16', '×1/8', '×1.5', '×0.3333')
    """
    if not isinstance(width, float):
        return str(width)
    near = Fraction(width).limit_denominator(MOST_PARTS) if 0 < width < 1 else None
    return f"×{near}" if near is not None and float(near) == width else f"×{width:.4g}"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels of one task, cut into the three parts that a study needs.

    Attributes
    ----------
    X_train, X_val, X_test : ndarray, shape (N, D), float32
        Inputs, rows of unit Euclidean norm unless loaded with ``normalise=False``.
    y_train, y_val, y_test : ndarray, shape (N,), int64
        Class ids ``0 .. K-1`` (THEORY.md writes the binary ones as -1 and +1).
    soft_train, soft_val, soft_test : ndarray, shape (N, K), or None
        Soft labels as they came: probabilities, or vote counts (`labels.as_probabilities` makes
        either into probabilities). ``None`` where the source has none.
    weight_train, weight_val, weight_test : ndarray, shape (N,), or None
        What a row counts for, above 0, in any unit; ``None`` where all count alike.
    name : str
        What the data are called in tables and on pages.
    classes : tuple of str
        The K class names, in the order of the class ids.
    draws : int
        Validation and test rows come in runs of so many draws of the input noise on one row; a
        resampling of rows must keep a run together.
    notes : tuple of str
        What a reader must know of how the data came to be (lossy images, flipped labels, ...).
    """

    X_train: Array  # (N, D)
    y_train: Labels  # (N,)
    X_val: Array
    y_val: Labels
    X_test: Array
    y_test: Labels
    soft_train: Array | None = None  # (N, K)
    soft_val: Array | None = None
    soft_test: Array | None = None
    weight_train: Array | None = None  # (N,)
    weight_val: Array | None = None
    weight_test: Array | None = None
    name: str = "data"
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    draws: int = 1

    @property
    def n_classes(self) -> int:
        """K, the number of classes."""
        return len(self.classes)

    @property
    def n_features(self) -> int:
        """D, the number of features."""
        return int(self.X_train.shape[1])

    def part(self, split: str) -> tuple[Array, Labels, Array | None]:
        """``(X, y, soft)`` of one of the parts ``"train"``, ``"val"``, ``"test"``."""
        return (
            getattr(self, f"X_{split}"),
            getattr(self, f"y_{split}"),
            getattr(self, f"soft_{split}"),
        )

    def with_notes(self, notes: Iterable[str]) -> Dataset:
        """The same data with more notes."""
        return replace(self, notes=(*self.notes, *notes))
