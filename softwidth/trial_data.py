"""Data and soft labels of a study's students, from their specs: made once for all that share them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError
from softwidth._mapped import take_rows
from softwidth._types import SPLITS, Array, Dataset, Labels
from softwidth.calibration import accuracy, mean_distance
from softwidth.classifiers import classifier
from softwidth.data import load
from softwidth.distributions import as_probabilities, one_hot
from softwidth.lessons import row_margins, teach
from softwidth.plan_spec import REGIME_OF
from softwidth.spoils import spoiled
from softwidth.tasks import keep_by_margin, split_rows, with_training_rows
from softwidth.trial_spec import ANNOTATORS, FROM_DATA, TrialSpec, file_digest

LOADED = ("only", "positive", "pair", "target", "soft_columns", "noise", "flip", "draws")
Rows = tuple[Array, Labels]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the students of one data set and teacher learn from and are measured on.

    Attributes
    ----------
    dataset : Dataset
        Its training rows are the students'.
    soft : dict of str to ndarray, shape (N, K)
        By split: the teacher's probabilities; empty without a teacher. Of training rows they are
        vote counts where the spec asks for votes.
    facts : dict
        What the soft labels are worth, metrics of every student that shares them.
    """

    dataset: Dataset
    soft: dict[str, Array] = field(default_factory=dict)
    facts: dict[str, float | None] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        parts = [self.dataset.part(split)[:2] for split in SPLITS]
        return sum(a.nbytes for part in parts for a in part) + sum(P.nbytes for P in self.soft.values())  # fmt: skip


def prepare(spec: TrialSpec) -> Prepared:
    """Load the data of a spec, choose the students' rows and make their soft labels.

    Raises
    ------
    ArgumentError, DataFileError, MissingDataError, MemoryLimitError
        Whatever cannot be used, named.
    """
    dataset, others = students_rows(spec)
    if spec.teacher is None:
        return Prepared(dataset)
    soft, facts = _soft_labels(spec, dataset, others)
    rng = np.random.default_rng([spec.teacher_seed, 2])
    if spec.spoil is not None:
        soft = {s: spoiled(as_probabilities(P), spec.spoil, rng) for s, P in soft.items()}
    P = as_probabilities(soft["train"], n_classes=dataset.n_classes)
    facts["soft_accuracy"] = accuracy(P, dataset.y_train)
    facts["soft_distance"] = mean_distance(P, dataset.y_train)
    if spec.votes is not None:
        soft["train"] = rng.multinomial(spec.votes, P).astype(np.float64)
    return Prepared(dataset, soft, facts)


def students_rows(spec: TrialSpec) -> tuple[Dataset, Rows | None]:
    """The data with the students' training rows only, and the rows that they never see."""
    dataset = whole_task(spec)
    if spec.keep is not None and spec.keep_fraction is not None:
        margins = row_margins(dataset.X_train, dataset.y_train, n_classes=dataset.n_classes)
        dataset = keep_by_margin(dataset, margins, spec.keep_fraction, keep=spec.keep)
    if spec.student_rows is None:
        return dataset, None
    own, rest = split_rows(
        dataset.y_train, spec.student_rows, seed=spec.data_seed, name="student_rows"
    )
    return with_training_rows(dataset, own), (
        take_rows(dataset.X_train, rest),
        dataset.y_train[rest],
    )


def whole_task(spec: TrialSpec) -> Dataset:
    """The task of a spec with all of its rows."""
    if spec.digest is not None and file_digest(spec.source) != spec.digest:
        wish = "has changed since these trials were written down: make their specs anew."
        raise ArgumentError("source", spec.source, wish)
    settings: dict[str, Any] = {name: getattr(spec, name) for name in LOADED}
    if spec.soft_key is not None:
        settings["soft_key"] = spec.soft_key
    return load(spec.source, seed=spec.data_seed, **settings)


def _soft_labels(
    spec: TrialSpec, data: Dataset, others: Rows | None
) -> tuple[dict[str, Array], dict[str, float | None]]:
    """Soft labels by split, and what is known of their teacher."""
    if spec.teacher == FROM_DATA:
        return _from_data(data), {}
    if spec.teacher == ANNOTATORS:
        rate = float((spec.teacher_settings or {})["rate"])
        return {s: annotators(data.part(s)[1], rate, data.n_classes) for s in SPLITS}, {}
    lesson = teach(
        classifier(str(spec.teacher), spec.teacher_settings or {}, seed=spec.teacher_seed),
        data.X_train,
        data.y_train,
        X_val=data.X_val,
        y_val=data.y_val,
        n_classes=data.n_classes,
        others=_others(spec, others),
        folds=spec.folds or 2,  # of use for cross-fitting alone, which has it
        in_sample=spec.regime == "in-sample",
        seed=spec.teacher_seed,
        draws=data.draws,
        calibrate=bool(spec.calibrated),
    )
    soft = {split: lesson.predict(data.part(split)[0]) for split in ("val", "test")}
    facts = {f"teacher_{name}": value for name, value in lesson.health.as_dict().items()}
    return {"train": lesson.soft, **soft}, facts


def _others(spec: TrialSpec, others: Rows | None) -> Rows | None:
    return others if REGIME_OF[str(spec.regime)] == "larger data" else None


def _from_data(data: Dataset) -> dict[str, Array]:
    """The soft labels that came with the data; vote counts of training rows stay counts."""
    if data.soft_train is None:
        raise ArgumentError("teacher", FROM_DATA, f"needs soft labels, and {data.name} has none.")
    held = {s: P for s in ("val", "test") if (P := data.part(s)[2]) is not None}
    held = {s: as_probabilities(P, n_classes=data.n_classes) for s, P in held.items()}
    return {"train": np.asarray(data.soft_train), **held}


def annotators(y: Labels, rate: float, n_classes: int) -> Array:
    """Distribution (N, K) of the votes of annotators that are wrong at this rate.

    ``p_y = 1 - rate``, and ``rate / (K - 1)`` for every other class.

    >>> annotators(np.array([1]), 0.25, 2).tolist()
    [[0.25, 0.75]]
    """
    hit = one_hot(y, n_classes)
    return (1 - rate) * hit + rate / (n_classes - 1) * (1 - hit)
