"""A plan as plain numbers: test rows looked at once, then everything that is stored and drawn."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from softwidth import __version__
from softwidth._types import Array, Dataset
from softwidth.advice import Recommendation
from softwidth.bank import measures, stacked_logits
from softwidth.calibration import calibration_bins, expected_calibration_error
from softwidth.least_width import LEVEL, Decision, Saving, by_row, error_intervals
from softwidth.network import probabilities, size
from softwidth.pace import Pace
from softwidth.plan_labels import SoftLabels
from softwidth.plan_spec import PlanSpec
from softwidth.plan_theory import Theory
from softwidth.trials import KINDS, Trial, predicted
from softwidth.tuning import Combination, Tuned

CURVE_POINTS = 60  # of a training curve that is stored
LIBRARIES = ("numpy", "scipy", "numba", "scikit-learn")


@dataclass(frozen=True, eq=False)
class Held:
    """The chosen students on the test rows.

    Attributes
    ----------
    rows : dict of (label kind, width) to dict of str to number
        ``test_error``, ``test_sd`` over seeds, ``test_interval`` over seeds and rows, ``log_loss``,
        ``brier``, ``ece``: means over seeds.
    bins : dict of (label kind, width) to ndarray, shape (bins, 3)
        Share, confidence and accuracy of all seeds' predictions together.
    """

    rows: dict[Combination, dict[str, Any]]
    bins: dict[Combination, Array]


@dataclass(frozen=True, eq=False)
class Plan:
    """A decision with its evidence.

    Attributes
    ----------
    recommendation : Recommendation
    decision : Decision
        Validation errors, target and least widths.
    soft_labels : SoftLabels
    tuned : Tuned
        The students at their chosen step sizes.
    held : Held
        What they do on the test rows.
    theory : Theory
        The margin of the students' rows, and what theorems say at it.
    warnings : list of str
    """

    spec: PlanSpec
    recommendation: Recommendation
    decision: Decision
    soft_labels: SoftLabels
    tuned: Tuned
    held: Held
    theory: Theory
    warnings: list[str]
    pace: Pace
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Everything in plain numbers and words: the content of ``plan.json``."""
        return record(self)


def hold_against_test(tuned: Tuned, data: Dataset, widths: Sequence[int]) -> Held:
    """Look at the test rows, once, with the students that validation rows have chosen."""
    rows, bins, wrong = {}, {}, []
    for combination in itertools.product(KINDS, widths):
        trials = tuned.trials[combination]
        logits = stacked_logits([trial.network for trial in trials], data.X_test)
        wrong.append(predicted(logits) != data.y_test)
        rows[combination], bins[combination] = _looked_at(logits, data)
    stacked = np.reshape(wrong, (len(KINDS), len(widths), *wrong[0].shape))
    intervals = error_intervals(by_row(stacked, data.draws)).reshape(-1, 2)
    for row, mistakes, interval in zip(rows.values(), wrong, intervals, strict=True):
        by_seed = mistakes.mean(axis=1)
        row["test_sd"] = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None
        row["test_interval"] = interval
    return Held(rows, bins)


def _looked_at(logits: Array, data: Dataset) -> tuple[dict[str, Any], Array]:
    """Means over seeds of the measures, and the calibration bins of all seeds together."""
    P = probabilities(logits)  # (S, N, K)
    means = {name: float(v.mean()) for name, v in measures(logits, data.y_test).items()}
    means["test_error"] = means.pop("error")
    means["ece"] = float(np.mean([expected_calibration_error(p, data.y_test) for p in P]))
    y = np.tile(data.y_test, len(P))
    return means, calibration_bins(P.reshape(len(y), -1), y)


def record(plan: Plan) -> dict[str, Any]:
    """The content of ``plan.json``."""
    decision, labels, spec = plan.decision, plan.soft_labels, plan.spec
    data = labels.dataset
    return _plain(
        {
            "softwidth": __version__,
            "spec": spec.model_dump(mode="json"),
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
            **{kind: _least(plan, kind) for kind in KINDS},
            "saving": {
                **_saving(decision.saving("hard", "soft")),
                "better_labels": _saving(decision.saving("hard", "argmax")),
                "softness": _saving(decision.saving("argmax", "soft")),
            },
            "target_error": decision.target,
            "tolerance": spec.tolerance,
            "level": LEVEL,
            "margin": plan.theory.margin,
            "theory": plan.theory.theory,
            "curve": [_curve_row(plan, kind, width) for kind in KINDS for width in spec.widths],
            "step_sizes": _tried(plan.tuned),
            "training_curves": _training_curves(plan),
            "calibration": _calibration(plan),
            "warnings": plan.warnings,
            "seconds": plan.seconds,
            "spent": plan.pace.spent,
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in LIBRARIES},
            },
        }
    )


def _least(plan: Plan, kind: str) -> dict[str, Any]:
    least = plan.decision.least[kind]
    found = {"width": least.width, "interval": least.interval, "reached": least.width is not None}
    if least.width is None:
        return found
    row = _curve_row(plan, kind, least.width)
    data = plan.soft_labels.dataset
    return {**found, **row, **asdict(size(least.width, data.n_features, data.n_classes))}


def _saving(saving: Saving) -> dict[str, Any]:
    return asdict(saving)


def _curve_row(plan: Plan, kind: str, width: int) -> dict[str, Any]:
    decision, trials = plan.decision, plan.tuned.trials[kind, width]
    position = decision.widths.index(width)
    return {
        "labels": kind,
        "width": width,
        "step_size": plan.tuned.step_size((kind, width)),
        "seeds": len(trials),
        "diverged": sum(trial.diverged for trial in trials),
        "validation_error": decision.errors[kind][position],
        "validation_interval": decision.intervals[kind][position],
        **plan.held.rows[kind, width],
        "train_kl": np.mean([trial.curve["kl"][-1] for trial in trials]),
        "train_error": np.mean([trial.curve["error"][-1] for trial in trials]),
    }


def _tried(tuned: Tuned) -> list[dict[str, Any]]:
    return [
        {
            "labels": kind,
            "width": width,
            "step_size": step_size,
            "validation_error": error,
            "validation_log_loss": loss,
        }
        for (kind, width), scores in tuned.scores.items()
        for step_size, (error, loss) in sorted(scores.items())
    ]


def _shown_width(plan: Plan, kind: str) -> int:
    """The width whose students are shown in detail: the least one, or the widest."""
    return plan.decision.least[kind].width or plan.decision.widths[-1]


def _training_curves(plan: Plan) -> list[dict[str, Any]]:
    rows = []
    for kind in KINDS:
        width = _shown_width(plan, kind)
        curves = _mean_curves(plan.tuned.trials[kind, width])
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
        bins[kind] = plan.held.bins[kind, _shown_width(plan, kind)]
    return [
        {"who": who, "confidence": confidence, "accuracy": hits, "share": share}
        for who, rows in bins.items()
        for share, confidence, hits in rows
        if share > 0
    ]


def _plain(value: Any) -> Any:
    """`value` with numpy scalars, arrays and tuples as what JSON knows; NaN and inf as None."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value
