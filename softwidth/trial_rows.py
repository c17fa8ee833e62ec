"""Students of a plan as rows of a store, and back without a loss.

A plan's intervals need every student's losses by held-out row. Mistakes are counts of a row's draws:
a bit each where there is one draw, a byte otherwise. Divergences are kept as they are, in float32,
their bytes sorted by place, which makes them a seventh smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from softwidth._types import Array
from softwidth.digests import digest
from softwidth.specs import Recipe, Student
from softwidth.store import Row, Store, spec_id
from softwidth.store_parts import damage_of, in_pieces, whole
from softwidth.trials import MOMENTUM, SCHEDULE, Rows, Seen, Setting, Task, Trial

# Raised whenever training or measuring gives other numbers for an equal spec; by whether there are
# biases: students that have them were looked at without, and what was stored of them was wrong.
TRAINED = {False: 1, True: 2}
DETERMINES = ("epochs", "batch_size", "momentum", "schedule", "train_output", "bias", "order_seed", "tolerance", "dtype")  # fmt: skip
SPLITS = {"val": "validation", "test": "test"}  # as in other studies' rows
Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class TaskDigests:
    """What a plan's students learn from and are looked at on, by content.

    Attributes
    ----------
    data : str
        Training rows, labels and weights.
    soft : str
        Soft labels of the training rows.
    held : str
        Validation and test rows with everything that is known of them.
    """

    data: str
    soft: str
    held: str

    @classmethod
    def of(cls, task: Task) -> TaskDigests:
        """The digests of a task.

        Parameters
        ----------
        task : Task
        """
        own = {f.name: getattr(task, f.name) for f in fields(task)}
        soft, held = own.pop("soft"), [own.pop(name) for name in SPLITS.values()]
        return cls(digest(own), digest(soft), digest(held))

    def as_dict(self) -> dict[str, str]:
        """Plain JSON."""
        return {"data": self.data, "soft": self.soft, "held": self.held}


class TrialLedger:
    """The students of one task and setting in a store; a `trainer.Ledger`.

    Attributes
    ----------
    read, kept : int
        Students found and stored so far.
    """

    kind = "student of a plan"

    @property
    def trained(self) -> int:
        """How this version trains and measures them."""
        return TRAINED[self.recipe["bias"]]

    def __init__(self, store: Store, study: str, task: Task, setting: Setting) -> None:
        self.store, self.study, self.task = store, study, task
        self.digests = TaskDigests.of(task)
        recipe = Recipe(
            epochs=setting.epochs,
            batch_size=setting.batch_size,
            momentum=MOMENTUM,
            schedule=SCHEDULE,
            bias=setting.bias,
        )
        self.recipe = {name: getattr(recipe, name) for name in DETERMINES}
        self.read = self.kept = 0

    def spec(self, student: Student) -> dict[str, Any]:
        """Everything that determines a student and what is known of it."""
        told = self.digests.as_dict()
        if student.labels == "hard":  # learns the same whatever the soft labels are
            del told["soft"]
        return {
            "kind": self.kind,
            "trained": self.trained,
            **told,
            "labels": student.labels,
            "width": student.width,
            "seed": student.seed,
            "step_size": student.step_size,
            **self.about(student),
        }

    def about(self, student: Student) -> dict[str, Any]:
        """All else that determines a student."""
        radius = {} if np.isinf(student.radius) else {"radius": student.radius}
        return {"init": student.init, **radius, **self.recipe}

    def known(self, students: Sequence[Student]) -> dict[Student, Trial]:
        """Those that are stored."""
        specs = {student: self.spec(student) for student in students}
        rows = whole(self.store, specs.values())
        ids = {student: spec_id(spec) for student, spec in specs.items()}
        found = {s: self._trial(s, rows[id_]) for s, id_ in ids.items() if id_ in rows}
        self.read += len(found)
        return found

    def keep(self, trials: Sequence[Trial]) -> list[Trial]:
        """Store these, all or none; as they will be read back."""
        rows = [self._row(trial) for trial in trials]
        self.store.put(piece for row in rows for piece in in_pieces(row))
        self.kept += len(rows)
        return [self._trial(t.student, row) for t, row in zip(trials, rows, strict=True)]

    def _row(self, trial: Trial) -> Row:
        metrics: dict[str, Any] = {"status": "diverged" if trial.diverged else "trained"}
        curves = {f"curve.{name}": values for name, values in trial.curve.items()}
        for short, split in SPLITS.items():
            seen, rows = getattr(trial, split), getattr(self.task, split)
            metrics |= {f"{short}_{n}": _finite(value) for n, value in seen.means.items()}
            curves |= {f"{short}.{n}": a for n, a in _packed(seen, rows)}
        return Row.of(
            self.spec(trial.student), self.study, metrics, curves=curves, seconds=trial.seconds
        )

    def _trial(self, student: Student, row: Row) -> Trial:
        with damage_of(self.store, row):
            return Trial(
                student,
                row.metrics["status"] == "diverged",
                _seen(row, "val", self.task.validation),
                _seen(row, "test", self.task.test),
                dict(sorted(_named(row.curves, "curve"))),
                row.seconds,
            )


def _finite(value: float) -> float | None:
    """JSON has no infinity: the loss of a student that diverged, and the only one without bound."""
    return float(value) if np.isfinite(value) else None


def _packed(seen: Seen, rows: Rows) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    yield "bins", seen.bins
    for name, losses in seen.losses.items():
        yield name, _mistakes(losses, rows.draws) if name == "error" else _by_byte(losses)


def _seen(row: Row, short: str, rows: Rows) -> Seen:
    arrays = dict(_named(row.curves, short))
    bins = arrays.pop("bins")
    count = len(rows.y) // rows.draws
    losses = {
        name: _shares(a, count, rows.draws) if name == "error" else _from_bytes(a, count)
        for name, a in sorted(arrays.items())
    }
    means = {
        name.removeprefix(f"{short}_"): np.inf if value is None else value
        for name, value in sorted(row.metrics.items())
        if name.startswith(f"{short}_")
    }
    return Seen(losses, means, bins)


def _named(arrays: Arrays, group: str) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    for name, values in arrays.items():
        if name.startswith(f"{group}."):
            yield name.removeprefix(f"{group}."), values


def _mistakes(shares: Array, draws: int) -> np.ndarray[Any, Any]:
    """How many of a row's draws are mistakes; bits where there is one draw."""
    counts = np.rint(shares * draws)
    return np.packbits(counts > 0) if draws == 1 else counts.astype("u1" if draws < 256 else "u4")


def _shares(stored: np.ndarray[Any, Any], rows: int, draws: int) -> Array:
    """The inverse of `_mistakes`."""
    counts = np.unpackbits(stored, count=rows) if draws == 1 else stored
    if len(counts) != rows:
        raise ValueError(f"{len(counts)} losses, {rows} rows")
    return (counts / draws).astype(np.float32)


def _by_byte(losses: Array) -> np.ndarray[Any, Any]:
    """First bytes of all float32 first, then second ones: signs and exponents repeat."""
    return np.ascontiguousarray(losses.astype("<f4").view("u1").reshape(-1, 4).T)


def _from_bytes(stored: np.ndarray[Any, Any], rows: int) -> Array:
    """The inverse of `_by_byte`."""
    losses = np.ascontiguousarray(stored.T).view("<f4").ravel()
    if len(losses) != rows:
        raise ValueError(f"{len(losses)} losses, {rows} rows")
    return losses.astype(np.float32)
