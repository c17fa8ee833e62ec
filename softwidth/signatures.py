"""How a training run failed, told by its histories: width too small, radius too large, step too large.

The signatures are those of THEORY.md section 8. None looks at held-out rows; each says what it saw in
numbers, and what to try.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import check_number
from softwidth._types import Array
from softwidth.bank import Bank

LEVEL = 0.98  # of a loss in the last tenth of a run to that in the tenth before: it falls no more
ON_EDGE = 0.25  # share of neurons on the edge of their ball: the ball holds the student back
FLIPPED = 0.25  # share of activations that changed: the features are no longer those of the start
SWING = 0.5  # what a loss rises in all, as a part of what it falls from its start to its least
RISE = 1.5  # its end over its least


@dataclass(frozen=True)
class Signature:
    """One way in which a run failed.

    Attributes
    ----------
    name : {"width too small", "radius too large", "step too large"}
    evidence, cure : str
        What was seen, with numbers, and what to try.
    """

    name: str
    evidence: str
    cure: str

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence}; {self.cure}"


def step_too_large(loss: Array, *, diverged: bool = False) -> Signature | None:
    """Whether a loss (T,), by step or by epoch, rises or swings.

    With a step that suits it gradient descent falls at every step (the theory allows steps below 4
    for one logit, below 1 for K of them, rows of unit norm).

    >>> step_too_large(np.exp(-np.arange(50) / 10)) is None
    True
    >>> step_too_large(np.array([0.7, 0.2, 0.9, 0.1, 0.8])).name
    'step too large'
    """
    cure = "a smaller step size is what to try."
    loss = loss[np.isfinite(loss)]
    if diverged or len(loss) == 0:
        return Signature("step too large", "training diverged", cure)
    least, rises = float(loss.min()), float(np.maximum(np.diff(loss), 0).sum())
    fall = float(loss[0]) - least
    if rises <= SWING * max(fall, 1e-12) or rises < 1e-9:
        return None
    swings = "keeps rising and falling" if loss[-1] <= RISE * least else "ends above where it was"
    told = f"the loss {swings}: it rises by {rises:.3g} nats in all and falls from {loss[0]:.3g} to {least:.3g}"
    return Signature("step too large", told, cure)


def width_too_small(loss: Array, *, target: float, edge: float | None = None) -> Signature | None:
    """Whether a loss (T,) in nats has levelled off above a target.

    `edge` is the share of neurons on the edge of their ball at the end. Where it is small and there
    is a ball, nothing holds the student back and it may only need more steps.

    >>> width_too_small(np.array([0.7, *[0.3] * 40]), target=0.1, edge=0.5).cure
    'more neurons, or a larger radius, are what to try.'
    """
    tenth = max(1, len(loss) // 10)
    last, before = loss[-tenth:].mean(), loss[-2 * tenth : -tenth].mean() if len(loss) > tenth else np.inf  # fmt: skip
    if not last > target or last < LEVEL * before or (edge is not None and edge < ON_EDGE):
        return None
    told = f"the loss has levelled off at {last:.3g} nats, above the target of {target:.3g}"
    if edge is None:
        return Signature("width too small", told, "more neurons are what to try.")
    told += f", with {edge:.0%} of the neurons on the edge of their ball"
    return Signature("width too small", told, "more neurons, or a larger radius, are what to try.")


def radius_too_large(flipped: float, displacement: float) -> Signature | None:
    """Whether activation patterns flip en masse: theorems about the start's features say nothing.

    The student itself may be as good as any: it is its certificate that is lost.

    >>> radius_too_large(0.4, 13.5).name
    'radius too large'
    """
    if flipped < FLIPPED:
        return None
    told = f"{flipped:.0%} of the activations are not what they were at the start, and some neuron is {displacement:.3g} away from there"  # fmt: skip
    cure = "a smaller radius, or more neurons, each of which then moves less, is what to try."
    return Signature("radius too large", told, cure)


def signatures(bank: Bank, member: int, *, target: float) -> list[Signature]:
    """All signatures of failure of a trained student, from its histories.

    Parameters
    ----------
    bank : Bank
        Trained with ``diagnostics_every``; without, only the step is judged and, for students
        without a ball, the width.
    member : int
        The student's number.
    target : float
        Training KL in nats that was wanted.

    Raises
    ------
    ArgumentError
        A target that is no number of at least 0.
    """
    target = check_number("target", target, low=0)
    student, loss = bank.students[member], bank.kl[member]
    step = step_too_large(loss, diverged=bank.status[member] == "diverged")
    if step is not None:  # what else is seen comes from it
        return [step]
    seen: dict[str, Any] = {name: values[member][-1] for name, values in bank.diagnostics.items() if name != "epoch"}  # fmt: skip
    edge = float(seen["edge"]) if seen and np.isfinite(student.radius) else None
    unknown = np.isfinite(student.radius) and edge is None
    found = None if unknown else width_too_small(loss, target=target, edge=edge)
    moved = radius_too_large(float(seen["flipped"]), float(seen["displacement"])) if seen else None
    return [sign for sign in (found, moved) if sign is not None]
