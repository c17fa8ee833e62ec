"""What is asked of a plan of deep students: the planner's own settings, and how networks are trained."""

from __future__ import annotations

import re
from typing import Any

from softwidth._checks import ArgumentError, check_choice, check_integer, check_number
from softwidth._types import Width
from softwidth.deep.training import Recipe
from softwidth.plan_spec import REGIME_OF, PlanSpec

# Of data that are loaded, of two-layer students, and of teachers that are made here.
FOREIGN = {"positive", "pair", "target", "soft_columns", "soft_key", "weight_column", "ignore_columns", "noise", "flip", "teacher", "student_rows", "class_weight", "bias", "votes"}  # fmt: skip
COARSE_STEPS = {"adam": (1e-4, 1e-3, 1e-2), "adamw": (1e-4, 1e-3, 1e-2), "sgd": (1e-3, 1e-2, 1e-1)}
STEP_LIMITS = (1e-6, 10.0)
REGIMES = {name: REGIME_OF[name] for name in ("in-sample", "larger-data")}
USUAL_LOSS = "soft cross-entropy"
FINEST = 4  # steps of width up to the narrowest one of the first round
NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)(?:\s*/\s*(\d{1,9}))?"


class DeepPlanSpec(PlanSpec):
    """The settings of one plan of deep students; equal specs on equal data give equal plans.

    Attributes
    ----------
    metric, reference, tolerance, seeds, rounds, seed, budget
        As in `plan_spec.PlanSpec`; `seed` also cuts held-out rows off where none are given.
    widths : str or tuple of float
        Multipliers. A range such as ``"1/16:1"``: those of the first round double from one end to
        the other, and the search goes between and beyond them, in steps of a quarter of the
        narrowest. A list, rising: these only.
    step_sizes : tuple of float or None
        Grid from which the step size is chosen on validation rows per label kind and width;
        ``None``: three decades of the optimiser's, made longer where the best one stands at its edge.
    regime : {"in-sample", "larger-data"} or None
        Whether a `teacher` has learned from the rows that it tells (so it is taken to have, where
        nothing is said) or from others.
    epochs : int or None
        At most, as training ends after `patience` epochs without a better validation error;
        ``None``: `pace.default_epochs`, fewer where the budget asks for it.
    batch_size : int or None
        ``None``: `pace.default_batch`.
    loss, temperature, share
        By which soft labels, and their top class as the control, are learned: as in
        `training.Recipe`. Hard labels are learned by their cross-entropy.
    optimizer, weight_decay, patience, augment, mixed_precision
        As in `training.Recipe`.
    """

    widths: str | tuple[float, ...] = "1/16:1"  # type: ignore[assignment] # read only
    budget: float = 600.0
    bias: bool = True
    batch_size: int | None = None
    loss: str = USUAL_LOSS
    temperature: float = 1.0
    share: float = 0.5
    optimizer: str = "adam"
    weight_decay: float = 1e-4
    patience: int = 20
    augment: bool = False
    mixed_precision: bool = False

    @property
    def coarse_steps(self) -> tuple[float, ...]:
        """The step sizes to begin with, where none are given."""
        return COARSE_STEPS[self.optimizer]

    @property
    def step_limits(self) -> tuple[float, float]:
        """The least and the largest step size that is tried, where none are given."""
        return STEP_LIMITS

    @property
    def first_widths(self) -> tuple[Width, ...]:
        """Widths of the first round."""
        return multipliers(self.widths) if isinstance(self.widths, str) else self.widths

    @property
    def width_step(self) -> Width:
        """The narrowest width that there is, and the distance from each to the next."""
        return self.first_widths[0] / FINEST

    @property
    def balanced(self) -> bool:
        """Classes weigh in training what they weigh in the rows."""
        return False

    def as_dict(self) -> dict[str, Any]:
        """All settings as plain JSON."""
        return self.model_dump(mode="json", exclude=FOREIGN)

    def recipe(self, kind: str, step_size: float, epochs: int, batch_size: int) -> Recipe:
        """How a student of a label kind is trained."""
        own: dict[str, Any] = {}
        if kind != "hard":
            own = {"loss": self.loss, "temperature": self.temperature, "share": self.share}
        return Recipe(
            step_size,
            epochs=epochs,
            batch_size=batch_size,
            weight_decay=self.weight_decay,
            optimizer=self.optimizer,
            patience=self.patience,
            augment=self.augment,
            mixed_precision=self.mixed_precision,
            **own,
        )

    @property
    def told_loss(self) -> str | None:
        """A sentence about the loss, where it is not the usual one."""
        if self.loss == USUAL_LOSS:
            return None
        of = f" (temperature {self.temperature:g}, share {self.share:g} of the class ids)"
        return (
            f"Soft labels, and their top class as the control, are learned by {self.loss}"
            f"{of if self.loss == 'hinton' else ''}, hard labels by their cross-entropy."
        )

    @classmethod
    def settings(cls) -> list[str]:
        """What may be asked."""
        return [name for name in cls.model_fields if name not in FOREIGN]

    @classmethod
    def range_or_list(cls, widths: str) -> Any:
        """Widths given as text: a range stays what it is."""
        found = multipliers(widths)
        return widths if ":" in widths else found

    def check(self) -> None:
        """Raise ArgumentError for the first value that cannot be used."""
        if self.batch_size is not None:
            check_integer("batch_size", self.batch_size, low=1)
        self.recipe("soft", 1.0, 1, 1)
        if self.loss == "hard cross-entropy":
            wish = (
                "would teach the class ids in place of the soft labels: nothing could be compared."
            )
            raise ArgumentError("loss", self.loss, wish)
        for name, usual in (("temperature", 1.0), ("share", 0.5)):
            if getattr(self, name) != usual and self.loss != "hinton":
                wish = 'goes with loss="hinton" only.'
                raise ArgumentError(name, getattr(self, name), wish)
        super().check()

    def check_width(self, width: Any) -> None:
        """Raise ArgumentError if there is no such width."""
        check_number("widths", width, low=0, high=2**31, open_low=True)

    def check_labels(self) -> None:
        """Raise ArgumentError if labels are asked for that cannot be had."""
        if self.regime is not None:
            check_choice("regime", self.regime, REGIMES)


def multipliers(text: str) -> tuple[float, ...]:
    """Multipliers from text: a list, or a range that doubles from its lower end.

    Raises
    ------
    ArgumentError
        If it is neither.

    Examples
    --------
    >>> multipliers("1/8:1"), multipliers("0.1, 1/4")
    ((0.125, 0.25, 0.5, 1.0), (0.1, 0.25))
    """
    parts = text.split(":") if ":" in text else text.split(",")
    found = [_number(part) for part in parts]
    rises = len(found) == 2 and found[0] <= found[1]
    if 0 in found or (":" in text and not rises):
        wish = "must be a list such as 1/8,1/4,1 or a range such as 1/16:1."
        raise ArgumentError("widths", text, wish)
    if ":" not in text:
        return tuple(found)
    low, high = found
    return tuple(low * 2**k for k in range(int(high / low * (1 + 1e-9)).bit_length()))


def _number(text: str) -> float:
    """A decimal number or a fraction; 0 for all that is neither."""
    found = re.fullmatch(rf"\s*{NUMBER}\s*", text)
    if not found or (found[2] and not int(found[2])):
        return 0.0
    return float(found[1]) / int(found[2] or 1)
