"""The main job: how many neurons with soft labels, how many with hard ones, and which to use.

One line of data: a `Dataset`, soft labels (`plan_labels`), students with tuned step sizes
(`tuning`), least widths (`least_width`), words (`advice`), and a plain dictionary (`Plan.as_dict`)
that the page and ``plan.json`` are made from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from softwidth._checks import ArgumentError
from softwidth._progress import tell
from softwidth._types import Dataset
from softwidth.advice import Recommendation, recommend
from softwidth.balance import class_counts, class_factors, class_warnings
from softwidth.data import load
from softwidth.least_width import Decision, decide
from softwidth.pace import Pace, started_pace
from softwidth.plan_doubts import doubts, why_not
from softwidth.plan_labels import SoftLabels
from softwidth.plan_record import Plan
from softwidth.plan_spec import LOADED, PlanSpec
from softwidth.plan_store import Keeper
from softwidth.plan_theory import Separation, theory_at
from softwidth.plan_votes import SHARE, TOO_SHORT, ask_votes
from softwidth.prior import prior_of
from softwidth.rounds import Search
from softwidth.spec_file import Script, SpecFile, read_spec
from softwidth.store import Store
from softwidth.trainer import Trainer, Tuned
from softwidth.trials import KINDS, LOSS_OF, Rows, Task, look, with_rows
from softwidth.tuning import choose_setting
from softwidth.votes import raw_votes

# Most mistakes on noisy rows are the noise's: 8 draws of it on every held-out row make differences
# between label kinds about half as uncertain on digits, as long as the rows stay few.
NOISE_DRAWS, ENOUGH_ROWS = 8, 8000
T = TypeVar("T")


def plan(
    source: str | Mapping[str, Any] | Dataset | None = None,
    *,
    teacher: Any = None,
    spec: str | Path | SpecFile | None = None,
    store: Store | str | Path | None = None,
    **settings: Any,
) -> Plan:
    """Measure the least width for soft and for hard labels, and say which to use.

    Parameters
    ----------
    source : str, path, mapping of arrays, or Dataset
        As for `data.load`; ``digits`` by default.
    teacher : {"wide", "kernel"} or classifier, optional
        Who makes the soft labels; an unfitted classifier must have ``fit`` and ``predict_proba``.
    spec : path or SpecFile, optional
        Of an earlier plan (``plan.toml``): its source and settings, unless others are given, and
        its rounds: these are run, bank by bank, and no others, whatever the machine's speed. With
        other settings the search is new.
    store : Store, str, path, optional
        Keeps every student and every step, see `store.open_store`. A plan that was broken off goes
        on where it stopped and decides as it would have decided, one that is done is only read, and
        another plan of the same rows takes the students that it has in common.
    **settings
        Fields of `plan_spec.PlanSpec`: positive, metric, tolerance, widths, noise, student_rows,
        seeds, rounds, budget, ...

    Returns
    -------
    Plan

    Raises
    ------
    ArgumentError, DataFileError, MissingDataError, MemoryLimitError
        Anything that cannot be used, named.
    StoreError
        The store cannot be reached or written; what it has got is whole.
    KeyboardInterrupt
        After Ctrl-C; with a store, it says what is kept.

    Examples
    --------
    >>> found = plan("digits", pair=[3, 8], widths=[2, 4], seeds=2, rounds=0, epochs=5)
    >>> sorted(found.decision.least)
    ['argmax', 'hard', 'soft']
    """
    if isinstance(teacher, str):
        settings, teacher = {**settings, "teacher": teacher}, None
    source, settings, script = _asked(source, settings, spec)
    keeper = Keeper(store)
    try:
        return _plan(source, teacher, PlanSpec.of(settings), script, keeper)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(keeper.told()) from None
    finally:
        keeper.close()


def _asked(
    source: Any, settings: dict[str, Any], spec: str | Path | SpecFile | None
) -> tuple[Any, dict[str, Any], Script | None]:
    """Source, settings and script, from the arguments and a spec."""
    if spec is None:
        return ("digits" if source is None else source), settings, None
    file = spec if isinstance(spec, SpecFile) else read_spec(spec)
    source = file.source if source is None else source
    return source, {**file.settings, **settings}, None if settings else file.script


def _plan(source: Any, teacher: Any, spec: PlanSpec, script: Script | None, keeper: Keeper) -> Plan:
    pace = started_pace(spec.budget)
    dataset = timed(pace, "data", lambda: load_task(source, spec))
    labels = timed(pace, "teacher", lambda: keeper.soft_labels(dataset, spec, teacher))
    task = task_of(labels, spec)
    pace.keep_in(keeper.journal(task, spec))
    # Before the search: its seconds are then known, and the search may have all others.
    data = labels.dataset
    separation = timed(
        pace, "margin", lambda: keeper.separation(task, spec, data.n_classes, pace.left)
    )
    prior = _prior(labels, separation, spec)
    counts = raw_votes(labels, spec)
    pace.budget *= 1 - SHARE if counts is not None else 1
    search = search_widths(task, spec, pace, script=script, keeper=keeper)
    recommendation, votes = advise(search, labels), None
    if counts is not None:
        votes = ask_votes(counts, labels, search, spec, recommendation, keeper)
    return Plan(
        source=source if isinstance(source, (str, Path)) else None,
        spec=spec,
        recommendation=recommendation,
        decision=search.decision,
        soft_labels=labels,
        search=search,
        theory=theory_at(separation, typical_error(search.trainer.tuned), bias=spec.bias),
        warnings=[
            *warnings_of(search, labels),
            *([TOO_SHORT] if counts is not None and votes is None else []),
        ],
        seconds=time.monotonic() - pace.started,
        keeper=keeper,
        votes=votes,
        prior=prior,
    )


def _prior(labels: SoftLabels, separation: Separation, spec: PlanSpec) -> dict[str, Any] | None:
    """The guess before training, told on stderr: it was fitted to savings by the share of mistakes."""
    if spec.metric != "error":
        return None
    data = labels.dataset
    found = prior_of(
        labels.lesson.health,
        n_classes=data.n_classes,
        rows=len(data.y_train),
        features=data.n_features,
        margin=separation.upper,
    )
    if found is not None:
        tell(found["said"])
    return found


def advise(search: Search, labels: SoftLabels) -> Recommendation:
    """What to do, from all that was found."""
    decision, tuned = search.decision, search.trainer.tuned
    worse = decision.saving("hard", "soft").interval[1] < 1
    reasons = why_not(labels, tuned, decision.gain("soft", "hard"), worse=worse)
    return recommend(decision, reasons, search.spec.metric)


def warnings_of(search: Search, labels: SoftLabels) -> list[str]:
    """What to know before believing it."""
    return [
        *labels.warnings,
        *class_warnings(class_counts(labels.dataset), search.spec.metric),
        *search.trainer.tuned.warnings,
        *doubts(search, labels.dataset),
    ]


def task_of(labels: SoftLabels, spec: PlanSpec) -> Task:
    """What the students learn from and are looked at on.

    Raises
    ------
    ArgumentError
        A metric or a reference that needs soft labels of validation rows, where there are none.
    """
    data, (P_val, P_test) = labels.dataset, labels.held
    for name, needs in (
        ("metric", spec.metric == "kl"),
        ("reference", spec.reference == "teacher"),
    ):
        if needs and P_val is None:
            wish = "needs soft labels of the held-out rows too, and the data have them for the "
            wish += "training rows only: give them, or name a teacher."
            raise ArgumentError(name, getattr(spec, name), wish)
    factors = None
    if spec.balanced:
        factors = class_factors(data.y_train, data.weight_train, data.n_classes)
    return Task(
        data.X_train,
        data.y_train,
        labels.lesson.soft,
        Rows(data.X_val, data.y_val, P_val, data.draws, data.weight_val),
        Rows(data.X_test, data.y_test, P_test, data.draws, data.weight_test),
        data.weight_train,
        factors,
    )


def search_widths(
    task: Task,
    spec: PlanSpec,
    pace: Pace,
    *,
    script: Script | None = None,
    keeper: Keeper | None = None,
) -> Search:
    """Train students until the least widths are decided, or the budget is spent."""
    pace.expect_to_judge_by(len(task.validation.y) // task.validation.draws)
    setting, warnings = (script.setting, []) if script else choose_setting(task, spec, pace)
    tuned = Tuned(setting, spec.metric, warnings=warnings)
    own = with_rows(task, setting.rows, spec.seed)
    ledger = None if keeper is None else keeper.ledger(own, setting)
    return searched(Trainer(own, tuned, pace, ledger), spec, script)


def searched(trainer: Trainer, spec: PlanSpec, script: Script | None = None) -> Search:
    """The search with this trainer, done."""
    search = Search(trainer, spec, lambda: decide_plan(trainer.task, trainer.tuned, spec))
    if script:
        search.replay(script.rounds, script.ended)
    else:
        search.run()
    return search


def decide_plan(task: Task, tuned: Tuned, spec: PlanSpec) -> Decision:
    """The least widths from all students so far."""
    others = None
    if spec.reference == "teacher" and task.validation.P is not None:
        with np.errstate(divide="ignore"):
            log_p = np.log(task.validation.P)
            if task.factors is not None:  # as the students' votes are weighed
                log_p = log_p + np.log(task.factors)
            teacher = look(log_p, task.validation)
        others = teacher.losses[LOSS_OF[spec.metric]][None]
    return decide(
        {kind: tuned.losses(kind) for kind in KINDS},
        tuned.widths,
        tolerance=spec.tolerance,
        target_kinds=KINDS,
        others=others,
        between=not spec.fixed,
        step=spec.width_step,
        shares=task.validation.shares(spec.metric),
        seed=spec.seed,
    )


def typical_error(tuned: Tuned) -> float:
    """The least share of mistakes on validation rows among the widest students' label kinds."""
    widest = tuned.widths[-1]
    return min(
        float(np.mean([t.validation.means["error"] for t in tuned.trials((kind, widest))]))
        for kind in KINDS
    )


def load_task(source: Any, spec: PlanSpec) -> Dataset:
    """The data of a plan; held-out rows of few come under several draws of the noise."""
    if not isinstance(source, Dataset):
        settings = {name: getattr(spec, name) for name in (*LOADED, "seed")}
        dataset = load(source, **settings)
        draws = min(NOISE_DRAWS, ENOUGH_ROWS // max(len(dataset.y_val), len(dataset.y_test)))
        return load(source, **settings, draws=draws) if spec.noise and draws > 1 else dataset
    fresh = PlanSpec()
    for name in LOADED:
        if getattr(spec, name) != getattr(fresh, name):
            wish = "goes with a source to be loaded; give it to `load` instead."
            raise ArgumentError(name, getattr(spec, name), wish)
    return source


def timed(pace: Pace, what: str, work: Callable[[], T]) -> T:
    """What this work gives; what it took is noted."""
    began = time.monotonic()
    result = work()
    pace.note(what, time.monotonic() - began)
    return result
