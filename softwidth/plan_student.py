"""The student that a plan recommends, with its weights: trained again alone, and looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._cores import one_core
from softwidth._types import Array, Width
from softwidth.bank import log_likelihoods
from softwidth.network import Network
from softwidth.specs import Student
from softwidth.trainer import Tuned
from softwidth.trials import Setting, Task, look, trained

LOOKED_AT = 1000  # rows, by whose norms it is told whether rows are scaled


@dataclass(frozen=True, eq=False)
class ChosenStudent:
    """A student to be used; `export.to_numpy` and `export.to_onnx` write it.

    Attributes
    ----------
    student : Student
        Labels, width, seed and step size.
    network_ : Network
    classes_ : ndarray, shape (K,)
        Names of the classes, in the order of the probabilities' columns.
    normalise : bool
        Rows are scaled to unit norm first, as those that it learned from were.
    measures : dict of str to float
        ``validation_`` and ``test_`` ``error`` and ``log_loss``, of this very network.
    """

    student: Student
    network_: Network
    classes_: np.ndarray[Any, Any]
    normalise: bool
    measures: dict[str, float]

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, shape (N, K), of rows in the data's own units.

        Raises
        ------
        ArgumentError
            If `X` is not a finite matrix with the data's features.
        """
        X = np.asarray(X)
        if self.normalise:  # rows of zeros have no direction and stay
            norm = np.linalg.norm(X, axis=1, keepdims=True)
            X = X / np.where(norm > 0, norm, 1)
        return self.network_.predict_proba(X)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without the weights."""
        names = ("labels", "width", "seed", "step_size")
        about = {name: getattr(self.student, name) for name in names}
        return {**about, "normalise": self.normalise, **self.measures}


def choose(tuned: Tuned, labels: str, width: Width | None) -> Student:
    """The student of least validation loss of these labels and this width.

    Parameters
    ----------
    tuned : Tuned
    labels : {"soft", "hard", "either"}
        ``either`` is the kind whose students are better there, on average.
    width : int or None
        ``None``, where no width meets the target, is the widest tried.
    """
    width = width or tuned.widths[-1]
    kinds = ("hard", "soft") if labels == "either" else (labels,)

    def loss(kind: str) -> float:
        return float(np.mean([t.score(tuned.metric)[0] for t in tuned.trials((kind, width))]))

    best = min(kinds, key=loss)
    return min(tuned.trials((best, width)), key=lambda t: t.score(tuned.metric)).student


def train_alone(task: Task, setting: Setting, student: Student) -> Network:
    """The network of a student, trained by itself on one core: equal bits on every run.

    In the bank that it came from it shared its products with others, so that it may differ from
    the one looked at there by rounding; `look_at` says what this one does.
    """
    with one_core():
        return trained(task, [student], setting, "training the student to be used")[student]


def look_at(network: Network, task: Task) -> dict[str, float]:
    """Errors and log losses of a network on the held-out rows."""
    found: dict[str, float] = {}
    for name in ("validation", "test"):
        rows = getattr(task, name)
        seen = look(log_likelihoods(network.logits(rows.X).astype(np.float64)), rows)
        found |= {f"{name}_{m}": float(seen.means[m]) for m in ("error", "log_loss")}
    return found


def is_normalised(X: Array) -> bool:
    """Whether rows have unit norm, as `data.load` makes them."""
    norms = np.linalg.norm(X[:LOOKED_AT].astype(np.float64), axis=1)
    return bool(np.allclose(norms, 1, atol=1e-3))
