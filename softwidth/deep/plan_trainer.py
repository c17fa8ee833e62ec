"""Deep students for the planner: who trains them, what they cost, how they are kept."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from softwidth._checks import ArgumentError
from softwidth._progress import Progress, progress
from softwidth._types import Array, Width, width_text
from softwidth.deep.data import Images
from softwidth.deep.families import Family, model_cost, seeded
from softwidth.deep.plan_data import DeepData
from softwidth.deep.plan_spec import USUAL_LOSS, DeepPlanSpec
from softwidth.deep.training import Recipe, Trained, predict_logits, train
from softwidth.digests import digest
from softwidth.distributions import entropy
from softwidth.network import Size
from softwidth.pace import Pace
from softwidth.specs import Student
from softwidth.store import Row, Store
from softwidth.trainer import Ledger, Trainer, Tuned
from softwidth.trial_rows import TrialLedger
from softwidth.trials import Rows, Setting, Task, Trial, look

# Multiply-adds that take as long as a step of a network that has next to none: on two busy cores a
# step of 32 digits took 2-6 ms at 0.2 million multiply-adds, and 26 ms at 167 million.
A_STEP = 2e7
PASSES = 3  # forward, and back to the inputs and to the weights


class Members:
    """The networks of a family: what each costs, and what it is known by."""

    def __init__(self, make: Family, shape: Sequence[int], name: str) -> None:
        self.make, self.shape, self.name = make, tuple(shape), name

    def network(self, width: Width, seed: int) -> nn.Module:
        """The member that this seed draws.

        Raises
        ------
        ArgumentError
            If it is no network, or has no weights.
        """
        model = seeded(self.make, width, seed)
        if not isinstance(model, nn.Module) or not any(p.requires_grad for p in model.parameters()):
            wish = "must give an nn.Module with weights to train, for every width."
            raise ArgumentError("make_student", f"{type(model).__name__} of width {width}", wish)
        return model

    @functools.cache  # noqa: B019 - as long as the plan
    def size(self, width: Width) -> Size:
        """Parameters, and multiply-adds per prediction."""
        cost = model_cost(self.network(width, 0), self.shape)
        return Size(cost.parameters, cost.multiply_adds)

    @functools.cache  # noqa: B019
    def known_by(self, width: Width) -> str:
        """A hash of its layers and of the weights that seed 0 draws: equal networks have equal ones.

        What a module of the user's computes beside its layers is told by the code of its methods.
        """
        model = self.network(width, 0)
        weights = {name: w.detach().cpu().numpy() for name, w in model.state_dict().items()}
        code = {type(part).__qualname__: _code(type(part)) for part in model.modules()}
        return digest(repr(model), weights, code)


def _code(kind: type) -> list[str]:
    """What the methods of a module's class do, but for PyTorch's own."""
    if kind.__module__.startswith("torch."):
        return []
    codes = [getattr(method, "__code__", None) for _, method in sorted(vars(kind).items())]
    return [f"{c.co_code.hex()} {c.co_names} {_plain(c.co_consts)}" for c in codes if c is not None]


def _plain(constants: tuple[Any, ...]) -> list[str]:
    """Constants of code; code within it, whose text has its place in memory, by its own."""
    return [c.co_code.hex() if hasattr(c, "co_code") else repr(c) for c in constants]


class DeepTrainer(Trainer):
    """A `trainer.Trainer` of networks of PyTorch, one after another.

    Every student is a bank of its own, and so stands in the store as soon as it is trained.
    """

    def __init__(
        self,
        task: Task,
        tuned: Tuned,
        pace: Pace,
        ledger: Ledger | None,
        *,
        spec: DeepPlanSpec,
        data: DeepData,
        members: Members,
        device: str | torch.device,
        checkpoints: Path | None,
    ) -> None:
        super().__init__(task, tuned, pace, ledger)
        self.spec, self.data, self.members, self.device = spec, data, members, device
        self.checkpoints = checkpoints
        self._shown: Progress | None = None
        self._done = 0.0
        self._lessons: dict[str, Images] = {}

    def train(self, students: Sequence[Student], label: str, *, all_of_them: bool = True) -> None:
        """As `Trainer.train`, with one bar for all of them."""
        with progress(label, self.work(students)) as self._shown:
            self._done = 0.0
            super().train(students, label, all_of_them=all_of_them)
        self._shown = None

    def _banks(self, students: Sequence[Student]) -> list[list[Student]]:
        return [[student] for student in students]

    def train_bank(self, students: Sequence[Student], label: str) -> None:
        """As `Trainer.train_bank`; the checkpoints of students that are stored are removed."""
        super().train_bank(students, label)
        self._done += self.work(students)
        for path in map(self.checkpoint, students) if self.ledger is not None else ():
            if path is not None:
                with suppress(OSError):
                    path.unlink()

    def made(self, students: Sequence[Student], label: str) -> list[Trial]:
        """These students, trained and looked at."""
        return [self._trial(student) for student in students]

    def work_at(self, counts: Mapping[Width, float]) -> float:
        """Multiply-adds that so many students of each width take."""
        setting = self.tuned.setting
        return deep_work(self.task, setting.batch_size, self.members, setting.epochs, counts)

    def checkpoint(self, student: Student) -> Path | None:
        """Where the state of a student on its way is kept."""
        if self.checkpoints is None:
            return None
        known = self.members.known_by(student.width)
        recipe = asdict(self.recipe(student))
        return self.checkpoints / f"{digest(known, student, recipe, self._digest)}.pt"

    @functools.cached_property
    def _digest(self) -> str:
        return digest(self.task.X, self.task.y, self.task.soft, self.data.shape)

    def recipe(self, student: Student) -> Recipe:
        """How a student is trained."""
        setting = self.tuned.setting
        return self.spec.recipe(
            student.labels, student.step_size, setting.epochs, setting.batch_size
        )

    def lesson(self, kind: str) -> Images:
        """What students of a label kind learn from."""
        if kind not in self._lessons:
            P = self.task.targets[kind].P
            self._lessons[kind] = self.data.images(self.task.X, self.task.y, P)
        return self._lessons[kind]

    def trained(self, student: Student) -> Trained:
        """A student's network."""
        held = self.task.validation
        return train(
            self.members.network(student.width, student.seed),
            self.lesson(student.labels),
            self.data.images(held.X, held.y),
            self.recipe(student),
            seed=student.seed,
            device=self.device,
            checkpoint=self.checkpoint(student),
            progress=functools.partial(self._show, student),
        )

    def _show(self, student: Student, epoch: int, last: Mapping[str, float]) -> None:
        if self._shown is not None:
            part = self.work([student]) * epoch / self.tuned.setting.epochs
            note = f"width {width_text(student.width)}, {student.labels}, validation error {last['val_error']:.3f}"
            self._shown.update(self._done + part, note)

    def _trial(self, student: Student) -> Trial:
        found = self.trained(student)
        gone = found.status == "diverged"
        validation, test = (
            look(self._log_q(found, rows), rows, gone=gone)
            for rows in (self.task.validation, self.task.test)
        )
        unknown = not np.isfinite(validation.means["log_loss"])
        return Trial(
            student,
            gone or unknown or validation.alike,
            validation,
            test,
            self._curve(student, found),
            found.seconds,
        )

    def _log_q(self, found: Trained, rows: Rows | Images) -> Array:
        """Log probabilities (N, K)."""
        images = rows if isinstance(rows, Images) else self.data.images(rows.X, rows.y)
        logits = predict_logits(found.model, images.X, device=self.device).double()
        return torch.log_softmax(logits, dim=1).numpy()

    def _curve(self, student: Student, found: Trained) -> dict[str, Array]:
        """By epoch: the cross-entropy of its batches, in training mode, where that is its loss; from
        its end on, and last of all, that of the network that is kept (of its best epoch) on all its
        rows. The error is known of that network only.
        """
        lesson, epochs = self.lesson(student.labels), self.tuned.setting.epochs
        P, log_q = lesson.P.numpy().astype(np.float64), self._log_q(found, lesson)
        usual = float(entropy(P).mean())
        with np.errstate(invalid="ignore"):
            kept = float(-np.einsum("nk,nk->n", P, log_q).mean())
        losses = np.full(epochs, kept)
        usual_loss = self.recipe(student).loss == USUAL_LOSS
        losses[: found.epochs] = found.history["loss"] if usual_loss else np.nan
        losses[-1] = kept
        errors = np.full(epochs, np.nan)
        errors[-1] = np.mean(log_q.argmax(axis=1) != P.argmax(axis=1))
        curve = {"cross_entropy": losses, "kl": losses - usual, "error": errors}
        return {name: values.astype(np.float32) for name, values in curve.items()}


def deep_work(
    task: Task, batch: int, members: Members, epochs: float, counts: Mapping[Width, float]
) -> float:
    """Multiply-adds that so many students of each width take, every step's start among them."""
    N, V, T = len(task.y), len(task.validation.y), len(task.test.y)
    steps = -(-N // batch)
    total = 0.0
    for width, number in counts.items():
        products = members.size(width).operations
        epoch = A_STEP * steps + products * (PASSES * N + V)
        total += number * (epochs * epoch + A_STEP + products * (N + V + T))
    return total


class DeepLedger(TrialLedger):
    """The deep students of one task and setting in a store."""

    kind = "deep student of a plan"
    trained = 1  # raised whenever training or measuring gives other numbers for an equal spec

    def __init__(
        self,
        store: Store,
        study: str,
        task: Task,
        setting: Setting,
        *,
        spec: DeepPlanSpec,
        members: Members,
    ) -> None:
        super().__init__(store, study, task, setting)
        self.setting, self.asked, self.members = setting, spec, members

    def about(self, student: Student) -> dict[str, Any]:
        """All else that determines a student: its network and its recipe."""
        recipe = self.asked.recipe(
            student.labels, student.step_size, self.setting.epochs, self.setting.batch_size
        )
        own = {"network": self.members.known_by(student.width), "shape": self.members.shape}
        return {**own, **asdict(recipe)}

    def _row(self, trial: Trial) -> Row:
        row = super()._row(trial)
        return replace(row, versions={**row.versions, "torch": str(torch.__version__)})
