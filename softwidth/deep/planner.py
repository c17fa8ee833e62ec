"""The planner's decision for a family of deep networks: a user's function of the width, and data.

Labels, search, decision, words and page are `softwidth.planner`'s; what is deep is who trains.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from softwidth._checks import ArgumentError, check_path
from softwidth.deep.families import Family
from softwidth.deep.plan_data import DeepData, read_data, soft_labels
from softwidth.deep.plan_record import DeepPlan
from softwidth.deep.plan_spec import DeepPlanSpec
from softwidth.deep.plan_trainer import DeepLedger, DeepTrainer, Members, deep_work
from softwidth.deep.training import check_device
from softwidth.pace import Pace, default_batch, started_pace
from softwidth.plan_store import Keeper
from softwidth.plan_theory import Theory
from softwidth.planner import advise, searched, task_of, timed, warnings_of
from softwidth.specs import Student
from softwidth.store import Store
from softwidth.trainer import Tuned
from softwidth.trial_rows import TrialLedger
from softwidth.trials import Setting, Task, with_rows
from softwidth.tuning import fit_setting

MEASURED_STEPS = 50  # of an epoch that tells the pace


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
    >>> soft = 0.1 + 0.8 * images.P.numpy()
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
        warnings=[*filter(None, [spec.told_loss]), *warnings_of(search, labels)],
        seconds=time.monotonic() - pace.started,
        keeper=keeper,
    )


def _setting(
    task: Task, spec: DeepPlanSpec, pace: Pace, members: Members, trainer_of: Any
) -> tuple[Setting, list[str]]:
    """What fits into the budget, once an epoch of the narrowest and of the widest is timed."""
    N = len(task.y)
    batch = spec.batch_size or default_batch(N)

    if not pace.recall("measuring the pace"):
        widths = spec.first_widths[:: max(1, len(spec.first_widths) - 1)]
        few = with_rows(task, min(N, MEASURED_STEPS * batch), spec.seed)
        trial = trainer_of(few, Tuned(Setting(len(few.y), 1, batch, 1), spec.metric))
        trial.checkpoints = None
        students = [Student(width, 0, "soft", spec.coarse_steps[0]) for width in widths]
        began = time.monotonic()
        trial.made(students, "measuring the pace")
        pace.note("measuring the pace", time.monotonic() - began, trial.work(students))
    return fit_setting(N, batch, spec, pace, partial(deep_work, task, batch, members))
