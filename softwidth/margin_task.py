"""One margin to be found: its rows, its target, its watcher; a method for each kind."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from softwidth._checks import check_memory, rows_text
from softwidth._progress import Progress
from softwidth._types import Array
from softwidth.margin_grams import Constraints, LimitingGram
from softwidth.margin_limit import Fresh, LimitWitness, best_rule
from softwidth.margin_neurons import FiniteGram, Neurons, Pair, reweighted
from softwidth.margin_record import KernelWitness, Margin, NeuronWitness, NothingSeparates, Witness
from softwidth.margin_rows import MarginRows
from softwidth.margin_svm import Gram, hard_margin
from softwidth.network import initialise

Rows = np.ndarray[Any, Any]

START_GAP = 1e-2  # of the kernel margin whose support begins the sup-norm one
TINY = 1e-6  # of the largest row: a margin below is rounding (its square is one of 1e-12)
_SAMPLED = (
    "Holds with the stated probability over fresh neurons; four times as many (fresh) make it about "
    "half as wide."
)
STOPPED = "Stopped early: the interval holds, but is wider than asked for."


class Ends(Protocol):
    """Anything with both ends of an interval."""

    @property
    def lower(self) -> float:
        """The lower end."""

    @property
    def upper(self) -> float:
        """The upper end."""


class Watch:
    """Shows the gap of every round, counts them, and hears of Ctrl-C."""

    def __init__(self, shown: Progress) -> None:
        self.shown, self.stopped, self.rounds = shown, False, 0

    def stop(self) -> None:
        """Stop at the end of this round."""
        self.stopped = True

    def __call__(self, found: Ends) -> bool:
        """Whether to stop here."""
        self.rounds += 1
        gap = 1 - found.lower / found.upper if found.upper > 0 else 0.0
        self.shown.update(-math.log10(max(gap, 1e-16)), f"gap {gap:.1e}")
        return self.stopped


@dataclass(eq=False)
class MarginTask:
    """Rows, relative gap to reach, seed, watcher."""

    rows: MarginRows
    gap: float
    seed: int
    watch: Watch

    def kernel(self, width: int | None, init: str) -> Margin:
        """γ_2, of the limiting kernel or that of drawn neurons."""
        gram: Gram = LimitingGram(self._constraints())
        if width is not None:
            neurons, silent = self._neurons(width, init)
            if silent:
                return self.nothing_separates("kernel", width, silent)
            gram = FiniteGram(neurons)
        found = hard_margin(gram, gap=self.gap, seed=self.seed, on_round=self.watch)
        scale = self._kernel_scale()
        witness = KernelWitness(gram, found.support, found.beta, scale)
        alpha = found.beta / found.beta.sum()
        ends = scale * found.lower, scale * found.upper
        return self._record("kernel", width, ends, found.support, alpha, witness)

    def sup(self, width: int, init: str) -> Margin:
        """γ_m of drawn neurons."""
        neurons, silent = self._neurons(width, init)
        if silent:
            return self.nothing_separates("sup", width, silent)
        best = self._reweighted(neurons)
        witness = NeuronWitness(neurons, best.support, best.alpha, best.v)
        ends = best.lower, best.upper
        found = self._record("sup", width, ends, best.support, best.alpha, witness)
        twins = width // len(neurons.W)
        v = best.v[:, 0] if best.v.shape[1] == 1 else best.v
        v, W = np.repeat(v, twins, axis=0), np.repeat(neurons.W, twins, axis=0)
        return replace(found, v=v, W=W)

    def limit(self, fresh: Fresh) -> Margin:
        """γ_∞, on fresh neurons."""
        neurons, _ = self._neurons(fresh.neurons, "gaussian")
        best = self._reweighted(neurons)
        C = neurons.constraints
        rule = best_rule(neurons, best.support, best.alpha)
        witness = LimitWitness(
            C, best.support, best.alpha, rule, fresh.pairs, self.seed, fresh.confidence
        )
        done = 0

        def on_part(pairs: int) -> bool:
            nonlocal done
            done = pairs
            self.watch.shown.update(self.watch.shown.total * pairs / fresh.pairs, "fresh neurons")
            return self.watch.stopped

        ends = witness.ends(on_part)
        if done < fresh.pairs:
            witness = replace(witness, done=done)
        found = self._record("sup", None, ends, best.support, best.alpha, witness)
        return replace(found, confidence=fresh.confidence, notes=(*found.notes, _SAMPLED))

    def nothing_separates(self, kind: str, width: int | None, conflict: tuple[int, ...]) -> Margin:
        """The margin 0 of rows that conflict among themselves."""
        rows = np.asarray(conflict)
        alpha = np.full(len(rows), 1 / len(rows))
        rivals = self.rows.y[rows[::-1]] if len(rows) > 1 else (self.rows.y[rows] == 0).astype(int)
        notes = (*self.rows.notes, _why(conflict))
        return Margin(
            kind, width, 0.0, 0.0, 1.0, len(self.rows.used), rows, rivals, alpha,
            NothingSeparates(), conflict, notes=notes,
        )  # fmt: skip

    def _constraints(self) -> Constraints:
        return Constraints.of(self.rows.inputs, self.rows.labels, self.rows.n_classes)

    def _kernel_scale(self) -> float:
        """``√(1 - 1/K)`` for K logits: see `margins.margin`."""
        K = self.rows.n_classes
        return 1.0 if K == 2 else (1 - 1 / K) ** 0.5

    def _neurons(self, width: int, init: str) -> tuple[Neurons, tuple[int, ...]]:
        """Neurons at their start, one of each pair, and a row for which none is active, if any."""
        C = self._constraints()
        logits, D = C.directions.shape[1], C.X.shape[1]
        check_memory(f"a map at {width} neurons", 8 * width * D * (2 + 4 * logits))
        W = initialise(width, D, seed=self.seed, init=init).W
        W = W[::2] if init == "symmetric" else W
        neurons = Neurons(C, W, np.full(len(W), 1 / len(W)))
        silent = neurons.silent_rows()[:1]
        return neurons, tuple(map(int, self.rows.distinct[silent]))

    def _reweighted(self, neurons: Neurons) -> Pair:
        """Begun on the support of the kernel margin: few of its constraints are not needed."""
        C = neurons.constraints
        start = hard_margin(LimitingGram(C), gap=START_GAP, seed=self.seed)
        return reweighted(neurons, start.support, gap=self.gap, on_round=self.watch)

    def _record(
        self,
        kind: str,
        width: int | None,
        ends: tuple[float, float],
        support: Rows,
        alpha: Array,
        witness: Witness,
    ) -> Margin:
        C, (lower, upper) = self._constraints(), ends
        rows = self.rows.distinct[C.row[support]]
        largest = float(np.linalg.norm(C.X[C.row[support]], axis=1).max())
        conflict = tuple(map(int, np.unique(rows))) if upper < TINY * largest else ()
        notes = [*self.rows.notes, *([_why(conflict)] if conflict else [])]
        if self.watch.stopped:
            notes.append(STOPPED)
        return Margin(
            kind, width, 0.0 if conflict else lower, upper, 1.0, len(self.rows.used), rows,
            C.rival[support], alpha, witness, conflict, rounds=self.watch.rounds, notes=tuple(notes),
        )  # fmt: skip


def _why(conflict: tuple[int, ...]) -> str:
    rows = rows_text(conflict)
    if len(conflict) == 1:
        return f"Nothing separates: all features of row {rows} are 0."
    if len(conflict) == 2:
        return f"Nothing separates: rows {rows} have the same features and different classes."
    return f"Nothing separates, up to rounding: a combination of rows {rows} has all features 0."
