"""Plans on real data, each held against a half of the rows that it never saw.

    python -m scripts.real_cases [--only CASE] [--out results] [--pages DIRECTORY]

Writes a row of ``real_cases.csv`` as soon as a case is done, the curves of ``real_cases_curves.csv`` and
the figure; cases that have a row are skipped, unless --again. ``python -m docs.make_cases`` then makes
docs/real-cases.md. CIFAR-10H and ChaosNLI need $SOFTWIDTH_DATA, the latter also ``pip install wordllama``.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import softwidth
from scripts import case_check as check
from scripts import case_data
from softwidth._cores import one_core
from softwidth._output import write_whole
from softwidth.distributions import as_probabilities
from softwidth.plan_record import LIBRARIES, Plan
from softwidth.planner import ENOUGH_ROWS, NOISE_DRAWS
from softwidth.tasks import add_noise, to_unit_rows
from softwidth.trials import KINDS, Rows

SEED, FRESH_SEEDS = 0, 10
# Rounds end a search: the budget is such that a busy machine ends it no earlier and cuts no epochs.
BUDGET, ROUNDS, WIDTHS = 3600.0, 2, "2:64"
DIGITS = 6


def _boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=SEED)


@dataclass(frozen=True)
class Case:
    """Data, and what is asked of a plan on them."""

    data: str
    features: str
    halves: Callable[..., case_data.Halves]
    settings: dict[str, Any] = field(default_factory=dict)
    teacher: Callable[[], Any] | None = None


PATCHES = "256 features of image patches"
SENTENCES = "sentence vectors u, v, |u - v|, u * v (WordLlama)"
# What fewer votes would have done is another question, and a fifth of the budget: up to 12 minutes.
VOTED = {"votes": False}
DIGITS_PARITY = Case("digits, odd against even", "64 pixels", partial(case_data.parity, "digits"))
MNIST_PARITY = Case(
    "MNIST, odd against even, 4,000 rows",
    "784 pixels",
    partial(case_data.parity, "mnist"),
    {"epochs": 20},
)
CIFAR10H = Case(
    "CIFAR-10H, 10 classes, 47 to 63 votes a row", PATCHES, case_data.cifar10h, {"epochs": 12, **VOTED}
)  # fmt: skip
CHAOSNLI = Case(
    "ChaosNLI, 3 classes, 100 votes a row", f"{SENTENCES} and a constant", case_data.chaosnli,
    {"epochs": 40, **VOTED},
)  # fmt: skip
CHAOSNLI_BIAS = Case(
    CHAOSNLI.data, SENTENCES, partial(case_data.chaosnli, constant=False), {**CHAOSNLI.settings, "bias": True}
)  # fmt: skip
CANCER = Case(
    "breast cancer, 2 classes", "30 columns, standardised", partial(case_data.table, "breast_cancer"), {}, _boosting
)  # fmt: skip


def _with(case: Case, **settings: Any) -> Case:
    return Case(case.data, case.features, case.halves, {**case.settings, **settings}, case.teacher)


CASES = {
    "digits": DIGITS_PARITY,
    "digits-noise": _with(DIGITS_PARITY, noise=0.4),
    "mnist": MNIST_PARITY,
    "mnist-noise": _with(MNIST_PARITY, noise=0.4),
    "cifar10h": CIFAR10H,
    "cifar10h-kl": _with(CIFAR10H, metric="kl"),
    "chaosnli": CHAOSNLI,
    "chaosnli-kl": _with(CHAOSNLI, metric="kl"),
    "chaosnli-kl-bias": _with(CHAOSNLI_BIAS, metric="kl"),
    "boosting-cancer": CANCER,
    "boosting-digits": Case(
        "digits, 10 classes", "64 pixels, standardised", partial(case_data.table, "digits"), {}, _boosting
    ),
}  # fmt: skip
TOY = {"widths": (2, 4), "seeds": 2, "rounds": 0, "epochs": 2}
TOYS = {
    "toy-votes": Case("two clouds, ten votes a row", "5 columns", case_data.blobs, TOY),
    "toy-teacher": Case(
        "breast cancer, 2 classes", "30 columns", partial(case_data.table, "breast_cancer"),
        {**TOY, "noise": 0.4, "teacher": "kernel"},
    ),
}  # fmt: skip


def run(
    case: Case, *, budget: float, seeds: int, pages: Path | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Plan on one half, look at the other: a row of the table, and points of the curves."""
    began, cpu = time.monotonic(), time.process_time()
    halves = case.halves(seed=SEED)
    teacher = {} if case.teacher is None else {"teacher": case.teacher()}
    arrays = halves.arrays()
    if teacher or "teacher" in case.settings:
        arrays = {name: array for name, array in arrays.items() if not name.startswith("soft")}
    settings = {"widths": WIDTHS, "rounds": ROUNDS, **case.settings, **teacher}
    found = softwidth.plan(arrays, budget=budget, seed=SEED, **settings)
    if pages is not None:
        _write_pages(found, pages)
    rows = _held_rows(found, halves)
    seen, trials = check.held_out(found, rows, seeds)
    said = check.planned(found)
    about = {
        "fresh_seeds": seeds,
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - cpu,
    }
    return {**_row(case, found, said, seen, trials, len(halves.held.y)), **about}, _points(
        said, seen
    )


def _held_rows(found: Plan, halves: case_data.Halves) -> Rows:
    """The other half, with the noise and the soft labels that the first half had."""
    part, sigma = halves.held, found.spec.noise
    draws = max(1, min(NOISE_DRAWS, ENOUGH_ROWS // len(part.y))) if sigma else 1
    several = part.rows(np.arange(len(part.y)).repeat(draws))
    rng = np.random.default_rng([SEED, 2])
    X = to_unit_rows(add_noise(several.X.copy(), sigma, rng))
    lesson = found.soft_labels.lesson
    if several.soft is not None and not lesson.teachers:
        return Rows(X, several.y, as_probabilities(several.soft), draws)
    return Rows(X, several.y, lesson.predict(X), draws)


def _row(
    case: Case, found: Plan, said: check.Side, seen: check.Side, trials: Any, held: int
) -> dict[str, Any]:
    labels, spec, advice = found.soft_labels, found.spec, found.recommendation
    data, health = labels.dataset, labels.lesson.health
    widths = said.decision.widths
    width = advice.width or widths[-1]
    row: dict[str, Any] = {
        "data": case.data,
        "features": case.features,
        "noise": spec.noise,
        "bias": spec.bias,
        "classes": data.n_classes,
        "students_rows": found.tuned.setting.rows,
        "epochs": found.tuned.setting.epochs,
        "validation_rows": len(data.y_val) // data.draws,
        "held_rows": held,
        "labels_from": labels.source,
        "regime": labels.lesson.regime,
        "softness": health.distance,
        "labels_accuracy": health.accuracy,
        "metric": spec.metric,
        "tolerance": spec.tolerance,
        "recommended": advice.labels,
        "width": advice.width,
        "compared_at": width,
        "widest": widths[-1],
    }
    savings = {
        "saving": ("hard", "soft"),
        "better_labels": ("hard", "argmax"),
        "softness_saving": ("argmax", "soft"),
    }
    for where, side in (("", said), ("held_", seen)):
        for kind in KINDS:
            row |= check.width_fields(f"{where}{kind}_width", side.decision.least[kind])
        for name, (of, over) in savings.items():
            row |= check.saving_fields(f"{where}{name}", side.decision.saving(of, over))
        row |= {f"{where}{name}": value for name, value in side.difference(width).items()}
        row |= check.gain_fields(f"{where}gain", side.decision.gain("soft", "hard"))
    for kind in ("soft", "hard"):
        own = said.decision.least[kind]
        at = own.width or widths[-1]
        row[f"{kind}_inside"] = check.inside(seen.decision.least[kind].width, own.interval)
        row |= {f"held_{kind}_{name}": value for name, value in seen.loss(kind, at).items()}
        row |= {f"held_{kind}_{name}": value for name, value in seen.excess(kind, at).items()}
        own_trials = [t for t in trials[kind] if t.student.width == at]
        for name in ("error", "log_loss", "ece"):
            row[f"held_{kind}_{name}"] = float(
                np.mean([t.validation.means[name] for t in own_trials])
            )
    saving = said.decision.saving("hard", "soft"), seen.decision.saving("hard", "soft")
    gain = said.decision.gain("soft", "hard"), seen.decision.gain("soft", "hard")
    return {
        **row,
        "saving_inside": check.inside(saving[1].ratio, saving[0].interval),
        "advice": check.verdict(*saving),
        "gain_inside": check.inside(gain[1].value, gain[0].interval),
        "gain_verdict": check.verdict(*gain),
        **check.prior_fields(found.prior, saving[0]),
        "ended": found.search.ended,
        "budget": spec.budget,
        "seed": spec.seed,
        "plan_seconds": found.seconds,
        "said": advice.reason,
        "warnings": " ".join(found.warnings),
    }


def _points(said: check.Side, seen: check.Side) -> list[dict[str, Any]]:
    """A point of the figure for every kind and width, on both halves."""
    return [
        {
            "half": half,
            "labels": kind,
            "width": width,
            "seeds": len(side.losses[kind][place]),
            **side.loss(kind, width),
        }
        for half, side in (("planned on", said), ("held out", seen))
        for kind in KINDS
        for place, width in enumerate(side.decision.widths)
    ]


def _write_pages(found: Plan, directory: Path) -> None:
    from softwidth.report import write_page

    result = found.as_dict()
    write_whole("pages", directory / "plan.json", json.dumps(result, indent=1, allow_nan=False))
    write_whole("pages", directory / "plan.toml", found.spec_text())
    write_page(result, directory / "report.html")


def main(arguments: list[str] | None = None) -> int:
    """Run what has no row yet, and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", choices=[*CASES, *TOYS], action="append", help="this case, may be repeated"
    )
    parser.add_argument(
        "--out", type=Path, help="directory of the tables and the figure (default: results)"
    )
    parser.add_argument(
        "--pages", type=Path, help="also write every plan's page below this directory"
    )
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds for every plan")
    parser.add_argument("--again", action="store_true", help="also cases that have a row")
    parser.add_argument(
        "--smoke", action="store_true", help="two toys, in a few seconds; needs --out"
    )
    given = parser.parse_args(arguments)
    if given.smoke and given.out is None:
        parser.error("--smoke needs --out: toys have no place in results/")
    cases = TOYS if given.smoke else CASES
    out, chosen = given.out or Path("results"), given.only or list(cases)
    table, curves = (_read(out / name) for name in ("real_cases.csv", "real_cases_curves.csv"))
    for number, name in enumerate(chosen, 1):
        if not given.again and len(table) and name in set(table["case"]):
            print(f"{name}: done before", file=sys.stderr)
            continue
        print(f"{name} ({number} of {len(chosen)}) ...", file=sys.stderr)
        with one_core():
            row, points = run(
                {**CASES, **TOYS}[name], budget=given.budget, seeds=2 if given.smoke else FRESH_SEEDS,
                pages=given.pages and given.pages / name,
            )  # fmt: skip
        row = {
            "case": name,
            **row,
            "versions": _versions(),
            "command": f"python -m scripts.real_cases --only {name}",
        }
        table, curves = _replaced(table, name, [row], cases), _replaced(curves, name, points, cases)
        _write(out / "real_cases_curves.csv", curves)
        _write(out / "real_cases.csv", table)
        print(
            f"{name}: {row['said']} The other half: {row['advice']}, the gain {row['gain_verdict']}; "
            f"{row['cpu_seconds']:.0f} s.",
            file=sys.stderr,
        )
    from scripts.case_figure import figure
    from softwidth.charts import save_figure

    save_figure(figure(table, curves), out / "real_cases.svg")
    return 0


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.exists() else pd.DataFrame({"case": []})


def _replaced(
    table: pd.DataFrame, name: str, rows: list[dict[str, Any]], cases: Any
) -> pd.DataFrame:
    """The table with these rows for a case, in the order of the cases."""
    fresh = pd.DataFrame([{"case": name, **row} for row in rows])
    both = pd.concat([fresh.astype(object), table[table["case"] != name].astype(object)])
    place = {case: k for k, case in enumerate(cases)}
    return both.sort_values("case", key=lambda column: column.map(place), kind="stable")


def _write(path: Path, table: pd.DataFrame) -> None:
    rounded = table.map(
        lambda value: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
    )
    write_whole("out", path, rounded.to_csv(index=False, lineterminator="\n"))


def _versions() -> str:
    found = {name: version(name) for name in LIBRARIES}
    return " ".join(f"{k} {v}" for k, v in {"python": platform.python_version(), **found}.items())


if __name__ == "__main__":
    sys.exit(main())
