"""Stored plans for tests of the page: right in form, with numbers drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

WIDTHS = (2, 4, 8, 16)
KINDS = ("hard", "soft", "argmax")
FLOOR = {"hard": 0.2, "soft": 0.12, "argmax": 0.18}  # of the error, at great width


def stored_plan(*, name: str = "digits", seed: int = 0) -> dict[str, Any]:
    """A plan as `plan_record.record` writes it, with `name` in every free text."""
    rng = np.random.default_rng(seed)
    ratio = {"ratio": 4.0, "interval": [2.0, 8.0], "at_least": True}
    return {
        "softwidth": "0.1.0",
        "command": f"softwidth plan {name}",
        "spec": {"positive": [name], "seeds": 5},
        "data": {
            "name": name,
            "classes": [name, "other"],
            "students_rows": 200,
            "teacher_rows": 950,
            "validation_rows": 288,
            "test_rows": 359,
            "draws": 8,
            "n_features": 64,
            "noise": 0.4,
            "notes": [f"A note on {name}."],
        },
        "labels": _labels(name),
        "training": {"rows": 200, "epochs": 100, "batch_size": 32, "tuning_seeds": 3},
        "recommendation": {"labels": "soft", "width": 4, "reason": f"Soft labels pay on {name}."},
        "soft": {"width": 4, "interval": [2, 8], "reached": True},
        "hard": {"width": None, "interval": [16, None], "reached": False},
        "argmax": {"width": 8, "interval": [4, None], "reached": True},
        "saving": {
            **ratio,
            "better_labels": ratio,
            "softness": ratio,
            "saved": {"parameters": 780, "operations": 780},
        },
        "gain": {
            **(gain := {"value": 0.05, "interval": [0.02, 0.08], "matters": True}),
            "better_labels": gain,
            "softness": gain,
        },
        "metric": "error",
        "target": 0.19,
        "target_error": 0.19,
        "search": {
            "ended": "rows",
            "said": f"More students would not narrow it on {name}.",
            "rounds": [_round(name, number) for number in range(3)],
        },
        "tolerance": 0.01,
        "level": 0.95,
        "margin": None,
        "theory": None,
        "curve": [_point(rng, kind, width) for kind in KINDS for width in WIDTHS],
        "step_sizes": [_tried(rng, kind, width) for kind in KINDS for width in WIDTHS],
        "training_curves": [_epoch(rng, kind, n) for kind in KINDS for n in range(1, 61)],
        "calibration": [
            _bin(rng, who, c) for who in ("teacher", "hard", "soft") for c in (6, 8, 9)
        ],
        "warnings": [f"A warning on {name}: try --seeds 9."],
        "seconds": 12.3,
        "spent": {"teacher": 3.0},
        "versions": {"python": "3.11.7", name: name},
    }


def divergence_plan() -> dict[str, Any]:
    """A plan by divergence from soft labels, which the test rows have not."""
    plan = stored_plan()
    for row in plan["curve"]:
        row["validation_kl"] = row["validation_error"] / 2
        row["validation_kl_interval"] = [end / 2 for end in row["validation_interval"]]
    return {**plan, "metric": "kl", "target": 0.095, "target_error": None}


def least_plan() -> dict[str, Any]:
    """The least that is a plan: what to do, and one curve point of unknown error."""
    return {"recommendation": {"labels": "either"}, "curve": [{"labels": "hard", "width": 3}]}


def theory() -> dict[str, Any]:
    """What theorems may say of a plan, in the form of ``softwidth bounds --json``."""
    sizes = {"width": 6e10, "steps": 1_234_567, "radius": 0.5, "step_size": None}
    return {
        "soft": sizes,
        "hard": {**sizes, "width": 12_345},
        "paper": {"soft": sizes, "hard": None},
        "assumptions": {"two classes": True, "unit norm <= 1": None},
        "error": 0.1,
        "certificate": {"soft": {"kl": 0.25}, "widths": [2, 4]},
        "notes": ["Loose.", "Sufficient."],
    }


def _round(name: str, number: int) -> dict[str, Any]:
    return {
        "why": [f"the least width on {name} may lie between 4 and 8"],
        "new_widths": [6] if number else [2, 4, 8, 16],
        "seeds": {"4": 10 * (number + 1)},
        "students": 90,
        "seconds": 1.25,
        "intervals": {"soft": [2, 8], "hard": [16, None], "argmax": [4, None]},
        "saving": {"ratio": 4.0, "interval": [2.0, 8.0], "at_least": True},
        "banks": [[["soft", 4, 10.0, 0, 9]]],
    }


def _labels(name: str) -> dict[str, Any]:
    return {
        "source": f"teacher {name}",
        "regime": "larger data",
        "health": {
            "train_accuracy": 0.98,
            "held_out_accuracy": None,
            "accuracy": 0.86,
            "distance": 0.19,
            "held_out_distance": 0.2,
            "calibration_error": 0.03,
            "temperature": 0.9,
        },
        "findings": [
            {
                "level": "warning",
                "code": "few-votes",
                "message": f"Few votes on {name}.",
                "cure": name,
            }
        ],
    }


def _point(rng: np.random.Generator, kind: str, width: int) -> dict[str, Any]:
    error = FLOOR[kind] + 0.2 / width + 0.01 * rng.standard_normal()
    spread = 0.01 + 0.01 * rng.random()
    return _rounded(
        labels=kind,
        width=width,
        step_size=10.0,
        seeds=5,
        diverged=0,
        validation_error=error,
        validation_interval=[error - spread, error + spread],
        test_error=error + 0.01 * rng.random(),
        test_sd=0.005 * rng.random(),
        test_interval=[error - spread, error + 2 * spread],
        log_loss=2 * error,
        brier=error,
        ece=0.1 * rng.random(),
        manhattan=0.3 * rng.random(),
        entropy_correlation=rng.random(),
        train_kl=0.02,
        train_error=0.1,
    )


def _tried(rng: np.random.Generator, kind: str, width: int) -> dict[str, Any]:
    error, loss = rng.random(2)
    return _rounded(
        labels=kind, width=width, step_size=3.16, validation_error=error, validation_log_loss=loss
    )


def _epoch(rng: np.random.Generator, kind: str, epoch: int) -> dict[str, Any]:
    kl = np.exp(-epoch / 20) * (0.5 + 0.1 * rng.random())
    return _rounded(labels=kind, width=4, epoch=epoch, cross_entropy=0.3 + kl, kl=kl, error=kl / 2)


def _bin(rng: np.random.Generator, who: str, tenths: int) -> dict[str, Any]:
    confidence = (tenths + rng.random()) / 10
    return _rounded(who=who, confidence=confidence, accuracy=confidence - 0.05, share=0.2)


def _rounded(**row: Any) -> dict[str, Any]:
    """To six digits, as plans are stored."""
    return {
        key: np.asarray(value).round(6).tolist() if isinstance(value, (float, list)) else value
        for key, value in row.items()
    }
