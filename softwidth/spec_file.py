"""The spec of a plan as a small TOML or JSON file: what was asked, and the rounds that were run.

The rounds make a plan the same again on a machine of another speed: the search decides by
measured results what to look at, but by measured seconds how much of it fits into the budget.
Without them (delete ``[search]``) the file asks the same question anew.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from softwidth._checks import ArgumentError, DataFileError, MissingDataError, check_path
from softwidth.plan_spec import PlanSpec
from softwidth.trainer import Packed
from softwidth.trials import Setting

LARGEST = 2**22  # bytes; the spec of a plan of 30 rounds has 50 kB
FORM = 1
ENDS = ("decided", "rows", "budget", "rounds")


@dataclass(frozen=True)
class Script:
    """What an earlier plan did, as far as speed had a say in it.

    Attributes
    ----------
    setting : Setting
    rounds : list of dict
        ``why``, and ``banks``: lists of students as `trainer.pack` packs them.
    ended : str
    """

    setting: Setting
    rounds: list[dict[str, Any]]
    ended: str


@dataclass(frozen=True)
class SpecFile:
    """A source, the settings of its plan, and the rounds to run, if they are given."""

    source: str
    settings: dict[str, Any]
    script: Script | None


class _Round(BaseModel):
    model_config = ConfigDict(extra="forbid")
    why: list[str] = []
    banks: list[list[Packed]]


class _Search(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rows: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    tuning_seeds: int = Field(ge=1)
    bias: bool = False
    ended: str
    rounds: list[_Round] = Field(min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    form: int = FORM
    source: str = "digits"
    plan: dict[str, Any] = {}
    search: _Search | None = None


def read_spec(path: str | Path) -> SpecFile:
    """The content of a spec file, by its ending ``.toml`` or ``.json``.

    Raises
    ------
    MissingDataError, DataFileError, ArgumentError
        No such file; not readable, or not a spec; a setting that cannot be used.
    """
    path = check_path("spec", path)
    if path.suffix not in (".toml", ".json"):
        raise ArgumentError("spec", path, "must end in .toml or .json.")
    if not os.path.isfile(path):  # of a name too long it says no
        raise MissingDataError(f"there is no file {str(path)!r}.")
    if path.stat().st_size > LARGEST:
        raise DataFileError(f"{path.name} is larger than any spec ({LARGEST / 2**20:.0f} MiB).")
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        json.dumps(found, ensure_ascii=False, default=str).encode()  # no half characters in JSON
        stored = _File.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise DataFileError(
            f"{path.name} is no spec: at {place}: {first['msg'].lower()}."
        ) from None
    except (ValueError, RecursionError, OSError) as error:
        raise DataFileError(f"{path.name} is not readable: {error}.") from None
    if stored.form > FORM:
        raise DataFileError(f"{path.name} was written by a newer softwidth (form {stored.form}).")
    PlanSpec.of(stored.plan)
    return SpecFile(stored.source, stored.plan, _script(stored.search))


def _script(search: _Search | None) -> Script | None:
    if search is None:
        return None
    if search.ended not in ENDS:
        raise ArgumentError("ended", search.ended, f"must be one of {', '.join(ENDS)}.")
    told = {field.name: getattr(search, field.name) for field in fields(Setting)}
    setting = Setting(**told)
    return Script(setting, [entry.model_dump() for entry in search.rounds], search.ended)


def spec_text(file: SpecFile, ending: str = ".toml") -> str:
    """A spec as text that `read_spec` reads back.

    >>> print(spec_text(SpecFile("digits", {"pair": ["3", "8"], "noise": 0.4}, None)))
    form = 1
    source = "digits"
    <BLANKLINE>
    [plan]
    pair = ["3", "8"]
    noise = 0.4
    <BLANKLINE>
    """
    told = {name: value for name, value in file.settings.items() if value is not None}
    content: dict[str, Any] = {"form": FORM, "source": file.source, "plan": told}
    if file.script is not None:
        script = file.script
        content["search"] = {
            **asdict(script.setting),
            "ended": script.ended,
            "rounds": script.rounds,
        }
    return json.dumps(content, indent=1) if ending == ".json" else _toml(content)


def _toml(content: Mapping[str, Any]) -> str:
    """Tables of plain values and, one level down, lists of tables: all that a spec has."""
    plain = [line for key, value in content.items() for line in _line(key, value)]
    parts = ["\n".join(plain)]
    for name, table in content.items():
        if isinstance(table, Mapping):
            lines = [line for key, value in table.items() for line in _line(key, value)]
            parts.append("\n".join([f"[{name}]", *lines]))
            for key, value in table.items():
                for entry in value if _is_tables(value) else ():
                    lines = [line for item in entry.items() for line in _line(*item)]
                    parts.append("\n".join([f"[[{name}.{key}]]", *lines]))
    return "\n\n".join(parts) + "\n"


def _line(key: str, value: Any) -> list[str]:
    if isinstance(value, Mapping) or _is_tables(value):
        return []
    if key == "banks":  # a bank a line
        return ["banks = [", *(f"  {_value(bank)}," for bank in value), "]"]
    return [f"{key} = {_value(value)}"]


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _value(value: Any) -> str:
    """JSON writes text, numbers and lists as TOML does, but for DEL and for floats like 1e+30."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
