"""What determines one student of a study: data, teacher, labels, network, recipe; checked.

A study is a list of these. Everything that determines the numbers is in the spec and nothing else
is, so that equal specs have equal ids in the store.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from softwidth._checks import ArgumentError, check_choice, check_integer, check_number, listed
from softwidth.builtin import BUILT_IN
from softwidth.classifiers import CLASSIFIERS, check_settings
from softwidth.labels import parse_scheme
from softwidth.plan_spec import REGIME_OF, class_name, validated
from softwidth.specs import Recipe, Student
from softwidth.spoils import parse_spoil

FROM_DATA, ANNOTATORS = "data", "annotators"
TEACHERS = (*CLASSIFIERS, FROM_DATA, ANNOTATORS)
FOLDS = 5
KEEPS = ("smallest", "largest")
RECIPE = ("epochs", "batch_size", "momentum", "optimiser", "schedule", "train_output", "bias", "order_seed", "tolerance", "dtype")  # fmt: skip
STUDENT = ("width", "seed", "labels", "label_seed", "step_size", "radius", "init")


class TrialSpec(BaseModel):
    """One student of a study. ``None`` means: not asked for.

    Attributes
    ----------
    source, only, positive, pair, target, soft_columns, soft_key, noise, flip, draws
        As in `data.load`.
    data_seed : int
        Seed of splits, noise, flips and the students' share of the rows.
    student_rows : int or None
        Training rows of the students, stratified; ``larger-data`` teachers have all others.
    keep : {"smallest", "largest"} or None
        Keep the share `keep_fraction` of the training rows, those of smallest or largest margin.
    keep_fraction : float or None
    digest : str or None
        Of a source that is a file: filled in by `of`, and checked when the file is read.
    teacher : str or None
        Who makes the soft labels: a name of `classifiers.CLASSIFIERS`, ``data`` (the soft labels
        that come with the source), or ``annotators`` of known accuracy (setting ``rate``: each is
        wrong on a row with this probability, uniformly over the other classes).
    teacher_settings : mapping or None
        Settings of the teacher, such as ``{"width": 512}``.
    regime : {"in-sample", "cross-fitted", "larger-data"} or None
        Which rows the teacher learns from; ``cross-fitted`` where it is not said.
    folds : int or None
        Of cross-fitting; `FOLDS` where it is not said.
    teacher_seed : int
        Of the teacher's fits, of folds, votes and `spoil`.
    calibrated : bool or None
        Whether the teacher's temperature is set on rows that it has not seen; so it is, except for
        the ``map`` teacher.
    spoil : str or None
        Breaks the teacher's probabilities on purpose, see `spoils.SPOILS`: ``tempered(0.5)`` ...
    votes : int or None
        The soft labels are counts of so many votes a row, drawn from the teacher's probabilities.
    labels : str
        What the student learns from, see `labels.SCHEMES`: ``hard``, ``soft``, ``mixed(0.5, 2)`` ...
    label_seed : int
        Of ties, flips and draws of the labels.
    width, seed, step_size, init
        As in `specs.Student`.
    radius : float or None
        Projection radius B; ``None`` for none.
    optimiser : str or None
        As in `specs.Recipe`; gradient descent where it is not said.
    epochs, batch_size, momentum, schedule, train_output, bias, order_seed, tolerance, dtype
        As in `specs.Recipe`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str = "digits"
    only: tuple[str, ...] | None = None
    positive: tuple[str, ...] | None = None
    pair: tuple[str, str] | None = None
    target: str | None = None
    soft_columns: tuple[str, ...] | None = None
    soft_key: str | None = None
    noise: float = 0.0
    flip: float = 0.0
    draws: int = 1
    data_seed: int = 0
    student_rows: int | None = None
    keep: str | None = None
    keep_fraction: float | None = None
    digest: str | None = None

    teacher: str | None = None
    teacher_settings: dict[str, Any] | None = None
    regime: str | None = None
    folds: int | None = None
    teacher_seed: int = 0
    calibrated: bool | None = None
    spoil: str | None = None
    votes: int | None = None

    labels: str = "hard"
    label_seed: int = 0
    width: int
    seed: int = 0
    step_size: float = 1.0
    radius: float | None = None
    init: str = "symmetric"

    epochs: int = 10
    batch_size: int | None = None
    momentum: float = 0.0
    optimiser: str | None = None
    schedule: str = "constant"
    train_output: bool = False
    bias: bool = False
    order_seed: int = 0
    tolerance: float = 1e-6
    dtype: str = "float32"

    @classmethod
    def of(cls, **settings: Any) -> TrialSpec:
        """A checked spec; an unknown setting is answered with the nearest.

        Raises
        ------
        ArgumentError
            The first setting that cannot be used.

        Examples
        --------
        >>> TrialSpec.of(width=8, labels="soft", teacher="wide", noise=0.4).regime
        'cross-fitted'
        """
        for name in settings:
            check_choice("setting", name, cls.model_fields)
        if "width" not in settings:
            raise ArgumentError("width", None, "must be given: neurons of the student.")
        plain = {name: _plain(name, value) for name, value in settings.items()}
        spec = validated(cls, plain, given=plain)
        implied = _implied(spec)
        spec = spec.model_copy(update=implied)
        given = {name for name, value in settings.items() if value is not None}
        spec.model_fields_set.intersection_update(given)  # what is implied, `grid` implies anew
        spec.check()
        return spec

    def check(self) -> None:
        """Raise ArgumentError for the first value that cannot be used."""
        self._check_data()
        self._check_teacher()
        name, _ = parse_scheme(self.labels)
        if name not in ("hard", "smoothed", "flipped") and self.teacher is None:
            raise ArgumentError("labels", self.labels, "need a `teacher` to make soft labels.")
        if name == "multipass" and self.votes is None and self.teacher != FROM_DATA:
            raise ArgumentError("labels", self.labels, "need `votes`, the number of them a row.")
        check_integer("label_seed", self.label_seed)
        self.student().check()
        Recipe.of(self.recipe())

    def _check_data(self) -> None:
        for name in ("noise", "flip"):
            check_number(name, getattr(self, name), low=0)
        check_integer("draws", self.draws, low=1)
        check_integer("data_seed", self.data_seed)
        _check_if_given(self.student_rows, "student_rows")
        if (self.keep is None) != (self.keep_fraction is None):
            raise ArgumentError("keep", self.keep, "goes with `keep_fraction`: give both.")
        if self.keep is not None:
            check_choice("keep", self.keep, KEEPS)
            check_number("keep_fraction", self.keep_fraction, low=0, high=1, open_low=True)

    def _check_teacher(self) -> None:
        if self.teacher is None:
            for name in ("teacher_settings", "regime", "folds", "calibrated", "spoil", "votes"):
                if getattr(self, name) is not None:
                    raise ArgumentError(name, getattr(self, name), "goes with a `teacher`.")
            return
        check_choice("teacher", self.teacher, TEACHERS)
        check_integer("teacher_seed", self.teacher_seed)
        _check_if_given(self.votes, "votes")
        if self.spoil is not None:
            parse_spoil(self.spoil)
        if self.teacher in CLASSIFIERS:
            self._check_classifier()
            return
        for setting in self.teacher_settings or {}:
            check_choice(
                "teacher_settings", setting, ["rate"] if self.teacher == ANNOTATORS else []
            )
        if self.teacher == ANNOTATORS:
            check_number("rate", (self.teacher_settings or {}).get("rate"), low=0, high=1)
            if self.flip:
                raise ArgumentError(
                    "flip", self.flip, "is 0 with annotators: they vote on the truth."
                )

    def _check_classifier(self) -> None:
        check_settings(str(self.teacher), self.teacher_settings or {})
        check_choice("regime", str(self.regime), REGIME_OF)
        if self.folds is not None:
            check_integer("folds", self.folds, low=2)
        if self.regime == "larger-data" and self.student_rows is None:
            wish = "needs `student_rows`: the teacher learns from the rows that are left."
            raise ArgumentError("regime", self.regime, wish)

    def student(self) -> Student:
        """The student as a bank wants it."""
        radius = np.inf if self.radius is None else self.radius
        return Student(self.width, self.seed, self.labels_key, self.step_size, radius, self.init)

    def recipe(self) -> dict[str, Any]:
        """Arguments of `training.train_bank`."""
        own = {name: getattr(self, name) for name in RECIPE}
        return {
            name: value for name, value in own.items() if name != "optimiser" or value is not None
        }

    @property
    def labels_key(self) -> str:
        """Equal for students of one bank that learn from the same labels."""
        return f"{self.labels} #{self.label_seed}"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON without what was not asked for: `of` makes the same spec of it.

        A later version's new settings are ``None`` where they are not asked for, so that ids last.
        """
        return {name: value for name, value in self.model_dump(mode="json").items() if value is not None}  # fmt: skip

    def grid(self, **axes: Iterable[Any]) -> list[TrialSpec]:
        """All combinations of the settings' values, the rest as in this spec; last setting fastest.

        Examples
        --------
        >>> base = TrialSpec.of(width=2, positive=[1, 3, 5, 7, 9], epochs=20)
        >>> [(t.width, t.seed) for t in base.grid(width=[2, 4], seed=range(2))]
        [(2, 0), (2, 1), (4, 0), (4, 1)]
        """
        own = {name: getattr(self, name) for name in self.model_fields_set}
        values = {name: _axis(name, axis) for name, axis in axes.items()}
        return [
            type(self).of(**{**own, **dict(zip(values, chosen, strict=True))})
            for chosen in itertools.product(*values.values())
        ]


_CLASS_NAMES = {"only", "positive", "pair", "soft_columns"}


def _axis(name: str, values: Any) -> list[Any]:
    found = listed(values)
    if found is None:
        raise ArgumentError(name, values, "must be a list of values, one for every spec.")
    return found


def _plain(name: str, value: Any) -> Any:
    """Sequences as tuples, class names as text, numpy's numbers as Python's."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if name in _CLASS_NAMES and value is not None:
        several = isinstance(value, Iterable) and not isinstance(value, str)
        return tuple(map(class_name, value)) if several else (class_name(value),)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): _plain("", inner) for key, inner in value.items()}
    return value


def _implied(spec: TrialSpec) -> dict[str, Any]:
    """What follows from the settings given, written down so that equal trials have equal specs."""
    implied: dict[str, Any] = {}
    if spec.teacher in CLASSIFIERS:
        implied["regime"] = spec.regime or "cross-fitted"
        if implied["regime"] == "cross-fitted":
            implied["folds"] = spec.folds or FOLDS
        implied["calibrated"] = spec.teacher != "map" if spec.calibrated is None else spec.calibrated  # fmt: skip
    if spec.source not in BUILT_IN and spec.digest is None and os.path.isfile(spec.source):
        implied["digest"] = file_digest(spec.source)
    return implied


def file_digest(path: str) -> str:
    """The BLAKE2b of a file's content, 32 hexadecimal digits."""
    about = Path(path).stat()
    return _digest(path, about.st_size, about.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _digest(path: str, size: int, changed: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _check_if_given(value: int | None, name: str) -> None:
    if value is not None:
        check_integer(name, value, low=1)
