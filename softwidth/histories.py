"""What is written down while a bank trains: losses of every step, and how far students have gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from softwidth._checks import SMALL, check_memory
from softwidth._types import Array
from softwidth.specs import Recipe

DIAGNOSTICS = ("edge", "flipped", "displacement")


def record_epochs(recipe: Recipe) -> range | list[int]:
    """Epochs after which diagnostics are recorded: the start, every so many, and the end.

    >>> from softwidth.specs import Recipe
    >>> record_epochs(Recipe(epochs=5, diagnostics_every=2))
    [0, 2, 4, 5]
    """
    every = recipe.diagnostics_every
    return [*range(0, recipe.epochs, every), recipe.epochs] if every else []


class Histories:
    """The histories of all students of a bank, written by its workers.

    Parameters
    ----------
    n_students, n_samples, n_kinds : int
    batch : int
        Rows of a step.
    recipe : Recipe

    Attributes
    ----------
    ce, error : ndarray, shape (steps, S)
        Cross-entropy and share of mistakes before each step.
    entropy : ndarray, shape (steps, kinds)
        Mean entropy of the targets of each step.
    rows : ndarray, shape (steps of an epoch,)
        Rows of each step.
    diagnostics : dict of str to ndarray
        Each of shape (S, records); see `bank.Bank`.
    """

    def __init__(
        self, n_students: int, n_samples: int, n_kinds: int, batch: int, recipe: Recipe
    ) -> None:
        self.starts = np.arange(0, n_samples, batch)
        self.rows = np.diff(np.append(self.starts, n_samples))
        steps = recipe.epochs * self.per_epoch
        needed = 8 * steps * (2 * n_students + n_kinds)
        if needed > SMALL:
            check_memory(f"the history of {steps:,} steps", needed)
        self.ce, self.error = np.zeros((steps, n_students)), np.zeros((steps, n_students))
        self.entropy = np.zeros((steps, n_kinds))
        self.recorded = np.array(record_epochs(recipe), np.int64)
        names = DIAGNOSTICS if len(self.recorded) else ()
        self.noted = np.full(n_students, -1)  # epoch of each student's last diagnostics
        self.diagnostics = {n: np.full((n_students, len(self.recorded)), np.nan) for n in names}

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return len(self.rows)

    def note_entropy(self, entropy: Array, orders: np.ndarray[Any, Any], epoch: int) -> None:
        """Write down the targets' mean entropies, from those of all rows (kinds, N)."""
        for e, order in enumerate(orders, start=epoch):
            per_row = entropy[:, order] if len(order) else entropy
            sums = np.add.reduceat(per_row, self.starts, axis=1)
            self.entropy[e * self.per_epoch : (e + 1) * self.per_epoch] = (sums / self.rows).T

    def note(self, members: Sequence[int], values: dict[str, Array], epoch: int) -> None:
        """Write down diagnostics of students; they stand until they are overwritten."""
        self.noted[members] = epoch
        first = np.searchsorted(self.recorded, epoch)
        for name, value in values.items():
            self.diagnostics[name][members, first:] = value[:, None]

    def cut(self, member: int, step: int) -> None:
        """Nothing is known of a student from this step on."""
        self.ce[step:, member] = self.error[step:, member] = np.nan
        last = min(self.noted[member], step // self.per_epoch)
        for values in self.diagnostics.values():
            values[member, self.recorded > last] = np.nan

    def hold(self, member: int, epochs: int) -> None:
        """A student that left after so many epochs stays at the mean of its last."""
        end = epochs * self.per_epoch
        for history in (self.ce, self.error):
            last = history[end - self.per_epoch : end, member]
            history[end:, member] = np.average(last, weights=self.rows)

    def kl(self, kind: Sequence[int]) -> Array:
        """Excess over the entropies of each student's label kind, (steps, S)."""
        excess = self.entropy[:, kind]
        np.subtract(self.ce, excess, out=excess)
        return excess

    def records(self) -> dict[str, np.ndarray[Any, Any]]:
        """The diagnostics with their epochs, as `bank.Bank` shows them."""
        return {"epoch": self.recorded, **self.diagnostics} if self.diagnostics else {}
