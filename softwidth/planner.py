"""The main job: how many neurons with soft labels, how many with hard ones, and which to use.

One line of data: a `Dataset`, soft labels (`plan_labels`), students with tuned step sizes
(`tuning`), least widths (`least_width`), words (`advice`), and a plain dictionary (`Plan.as_dict`)
that the page and ``plan.json`` are made from.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError
from softwidth._types import Dataset
from softwidth.advice import recommend
from softwidth.data import load
from softwidth.least_width import Decision, by_row, decide
from softwidth.pace import Pace
from softwidth.plan_labels import SoftLabels, soft_labels
from softwidth.plan_record import Plan, hold_against_test
from softwidth.plan_spec import PlanSpec
from softwidth.plan_theory import Theory, theory_of
from softwidth.trials import KINDS, Task
from softwidth.tuning import tune

# Most mistakes on noisy rows are the noise's: 8 draws of it on every held-out row make differences
# between label kinds about half as uncertain on digits, as long as the rows stay few.
NOISE_DRAWS, ENOUGH_ROWS = 8, 8000


def plan(
    source: str | Mapping[str, Any] | Dataset = "digits", *, teacher: Any = None, **settings: Any
) -> Plan:
    """Measure the least width for soft and for hard labels, and say which to use.

    Parameters
    ----------
    source : str, path, mapping of arrays, or Dataset
        As for `data.load`.
    teacher : {"wide", "kernel"} or classifier, optional
        Who makes the soft labels; an unfitted classifier must have ``fit`` and ``predict_proba``.
    **settings
        Fields of `plan_spec.PlanSpec`: positive, tolerance, widths, noise, student_rows, seeds,
        budget, ...

    Returns
    -------
    Plan

    Raises
    ------
    ArgumentError, DataFileError, MissingDataError, MemoryLimitError
        Anything that cannot be used, named.
    KeyboardInterrupt
        After Ctrl-C.

    Examples
    --------
    >>> found = plan("digits", pair=[3, 8], widths=[2, 4], seeds=2, epochs=5)
    >>> sorted(found.decision.least)
    ['argmax', 'hard', 'soft']
    """
    named = isinstance(teacher, str)
    spec = PlanSpec.of({**settings, "teacher": teacher} if named else settings)
    pace = Pace(spec.budget)
    dataset = _load(source, spec)
    labels = _timed(pace, "teacher", lambda: soft_labels(dataset, spec, None if named else teacher))
    data = labels.dataset
    task = Task(data.X_train, data.y_train, labels.lesson.soft, data.X_val, data.y_val)
    tuned = tune(task, spec, pace)
    mistakes = {kind: by_row(tuned.mistakes(kind, spec.widths), data.draws) for kind in KINDS}
    decision = decide(mistakes, spec.widths, tolerance=spec.tolerance, seed=spec.seed)
    held = _timed(pace, "test rows", lambda: hold_against_test(tuned, data, spec.widths))
    theory = _timed(pace, "margin", lambda: _theory(data, decision.target, spec.seed))
    return Plan(
        spec=spec,
        recommendation=recommend(decision, _why_not(labels, decision)),
        decision=decision,
        soft_labels=labels,
        tuned=tuned,
        held=held,
        theory=theory,
        warnings=[*labels.warnings, *tuned.warnings, *_doubts(decision)],
        pace=pace,
        seconds=time.monotonic() - pace.started,
    )


def _load(source: Any, spec: PlanSpec) -> Dataset:
    if not isinstance(source, Dataset):
        names = ("positive", "pair", "noise", "flip", "target", "soft_columns", "soft_key", "seed")
        settings = {name: getattr(spec, name) for name in names}
        dataset = load(source, **settings)
        draws = min(NOISE_DRAWS, ENOUGH_ROWS // max(len(dataset.y_val), len(dataset.y_test)))
        return load(source, **settings, draws=draws) if spec.noise and draws > 1 else dataset
    fresh = PlanSpec()
    for name in ("positive", "pair", "noise", "flip", "target", "soft_columns", "soft_key"):
        if getattr(spec, name) != getattr(fresh, name):
            wish = "goes with a source to be loaded; give it to `load` instead."
            raise ArgumentError(name, getattr(spec, name), wish)
    return source


def _theory(data: Dataset, error: float, seed: int) -> Theory:
    return theory_of(data.X_train, data.y_train, n_classes=data.n_classes, error=error, seed=seed)


def _timed(pace: Pace, what: str, work: Any) -> Any:
    began = time.monotonic()
    result = work()
    pace.note(what, time.monotonic() - began)
    return result


def _why_not(labels: SoftLabels, decision: Decision) -> list[str]:
    """Why soft labels do not help, as far as it can be seen."""
    found = list(labels.warnings)
    mistakes = 1 - labels.lesson.health.accuracy
    best = float(decision.errors["hard"].min())
    if mistakes > best:
        found.append(
            f"The soft labels' top class is wrong on {mistakes:.1%} of the students' rows, the best "
            f"students of hard labels on {best:.1%} of held-out rows: a better teacher, or more "
            "votes, is what to try."
        )
    if not found:
        gain = float(np.mean(decision.errors["hard"] - decision.errors["soft"]))
        found.append(
            f"Nothing is wrong with the soft labels: at equal width they make {abs(gain):.1%} "
            f"{'fewer' if gain > 0 else 'more'} mistakes on average, which "
            f"{len(labels.dataset.y_val) // labels.dataset.draws:,} validation rows are too few to tell from chance; more "
            "validation rows or seeds (--seeds) narrow the intervals."
        )
    return found


def _doubts(decision: Decision) -> list[str]:
    """What makes the least widths unsure."""
    found = []
    for kind in ("hard", "soft"):
        least = decision.least[kind]
        if least.width is None:
            found.append(
                f"No width up to {decision.widths[-1]} meets the target with {kind} labels: "
                "try wider ones (--widths)."
            )
        elif least.width == decision.widths[0]:
            found.append(
                f"The narrowest width tried, {least.width}, already meets the target with {kind} "
                "labels: try narrower ones (--widths), a smaller --tolerance or a harder task."
            )
    return found
