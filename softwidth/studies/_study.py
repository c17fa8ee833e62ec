"""What a study is: the parts that every one of them has, and the list of them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from softwidth._checks import ArgumentError, check_choice, check_flag, check_names
from softwidth.builtin import BUILT_IN
from softwidth.experiments import Experiment
from softwidth.store import Row
from softwidth.synthetic import is_synthetic

if TYPE_CHECKING:
    import altair
    import pandas

NAMES = (
    "table1",
    "table1-choices",
    "table1-extended",
    "initialisation",
    "radius",
    "teacher",
    "multiclass",
    "label-noise",
    "clean-limit",
    "margin",
    "scaling",
    "separability",
    "certificate",
    "sample-size",
    "both-layers",
    "robustness",
    "vgg-cifar10",
    "vgg-teachers",
    "human-votes",
)
VERDICTS = ("supported", "refuted", "undecided")


class Ask(Protocol):
    """Trains what is not stored; see `_run`."""

    def __call__(self, specs: Sequence[Any], experiment: Experiment | None = None) -> list[Row]:
        """The rows of these trials with their curves, in order; of `StudentTrials` by default."""


@dataclass(frozen=True)
class Scale:
    """How large a study is run.

    Attributes
    ----------
    data : tuple of str
        Built-in data sets, each a part of the table; at least one.
    smoke : bool
        Toy size: does it run at all?
    settings : mapping
        What to change of a study's sizes, where it has such (`_deep.Size`).
    device : str
        Where deep students are trained.
    """

    data: tuple[str, ...] = ("digits",)
    smoke: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    def __post_init__(self) -> None:
        names = check_names("data", self.data)
        if not names or len(set(names)) < len(names):
            raise ArgumentError("data", self.data, "must name one or more different data sets.")
        for name in names:
            if not is_synthetic(name):
                check_choice("data", name, BUILT_IN)
        check_flag("smoke", self.smoke)

    def __call__(self, full: Any, smoke: Any) -> Any:
        """One of two values, by size.

        >>> Scale(smoke=True)(10, 2)
        2
        """
        return smoke if self.smoke else full


@dataclass(frozen=True)
class Said:
    """A sentence, and the lines of the table (from 0) that it is about."""

    text: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Verdict:
    """What a table says of the claim.

    Attributes
    ----------
    word : {"supported", "refuted", "undecided"}
    sentence : str
        Why, with the numbers.
    effect : float
    interval : tuple of float
        Of the effect, 95 % for all comparisons of the verdict together.
    unit : str
    rows : tuple of int
        The lines of the table, from 0, that the sentence is about.
    said : tuple of Said
        What else the table shows.
    """

    word: str
    sentence: str
    effect: float
    interval: tuple[float, float]
    unit: str
    rows: tuple[int, ...] = ()
    said: tuple[Said, ...] = ()

    def __post_init__(self) -> None:
        check_choice("word", self.word, VERDICTS)

    @property
    def told(self) -> str:
        """Word, effect and interval in a line."""
        low, high = self.interval
        return f"{self.word}: {self.effect:+.2f} ({low:+.2f} to {high:+.2f}) {self.unit}"


class Study(Protocol):
    """A module of this package; see the package's own words."""

    __name__: str
    CLAIM: str
    COST: str
    LAST: str

    def measure(self, ask: Ask, scale: Scale) -> pandas.DataFrame:
        """The table."""

    def judge(self, table: pandas.DataFrame) -> Verdict:
        """The verdict."""

    def draw(self, table: pandas.DataFrame) -> altair.TopLevelMixin:
        """The figure."""


def find_study(name: str) -> Study:
    """A study by its name.

    Raises
    ------
    ArgumentError
        Unknown; the message says the nearest.
    """
    check_choice("name", name, NAMES)
    module: Study = importlib.import_module(f"softwidth.studies.{name.replace('-', '_')}")
    return module
