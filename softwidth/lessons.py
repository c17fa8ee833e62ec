"""Soft labels for students from a teacher, in-sample, cross-fitted or from other rows.

A teacher that has memorised its rows gives soft labels that are hard labels, so where the labels
come from is part of every result: `Lesson.regime` says it and `Lesson.health` measures it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from softwidth._checks import (
    ArgumentError,
    check_class_ids,
    check_integer,
    check_matrix,
    check_same_length,
)
from softwidth._types import Array, Labels
from softwidth.calibration import (
    accuracy,
    calibration_bins,
    expected_calibration_error,
    log_loss,
    mean_distance,
)
from softwidth.labels import as_probabilities, temper
from softwidth.teachers import KernelTeacher, Teacher

MEMORISED_GAP = 0.03  # accuracy on its own rows above that on held-out rows
MEMORISED_SHARE = 0.6  # mean |p - y| on its own rows as a share of that on held-out rows
ALMOST_HARD = 0.03  # mean |p - y| on the students' rows below which little is soft
MISCALIBRATED = 0.05  # expected calibration error


@dataclass(frozen=True)
class Health:
    """What a teacher's soft labels are worth.

    Attributes
    ----------
    train_accuracy : float or None
        On the rows that it was trained on.
    held_out_accuracy : float or None
        On validation rows.
    accuracy : float
        Of the soft labels' top class on the students' rows.
    distance : float
        Mean ``|p - y|`` on the students' rows.
    held_out_distance : float or None
        The same on validation rows.
    calibration_error : float or None
        Expected calibration error on validation rows.
    temperature : float
        By which the logits were divided.
    """

    train_accuracy: float | None
    held_out_accuracy: float | None
    accuracy: float
    distance: float
    held_out_distance: float | None
    calibration_error: float | None
    temperature: float = 1.0

    def as_dict(self) -> dict[str, float | None]:
        """Plain numbers for JSON."""
        return asdict(self)

    def warnings(self, regime: str) -> list[str]:
        """What is wrong with these soft labels, in plain words with the cure."""
        found = []
        if regime == "in-sample" and self._memorised():
            found.append(
                f"The teacher has memorised its rows (accuracy {self.train_accuracy:.1%} there and "
                f"{self.held_out_accuracy:.1%} on held-out rows, mean |p - y| {self.distance:.3f} "
                f"there and {self.held_out_distance:.3f} on held-out rows): its soft labels repeat "
                "the hard ones. Cross-fit it (--regime cross-fitted) or let it learn from other "
                "rows (--student-rows)."
            )
        elif self.distance < ALMOST_HARD:
            found.append(
                f"The soft labels are almost hard (mean |p - y| = {self.distance:.3f}): "
                "on data this clean there is little for softness to add."
            )
        if (self.calibration_error or 0) > MISCALIBRATED:
            found.append(
                f"The teacher is miscalibrated (expected calibration error "
                f"{self.calibration_error:.3f} on held-out rows): try another teacher or more "
                "validation rows for its temperature."
            )
        return found

    def _memorised(self) -> bool:
        """Far surer, and far more often right, on its own rows than on others."""
        if self.train_accuracy is None or self.held_out_accuracy is None:
            return False
        surer = self.distance < MEMORISED_SHARE * (self.held_out_distance or 0)
        return surer and self.train_accuracy - self.held_out_accuracy > MEMORISED_GAP


@dataclass(frozen=True, eq=False)
class Lesson:
    """Soft labels for the students' rows, how they came to be and what they are worth."""

    soft: Array  # (N, K)
    regime: str
    health: Health
    calibration: Array | None = None  # (bins, 3) on validation rows, as `calibration_bins`


REGIMES = ("in-sample", "cross-fitted", "larger data")


def teach(
    make: Callable[[], Teacher],
    X: Array,
    y: Labels,
    *,
    X_val: Array,
    y_val: Labels,
    n_classes: int,
    others: tuple[Array, Labels] | None = None,
    folds: int = 5,
    in_sample: bool = False,
    seed: int = 0,
) -> Lesson:
    """Soft labels of the rows `X` from a teacher, its temperature set on validation rows.

    Parameters
    ----------
    make : callable
        Gives an untrained teacher.
    X, y : ndarray
        The students' rows.
    X_val, y_val : ndarray
        Held-out rows, for the temperature and the health.
    others : (X, y), optional
        Rows that the students never see: the teacher learns from these alone ("larger data").
    folds : int
        Of cross-fitting, where there are no others.
    in_sample : bool
        Train on the students' rows and label these very rows.

    Returns
    -------
    Lesson

    Raises
    ------
    ArgumentError
        Mismatched or malformed arrays; too few rows of a class for the folds.
    """
    X, X_val = check_matrix("X", X), check_matrix("X_val", X_val)
    y, y_val = (
        check_class_ids(name, ids, n_classes=n_classes)
        for name, ids in (("y", y), ("y_val", y_val))
    )
    check_same_length("y", y, "X", len(X))
    check_same_length("y_val", y_val, "X_val", len(X_val))
    make = _tuned(make, *(others or (X, y)))
    if others is not None:
        teachers, regime, own = [_fitted(make, *others)], "larger data", others
        soft = _proba(teachers[0], X, n_classes)
    elif in_sample:
        teachers, regime, own = [_fitted(make, X, y)], "in-sample", (X, y)
        soft = _proba(teachers[0], X, n_classes)
    else:
        soft, teachers = cross_fit(make, X, y, folds=folds, n_classes=n_classes, seed=seed)
        regime, own = "cross-fitted", None
    # Every fold's teacher answers for the validation rows on its own: averaged, they would be a
    # better teacher than the one that made the students' labels.
    held_out = np.concatenate([_proba(teacher, X_val, n_classes) for teacher in teachers])
    y_held = np.tile(y_val, len(teachers))
    temperature = fit_temperature(held_out, y_held)
    held_out, soft = temper(held_out, temperature), temper(soft, temperature)
    on_own = None if own is None else accuracy(_proba(teachers[0], own[0], n_classes), own[1])
    health = Health(
        train_accuracy=on_own,
        held_out_accuracy=accuracy(held_out, y_held),
        accuracy=accuracy(soft, y),
        distance=mean_distance(soft, y),
        held_out_distance=mean_distance(held_out, y_held),
        calibration_error=expected_calibration_error(held_out, y_held),
        temperature=temperature,
    )
    return Lesson(soft, regime, health, calibration_bins(held_out, y_held))


def cross_fit(
    make: Callable[[], Teacher], X: Array, y: Labels, *, folds: int, n_classes: int, seed: int = 0
) -> tuple[Array, list[Teacher]]:
    """Out-of-fold probabilities (N, K), and the teacher of every fold.

    Raises
    ------
    ArgumentError
        If a class has fewer rows than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    check_integer("folds", folds, low=2)
    fewest = int(np.bincount(y)[np.unique(y)].min())
    if fewest < folds:
        raise ArgumentError(
            "folds", folds, f"must not exceed the {fewest} rows of the rarest class."
        )
    soft, teachers = np.empty((len(y), n_classes)), []
    for inside, outside in StratifiedKFold(folds, shuffle=True, random_state=seed).split(X, y):
        teachers.append(_fitted(make, X[inside], y[inside]))
        soft[outside] = _proba(teachers[-1], X[outside], n_classes)
    return soft, teachers


def _tuned(make: Callable[[], Teacher], X: Array, y: Labels) -> Callable[[], Teacher]:
    """`make`, with settings chosen on these rows, once for all folds, where a teacher can `tune`."""
    untuned = make()
    if not hasattr(untuned, "tune"):
        return make
    tuned = untuned.tune(X, y)
    return lambda: copy.deepcopy(tuned)


def _fitted(make: Callable[[], Teacher], X: Array, y: Labels) -> Teacher:
    teacher = make()
    teacher.fit(X, y)
    return teacher


def _proba(teacher: Teacher, X: Array, n_classes: int) -> Array:
    """The teacher's probabilities, with a column for classes that it has not seen."""
    P = np.asarray(teacher.predict_proba(X), np.float64)
    seen = getattr(teacher, "classes_", None)
    if seen is not None and P.shape[1] < n_classes:
        wide = np.zeros((len(P), n_classes))
        wide[:, np.asarray(seen, int)] = P
        P = wide
    return as_probabilities(P, name="teacher", n_classes=n_classes)


def fit_temperature(P: Array, y: Labels) -> float:
    """The temperature of least log loss on held-out rows (Guo et al. 2017), within 1/20 .. 20."""
    bounds = (np.log(1 / 20), np.log(20))
    best = minimize_scalar(lambda t: log_loss(temper(P, float(np.exp(t))), y), bounds=bounds)
    return float(np.exp(best.x))


def row_margins(X: Array, y: Labels, *, folds: int = 5, n_classes: int = 2) -> Array:
    """Margin of every row under a cross-fitted kernel teacher: p_y - max over the others, (N,)."""
    P, _ = cross_fit(KernelTeacher, X, y, folds=folds, n_classes=n_classes)
    own = P[np.arange(len(y)), y]
    P[np.arange(len(y)), y] = -np.inf
    return np.asarray(own - P.max(axis=1))
