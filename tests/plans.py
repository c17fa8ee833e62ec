"""Stored plans for tests of the page: right in form, with numbers drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

WIDTHS = (2, 4, 8, 16)
KINDS = ("hard", "soft", "argmax")


def stored_plan(*, name: str = "digits", seed: int = 0) -> dict[str, Any]:
    """A plan as `plan_record.record` writes it."""
    rng = np.random.default_rng(seed)
    curve = [_point(rng, kind, width) for kind in KINDS for width in WIDTHS]
    least = {
        "soft": {"width": 4, "interval": [2, 8], "reached": True},
        "hard": {"width": None, "interval": [16, None], "reached": False},
        "argmax": {"width": 8, "interval": [4, None], "reached": True},
    }
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
        "labels": {
            "source": "wide teacher",
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
            "findings": [],
        },
        "training": {"rows": 200, "epochs": 100, "batch_size": 32, "tuning_seeds": 3},
        "recommendation": {"labels": "soft", "width": 4, "reason": f"Soft labels pay on {name}."},
        **least,
        "saving": {**ratio, "better_labels": ratio, "softness": ratio},
        "target_error": 0.19,
        "tolerance": 0.01,
        "margin": None,
        "theory": None,
        "curve": curve,
        "step_sizes": [
            {
                "labels": "soft",
                "width": 2,
                "step_size": 3.0,
                "validation_error": 0.2,
                "validation_log_loss": None,
            }
        ],
        "training_curves": [
            {
                "labels": kind,
                "width": 4,
                "epoch": epoch,
                "cross_entropy": 0.5,
                "kl": 1 / epoch,
                "error": 0.1,
            }
            for kind in KINDS
            for epoch in range(1, 6)
        ],
        "calibration": [
            {"who": who, "confidence": c, "accuracy": c - 0.05, "share": 0.2}
            for who in ("teacher", "hard", "soft")
            for c in (0.55, 0.75, 0.95)
        ],
        "warnings": [f"A warning on {name}."],
        "seconds": 12.3,
        "spent": {"teacher": 3.0},
        "versions": {"python": "3.11.7", "numpy": "2.4.6"},
    }


def _point(rng: np.random.Generator, kind: str, width: int) -> dict[str, Any]:
    error = float(0.1 + 0.1 * rng.random() + 0.2 / width)
    interval = [error - 0.02, error + 0.02]
    return {
        "labels": kind,
        "width": width,
        "step_size": 10.0,
        "seeds": 5,
        "diverged": 0,
        "validation_error": error,
        "validation_interval": interval,
        "test_error": error + 0.01,
        "test_sd": 0.004,
        "test_interval": interval,
        "log_loss": 0.5,
        "brier": 0.3,
        "ece": 0.05,
        "train_kl": 0.02,
        "train_error": 0.1,
    }
