"""What is asked of a plan, checked: every setting of `planner.plan` and of ``softwidth plan``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from softwidth._checks import ArgumentError, check_choice, check_integer, check_number, check_width
from softwidth._types import Width
from softwidth.least_width import STEP
from softwidth.lessons import REGIMES
from softwidth.teachers import TEACHERS

DEFAULT_WIDTHS = "2:128"
METRICS = ("error", "balanced", "kl")
STEP_SIZES = (1.0, 10.0, 100.0)
# Divergence punishes sureness: its best steps are smaller. At large ones all neurons may die, and the
# even answer of the dead, better than that of the sure, looked like a minimum to the grid above.
KL_STEP_SIZES = (0.1, *STEP_SIZES)
STEP_LIMITS = (0.01, 10000.0)
CLASS_WEIGHTS = ("none", "balanced")
LOADED = (
    "positive",
    "pair",
    "noise",
    "flip",
    "target",
    "soft_columns",
    "soft_key",
    "weight_column",
    "ignore_columns",
)
REFERENCES = ("students", "teacher")
REGIME_OF = {name.replace(" ", "-"): name for name in REGIMES}
CHOICES = {
    "metric": METRICS,
    "class_weight": CLASS_WEIGHTS,
    "reference": REFERENCES,
    "teacher": tuple(TEACHERS),
    "regime": tuple(REGIME_OF),
}


class PlanSpec(BaseModel):
    """The settings of one plan; equal specs on equal data give equal plans.

    Attributes
    ----------
    positive, pair, target, soft_columns, soft_key, weight_column, ignore_columns, noise, flip, seed
        As in `data.load`.
    teacher : {"wide", "kernel"} or None
        Who makes the soft labels. ``None``: the data's own where they have some, else ``wide``.
    regime : {"in-sample", "cross-fitted", "larger-data"} or None
        Which rows the teacher learns from: the students' own, the students' fold by fold, or rows
        that the students never see. ``None``: ``larger-data`` with `student_rows`, else
        ``cross-fitted``.
    student_rows : int or None
        Training rows of the students, stratified; the teacher has all others.
    metric : {"error", "balanced", "kl"}
        What least widths are judged by on held-out rows: the share of mistakes, its mean over the
        classes, or the mean divergence of the held-out soft labels from the predictions, in nats.
    class_weight : {"none", "balanced"} or None
        Whether votes for a class weigh as much in training as those for any other, in all.
        ``None``: ``balanced`` where the metric is.
    reference : {"students", "teacher"}
        Whose best the tolerance is added to: the students' of any label kind, or also the
        teacher's, which no student may reach.
    tolerance : float
        How far above the best still counts as good enough, in the metric's unit.
    widths : str or tuple of int
        A range such as ``"2:128"``: the widths of the first round double from one end to the
        other, and the search goes between and beyond them. A list, even and rising: these only.
    seeds : int
        Students per width and label kind to begin with; the search adds more where they matter.
    rounds : int or None
        Rounds of search after the first one, at most; ``None``: as many as the budget allows.
    step_sizes : tuple of float or None
        Grid from which the step size is chosen on validation rows per label kind and width.
        ``None``: `coarse_steps`, made longer where the best one stands at its edge.
    bias : bool
        Whether students have hidden and output biases, trained with the rest. Theorems speak of
        students without.
    epochs : int or None
        Passes over the students' rows; ``None``: `tuning.default_epochs`, fewer where the budget
        asks for it.
    budget : float
        Seconds for the whole plan: used up to 10 % where the answer is open, and less where it is
        decided before.
    votes : bool or None
        Whether to ask how many votes a row are worth paying for, at a fifth of the budget; ``None``:
        where the data have raw votes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    positive: tuple[str, ...] | None = None
    pair: tuple[str, str] | None = None
    target: str | None = None
    soft_columns: tuple[str, ...] | None = None
    soft_key: str = "soft"
    weight_column: str | None = None
    ignore_columns: tuple[str, ...] | None = None
    noise: float = 0.0
    flip: float = 0.0
    seed: int = 0
    teacher: str | None = None
    regime: str | None = None
    student_rows: int | None = None
    metric: str = "error"
    class_weight: str | None = None
    reference: str = "students"
    tolerance: float = 0.01
    widths: str | tuple[int, ...] = DEFAULT_WIDTHS
    seeds: int = 5
    rounds: int | None = None
    step_sizes: tuple[float, ...] | None = None
    bias: bool = False
    epochs: int | None = None
    budget: float = 60.0
    votes: bool | None = None

    @property
    def fixed(self) -> bool:
        """Whether the widths are the user's: none may be added."""
        return not isinstance(self.widths, str)

    @property
    def balanced(self) -> bool:
        """Whether classes weigh the same in training."""
        return (
            self.class_weight or ("balanced" if self.metric == "balanced" else "none")
        ) == "balanced"

    @property
    def coarse_steps(self) -> tuple[float, ...]:
        """The step sizes to begin with, where none are given."""
        return KL_STEP_SIZES if self.metric == "kl" else STEP_SIZES

    @property
    def step_limits(self) -> tuple[float, float]:
        """The least and the largest step size that is tried, where none are given."""
        return STEP_LIMITS

    @property
    def width_step(self) -> Width:
        """The narrowest width that there is, and the distance from each to the next."""
        return STEP

    def as_dict(self) -> dict[str, Any]:
        """All settings as plain JSON."""
        return self.model_dump(mode="json")

    @property
    def first_widths(self) -> tuple[Width, ...]:
        """Widths of the first round."""
        return parse_widths(self.widths) if isinstance(self.widths, str) else self.widths

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """A checked spec from keyword arguments; an unknown one is answered with the nearest.

        Raises
        ------
        ArgumentError
            The first setting that cannot be used.
        """
        for name in settings:
            check_choice("setting", name, cls.settings())
        plain = {name: _plain(name, value) for name, value in settings.items()}
        if isinstance(widths := settings.get("widths"), str):
            plain["widths"] = cls.range_or_list(widths)
        spec = validated(cls, plain, given=settings)
        spec.check()
        return spec

    @classmethod
    def settings(cls) -> list[str]:
        """What may be asked."""
        return list(cls.model_fields)

    @classmethod
    def range_or_list(cls, widths: str) -> Any:
        """Widths given as text: a range stays what it is."""
        return widths if RANGE.fullmatch(widths) else parse_widths(widths)

    def check(self) -> None:
        """Raise ArgumentError for the first value that cannot be used."""
        for width in self.first_widths:
            self.check_width(width)
        if not self.widths or list(self.first_widths) != sorted(set(self.first_widths)):
            raise ArgumentError("widths", self.widths, "must rise and hold at least one width.")
        check_integer("seeds", self.seeds, low=1)
        check_integer("seed", self.seed)
        check_number("tolerance", self.tolerance, low=0, high=np.inf if self.metric == "kl" else 1)
        check_number("budget", self.budget, low=0, open_low=True)
        for step_size in self.step_sizes or ():
            check_number("step_sizes", step_size, low=0, open_low=True)
        for name, choices in CHOICES.items():
            if getattr(self, name) is not None:
                check_choice(name, getattr(self, name), choices)
        for name, low in (("rounds", 0), ("epochs", 1), ("student_rows", 1)):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), low=low)
        self.check_labels()

    def check_width(self, width: Any) -> None:
        """Raise ArgumentError if there is no such width."""
        check_width("widths", width, paired=True)

    def check_labels(self) -> None:
        """Raise ArgumentError if labels are asked for that cannot be had."""
        if self.balanced and self.metric == "kl":
            wish = "cannot go with metric='kl': it moves predictions away from the soft labels."
            raise ArgumentError("class_weight", self.class_weight, wish)
        if self.regime == "larger-data" and self.student_rows is None:
            wish = "needs `student_rows`: the teacher learns from the rows that are left."
            raise ArgumentError("regime", self.regime, wish)


Model = TypeVar("Model", bound=BaseModel)


def validated(
    model: type[Model], settings: Mapping[str, Any], *, given: Mapping[str, Any]
) -> Model:
    """A model of these settings; a message tells the value that was `given`.

    Raises
    ------
    ArgumentError
        The first setting of a wrong type.
    """
    try:
        return model(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        name, wish = str(first["loc"][0]), first["msg"][0].lower() + first["msg"][1:]
        raise ArgumentError(name, given.get(name), f"{wish}.") from None


_CLASS_NAMES = {"positive", "pair", "soft_columns", "ignore_columns"}


def _plain(name: str, value: Any) -> Any:
    """Sequences as tuples, class names as text."""
    if name in _CLASS_NAMES and isinstance(value, (str, int)):
        return (str(value),)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple, range)):
        items = value
        return tuple(map(class_name, items)) if name in _CLASS_NAMES else tuple(items)
    return value


def class_name(given: Any) -> Any:
    """The name of a class or column as text; what is none, such as a table, stays to be refused."""
    return str(given) if isinstance(given, (str, int, float, np.generic)) else given


RANGE = re.compile(r"\s*(\d{1,18})\s*:\s*(\d{1,18})\s*")


def parse_widths(text: str) -> tuple[int, ...]:
    """Widths from text: a list, or a range that doubles from its lower end.

    Raises
    ------
    ArgumentError
        If it is neither.

    Examples
    --------
    >>> parse_widths("2:16"), parse_widths("4,6,8")
    ((2, 4, 8, 16), (4, 6, 8))
    """
    bounds = RANGE.fullmatch(text)
    if bounds and 0 < int(bounds[1]) <= int(bounds[2]):
        low, high = int(bounds[1]), int(bounds[2])
        return tuple(low * 2**k for k in range((high // low).bit_length()))
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        wish = "must be a list such as 4,6,8 or a range such as 2:256."
        raise ArgumentError("widths", text, wish) from None
