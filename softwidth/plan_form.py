"""The form of a stored plan, as page and figures read it; what may be missing becomes None."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from softwidth._checks import DataFileError

Interval = tuple[float | None, float | None]  # of widths, None is "wider than all that were tried"
Kind = Literal["soft", "hard", "argmax"]
Width = int | float  # neurons, or the multiplier of a family
Above0 = Field(gt=0, le=2**31)  # on a logarithmic axis


class Part(BaseModel):
    """A part of something stored: what it does not know is kept, a null is as good as missing."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, stored: Any) -> Any:
        """A null and a missing key are the same to a page."""
        if isinstance(stored, Mapping):
            return {key: value for key, value in stored.items() if value is not None}
        return stored


class _Data(Part):
    name: str = "unnamed data"
    classes: list[str | int | float | bool] = []
    students_rows: int | None = None
    teacher_rows: int | None = None
    validation_rows: int | None = None
    test_rows: int | None = None
    draws: int = 1
    n_features: int | None = None
    noise: float | None = None
    notes: list[str] = []


class _Health(Part):
    train_accuracy: float | None = None
    held_out_accuracy: float | None = None
    accuracy: float | None = None
    distance: float | None = None
    held_out_distance: float | None = None
    calibration_error: float | None = None
    temperature: float | None = None


class _Finding(Part):
    level: str = "warning"
    message: str
    cure: str = ""


class _Labels(Part):
    source: str | None = None
    regime: str | None = None
    health: _Health = _Health()
    findings: list[_Finding] = []


class _Recommendation(Part):
    labels: Literal["soft", "hard", "either"]
    width: Width | None = None
    reason: str = ""


class _Least(Part):
    width: Width | None = None
    interval: Interval | None = None


class _Ratio(Part):
    ratio: float | None = None
    interval: Interval | None = None
    at_least: bool = False


class _Saved(Part):
    parameters: int | None = None
    operations: int | None = None


class _Saving(_Ratio):
    better_labels: _Ratio | None = None
    softness: _Ratio | None = None
    saved: _Saved | None = None


class _Gain(Part):
    value: float | None = None
    interval: Interval | None = None
    matters: bool = False


class _Gains(_Gain):
    better_labels: _Gain | None = None
    softness: _Gain | None = None


class _Round(Part):
    why: list[str] = []
    new_widths: list[Width] = []
    seeds: dict[str, int | None] = {}
    students: int | None = None
    seconds: float | None = None
    intervals: dict[str, Interval | None] = {}
    saving: _Ratio = _Ratio()


class _Search(Part):
    said: str | None = None
    rounds: list[_Round] = []


class _CurveRow(Part):
    labels: Kind
    width: Width = Above0
    parameters: int | None = None
    operations: int | None = None
    step_size: float | None = None
    seeds: int | None = None
    diverged: int | None = None
    validation_error: float | None = None
    validation_interval: Interval | None = None
    test_error: float | None = None
    test_sd: float | None = None
    test_interval: Interval | None = None
    validation_balanced: float | None = None
    validation_balanced_interval: Interval | None = None
    test_balanced: float | None = None
    test_balanced_interval: Interval | None = None
    validation_kl: float | None = None
    validation_kl_interval: Interval | None = None
    test_kl: float | None = None
    test_kl_interval: Interval | None = None
    manhattan: float | None = None
    entropy_correlation: float | None = None
    log_loss: float | None = None
    brier: float | None = None
    ece: float | None = None
    train_kl: float | None = None


class _Tried(Part):
    labels: Kind
    width: Width = Above0
    step_size: float
    validation_error: float | None = None
    validation_balanced: float | None = None
    validation_kl: float | None = None
    validation_log_loss: float | None = None


class _Epoch(Part):
    labels: Kind
    width: Width = Above0
    epoch: int
    cross_entropy: float | None = None
    kl: float | None = None
    error: float | None = None


class _Bin(Part):
    who: Literal["teacher", "soft", "hard", "argmax"]
    confidence: float
    accuracy: float
    share: float | None = None


class _Prior(Part):
    said: str = ""
    saving: float | None = None
    interval: Interval | None = None
    factors: dict[str, float | None] = {}


class _Margin(Part):
    kind: str = "kernel"
    lower: float | None = None
    upper: float | None = None


class _Class(Part):
    name: str | int | float | bool
    train: int | None = None
    val: int | None = None
    test: int | None = None
    share: float | None = None
    test_error: dict[str, float | None] = {}


class _BaseRate(Part):
    name: str | int | float | bool | None = Field(None, alias="class")
    test_error: float | None = None
    balanced: float | None = None


class _Looked(Part):
    validation: float | None = None
    interval: Interval | None = None
    test: float | None = None
    step_size: float | None = None
    diverged: int | None = None


class _More(Part):
    difference: float | None = None
    interval: Interval | None = None


class _VoteStep(Part):
    votes: int = Above0
    all: bool = False
    soft: _Looked = _Looked()
    hard: _Looked = _Looked()
    more: _More = _More()
    least: dict[str, _Least] = {}
    saving: _Ratio | None = None
    labels: Literal["soft", "hard", "either"] | None = None


class _Votes(Part):
    width: int | None = None
    widths: list[int] = []
    seeds: int | None = None
    steps: list[_VoteStep] = []
    said: str = ""


class _Training(Part):
    rows: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    tuning_seeds: int | None = None


class _Plan(Part):
    softwidth: str | None = None
    command: str | None = None
    family: str | None = None
    spec: dict[str, Any] = {}
    seconds: float | None = None
    spent: dict[str, float | None] = {}
    versions: dict[str, Any] = {}
    data: _Data = _Data()
    labels: _Labels = _Labels()
    training: _Training = _Training()
    recommendation: _Recommendation
    soft: _Least | None = None
    hard: _Least | None = None
    argmax: _Least | None = None
    saving: _Saving = _Saving()
    gain: _Gains = _Gains()
    votes: _Votes | None = None
    metric: Literal["error", "balanced", "kl"] = "error"
    classes: list[_Class] = []
    base_rate: _BaseRate | None = None
    target: float | None = None
    target_error: float | None = None
    search: _Search = _Search()
    tolerance: float | None = None
    level: float = 0.95
    prior: _Prior | None = None
    margin: _Margin | None = None
    theory: dict[str, Any] | None = None
    curve: list[_CurveRow] = Field(min_length=1)
    step_sizes: list[_Tried] = []
    training_curves: list[_Epoch] = []
    calibration: list[_Bin] = []
    warnings: list[str] = []


def complete(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A stored plan with every key: those missing, or null where a default is better, filled in.

    Raises
    ------
    DataFileError
        Without a curve or a recommendation, or with a value that a plan cannot have; the message
        names the first such place.

    Examples
    --------
    >>> row = {"labels": "soft", "width": 4, "test_error": 0.2}
    >>> whole = complete({"recommendation": {"labels": "soft"}, "curve": [row], "warnings": None})
    >>> whole["curve"][0]["test_sd"], whole["warnings"], whole["data"]["name"]
    (None, [], 'unnamed data')
    """
    try:
        json.dumps(plan, allow_nan=False)
        return _with_target(_Plan.model_validate(plan).model_dump())
    except ValidationError as error:
        raise DataFileError(f"this is not a stored plan: {first_fault(error)}.") from None
    except (
        TypeError,
        ValueError,
        RecursionError,
    ) as error:  # json's words for what JSON cannot hold
        raise DataFileError(f"this is not a stored plan: {error}.") from None


def _with_target(plan: dict[str, Any]) -> dict[str, Any]:
    """The target under one name, whatever the metric and the age of the plan."""
    target = plan["target_error"] if plan["target"] is None else plan["target"]
    return {**plan, "target": target}


def first_fault(error: ValidationError) -> str:
    """Where and what the first fault is."""
    found = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, found["loc"])) or "it"
    return f"at {place}: {found['msg'].lower()}"
