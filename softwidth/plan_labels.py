"""Where the soft labels of a plan come from: the data's own, or a teacher's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from softwidth._types import Array, Dataset
from softwidth.calibration import calibration_bins
from softwidth.health import measure_health
from softwidth.label_checks import Finding, check_soft_labels
from softwidth.labels import as_probabilities
from softwidth.lessons import Learnt, Lesson, takes_weights, teach
from softwidth.plan_spec import PlanSpec
from softwidth.tasks import split_rows, with_training_rows
from softwidth.teachers import Teacher, check_teacher, make_teacher

FROM_FILE = "from file"
TEACHER_SHARE = 0.3  # of the budget, to tune and fit a teacher that can tell how long it takes
FOLDS, FEWER_FOLDS, MANY_ROWS = 5, 3, 10_000  # two thirds of many rows teach as well as four fifths


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """The students' rows with their soft labels, and what is known of them.

    Attributes
    ----------
    dataset : Dataset
        Its training rows are the students'.
    teacher_rows : int or None
        Rows that the teacher learned from and the students never see.
    source : str
        ``"wide teacher"``, ``"kernel teacher"``, the class of a classifier, or ``"file"``.
    lesson : Lesson
    findings : list of Finding
    held : tuple of two ndarray (N, K) or None
        Soft labels of the validation and of the test rows.
    doubts : tuple of str
        What was asked of the teacher that it cannot do.
    """

    dataset: Dataset
    teacher_rows: int | None
    source: str
    lesson: Lesson
    findings: list[Finding]
    held: tuple[Array | None, Array | None] = (None, None)
    doubts: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """What is wrong with these soft labels, each in a sentence or two with its cure."""
        found = [f"{f.message[0].upper()}{f.message[1:]} {f.cure}" for f in self.findings]
        return [*found, *self.doubts, *self.lesson.health.warnings(self.lesson.regime)]


def soft_labels(dataset: Dataset, spec: PlanSpec, teacher: Any = None) -> SoftLabels:
    """Soft labels of the students' rows, as the spec asks.

    Parameters
    ----------
    dataset : Dataset
    spec : PlanSpec
    teacher : object, optional
        An unfitted classifier with ``fit`` and ``predict_proba`` in place of ``spec.teacher``.

    Raises
    ------
    ArgumentError
        A classifier that is none, soft labels missing where a regime needs a teacher, or too few
        rows.
    """
    students, others = _split(dataset, spec)
    if teacher is None and teacher_of(dataset, spec) is None:
        return given_labels(students)
    regime = spec.regime or ("cross-fitted" if others is None else "larger-data")
    folds = FEWER_FOLDS if len(students.y_train) >= MANY_ROWS else FOLDS
    make, source = _teacher_of(spec, teacher, folds if regime == "cross-fitted" else 1)
    lesson = teach(
        make,
        students.X_train,
        students.y_train,
        X_val=dataset.X_val,
        y_val=dataset.y_val,
        n_classes=dataset.n_classes,
        others=others if regime == "larger-data" else None,
        weight=students.weight_train,
        weight_val=dataset.weight_val,
        folds=folds,
        in_sample=regime == "in-sample",
        seed=spec.seed,
        draws=dataset.draws,
    )
    rows = None if others is None or regime != "larger-data" else len(others[1])
    doubts: tuple[str, ...] = ()
    if dataset.weight_train is not None and not takes_weights(lesson.teachers[0].fit):
        doubts = (f"The {source} takes no row weights: it learned from rows that count alike.",)
    return SoftLabels(students, rows, source, lesson, [], _held(lesson, dataset), doubts)


def teacher_of(dataset: Dataset, spec: PlanSpec) -> str | None:
    """The built-in teacher that a plan asks for, if it asks for one; none where the data have labels."""
    return spec.teacher or ("wide" if dataset.soft_train is None else None)


def students_rows(dataset: Dataset, spec: PlanSpec) -> Dataset:
    """The data with the students' share of the training rows.

    Raises
    ------
    ArgumentError
        More rows than there are.
    """
    return _split(dataset, spec)[0]


def _split(dataset: Dataset, spec: PlanSpec) -> tuple[Dataset, Learnt | None]:
    """The students' share of the training rows, and the other rows."""
    if spec.student_rows is None:
        return dataset, None
    own, others = split_rows(
        dataset.y_train, spec.student_rows, seed=spec.seed, name="student_rows"
    )
    rest = with_training_rows(dataset, others)
    return with_training_rows(dataset, own), (rest.X_train, rest.y_train, rest.weight_train)


def _held(lesson: Lesson, dataset: Dataset) -> tuple[Array | None, Array | None]:
    """The teacher's labels of the validation and of the test rows."""
    if not lesson.teachers:
        return None, None
    return lesson.predict(dataset.X_val), lesson.predict(dataset.X_test)


def _teacher_of(spec: PlanSpec, teacher: Any, fits: int) -> tuple[Callable[[], Teacher], str]:
    if teacher is None:
        name, seconds = (
            spec.teacher or "wide",
            TEACHER_SHARE * spec.budget / (fits + 2),
        )  # and the tuning, and all predictions
        return lambda: make_teacher(name, seconds=seconds), f"{name} teacher"
    check_teacher(teacher)
    return lambda: copy.deepcopy(teacher), type(teacher).__name__


def given_labels(
    dataset: Dataset,
    *,
    source: str = "file",
    regime: str = FROM_FILE,
    temperature: float = 1.0,
    train_accuracy: float | None = None,
) -> SoftLabels:
    """The soft labels that a data set has.

    Parameters
    ----------
    dataset : Dataset
    source, regime : str
        Where they come from, as in `SoftLabels` and `lessons.Lesson`.
    temperature, train_accuracy : float, optional
        As in `health.Health`, of whoever made them.
    """
    K, y, y_val = dataset.n_classes, dataset.y_train, dataset.y_val
    P = as_probabilities(dataset.soft_train, n_classes=K)
    findings = check_soft_labels(y, dataset.soft_train, n_classes=K)
    held_out, test = (
        None if soft is None else as_probabilities(soft, n_classes=K)
        for soft in (dataset.soft_val, dataset.soft_test)
    )
    weight, held_weight = dataset.weight_train, dataset.weight_val
    health = measure_health(
        P,
        y,
        held_out,
        y_val,
        repeats=dataset.draws,
        train_accuracy=train_accuracy,
        temperature=temperature,
        weight=weight,
        held_weight=held_weight,
    )
    calibration = (
        None if held_out is None else calibration_bins(held_out, y_val, weight=held_weight)
    )
    lesson = Lesson(P, regime, health, calibration)
    return SoftLabels(dataset, None, source, lesson, findings, (held_out, test))
