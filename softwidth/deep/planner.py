"""The planner's decision for a family of deep networks: a user's function of the width, and data.

Labels, search, decision, words and page are `softwidth.planner`'s; what is deep is who trains.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from softwidth._checks import ArgumentError, check_path
from softwidth._output import check_directory, write_whole
from softwidth._types import Array, Width
from softwidth.deep.data import Images
from softwidth.deep.families import Family
from softwidth.deep.plan_data import DeepData, read_data, soft_labels
from softwidth.deep.plan_spec import DeepPlanSpec
from softwidth.deep.plan_trainer import DeepLedger, DeepTrainer, Members, deep_work
from softwidth.deep.training import check_device, predict_logits
from softwidth.network import Size
from softwidth.pace import Pace, default_batch, started_pace
from softwidth.plan_record import Plan
from softwidth.plan_store import Keeper
from softwidth.plan_student import choose
from softwidth.plan_theory import Theory
from softwidth.planner import advise, searched, task_of, timed, warnings_of
from softwidth.report import write_page
from softwidth.specs import Student
from softwidth.store import Store
from softwidth.trainer import Tuned
from softwidth.trial_rows import TrialLedger
from softwidth.trials import Setting, Task, with_rows
from softwidth.tuning import fit_setting


def plan(
    make_student: Family,
    data: Any,
    *,
    soft: Any = None,
    teacher: nn.Module | None = None,
    store: Store | str | Path | None = None,
    checkpoints: str | Path | None = None,
    device: str | torch.device = "cpu",
    name: str = "data",
    classes: Sequence[str] | None = None,
    **settings: Any,
) -> DeepPlan:
    """Measure the least width of a family of networks for soft and hard labels, and say which to use.

    Parameters
    ----------
    make_student : callable
        From a width multiplier (float) to a new `nn.Module`, from images (B, C, H, W) to logits
        (B, K): `families.make_family`, or the user's own. Its weights are drawn from PyTorch's
        global generator, which is set before every call.
    data : mapping, Images, torch Dataset, DataLoader, or a sequence of these
        A mapping of arrays ``X`` (N, C, H, W) and ``y`` (N,), maybe ``soft`` (N, K), and the same
        with ``_val`` and ``_test``; or training images alone, training and test images, or training,
        validation and test images in this order, each as ``(X, y)``, `Images`, a `Dataset` of items
        ``(image, class id)`` or a `DataLoader` of such batches, which is read once, in the order of
        its data set. Pixels are uint8 (0 to 255), or floats, which students get as they are. A
        fifth of the training images is cut off for each held-out part that is not given.
    soft : array_like, shape (N, K), optional
        Soft labels of the training images: probabilities or votes.
    teacher : nn.Module, optional
        In place of soft labels: a trained network from images to logits (B, K).
    store : Store, str, path, optional
        Keeps every student and every step, as of `softwidth.plan`: what is there is read and not
        trained again. A student is known by data, recipe, and the layers, first weights and methods
        of its network; functions that these methods call are not looked at.
    checkpoints : path, optional
        A directory for the state of the student that is being trained, after every epoch: a plan
        that is broken off goes on within it. Once it is stored its file is removed.
    device : str or torch.device
    name : str
        What the data are called on the page.
    classes : sequence of str, optional
        Names of the classes.
    **settings
        Fields of `DeepPlanSpec`: widths, metric, tolerance, seeds, rounds, epochs, budget, optimizer,
        mixed_precision, ...

    Returns
    -------
    DeepPlan

    Raises
    ------
    ArgumentError
        Anything that cannot be used, named.
    StoreError
        The store cannot be reached or written; what it has got is whole.
    KeyboardInterrupt
        After Ctrl-C; with a store, it says what is kept.

    Examples
    --------
    >>> from softwidth import deep
    >>> family = deep.make_family("mlp", hidden=[32], channels=1, size=8)
    >>> images = deep.load_images("digits", classes=[3, 8])
    >>> soft = np.where(images.P == 1, 0.9, 0.1)
    >>> found = deep.plan(
    ...     family, images, soft=soft, widths="1/8,1/4", seeds=2, rounds=0, epochs=3, step_sizes=[0.01]
    ... )
    >>> found.decision.widths, sorted(found.decision.least)
    ((0.125, 0.25), ['argmax', 'hard', 'soft'])
    """
    if not callable(make_student):
        raise ArgumentError("make_student", make_student, "must be a function of the width.")
    spec, place = DeepPlanSpec.of(settings), check_device(device)
    kept = None if checkpoints is None else check_path("checkpoints", checkpoints)
    keeper = Keeper(store)
    try:
        pace = started_pace(spec.budget)
        read = timed(
            pace, "data", lambda: read_data(data, soft, seed=spec.seed, name=name, classes=classes)
        )
        members = Members(make_student, read.shape, _name_of(make_student))
        return _plan(members, read, teacher, spec, pace, keeper, place, kept)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(keeper.told()) from None
    finally:
        keeper.close()


def _name_of(make: Any) -> str:
    """What a family is called."""
    name = getattr(make, "__name__", type(make).__name__)
    return "students" if name == "<lambda>" else str(name)


def _plan(
    members: Members,
    data: DeepData,
    teacher: nn.Module | None,
    spec: DeepPlanSpec,
    pace: Pace,
    keeper: Keeper,
    device: torch.device,
    checkpoints: Path | None,
) -> DeepPlan:
    labels = timed(pace, "teacher", lambda: soft_labels(data, teacher, spec, device))
    task = task_of(labels, spec)
    if keeper.store is not None:
        keeper.name(labels.dataset)
        known = [members.known_by(width) for width in spec.first_widths]
        pace.keep_in(keeper.journal(task, spec, {"networks": known, "shape": data.shape}))
    pace.expect_to_judge_by(len(task.validation.y))

    def trainer_of(task: Task, tuned: Tuned, ledger: TrialLedger | None = None) -> DeepTrainer:
        return DeepTrainer(
            task, tuned, pace, ledger,
            spec=spec, data=data, members=members, device=device, checkpoints=checkpoints,
        )  # fmt: skip

    setting, warnings = _setting(task, spec, pace, members, trainer_of)
    own = with_rows(task, setting.rows, spec.seed)
    tuned = Tuned(setting, spec.metric, warnings=warnings)
    ledger = keeper.ledger(own, setting, partial(DeepLedger, spec=spec, members=members))
    search = searched(trainer_of(own, tuned, ledger), spec)
    return DeepPlan(
        source=None,
        spec=spec,
        recommendation=advise(search, labels),
        decision=search.decision,
        soft_labels=labels,
        search=search,
        theory=Theory(None, None),
        warnings=warnings_of(search, labels),
        seconds=time.monotonic() - pace.started,
        keeper=keeper,
    )


def _setting(
    task: Task, spec: DeepPlanSpec, pace: Pace, members: Members, trainer_of: Any
) -> tuple[Setting, list[str]]:
    """What fits into the budget, once an epoch of the narrowest and of the widest is timed."""
    N = len(task.y)
    batch = spec.batch_size or default_batch(N)

    def work(epochs: float, counts: Any) -> float:
        return deep_work(task, Setting(N, epochs, batch, 1), members, counts)  # type: ignore[arg-type]

    if not pace.recall("measuring the pace"):
        widths = spec.first_widths[:: max(1, len(spec.first_widths) - 1)]
        trial = trainer_of(task, Tuned(Setting(N, 1, batch, 1), spec.metric))
        trial.checkpoints = None
        students = [Student(width, 0, "soft", spec.coarse_steps[0]) for width in widths]
        began = time.monotonic()
        trial.made(students, "measuring the pace")
        pace.note("measuring the pace", time.monotonic() - began, work(1, Counter(widths)))
    return fit_setting(N, batch, spec, pace, work)


@dataclass(frozen=True, eq=False)
class DeepStudent:
    """A deep student to be used.

    Attributes
    ----------
    student : Student
        Labels, width, seed and step size.
    model : nn.Module
    classes_ : ndarray, shape (K,)
        Names of the classes, in the order of the probabilities' columns.
    measures : dict of str to float
        ``validation_`` and ``test_`` ``error`` and ``log_loss``.
    """

    student: Student
    model: nn.Module
    classes_: np.ndarray[Any, Any]
    measures: dict[str, float]
    device: torch.device

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities (N, K) of images (N, C, H, W) as `Images` has them."""
        tensor = torch.as_tensor(X)
        ids = torch.zeros(len(tensor), dtype=torch.int64)
        pixels = Images(tensor if tensor.dtype == torch.uint8 else tensor.float(), ids).X
        logits = predict_logits(self.model, pixels, device=self.device)
        return torch.softmax(logits.double(), dim=1).numpy()


@dataclass(frozen=True, eq=False)
class DeepPlan(Plan):
    """A `plan_record.Plan` whose students are deep: the same decision, record and page.

    The theorems and the margin do not speak of them: ``theory`` and ``margin`` are empty.
    """

    @property
    def trainer(self) -> DeepTrainer:
        """Who has trained the students."""
        return cast(DeepTrainer, self.search.trainer)

    @property
    def family(self) -> str:
        """What the family is called."""
        return self.trainer.members.name

    @property
    def libraries(self) -> tuple[str, ...]:
        """Whose versions stand in the record."""
        return (*super().libraries, "torch")

    def size(self, width: Width) -> Size:
        """Parameters, and multiply-adds per prediction, of a member of the family."""
        return self.trainer.members.size(width)

    def spec_text(self, ending: str = ".toml") -> str:
        """Refused: the family is a function of the user's, which stands in no file.

        Raises
        ------
        ArgumentError
        """
        wish = (
            "is a function, and cannot be written to a file: give a `store`, and call `plan` again."
        )
        raise ArgumentError("make_student", self.family, wish)

    def student(self) -> DeepStudent:  # type: ignore[override]
        """The student to be used: of the recommended labels and width, and of the seed that does best
        on the validation images. It is trained again the first time that it is asked for.
        """
        return self._network

    @cached_property
    def _network(self) -> DeepStudent:
        advice, trainer = self.recommendation, self.trainer
        student = choose(self.tuned, advice.labels, advice.width)
        trial = self.tuned.tried[student.labels, student.width][student.step_size][student.seed]
        measures = {
            f"{part}_{measure}": float(getattr(trial, part).means[measure])
            for part in ("validation", "test")
            for measure in ("error", "log_loss")
        }
        model = trainer.trained(student).model
        names = np.array(self.soft_labels.dataset.classes)
        return DeepStudent(student, model, names, measures, torch.device(trainer.device))

    def write(self, directory: str | Path) -> Path:
        """Write ``plan.json`` and ``report.html``; the page's path.

        Raises
        ------
        ArgumentError
            A directory that cannot be written.
        """
        where, told = check_directory("directory", directory), self.as_dict()
        write_whole("directory", where / "plan.json", json.dumps(told, indent=1, allow_nan=False))
        return write_page(told, where / "report.html")
