"""The form of a stored forecast, as its page reads it; what may be missing becomes None."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from softwidth._checks import DataFileError
from softwidth.plan_form import Interval, Part, first_fault

Rows = Field(gt=0, le=2**40)  # on a logarithmic axis
Positive = Field(gt=0)


class _Least(Part):
    width: int | None = None
    interval: Interval = (None, None)
    slope: tuple[float, float, float] | None = None


class _Saving(Part):
    ratio: float | None = None
    interval: Interval = (None, None)
    slope: tuple[float, float, float] | None = None
    at_least: bool = False


class _Point(Part):
    rows: int = Rows
    soft: _Least = _Least()
    hard: _Least = _Least()
    argmax: _Least = _Least()
    saving: _Saving = _Saving()
    widths: list[int] = Field(min_length=1)
    target: float | None = None
    distance: float | None = None
    accuracy: float | None = None
    seconds: float | None = None


class _Fan(Part):
    what: Literal["soft", "hard", "argmax", "saving"]
    rows: float = Rows
    low: float = Positive
    middle: float = Positive
    high: float = Positive


class _Recommendation(Part):
    labels: Literal["soft", "hard", "either"]
    width: int | None = None
    reason: str = ""


class _Data(Part):
    name: str = "unnamed data"
    classes: list[str | int | float | bool] = Field(default_factory=list)
    validation_rows: int | None = None
    n_features: int | None = None
    noise: float | None = None
    notes: list[str] = Field(default_factory=list)


class _Labels(Part):
    source: str | None = None
    regime: str | None = None


class _Forecast(Part):
    softwidth: str | None = None
    command: str | None = None
    spec: dict[str, Any] = Field(default_factory=dict)
    data: _Data = _Data()
    labels: _Labels = _Labels()
    rows: int = Rows
    recommendation: _Recommendation
    soft: _Least = _Least()
    hard: _Least = _Least()
    argmax: _Least = _Least()
    saving: _Saving = _Saving()
    metric: Literal["error", "balanced", "kl"] = "error"
    tolerance: float | None = None
    level: float = 0.95
    points: list[_Point] = Field(min_length=1)
    measured: _Point | None = None
    fan: list[_Fan] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    seconds: float | None = None
    versions: dict[str, Any] = Field(default_factory=dict)


def is_forecast(stored: Mapping[str, Any]) -> bool:
    """Whether stored JSON is a forecast's, not a plan's."""
    return "points" in stored and "curve" not in stored


def complete(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored forecast with every key.

    Raises
    ------
    DataFileError
        With a value that a forecast cannot have; the message names the first such place.
    """
    try:
        json.dumps(stored, allow_nan=False)
        return _Forecast.model_validate(stored).model_dump()
    except ValidationError as error:
        raise DataFileError(f"this is not a stored forecast: {first_fault(error)}.") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise DataFileError(f"this is not a stored forecast: {error}.") from None
