"""The checked inputs of a bank, in the form that the compiled loop reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_class_ids,
    check_matrix,
    check_same_length,
    check_weights,
)
from softwidth._mapped import take_rows
from softwidth._types import Array, Labels
from softwidth.labels import Targets, as_probabilities, entropy
from softwidth.network import Network, for_reading, initialise, n_outputs, with_bias_column
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
    weight : ndarray, shape (N,), of mean 1; (0,) where all rows weigh the same
        Rows of weight 0 are left out of all arrays here.
    targets : dict of str to Targets
    n_features : int
        Of the rows as they were given.
    n_classes : int
    bias : bool
    span : Span or None
    networks : tuple of Network
        Where each student of the bank goes on from; empty where all begin.
    """

    X: Array
    y: Labels
    weight: Array
    targets: dict[str, Targets]
    n_features: int
    n_classes: int
    bias: bool
    span: Span | None
    networks: tuple[Network, ...] = ()

    @property
    def fixed(self) -> bool:
        """Whether every epoch has the same targets."""
        return all(targets.fixed for targets in self.targets.values())

    def stacked(self, epoch: int) -> tuple[Array, Array]:
        """The targets of an epoch (kinds, C, N), and their weighted entropies (kinds, N), nats."""
        kinds, N = len(self.targets), len(self.y)
        T = np.empty((kinds, n_outputs(self.n_classes), N), self.X.dtype)
        entropies = np.empty((kinds, N))
        wanted = slice(1, 2) if self.n_classes == 2 else slice(None)
        for kind, targets in enumerate(self.targets.values()):
            P = targets.at(epoch)
            T[kind], entropies[kind] = P[:, wanted].T, entropy(P)
        return T, entropies * self.weight if len(self.weight) else entropies

    def start(self, student: Student) -> Network:
        """A student's network at its random start, in the features as they were given."""
        return initialise(
            student.neurons,
            self.n_features,
            self.n_classes,
            init=student.init,
            seed=student.seed,
            bias=self.bias,
            dtype=self.X.dtype,
        )

    def present(self, member: int, student: Student) -> Network:
        """Where a student of the bank is before training: an own copy of its network, or its start."""
        if not self.networks:
            return self.start(student)
        network = self.networks[member]
        W, A, b = (np.array(a, self.X.dtype) for a in (network.W, network.A, network.b))
        return Network(W, A, b, network.scale, self.bias)


def check_data(
    X: Any, y: Any, targets: Mapping[str, Any], recipe: Recipe, sample_weight: Any = None
) -> TrainingData:
    """The inputs of `training.train_bank`, checked and brought into form."""
    X = check_matrix("X", X, dtype=np.dtype(recipe.dtype))
    if not isinstance(targets, Mapping) or not targets:
        raise ArgumentError("targets", targets, "must map at least one label kind to its targets.")
    checked = {_check_kind(name): _as_targets(name, value) for name, value in targets.items()}
    n_classes = {name: table.P.shape[1] for name, table in checked.items()}
    if len(set(n_classes.values())) > 1:
        raise ArgumentError("targets", n_classes, "must all have the same number of classes.")
    for name, table in checked.items():
        check_same_length(f"targets[{name!r}]", table.P, "X", len(X))
    K = next(iter(n_classes.values()))
    y = check_class_ids("y", y, n_classes=K)
    check_same_length("y", y, "X", len(X))
    weight = np.empty(0, X.dtype)
    if sample_weight is not None:
        weight = check_weights("sample_weight", sample_weight, len(X)).astype(X.dtype)
        kept = np.flatnonzero(weight)
        if len(kept) < len(X):
            X = take_rows(X, kept)
        y, weight = y[kept], weight[kept]
        checked = {name: table.rows(kept) for name, table in checked.items()}
    n_features = X.shape[1]
    X = with_bias_column(X, recipe.bias)
    # Adam takes every coordinate for itself, so its steps are others in other coordinates.
    span = None if recipe.optimiser == "adam" else find_span(X)
    X = for_reading(X if span is None else span.X)
    return TrainingData(X, for_reading(y), weight, checked, n_features, K, recipe.bias, span)


def _check_kind(name: Any) -> str:
    if not isinstance(name, str):
        raise ArgumentError("targets", name, "must have names of label kinds as its keys.")
    return name


def _as_targets(name: str, value: Any) -> Targets:
    given = value.P if isinstance(value, Targets) else value
    P = as_probabilities(given, name=f"targets[{name!r}]")
    return value if isinstance(value, Targets) else Targets(name, P)


def check_students(students: Sequence[Student], data: TrainingData) -> None:
    """Every student must be trainable on `data`."""
    if not isinstance(students, Sequence) or len(students) == 0:
        raise ArgumentError("students", students, "must be a list of at least one Student.")
    for number, student in enumerate(students):
        if not isinstance(student, Student):
            raise ArgumentError(f"students[{number}]", student, "must be a Student.")
        student.check()
        check_choice("labels", student.labels, data.targets)


def going_on(
    networks: Sequence[Network] | None, students: Sequence[Student], data: TrainingData
) -> TrainingData:
    """The data with the networks that the students go on from, each of its student's shape."""
    if networks is None:
        return data
    if not isinstance(networks, Sequence):
        raise ArgumentError("networks", networks, "must be a list with a Network of every student.")
    if len(networks) != len(students):
        wish = f"must be one for each of the {len(students)} students."
        raise ArgumentError("networks", f"{len(networks)} networks", wish)
    columns, C = data.n_features + data.bias, logit_columns(data)
    for number, (network, student) in enumerate(zip(networks, students, strict=True)):
        name = f"networks[{number}]"
        if not isinstance(network, Network):
            raise ArgumentError(name, network, "must be a Network, as in `Bank.networks`.")
        wanted = (student.width, columns), (student.width, C), (C,)
        shapes = network.W.shape, network.A.shape, network.b.shape
        if shapes != wanted:
            raise ArgumentError(
                name, shapes, f"must have arrays of shapes {wanted}, as its student."
            )
        if not all(np.isfinite(a).all() for a in (network.W, network.A, network.b)):
            raise ArgumentError(name, network, "must have finite weights: this one diverged.")
    return replace(data, networks=tuple(networks))


def logit_columns(data: TrainingData) -> int:
    """C, the logits of a student on `data`."""
    return n_outputs(data.n_classes)
