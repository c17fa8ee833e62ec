"""A plan as plain numbers: everything that is stored and drawn."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from softwidth import __version__
from softwidth._types import Array, Width
from softwidth.advice import Recommendation
from softwidth.least_width import Decision, loss_intervals
from softwidth.network import Size, size
from softwidth.plan_classes import class_record
from softwidth.plan_labels import SoftLabels
from softwidth.plan_spec import PlanSpec
from softwidth.plan_store import Keeper
from softwidth.plan_student import ChosenStudent, choose, is_normalised, look_at, train_alone
from softwidth.plan_theory import Theory
from softwidth.plan_votes import Votes
from softwidth.resampling import LEVEL
from softwidth.rounds import Search
from softwidth.spec_file import Script, SpecFile, spec_text
from softwidth.trainer import Tuned
from softwidth.trials import KINDS, LOSS_OF, Rows, Task, Trial
from softwidth.votes_record import votes_record

CURVE_POINTS = 60  # of a training curve that is stored
LIBRARIES = ("numpy", "scipy", "numba", "scikit-learn")


@dataclass(frozen=True, eq=False)
class Plan:
    """A decision with its evidence.

    Attributes
    ----------
    recommendation : Recommendation
    decision : Decision
        Validation losses, target and least widths.
    soft_labels : SoftLabels
    search : Search
        The rounds, and the students in `search.trainer.tuned`.
    theory : Theory
        The margin of the students' rows, and what theorems say at it.
    warnings : list of str
    seconds : float
        That it took, this time.
    keeper : Keeper
        Where it is kept, if anywhere.
    votes : Votes or None
        What fewer votes a row would have done, where it was asked.
    prior : dict or None
        What was to be expected before any student was trained, see `prior.Prior.guess`.
    """

    source: str | Path | None  # where the data are to be loaded from, if that can be said
    spec: PlanSpec
    recommendation: Recommendation
    decision: Decision
    soft_labels: SoftLabels
    search: Search
    theory: Theory
    warnings: list[str]
    seconds: float
    keeper: Keeper
    votes: Votes | None = None
    prior: dict[str, Any] | None = None

    @property
    def tuned(self) -> Tuned:
        """The students at their chosen step sizes, and those tried on the way."""
        return self.search.trainer.tuned

    @property
    def task(self) -> Task:
        """What the students learned from and were looked at on."""
        return self.search.trainer.task

    @property
    def family(self) -> str | None:
        """What the family of networks is called; none where students are two-layer networks."""
        return None

    @property
    def libraries(self) -> tuple[str, ...]:
        """Whose versions stand in the record."""
        return LIBRARIES

    def size(self, width: Width) -> Size:
        """What a student of this width costs."""
        data = self.soft_labels.dataset
        return size(int(width), data.n_features, data.n_classes, bias=self.spec.bias)

    def spec_text(self, ending: str = ".toml") -> str:
        """The content of ``plan.toml``: what was asked, and the rounds that were run.

        A plan of arrays names no source: give the same arrays beside it to `plan`.
        """
        setting = self.tuned.setting
        rounds = [
            {"why": list(entry.why), "banks": banks}
            for entry, banks in zip(self.search.rounds, self.tuned.rounds, strict=True)
        ]
        source = "digits" if self.source is None else str(self.source)
        settings = self.spec.as_dict()
        return spec_text(
            SpecFile(source, settings, Script(setting, rounds, self.search.ended)), ending
        )

    def student(self) -> ChosenStudent:
        """The student to be used, with its weights: of the recommended labels and width, and of the
        seed that does best on the validation rows.

        It is trained again, by itself, the first time that it is asked for; the same plan gives the
        same weights.

        Examples
        --------
        >>> from softwidth import plan
        >>> from softwidth.data import load
        >>> task = load("digits", pair=[3, 8])
        >>> found = plan(task, teacher="kernel", widths=[2, 4], seeds=2, rounds=0, epochs=5)
        >>> found.student().predict_proba(task.X_test).shape
        (71, 2)
        """
        return self._student

    @cached_property
    def _student(self) -> ChosenStudent:
        task, advice, data = self.search.trainer.task, self.recommendation, self.soft_labels.dataset
        student = choose(self.tuned, advice.labels, advice.width)
        make = partial(train_alone, task, self.tuned.setting, student)
        try:
            network = self.keeper.network(student, make)
        finally:
            self.keeper.close()
        classes, measures = np.array(data.classes), look_at(network, task)
        return ChosenStudent(student, network, classes, is_normalised(data.X_train), measures)

    def as_dict(self) -> dict[str, Any]:
        """Everything in plain numbers and words: the content of ``plan.json``."""
        return record(self)


def record(plan: Plan) -> dict[str, Any]:
    """The content of ``plan.json``."""
    decision, labels, spec = plan.decision, plan.soft_labels, plan.spec
    data = labels.dataset
    by_error, curve = spec.metric == "error", _curve(plan)
    return plain(
        {
            "softwidth": __version__,
            "spec": spec.as_dict(),
            "family": plan.family,
            "data": {
                "name": data.name,
                "classes": data.classes,
                "students_rows": plan.tuned.setting.rows,
                "teacher_rows": labels.teacher_rows,
                "validation_rows": len(data.y_val) // data.draws,
                "test_rows": len(data.y_test) // data.draws,
                "draws": data.draws,
                "n_features": data.n_features,
                "noise": spec.noise,
                "notes": data.notes,
            },
            "labels": {
                "source": labels.source,
                "regime": labels.lesson.regime,
                "health": labels.lesson.health.as_dict(),
                "findings": [asdict(finding) for finding in labels.findings],
            },
            "training": asdict(plan.tuned.setting),
            "recommendation": asdict(plan.recommendation),
            **{kind: _least(plan, kind, curve) for kind in KINDS},
            "saving": {
                **asdict(decision.saving("hard", "soft")),
                "better_labels": asdict(decision.saving("hard", "argmax")),
                "softness": asdict(decision.saving("argmax", "soft")),
                "saved": _saved(plan),
            },
            "gain": {
                **asdict(decision.gain("soft", "hard")),
                "better_labels": asdict(decision.gain("argmax", "hard")),
                "softness": asdict(decision.gain("soft", "argmax")),
            },
            "votes": None
            if plan.votes is None
            else votes_record(plan.votes, plan.task, spec.metric, spec.tolerance),
            "metric": spec.metric,
            "target": decision.target,
            "target_error": decision.target if by_error else None,
            "tolerance": spec.tolerance,
            "level": LEVEL,
            **class_record(data, plan.task.test, {k: _shown(plan, k) for k in KINDS}),
            "prior": plan.prior,
            "margin": plan.theory.margin,
            "theory": plan.theory.theory,
            "curve": curve,
            "search": {
                "ended": plan.search.ended,
                "said": plan.search.said,
                "rounds": [_round(plan, number) for number in range(len(plan.search.rounds))],
            },
            "step_sizes": _tried(plan.tuned),
            "training_curves": _training_curves(plan),
            "calibration": _calibration(plan),
            "warnings": plan.warnings,
            "seconds": plan.seconds,
            "spent": plan.search.trainer.pace.spent,
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in plan.libraries},
            },
        }
    )


def _least(plan: Plan, kind: str, curve: Sequence[dict[str, Any]]) -> dict[str, Any]:
    least = plan.decision.least[kind]
    found = {"width": least.width, "interval": least.interval, "reached": least.width is not None}
    if least.width is None:
        return found
    (row,) = (r for r in curve if (r["labels"], r["width"]) == (kind, least.width))
    return {**found, **row, **asdict(plan.size(least.width))}


def _saved(plan: Plan) -> dict[str, int] | None:
    """What soft labels save at the least widths; of unreached ones, the widest tried stands in."""
    hard, soft = (
        asdict(plan.size(plan.decision.least[kind].width or plan.decision.widths[-1]))
        for kind in ("hard", "soft")
    )
    return {name: hard[name] - soft[name] for name in hard}


def _round(plan: Plan, number: int) -> dict[str, Any]:
    return {
        **plan.search.rounds[number].as_dict(),
        "banks": plan.tuned.rounds[number],
    }


def _curve(plan: Plan) -> list[dict[str, Any]]:
    """A row for every label kind and width."""
    any_one, own = plan.tuned.trials(("hard", plan.tuned.widths[0]))[0], plan.spec.metric
    intervals = {
        (rows, metric): _intervals(plan.tuned, getattr(plan.task, rows), rows, metric)
        for rows in ("validation", "test")
        for metric in {**getattr(any_one, rows).losses, **({own: 1} if own == "balanced" else {})}
    }
    return [
        _curve_row(plan, kind, width, {key: of[kind][place] for key, of in intervals.items()})
        for kind in KINDS
        for place, width in enumerate(plan.tuned.widths)
    ]


def _intervals(tuned: Tuned, rows: Rows, part: str, metric: str) -> dict[str, Array]:
    """Intervals over seeds and rows, per label kind (widths, 2)."""
    of_row = LOSS_OF[metric]
    cells = [
        np.array(
            [
                [getattr(trial, part).losses[of_row] for trial in tuned.trials((kind, width))]
                for kind in KINDS
            ]
        )
        for width in tuned.widths
    ]
    found = loss_intervals(cells, tuned.widths, shares=rows.shares(metric))
    return dict(zip(KINDS, found, strict=True))


def _curve_row(
    plan: Plan, kind: str, width: Width, intervals: dict[tuple[str, str], Array]
) -> dict[str, Any]:
    trials = plan.tuned.trials((kind, width))
    by_seed = np.array([trial.test.means["error"] for trial in trials])
    means = {
        name: np.mean([trial.test.means[name] for trial in trials])
        for name in trials[0].test.means
        if name not in ("error", "balanced", "kl")
    }
    means["test_balanced"] = np.mean([trial.test.means["balanced"] for trial in trials])

    row = {
        "labels": kind,
        "width": width,
        **asdict(plan.size(width)),
        "step_size": plan.tuned.step_size((kind, width)),
        "seeds": len(trials),
        "diverged": sum(trial.diverged for trial in trials),
    }
    for (rows, metric), interval in intervals.items():
        row[f"{rows}_{metric}"] = np.mean([getattr(t, rows).means[metric] for t in trials])
        row[f"{rows}_interval" if metric == "error" else f"{rows}_{metric}_interval"] = interval
    return {
        **row,
        "test_sd": by_seed.std(ddof=1) if len(trials) > 1 else None,
        **means,
        "train_kl": np.mean([trial.curve["kl"][-1] for trial in trials]),
        "train_error": np.mean([trial.curve["error"][-1] for trial in trials]),
    }


def _tried(tuned: Tuned) -> list[dict[str, Any]]:
    return [
        {
            "labels": kind,
            "width": width,
            "step_size": step_size,
            f"validation_{tuned.metric}": loss,
            "validation_log_loss": log_loss,
        }
        for kind, width in itertools.product(KINDS, tuned.widths)
        for step_size, (loss, log_loss) in sorted(tuned.scores((kind, width)).items())
    ]


def _shown_width(plan: Plan, kind: str) -> Width:
    """The width whose students are shown in detail: the least one, or the widest."""
    return plan.decision.least[kind].width or plan.decision.widths[-1]


def _shown(plan: Plan, kind: str) -> list[Trial]:
    return plan.tuned.trials((kind, _shown_width(plan, kind)))


def _training_curves(plan: Plan) -> list[dict[str, Any]]:
    rows = []
    for kind in KINDS:
        width = _shown_width(plan, kind)
        curves = _mean_curves(_shown(plan, kind))
        epochs = len(curves["kl"])
        for epoch in np.unique(np.linspace(0, epochs - 1, CURVE_POINTS).astype(int)):
            values = {name: curve[epoch] for name, curve in curves.items()}
            rows.append({"labels": kind, "width": width, "epoch": int(epoch) + 1, **values})
    return rows


def _mean_curves(trials: Sequence[Trial]) -> dict[str, Array]:
    return {
        name: np.mean([trial.curve[name] for trial in trials], axis=0) for name in trials[0].curve
    }


def _calibration(plan: Plan) -> list[dict[str, Any]]:
    """The teacher on the validation rows, and the students on the test rows."""
    teacher = plan.soft_labels.lesson.calibration
    bins = {} if teacher is None else {"teacher": teacher}
    for kind in ("hard", "soft"):
        bins[kind] = _pooled(np.array([trial.test.bins for trial in _shown(plan, kind)]))
    return [
        {"who": who, "confidence": confidence, "accuracy": hits, "share": share}
        for who, rows in bins.items()
        for share, confidence, hits in rows
        if share > 0
    ]


def _pooled(bins: Array) -> Array:
    """One set of calibration bins (B, 3) from those of several students (S, B, 3) on equal rows."""
    share = bins[:, :, 0]
    weights = share / np.maximum(share.sum(axis=0), 1e-12)
    means = np.einsum("sb,sbc->bc", weights, bins[:, :, 1:])
    return np.concatenate([share.mean(axis=0)[:, None], means], axis=1)


def plain(value: Any) -> Any:
    """`value` with numpy scalars, arrays and tuples as what JSON knows; NaN and inf as None."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value
