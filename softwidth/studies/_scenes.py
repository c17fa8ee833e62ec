"""The data that several studies share: parity of digits whose inputs are noisy.

Rows are few and noisy, so that the labels of a teacher that has seen more of them differ from the
given ones: where they do not, soft labels have nothing to add (study `clean-limit`). Equal specs
are trained once, whichever study asks first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from softwidth.studies._study import Scale
from softwidth.trial_spec import TrialSpec

PARITY = (1, 3, 5, 7, 9)
SMOKE: dict[str, Any] = {"step_sizes": (1.0,), "tuning_seeds": 1}  # of `tuned` at toy size


@dataclass(frozen=True)
class Scene:
    """What the noisy task is on one data set.

    Attributes
    ----------
    noise : float
    rows : int
        Of the students; `larger-data` teachers have all others.
    draws : int
        Of the noise on every held-out row: the embedded digits have few of them.
    epochs, batch_size : int
    widths : tuple of int
    wide : mapping
        Settings of the wide teacher.
    """

    noise: float
    rows: int
    draws: int
    epochs: int
    batch_size: int
    widths: tuple[int, ...]
    wide: Mapping[str, Any] = field(default_factory=lambda: {"width": 512})


DIGITS = Scene(0.6, 200, 5, 60, 32, (2, 4, 8, 16, 32))
SCENES = {"digits": DIGITS, "mnist": Scene(0.4, 1000, 1, 30, 64, (2, 4, 8, 16))}
TOY = Scene(0.6, 60, 1, 3, 32, (2, 4), {"width": 32, "step_size": 3.0, "epochs": 3})


def scene(source: str, scale: Scale) -> Scene:
    """The noisy task of a data set."""
    return scale(SCENES.get(source, DIGITS), TOY)


def noisy_parity(source: str, scale: Scale, **settings: Any) -> TrialSpec:
    """The spec that a scene's students have in common; a wide teacher of other rows, unless told.

    Settings given replace the scene's; ``teacher=None`` leaves the teacher and all about it out.
    """
    here = scene(source, scale)
    teacher = {"teacher": "wide", "teacher_settings": dict(here.wide), "regime": "larger-data"}
    base: dict[str, Any] = {
        "source": source,
        "positive": PARITY,
        "noise": here.noise,
        "student_rows": here.rows,
        "draws": here.draws,
        "epochs": here.epochs,
        "batch_size": here.batch_size,
        "momentum": 0.9,
        "schedule": "cosine",
        "width": here.widths[0],
        **(teacher if settings.get("teacher", "wide") == "wide" else {}),
    }
    return TrialSpec.of(**{**base, **settings})
