"""Kinds of trials that `sweep.sweep` can run: what one costs, what several share, how they are run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from softwidth._checks import ArgumentError, check_choice, check_flag
from softwidth.bank import HISTORIES
from softwidth.labels import Targets, make_targets
from softwidth.network import n_outputs
from softwidth.store import Row
from softwidth.training import train_bank
from softwidth.trial_data import Prepared, prepare, whole_task
from softwidth.trial_measures import measured
from softwidth.trial_spec import RECIPE, STUDENT, TrialSpec

BANK_MEMORY = 2**30  # bytes; fixed, as pieces of another size give results of another rounding
# Multiply-adds that take as long as what is not a matrix product: the head, by neuron and row, and
# drawing and measuring a student.
HEAD, STUDENT_WORK = 200, 2e7


class Experiment(Protocol):
    """One kind of trial; it is sent to workers, so it must be small and picklable.

    A spec is a mapping of plain JSON, or an object whose ``as_dict()`` gives one. Equal specs in an
    equal bank must give equal rows, wherever they are run.
    """

    @property
    def name(self) -> str:
        """What its rows are called where no study asks."""

    def cost(self, spec: Any) -> float:
        """Work of one trial, about multiply-adds."""

    def together(self, spec: Any) -> str:
        """Trials with equal keys may share a bank, and what `prepare` makes."""

    def prepare(self, spec: Any) -> Any:
        """What the trials of such a key share: made once in a worker process, and kept."""

    def run(self, prepared: Any, specs: Sequence[Any]) -> list[Row]:
        """The rows of a bank, in the order of its specs; `sweep` fills in study and seconds."""


@dataclass(frozen=True)
class StudentTrials:
    """Students of `trial_spec.TrialSpec`, trained in banks.

    Metrics, by split (``train_``, ``val_``, ``test_``): ``error``, ``log_loss``, ``brier``, ``ece``
    against the class ids and, where there are soft labels, ``kl`` of these over the prediction.
    ``mean_error`` and ``mean_kl`` are averages over the steps of training, of which the theorems
    speak, against what the student learned from. ``status``, ``epochs``, ``displacement`` (largest
    distance of a neuron from its start), ``edge`` (share of neurons on the edge of their ball),
    ``flipped`` (share of activations that changed), and what the soft labels are worth
    (``teacher_*``, ``soft_accuracy``, ``soft_distance``). Step sizes are chosen by ``val_*``, results
    told by ``test_*``: both are in the row.

    Attributes
    ----------
    curves : tuple of str
        Histories to keep, mean by epoch: ``cross_entropy``, ``kl``, ``error``.
    mistakes : bool
        Keep who is wrong on which held-out row (`trial_measures.mistakes` reads it): 1 bit a row.
    """

    curves: tuple[str, ...] = ()
    mistakes: bool = True
    name: str = "students"

    def __post_init__(self) -> None:
        given: Any = self.curves
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise ArgumentError("curves", self.curves, "must be a sequence of names.")
        for name in self.curves:
            check_choice("curves", name, HISTORIES)
        check_flag("mistakes", self.mistakes)

    def cost(self, spec: TrialSpec) -> float:
        """Multiply-adds of training and measuring, the rest counted as such."""
        rows, held, features, outputs = _sizes(spec)
        per_neuron = spec.epochs * rows * (2 * features + HEAD * outputs) + held * features
        return float(spec.width * per_neuron + STUDENT_WORK)

    def together(self, spec: TrialSpec) -> str:
        """Everything about data and teacher."""
        own = (*STUDENT, *RECIPE)
        return "; ".join(
            f"{name}={value}" for name, value in spec if value is not None and name not in own
        )

    def prepare(self, spec: TrialSpec) -> Prepared:
        """Data and soft labels, see `trial_data.prepare`."""
        return prepare(spec)

    def run(self, prepared: Prepared, specs: Sequence[TrialSpec]) -> list[Row]:
        """Train the students, those of one recipe together, and measure them."""
        rows: dict[int, Row] = {}
        for recipe in dict.fromkeys(_recipe(spec) for spec in specs):
            members = [m for m, spec in enumerate(specs) if _recipe(spec) == recipe]
            own = [specs[m] for m in members]
            rows |= dict(zip(members, self._bank(prepared, own), strict=True))
        return [rows[m] for m in range(len(specs))]

    def _bank(self, prepared: Prepared, specs: list[TrialSpec]) -> list[Row]:
        began = time.perf_counter()
        bank = train_bank(
            prepared.dataset.X_train,
            prepared.dataset.y_train,
            _targets(prepared, specs),
            [spec.student() for spec in specs],
            threads=1,
            memory=BANK_MEMORY,
            **specs[0].recipe(),
        )
        if bank.interrupted:
            raise KeyboardInterrupt
        found = measured(bank, prepared, curves=self.curves, mistakes=self.mistakes)
        seconds = (time.perf_counter() - began) / sum(map(self.cost, specs))
        return [
            Row.of(
                spec.as_dict(),
                self.name,
                metrics,
                curves=curves,
                seconds=seconds * self.cost(spec),
            )
            for spec, (metrics, curves) in zip(specs, found, strict=True)
        ]


def _recipe(spec: TrialSpec) -> tuple[Any, ...]:
    return tuple(getattr(spec, name) for name in RECIPE)


def _targets(prepared: Prepared, specs: Sequence[TrialSpec]) -> dict[str, Targets]:
    """What each label scheme of a bank trains on."""
    data, soft = prepared.dataset, prepared.soft.get("train")
    return {
        spec.labels_key: make_targets(
            spec.labels, data.y_train, soft, n_classes=data.n_classes, seed=spec.label_seed
        )
        for spec in {spec.labels_key: spec for spec in specs}.values()
    }


_SIZED = ("source", "only", "positive", "pair", "target", "soft_columns", "soft_key", "draws", "student_rows", "keep_fraction")  # fmt: skip
_known_sizes: dict[tuple[Any, ...], tuple[int, int, int, int]] = {}


def _sizes(spec: TrialSpec) -> tuple[int, int, int, int]:
    """Training rows, held-out rows, features and logits of a trial; the data are loaded once."""
    key = tuple(getattr(spec, name) for name in _SIZED)
    if key not in _known_sizes:
        data = whole_task(spec)
        rows = spec.student_rows or round((spec.keep_fraction or 1) * len(data.y_train))
        held = len(data.y_val) + len(data.y_test)
        _known_sizes[key] = (rows, held, data.n_features, n_outputs(data.n_classes))
    return _known_sizes[key]
