"""Soft labels for students from a teacher, in-sample, cross-fitted or from other rows.

A teacher that has memorised its rows gives soft labels that are hard labels, so where the labels
come from is part of every result: `Lesson.regime` says it and `Lesson.health` measures it.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    SoftwidthError,
    check_class_ids,
    check_flag,
    check_integer,
    check_matrix,
    check_memory,
    check_numeric,
    check_same_length,
    check_table,
    shorten,
)
from softwidth._mapped import is_mapped, row_blocks, take_rows
from softwidth._types import Array, Labels
from softwidth.calibration import accuracy, calibration_bins, fit_temperature
from softwidth.distributions import as_probabilities, is_votes, temper
from softwidth.health import Health, measure_health
from softwidth.teachers import KernelTeacher, Teacher, WideTeacher, check_teacher

__all__ = ["REGIMES", "Health", "Lesson", "cross_fit", "fit_temperature", "row_margins", "teach"]

ROWS_IN_CLASSIFIERS = 3  # times their rows: read, and converted to double precision
REGIMES = ("in-sample", "cross-fitted", "larger data")


@dataclass(frozen=True, eq=False)
class Lesson:
    """Soft labels for the students' rows, how they came to be and what they are worth."""

    soft: Array  # (N, K)
    regime: str
    health: Health
    calibration: Array | None = None  # (bins, 3) on validation rows, as `calibration_bins`
    teachers: tuple[Teacher, ...] = ()  # one, or one of every fold

    def predict(self, X: Array) -> Array:
        """Soft labels (N, K) of rows that no teacher has seen: the mean over the teachers'."""
        K, temperature = self.soft.shape[1], self.health.temperature
        return np.mean([temper(_proba(t, X, K), temperature) for t in self.teachers], axis=0)


Learnt = tuple[Array, Labels, Array | None]  # rows, class ids, weights


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Teachers, their untempered soft labels of the students' rows, and what they learned from."""

    regime: str
    teachers: list[Teacher]
    soft: Array
    own: Learnt | None  # the rows of the one teacher

    def train_accuracy(self, n_classes: int) -> float | None:
        if self.own is None:
            return None
        X, y, weight = self.own
        return accuracy(_proba(self.teachers[0], X, n_classes), y, weight)


def teach(
    make: Callable[[], Teacher],
    X: Array,
    y: Labels,
    *,
    X_val: Array,
    y_val: Labels,
    n_classes: int,
    others: tuple[Array, Labels] | Learnt | None = None,
    weight: Array | None = None,
    weight_val: Array | None = None,
    folds: int = 5,
    in_sample: bool = False,
    seed: int = 0,
    draws: int = 1,
    calibrate: bool = True,
) -> Lesson:
    """Soft labels of the rows `X` from a teacher, its temperature set on rows it has not seen.

    Parameters
    ----------
    make : callable
        Gives an untrained teacher, a new one at every call.
    X, y : ndarray
        The students' rows.
    X_val, y_val : ndarray
        Held-out rows, for the temperature and the health.
    others : (X, y) or (X, y, weight), optional
        Rows that the students never see: the teacher learns from these alone ("larger data").
    weight, weight_val : ndarray, optional
        What each row counts for, with the teacher too if its ``fit`` takes ``sample_weight``.
    folds : int
        Of cross-fitting, where there are no others.
    in_sample : bool
        Train on the students' rows and label these very rows.
    draws : int
        Held-out rows come in runs of so many draws of the noise on one row.
    calibrate : bool
        Divide the logits by the temperature that rows the teacher has not seen ask for.

    Returns
    -------
    Lesson

    Raises
    ------
    ArgumentError
        Mismatched or malformed arrays; too few rows of a class for the folds; a teacher that is
        none, or whose probabilities are not.
    """
    n_classes = check_integer("n_classes", n_classes, low=2)
    X, y = _check_rows("", X, y, n_classes)
    X_val, y_val = _check_rows("_val", X_val, y_val, n_classes, n_features=X.shape[1])
    check_flag("in_sample", in_sample)
    check_flag("calibrate", calibrate)
    if len(y_val) % check_integer("draws", draws, low=1):
        raise ArgumentError("draws", draws, f"must divide the {len(y_val)} rows of `X_val`.")
    if others is not None:
        of_others = others[2] if len(others) == 3 else None
        own = _check_rows("_others", *others[:2], n_classes, n_features=X.shape[1])
        others = (*own, of_others)
    fitted = _fit(make, (X, y, weight), others, folds if not in_sample else None, n_classes, seed)
    # Every fold's teacher answers for the validation rows on its own: averaged, they would be a
    # better and less sure teacher than the ones that made the students' labels.
    held = np.stack([_proba(teacher, X_val, n_classes) for teacher in fitted.teachers], axis=1)
    repeats, held = draws * held.shape[1], held.reshape(-1, n_classes)
    y_held = y_val.repeat(len(fitted.teachers))
    held_weight = None if weight_val is None else weight_val.repeat(len(fitted.teachers))
    counts = np.ones(len(held)) if held_weight is None else held_weight / held_weight.mean()
    unseen = (held, y_held, counts / repeats)
    if fitted.regime != "in-sample":  # nor has the teacher seen the rows that it labels
        own_counts = np.ones(len(y)) if weight is None else weight / weight.mean()
        unseen = _together(unseen, (fitted.soft, y, own_counts))
    temperature = fit_temperature(*unseen) if calibrate else 1.0
    soft, held = temper(fitted.soft, temperature), temper(held, temperature)
    health = measure_health(
        soft,
        y,
        held,
        y_held,
        repeats=repeats,
        train_accuracy=fitted.train_accuracy(n_classes),
        temperature=temperature,
        weight=weight,
        held_weight=held_weight,
    )
    bins = calibration_bins(held, y_held, weight=held_weight)
    return Lesson(soft, fitted.regime, health, bins, tuple(fitted.teachers))


def _check_rows(
    suffix: str, X: Any, y: Any, n_classes: int, *, n_features: int | None = None
) -> tuple[Array, Labels]:
    X_name, y_name = f"X{suffix}", f"y{suffix}"
    n_classes = check_integer("n_classes", n_classes, low=2)
    X = check_matrix(X_name, X)
    y = check_class_ids(y_name, y, n_classes=n_classes)
    check_same_length(y_name, y, X_name, len(X))
    check_table(len(y), n_classes)
    if n_features is not None and X.shape[1] != n_features:
        raise ArgumentError(X_name, X, f"must have {n_features} columns, as X has.")
    return X, y


def _together(
    *parts: tuple[Array, Labels, Array],
) -> tuple[Array, Labels, Array]:
    P, y, weights = zip(*parts, strict=True)
    return np.concatenate(P), np.concatenate(y), np.concatenate(weights)


def _fit(
    make: Callable[[], Teacher],
    own: Learnt,
    others: Learnt | None,
    folds: int | None,
    n_classes: int,
    seed: int,
) -> _Fitted:
    """Teachers and soft labels in the regime that is asked for; `folds` is None for in-sample."""
    learn = own if others is None else others
    make = _tuned(make, *learn)
    if others is None and folds is not None:
        X, y, weight = own
        soft, teachers = cross_fit(
            make, X, y, folds=folds, n_classes=n_classes, sample_weight=weight, seed=seed
        )
        return _Fitted("cross-fitted", teachers, soft, None)
    teacher = _trained(make, *learn)
    regime = "in-sample" if others is None else "larger data"
    return _Fitted(regime, [teacher], _proba(teacher, own[0], n_classes), learn)


def cross_fit(
    make: Callable[[], Teacher],
    X: Array,
    y: Labels,
    *,
    folds: int,
    n_classes: int,
    sample_weight: Array | None = None,
    seed: int = 0,
) -> tuple[Array, list[Teacher]]:
    """Out-of-fold probabilities (N, K), and the teacher of every fold.

    Weights, shape (N,), go to teachers whose ``fit`` takes ``sample_weight``.

    Raises
    ------
    ArgumentError
        If a class has fewer rows than there are folds, or `make` gives one teacher twice.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = check_integer("folds", folds, low=2)
    seed = check_integer("seed", seed)
    X, y = _check_rows("", X, y, n_classes)
    fewest = int(np.bincount(y)[np.unique(y)].min())
    if fewest < folds:
        raise ArgumentError(
            "folds", folds, f"must not exceed the {fewest} rows of the rarest class."
        )
    soft = np.empty((len(y), n_classes))
    teachers: list[Teacher] = []
    cut = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)  # scikit-learn's most
    for inside, outside in cut.split(X, y):
        weight = None if sample_weight is None else sample_weight[inside]
        teacher = _trained(make, take_rows(X, inside), y[inside], weight)
        if any(teacher is other for other in teachers):
            raise ArgumentError("make", make, "must give a new teacher at every call.")
        teachers.append(teacher)
        soft[outside] = _proba(teacher, take_rows(X, outside), n_classes)
    return soft, teachers


def _tuned(
    make: Callable[[], Teacher], X: Array, y: Labels, weight: Array | None
) -> Callable[[], Teacher]:
    """`make`, with settings chosen on these rows, once for all folds, where a teacher can `tune`."""
    if not callable(make):
        raise ArgumentError("make", make, "must be callable and give an untrained teacher.")
    untuned = make()
    if not hasattr(untuned, "tune"):
        return make
    tuned = untuned.tune(X, y, **_weights(untuned.tune, weight))
    return lambda: copy.deepcopy(tuned)


def takes_weights(fit: Callable[..., Any]) -> bool:
    """Whether a method has an argument ``sample_weight``."""
    try:
        return "sample_weight" in inspect.signature(fit).parameters
    except (TypeError, ValueError):  # compiled, without a signature
        return False


def _weights(fit: Callable[..., Any], weight: Array | None) -> dict[str, Array]:
    """`weight` as the argument ``sample_weight``, where there is one and it is taken."""
    return {} if weight is None or not takes_weights(fit) else {"sample_weight": weight}


def _trained(
    make: Callable[[], Teacher], X: Array, y: Labels, weight: Array | None = None
) -> Teacher:
    if len(np.unique(y)) < 2:
        wish = "has one class only: a teacher has nothing to tell apart."
        raise ArgumentError("y", f"{len(y)} rows", wish)
    if not callable(make):
        raise ArgumentError("make", make, "must be callable and give an untrained teacher.")
    teacher: Teacher = check_teacher(make())
    if is_mapped(X) and not isinstance(teacher, WideTeacher):
        what = f"a {type(teacher).__name__} of {len(y):,} rows"
        wish = "a wide teacher learns from rows that lie in a file"
        check_memory(what, ROWS_IN_CLASSIFIERS * X.nbytes, wish=wish)
    try:
        with np.errstate(all="ignore"):  # its arithmetic is its own; its probabilities are checked
            teacher.fit(X, y, **_weights(teacher.fit, weight))
    except SoftwidthError:
        raise
    except ValueError as error:  # such as a part of the rows for early stopping that is too small
        wish = f"cannot learn from {len(y):,} rows: {shorten(error, 300)}"
        raise ArgumentError("teacher", type(teacher).__name__, wish) from error
    return teacher


def _proba(teacher: Teacher, X: Array, n_classes: int) -> Array:
    """The teacher's probabilities, with a column for classes that it has not seen."""
    with np.errstate(all="ignore"):
        P = check_numeric("teacher", _predictions(teacher, X))
    seen = getattr(teacher, "classes_", None)
    columns = np.arange(n_classes) if seen is None else check_class_ids("classes_", seen, n_classes=n_classes)  # fmt: skip
    if P.shape != (len(X), len(columns)) or is_votes(P):
        wish = f"must give probabilities of shape ({len(X)}, {len(columns)})."
        raise ArgumentError("teacher", P, wish)
    placed = np.zeros((len(P), n_classes))
    placed[:, columns] = P
    return as_probabilities(placed, name="teacher")


def _predictions(teacher: Teacher, X: Array) -> Any:
    """Of rows in a file block by block: a classifier may copy what it is given."""
    if not is_mapped(X):
        return teacher.predict_proba(X)
    return np.concatenate([teacher.predict_proba(X[rows]) for rows in row_blocks(X)])


def row_margins(X: Array, y: Labels, *, folds: int = 5, n_classes: int = 2) -> Array:
    """Margin of every row under a cross-fitted kernel teacher: p_y - max over the others, (N,)."""
    P, _ = cross_fit(KernelTeacher, X, y, folds=folds, n_classes=n_classes)
    y = check_class_ids("y", y, n_classes=n_classes)
    own = P[np.arange(len(y)), y]
    P[np.arange(len(y)), y] = -np.inf
    return np.asarray(own - P.max(axis=1))
