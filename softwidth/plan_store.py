"""A plan in a store: its students, its steps, and what else it has found, so that it can be taken up.

Everything lies under the hash of what determines it: the content of rows and labels, whatever file
they came from, and the settings that have a say. What is stored is read and not made again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np

from softwidth import __version__
from softwidth._progress import tell
from softwidth._types import Dataset
from softwidth.digests import digest
from softwidth.health import Health
from softwidth.lessons import Lesson
from softwidth.network import Network
from softwidth.pace import Step
from softwidth.plan_labels import SoftLabels, soft_labels, students_rows, teacher_of
from softwidth.plan_spec import PlanSpec
from softwidth.plan_theory import Separation, fewer_rows, margin_rows, separation_of
from softwidth.specs import Student
from softwidth.store import Row, Store, open_store, spec_id
from softwidth.store_parts import damage_of, in_pieces, whole
from softwidth.store_rows import canonical
from softwidth.trial_rows import TaskDigests, TrialLedger
from softwidth.trials import Setting, Task

FOUND = 1  # raised whenever equal settings give another teacher or margin
LARGEST = 2**26  # bytes of soft labels that are kept: more are cheaper to make than to move
T = TypeVar("T")
Packed = tuple[Mapping[str, Any], Mapping[str, np.ndarray[Any, Any]]]  # numbers and arrays


class Keeper:
    """Where a plan is kept; without a `store`, nowhere.

    Parameters
    ----------
    store : Store, str, path or None
        It is opened, or made, when the plan has something to look for.
    """

    def __init__(self, store: Store | str | os.PathLike[str] | None) -> None:
        self._given = store
        self._opened: Store | None = None
        self._study = "plan"
        self._digests: TaskDigests | None = None
        self._ledger: TrialLedger | None = None

    def close(self) -> None:
        """Close the store, if it was opened here."""
        if self._opened is not None and self._opened is not self._given:
            self._opened.close()

    @property
    def store(self) -> Store | None:
        """The open store, if there is to be one."""
        if self._opened is None and self._given is not None:
            given = self._given
            self._opened = given if isinstance(given, Store) else open_store(given)
        return self._opened

    def told(self) -> str:
        """What somebody who stops the plan should know."""
        if self._opened is None:
            return "stopped"
        count = 0 if self._ledger is None else self._ledger.read + self._ledger.kept
        return (
            f"stopped; {count:,} students are in {self._opened.where}, and the same call goes on "
            "from there"
        )

    def name(self, dataset: Dataset) -> str:
        """Name the rows of a plan of these data; their digest."""
        data = digest(replace(dataset, name="", classes=(), notes=()))
        self._study = study_name(dataset.name, data)
        return data

    def soft_labels(self, dataset: Dataset, spec: PlanSpec, teacher: Any) -> SoftLabels:
        """As `plan_labels.soft_labels`; a built-in teacher's are kept.

        A classifier of the user's is fitted every time, since nobody can tell whether it is the
        same: its soft labels tell.
        """
        if self._given is None:
            return soft_labels(dataset, spec, teacher)
        data = self.name(dataset)
        name = teacher_of(dataset, spec) if teacher is None else None
        students = students_rows(dataset, spec)  # refused before a store is made
        if name is None:
            return soft_labels(dataset, spec, teacher)
        asked = spec.model_dump(mode="json", include={"regime", "student_rows", "seed", "budget"})
        return self._once(
            {"kind": "soft labels", "teacher": name, **asked, "data": data},
            lambda: soft_labels(dataset, spec),
            _pack_labels,
            lambda packed: _unpack_labels(packed, students),
        )

    def journal(
        self, task: Task, spec: PlanSpec, about: Mapping[str, Any] | None = None
    ) -> PlanJournal | None:
        """The steps of this plan; says so if there are some. `about` tells it from others too."""
        if self.store is None:
            return None
        self._digests = TaskDigests.of(task)
        asked = {"spec": spec.as_dict(), **self._digests.as_dict(), **(about or {})}
        journal = PlanJournal(self.store, f"{self._study}: beside", digest(asked))
        if journal.find("data", 0) is not None:
            told = f"softwidth: taking what {self.store.where} holds of this plan"
            print(told, file=sys.stderr)
        return journal

    def separation(self, task: Task, spec: PlanSpec, n_classes: int, left: float) -> Separation:
        """As `plan_theory.separation_of`, of fewer rows where these do not fit into memory."""
        most = margin_rows(left)
        while True:
            try:
                return self._separation(task, most, n_classes, spec.seed)
            except MemoryError:
                fewer = fewer_rows(most, len(task.y))
                if fewer is None:
                    raise
            tell(f"The margin of {most:,} rows does not fit into memory: that of {fewer:,} is looked for.")  # fmt: skip
            most = fewer

    def _separation(self, task: Task, most: int, n_classes: int, seed: int) -> Separation:
        data = "" if self._digests is None else self._digests.data
        asked: dict[str, Any] = {"n_classes": n_classes, "seed": seed, "most": most}
        return self._once(
            {"kind": "margin", "data": data, **asked},
            lambda: separation_of(task.X, task.y, **asked),
            lambda found: (asdict(found), {}),
            lambda packed: Separation(**packed[0]),
        )

    def ledger(
        self, task: Task, setting: Setting, make: Callable[..., TrialLedger] = TrialLedger
    ) -> TrialLedger | None:
        """The students of this task and setting."""
        if self.store is None:
            return None
        self._ledger = make(self.store, self._study, task, setting)
        return self._ledger

    def beside(self, task: Task, setting: Setting) -> TrialLedger | None:
        """Students of another task that belongs to this plan, such as one of fewer votes."""
        return None if self.store is None else TrialLedger(self.store, self._study, task, setting)

    def network(self, student: Student, make: Callable[[], Network]) -> Network:
        """The weights of a student of this plan: what is stored, or what is made now."""
        if self._ledger is None:
            return make()
        return self._once(
            {**self._ledger.spec(student), "kind": "weights of a student"},
            make,
            lambda found: (
                {"scale": float(found.scale), "bias": found.bias},
                {"W": found.W, "A": found.A, "b": found.b},
            ),
            lambda packed: Network(**{**packed[1], **packed[0]}),
        )

    def _once(
        self,
        spec: dict[str, Any],
        make: Callable[[], T],
        pack: Callable[[T], Packed],
        unpack: Callable[[Packed], T],
    ) -> T:
        """What is stored under this spec, or what is made now."""
        store, spec = self.store, {**spec, "found": FOUND}
        if store is None:
            return make()
        for row in whole(store, [spec]).values():
            with damage_of(store, row):
                return unpack((row.metrics, row.curves))
        made = make()
        metrics, arrays = pack(made)
        if sum(array.nbytes for array in arrays.values()) > LARGEST:
            return made
        row = Row.of(spec, f"{self._study}: beside", metrics, curves=arrays)
        store.put(in_pieces(row))
        return unpack((json.loads(canonical("metrics", metrics)), arrays))  # as it will be read


@dataclass(frozen=True)
class PlanJournal:
    """The steps of one plan in a store; a `pace.Journal`."""

    store: Store
    study: str
    plan: str  # the digest of what was asked and of the data

    def find(self, what: str, number: int) -> Step | None:
        """The step as an earlier run has done it, if one has."""
        for row in self.store.get([spec_id(self._spec(what, number))]).values():
            with damage_of(self.store, row):
                seconds, now, work = (float(row.metrics[n]) for n in ("seconds", "now", "work"))
                return Step(what, number, seconds, now, work)
        return None

    def write(self, step: Step) -> None:
        """Keep it."""
        metrics = {"seconds": step.seconds, "now": step.now, "work": step.work}
        self.store.put([Row.of(self._spec(step.what, step.number), self.study, metrics)])

    def _spec(self, what: str, number: int) -> dict[str, Any]:
        about = {"kind": "step of a plan", "softwidth": __version__, "plan": self.plan}
        return {**about, "what": what, "number": number}


def study_name(name: str, data: str) -> str:
    """What a plan's rows are called: the data's name, and which task of them it is.

    >>> study_name("digits", "dbe80f1e7664799cd2d78af44a54e477")
    'plan digits dbe80f1e'
    """
    printable = "".join(c if c.isprintable() else " " for c in name)
    return f"plan {printable[:100]} {data[:8]}"


def _pack_labels(labels: SoftLabels) -> Packed:
    lesson = labels.lesson
    numbers = {
        "teacher_rows": labels.teacher_rows,
        "source": labels.source,
        "regime": lesson.regime,
        "health": asdict(lesson.health),
        "doubts": list(labels.doubts),
    }
    arrays = {"soft": lesson.soft, "calibration": lesson.calibration}
    arrays |= dict(zip(("val", "test"), labels.held, strict=True))
    return numbers, {name: array for name, array in arrays.items() if array is not None}


def _unpack_labels(packed: Packed, students: Dataset) -> SoftLabels:
    numbers, arrays = packed
    health = Health(**numbers["health"])
    lesson = Lesson(arrays["soft"], numbers["regime"], health, arrays.get("calibration"))
    held = arrays.get("val"), arrays.get("test")
    rows, source, doubts = (numbers[name] for name in ("teacher_rows", "source", "doubts"))
    return SoftLabels(students, rows, source, lesson, [], held, tuple(doubts))
