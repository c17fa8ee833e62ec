"""Run a study, resumably, and keep its table, figure and verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softwidth._checks import ArgumentError
from softwidth._output import check_directory, write_whole
from softwidth.engines import open_engine
from softwidth.experiments import Experiment, StudentTrials
from softwidth.store import Row, Store
from softwidth.studies._cells import cell_lines
from softwidth.studies._study import NAMES, Scale, Study, Verdict, find_study
from softwidth.sweep import collect, sweep
from softwidth.theorems import finite
from softwidth.trial_data import students_rows, whole_task
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import pandas

DIGITS, DECIMALS = "%.8g", 12  # of numbers in a table: what is smaller is rounding


@dataclass(frozen=True, eq=False)
class Finding:
    """What a run of a study has found.

    Attributes
    ----------
    name, claim : str
    verdict : Verdict
    table : DataFrame
    students, worker_seconds : int, float
        Trained for it, by this run or before.
    about : dict
        Versions, machines, commits and seeds of its rows, and its size.
    specs : str
        The specs behind the lines of the table, see `_cells`.
    """

    name: str
    claim: str
    verdict: Verdict
    table: pandas.DataFrame
    students: int
    worker_seconds: float
    about: dict[str, Any]
    specs: str

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and words, without the table; None for an end that is not known."""
        return {
            "name": self.name,
            "claim": self.claim,
            **asdict(self.verdict),
            "interval": [finite(end) for end in self.verdict.interval],
            "students": self.students,
            "worker_seconds": round(self.worker_seconds, 1),
            **self.about,
        }


class _Asking:
    """`_study.Ask` of one study: a sweep of what is not stored, then the rows of all.

    A new store is made when the first trials have been found to be possible: a study that is
    refused leaves none behind. One that is there may hold all rows, and then nothing else is needed.
    """

    def __init__(self, name: str, store: Store, engine: Any, label: str | None) -> None:
        self.name, self.store, self.engine, self.label = name, store, engine, label
        self.asked: dict[str, Row] = {}

    def __call__(self, specs: Sequence[Any], experiment: Experiment | None = None) -> list[Row]:
        experiment = experiment or StudentTrials()
        if not self.asked:
            if self.store.is_new:
                _check_data(experiment, specs)
                _check_engine(self.engine)
            self.store.check()
        sweep(
            experiment, specs, self.store,
            study=self.name, engine=self.engine, progress_label=self.label,
        )  # fmt: skip
        rows = collect(specs, self.store, curves=True)
        self.asked |= {row.id: row for row in rows}
        return rows


def _check_data(experiment: Experiment, specs: Sequence[Any]) -> None:
    """Refuse data that have not the task of these trials, or too few rows, before a worker does."""
    for spec in {experiment.together(spec): spec for spec in specs}.values():
        data = getattr(spec, "data", spec)
        if not isinstance(data, TrialSpec):
            experiment.cost(spec)  # looks at its images
        elif data.keep is None:
            students_rows(data)
        else:  # margins of all rows take long
            whole_task(data)


def _check_engine(engine: Any) -> None:
    """Refuse what is no engine, and a scheduler that cannot be reached."""
    found = open_engine(engine)
    if isinstance(engine, (int, str)):  # others are the caller's, to be left open
        found.close(now=True)


def run_study(
    name: str,
    *,
    store: str | Path = "softwidth.sqlite",
    scale: Scale | None = None,
    engine: Any = None,
    progress_label: str | None = None,
) -> Finding:
    """Train what is not stored, make the table, judge it.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    store : str or Path
        Where every student is kept: a run that was broken off goes on, another one only reads.
    scale : Scale, optional
        By default digits at full size.
    engine : optional
        See `sweep.sweep`.

    Raises
    ------
    ArgumentError, MissingDataError, StoreError, SweepError
    """
    study, scale = find_study(name), Scale() if scale is None else scale
    if not isinstance(scale, Scale):
        raise ArgumentError("scale", scale, "must be a Scale.")
    if (scale.settings or scale.device != "cpu") and not hasattr(study, "SIZES"):
        wish = "is for studies of deep students: those of this one run as they are."
        raise ArgumentError("settings", dict(scale.settings) or scale.device, wish)
    with Store(store) as opened:
        ask = _Asking(name, opened, engine, progress_label)
        table = study.measure(ask, scale)
    rows = list(ask.asked.values())
    return Finding(
        name,
        study.CLAIM,
        study.judge(table),
        table,
        len(rows),
        sum(row.seconds for row in rows),
        _about(rows, scale),
        cell_lines(rows, table["spec"]),
    )


def _about(rows: Sequence[Row], scale: Scale) -> dict[str, Any]:
    versions = {json.dumps(row.versions, sort_keys=True) for row in rows}
    return {
        "data": list(scale.data),
        "smoke": scale.smoke,
        **({"settings": dict(scale.settings)} if scale.settings else {}),
        "seeds": sorted({row.spec["seed"] for row in rows}),
        "versions": [json.loads(text) for text in sorted(versions)],
        "machines": sorted({row.machine for row in rows}),
        "commits": sorted({row.commit for row in rows if row.commit}),
        "written": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def write_finding(finding: Finding, out: str | Path, command: str) -> list[Path]:
    """``NAME.csv``, ``.svg``, ``.json`` and ``.specs.jsonl`` in a directory, each whole or not at all."""
    from softwidth.charts import save_figure

    directory, study = check_directory("out", out), find_study(finding.name)
    stem = directory / finding.name
    table = finding.table.round(DECIMALS).to_csv(
        index=False, lineterminator="\n", float_format=DIGITS
    )
    record = json.dumps({"command": command, **finding.as_dict()}, indent=1)
    return [
        write_whole("out", stem.with_suffix(".csv"), table),
        save_figure(study.draw(finding.table), stem.with_suffix(".svg")),
        write_whole("out", stem.with_suffix(".json"), record + "\n"),
        write_whole("out", stem.with_suffix(".specs.jsonl"), finding.specs),
    ]


def listing() -> list[dict[str, str]]:
    """Every study with its claim, cost and last verdict."""
    return [_listed(name, find_study(name)) for name in NAMES]


def _listed(name: str, study: Study) -> dict[str, str]:
    return {"name": name, "claim": study.CLAIM, "cost": study.COST, "verdict": study.LAST}
