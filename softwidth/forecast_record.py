"""A forecast as plain numbers and words: the content of ``forecast.json``."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth import __version__
from softwidth.plan_record import LIBRARIES, plain
from softwidth.resampling import LEVEL
from softwidth.search import WIDEST
from softwidth.trials import KINDS

if TYPE_CHECKING:
    from softwidth.forecasts import Forecast, Point, Prediction

STEADY = 0.02  # change of |p - y| between the sizes from which the labels are said to get better


def record(found: Forecast) -> dict[str, Any]:
    """Everything in plain numbers and words."""
    data = found.dataset
    predicted = {**found.widths, "saving": found.saving}
    saving = found.saving
    return plain(
        {
            "softwidth": __version__,
            "spec": found.spec.model_dump(mode="json"),
            "data": {
                "name": data.name,
                "classes": data.classes,
                "validation_rows": len(data.y_val) // data.draws,
                "test_rows": len(data.y_test) // data.draws,
                "n_features": data.n_features,
                "noise": found.spec.noise,
                "notes": data.notes,
            },
            "labels": {"source": found.source, "regime": found.regime},
            "rows": found.rows,
            "recommendation": _recommendation(found),
            **{
                kind: {"width": said.value, "interval": said.interval, "slope": said.slope}
                for kind, said in found.widths.items()
            },
            "saving": {"ratio": saving.value, "interval": saving.interval, "slope": saving.slope},
            "metric": found.spec.metric,
            "tolerance": found.spec.tolerance,
            "level": LEVEL,
            "points": [_point(point) for point in found.points],
            "measured": None if found.measured is None else _point(found.measured),
            "fan": [
                {"what": what, "rows": rows, "low": low, "middle": middle, "high": high}
                for what, said in predicted.items()
                for rows, low, middle, high in said.fan
            ],
            "warnings": _warnings(found),
            "seconds": found.seconds,
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in LIBRARIES},
            },
        }
    )


def _point(point: Point) -> dict[str, Any]:
    decision = point.decision
    return {
        "rows": point.rows,
        **{kind: asdict(decision.least[kind]) for kind in KINDS},
        "saving": asdict(decision.saving("hard", "soft")),
        "widths": decision.widths,
        "target": decision.target,
        "distance": point.distance,
        "accuracy": point.accuracy,
        "seconds": point.seconds,
    }


def _recommendation(found: Forecast) -> dict[str, Any]:
    """What to expect, in words, and which labels that speaks for."""
    soft, hard, saving = found.widths["soft"], found.widths["hard"], found.saving
    low, high = (np.inf if end is None else end for end in saving.interval)
    labels = "soft" if low > 1 else "hard" if high < 1 else "either"
    said = {
        "soft": "soft labels should pay there too",
        "hard": "hard labels should do better there",
        "either": "from so few rows it cannot be told which labels will need less",
    }[labels]
    reason = (
        f"At {found.rows:,} rows soft labels are expected to need width {_width(soft)}, hard labels "
        f"width {_width(hard)}; the saving is expected to be {saving.value:.3g}-fold (95 % interval "
        f"{low:.3g} to {high:.3g}): {said}."
    )
    either = [said.value for said in (soft, hard) if said.value is not None]
    widths = {
        "soft": soft.value,
        "hard": hard.value,
        "either": max(either) if len(either) == 2 else None,
    }
    return {"labels": labels, "width": widths[labels], "reason": reason + _checked(found)}


def _width(said: Prediction) -> str:
    low, value, high = (f"over {WIDEST:,}" if end is None else f"{end:g}" for end in (said.interval[0], said.value, said.interval[1]))  # fmt: skip
    return f"{value} ({low} to {high})"


def _checked(found: Forecast) -> str:
    """Whether what was measured afterwards lies within the forecast."""
    if found.measured is None:
        return ""
    parts = []
    for kind in ("soft", "hard"):
        least, (low, high) = found.measured.decision.least[kind], found.widths[kind].interval
        if least.width is None:
            widest = found.measured.decision.widths[-1]
            parts.append(f"{kind} over {widest}")
        else:
            inside = _between(int(least.width), low, high)
            parts.append(f"{kind} {least.width}, {'inside' if inside else 'outside'}")
    return f" Measured afterwards: {'; '.join(parts)}."


def _between(width: int, low: float | None, high: float | None) -> bool:
    return low is not None and low <= width and (high is None or width <= high)


def _warnings(found: Forecast) -> list[str]:
    """What makes a forecast unsure."""
    warnings = []
    for point in found.points:
        top = point.decision.widths[-1]
        missed = [kind for kind in ("hard", "soft") if point.decision.least[kind].width is None]
        if missed:
            warnings.append(
                f"At {point.rows:,} rows no width up to {top} met the target with {' or '.join(missed)} "
                "labels: the forecast knows only that it is wider. Wider --widths or a larger "
                "--budget would help."
            )
        warnings += [f"At {point.rows:,} rows: {told}" for told in point.warnings]
    gap = abs(found.points[0].distance - found.points[-1].distance)
    if found.regime == "cross-fitted" and gap > STEADY:
        ends = [f"{p.distance:.3f} at {p.rows:,} rows" for p in (found.points[0], found.points[-1])]
        warnings.append(
            f"The teacher learns from the students' rows, so its labels change with them too: mean "
            f"|p - y| was {ends[0]} and {ends[1]}. The forecast takes this to go on."
        )
    return list(dict.fromkeys(warnings))
