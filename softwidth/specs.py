"""What is asked of a bank: each student's own settings, and the recipe they have in common."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_flag,
    check_integer,
    check_number,
    is_real,
)
from softwidth._types import Array, Width
from softwidth.network import check_init

OPTIMISERS = ("descent", "adam")
SCHEDULES = ("constant", "cosine")
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Student:
    """One network of a bank.

    Attributes
    ----------
    width : int
        Number of hidden neurons, even for symmetric initialisation; a float is the multiplier of a
        family of deep networks, which no bank trains.
    seed : int
        Seed of its initialisation.
    labels : str
        Which of the bank's targets it learns from.
    step_size : float
        Step size of gradient descent on the mean loss.
    radius : float
        Projection radius B: every neuron stays within ``B / sqrt(width)`` of where it started
        (THEORY.md section 1); ``inf`` is plain gradient descent.
    init : str
        Initialisation, see `network.initialise`.
    """

    width: Width
    seed: int = 0
    labels: str = "hard"
    step_size: float = 1.0
    radius: float = np.inf
    init: str = "symmetric"

    def __post_init__(self) -> None:
        _as_integers(self)

    @property
    def neurons(self) -> int:
        """Its width, of a student that a bank trains."""
        return int(self.width)

    def check(self) -> None:
        """Raise ArgumentError for the first value that cannot be used."""
        check_init(self.init, self.width)  # type: ignore[arg-type] # a float is refused
        check_integer("seed", self.seed)
        check_number("step_size", self.step_size, low=0, open_low=True)
        check_number("radius", self.radius, low=0, open_low=True, allow_inf=True)


@dataclass(frozen=True)
class Recipe:
    """How a bank is trained.

    Attributes
    ----------
    epochs : int
        Passes over the data.
    batch_size : int or None
        Rows a step; ``None`` is all of them, gradient descent as in the theory.
    momentum : float
        Heavy-ball momentum in [0, 1): ``v <- momentum v - step_size gradient``, ``W <- W + v``.
    optimiser : {"descent", "adam"}
        Gradient descent, or Adam (Kingma and Ba 2015) with `momentum` as its β₁, β₂ = 0.999 and
        ε = 1e-8, projected onto the balls like the other.
    schedule : {"constant", "cosine"}
        Factor on the step sizes: 1, or ``(1 + cos(pi t / T)) / 2`` at step t of T.
    train_output, bias : bool
        Train the output weights too; have hidden and output biases and train them. The ball of
        radius B holds a neuron's hidden weights (with its bias), never the output layer.
    order_seed : int
        Seed of the order of rows in mini-batches: one order per epoch for the whole bank.
    tolerance : float
        A student whose KL excess, averaged over an epoch, is below this has converged and is
        taken out of the bank; 0 keeps all to the end.
    diagnostics_every : int
        Epochs between two records of `Bank.diagnostics`; 0 records none.
    dtype : {"float32", "float64"}
    threads : int or None
        Worker threads; ``None`` takes every core that this process may use.
    memory : int or None
        Bytes that training may take at one time, beyond the data and the students already done;
        ``None`` is half of what is free. A bank that needs more is trained in several pieces, to
        the same results.
    """

    epochs: int = 10
    batch_size: int | None = None
    momentum: float = 0.0
    optimiser: str = OPTIMISERS[0]
    schedule: str = "constant"
    train_output: bool = False
    bias: bool = False
    order_seed: int = 0
    tolerance: float = 1e-6
    diagnostics_every: int = 0
    dtype: str = "float32"
    threads: int | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        _as_integers(self)

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Recipe:
        """A checked recipe from keyword arguments; an unknown one is answered with the nearest."""
        for name in settings:
            check_choice("setting", name, [field.name for field in fields(cls)])
        recipe = cls(**settings)
        recipe.check()
        return recipe

    def check(self) -> None:
        """Raise ArgumentError for the first value that cannot be used."""
        check_integer("epochs", self.epochs, low=1)
        if check_number("momentum", self.momentum, low=0, high=1) == 1:
            raise ArgumentError("momentum", self.momentum, "must be below 1.")
        check_choice("optimiser", self.optimiser, OPTIMISERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_integer("order_seed", self.order_seed)
        check_number("tolerance", self.tolerance, low=0)
        check_integer("diagnostics_every", self.diagnostics_every)
        check_choice("dtype", self.dtype, DTYPES)
        check_flag("train_output", self.train_output)
        check_flag("bias", self.bias)
        for name in ("batch_size", "threads", "memory"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), low=1)

    def factors(self, n_steps: int) -> Array:
        """The schedule's factor of each of `n_steps` steps.

        >>> Recipe(schedule="cosine").factors(2).tolist()
        [1.0, 0.5]
        """
        t = np.arange(n_steps) / n_steps
        return np.ones(n_steps) if self.schedule == "constant" else (1 + np.cos(np.pi * t)) / 2


def _as_integers(settings: Student | Recipe) -> None:
    """Whole numbers of numpy as Python's: sums of eight bits overflow."""
    for name, value in vars(settings).items():
        if isinstance(value, np.integer) and is_real(value):
            object.__setattr__(settings, name, int(value))
