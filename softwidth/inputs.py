"""The checked inputs of a bank, in the form that the compiled loop reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_class_ids,
    check_matrix,
    check_same_length,
)
from softwidth._types import Array, Labels
from softwidth.labels import Targets, as_probabilities, entropy
from softwidth.network import Network, initialise, n_outputs, with_bias_column
from softwidth.span import Span, find_span
from softwidth.specs import Recipe, Student


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Rows, class ids and targets of a bank.

    Attributes
    ----------
    X : ndarray, shape (N, D)
        In the recipe's dtype, with the bias column, in coordinates of `span` where that pays.
    y : ndarray, shape (N,)
    targets : dict of str to Targets
    n_features : int
        Of the rows as they were given.
    n_classes : int
    bias : bool
    span : Span or None
    """

    X: Array
    y: Labels
    targets: dict[str, Targets]
    n_features: int
    n_classes: int
    bias: bool
    span: Span | None

    @property
    def fixed(self) -> bool:
        """Whether every epoch has the same targets."""
        return all(targets.fixed for targets in self.targets.values())

    def stacked(self, epoch: int) -> tuple[Array, Array]:
        """The targets of an epoch (kinds, C, N), and their entropies (kinds, N) in nats."""
        tables = [targets.at(epoch) for targets in self.targets.values()]
        wanted = slice(1, 2) if self.n_classes == 2 else slice(None)
        T = np.stack([np.ascontiguousarray(P[:, wanted].T, dtype=self.X.dtype) for P in tables])
        return T, np.stack([entropy(P) for P in tables])

    def start(self, student: Student) -> Network:
        """A student's network at its random start, in the features as they were given."""
        return initialise(
            student.width,
            self.n_features,
            self.n_classes,
            init=student.init,
            seed=student.seed,
            bias=self.bias,
        )


def check_data(X: Any, y: Any, targets: Mapping[str, Any], recipe: Recipe) -> TrainingData:
    """The inputs of `training.train_bank`, checked and brought into form."""
    X = check_matrix("X", X, dtype=np.dtype(recipe.dtype))
    if not isinstance(targets, Mapping) or not targets:
        raise ArgumentError("targets", targets, "must map at least one label kind to its targets.")
    checked = {name: _as_targets(name, value) for name, value in targets.items()}
    n_classes = {name: table.P.shape[1] for name, table in checked.items()}
    if len(set(n_classes.values())) > 1:
        raise ArgumentError("targets", n_classes, "must all have the same number of classes.")
    for name, table in checked.items():
        check_same_length(f"targets[{name!r}]", table.P, "X", len(X))
    K = next(iter(n_classes.values()))
    y = check_class_ids("y", y, n_classes=K)
    check_same_length("y", y, "X", len(X))
    n_features = X.shape[1]
    X = with_bias_column(X, recipe.bias)
    span = find_span(X)
    return TrainingData(
        _writable(X if span is None else span.X), y, checked, n_features, K, recipe.bias, span
    )


def _writable(X: Array) -> Array:
    """`X`, copied if it is read-only: compiled code has one type for writable arrays only."""
    return X if X.flags.writeable else X.copy()


def _as_targets(name: str, value: Any) -> Targets:
    if isinstance(value, Targets):
        return value
    return Targets(name, as_probabilities(value, name=f"targets[{name!r}]"))


def check_students(students: Sequence[Student], data: TrainingData) -> None:
    """Every student must be trainable on `data`."""
    if len(students) == 0:
        raise ArgumentError("students", "none", "must name at least one student.")
    for student in students:
        student.check()
        check_choice("labels", student.labels, data.targets)


def logit_columns(data: TrainingData) -> int:
    """C, the logits of a student on `data`."""
    return n_outputs(data.n_classes)
