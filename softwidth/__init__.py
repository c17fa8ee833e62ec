"""Soft labels or hard labels, and how many neurons: measured on your data.

The names below are loaded when first used, so that ``import softwidth`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softwidth import bounds as bounds
    from softwidth import kernels as kernels
    from softwidth import studies as studies
    from softwidth._types import Dataset as Dataset
    from softwidth.data import load as load
    from softwidth.estimators import SoftLabelClassifier as SoftLabelClassifier
    from softwidth.forecasts import forecast as forecast
    from softwidth.labels import make_targets as make_targets
    from softwidth.margins import margin as margin
    from softwidth.planner import plan as plan
    from softwidth.specs import Student as Student
    from softwidth.training import train_bank as train_bank

__version__ = "0.1.0"

_HOME = {
    "Dataset": "_types",
    "SoftLabelClassifier": "estimators",
    "Student": "specs",
    "forecast": "forecasts",
    "load": "data",
    "make_targets": "labels",
    "margin": "margins",
    "plan": "planner",
    "train_bank": "training",
}
_ROOMS = ("bounds", "kernels", "studies")  # modules that are public as such
__all__ = [
    "Dataset",
    "SoftLabelClassifier",
    "Student",
    "bounds",
    "forecast",
    "kernels",
    "load",
    "make_targets",
    "margin",
    "plan",
    "studies",
    "train_bank",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"softwidth.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'softwidth' has no attribute {name!r}")
    return getattr(importlib.import_module(f"softwidth.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
