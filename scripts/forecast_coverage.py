"""How often the 95 % interval of a forecast holds what a plan on all rows then measures.

Run: ``SOFTWIDTH_DATA=... python scripts/forecast_coverage.py [--out results/forecast.csv] [--only 3]``. It
goes on from where it was broken off. The result is in docs/LOG.md.

Every task is 2,000 rows of MNIST as means of 2 x 2 pixels (196 features), so that the full plan can
be afforded as well; 2,000 other rows judge. The noise is of the pixels: its mean over four of them
is half of it.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.kernel_ridge import KernelRidge

from softwidth.builtin import BUILT_IN
from softwidth.data import load
from softwidth.forecasts import Forecast, Prediction, forecast
from softwidth.tasks import split_rows

ROWS, TEACHER_ROWS, VALIDATION_ROWS, TEST_ROWS = 2000, 6000, 2000, 500
TASKS: dict[str, dict[str, Any]] = {
    "parity": {"positive": [1, 3, 5, 7, 9]},
    "above 4": {"positive": [5, 6, 7, 8, 9]},
    "4 or 9": {"pair": [4, 9]},
    "7 or 9": {"pair": [7, 9]},
    "3 or 5": {"pair": [3, 5]},
    "5 or 8": {"pair": [5, 8]},
}
# Rounds, not seconds, end the plans: a busy machine gives the same.
SETTINGS: dict[str, Any] = {
    "widths": "2:16", "seeds": 3, "rounds": 1, "budget": 7200.0, "step_sizes": [10.0, 31.6, 100.0],
}  # fmt: skip
FIELDS = (
    "task", "noise", "regime", "seed", "what", "forecast", "low", "high", "measured", "measured_low",
    "measured_high", "widest", "slope", "eighth", "quarter", "half", "seconds_forecast", "seconds_full",
)  # fmt: skip
WHAT = ("hard", "soft", "saving")


class Ridge:
    """Kernel ridge regression on two classes: as right as a support vector machine, in 0.2 s.

    How sure it is does not matter: the plan sets the temperature.
    """

    def fit(self, X: Any, y: Any) -> Ridge:
        """Regress -1 and 1."""
        self.machine = KernelRidge(kernel="rbf", gamma=2.0, alpha=0.1).fit(X, 2.0 * y - 1)
        return self

    def predict_proba(self, X: Any) -> Any:
        """Probabilities (N, 2)."""
        p = expit(3 * self.machine.predict(X))
        return np.stack([1 - p, p], axis=1)


def cases() -> list[tuple[str, float, str, int]]:
    """Task, noise of the pixels, regime of the teacher and seed of every case."""
    noises = (0.4, 0.8)
    two = [(task, noise) for noise in noises for task in ("parity", "above 4")]
    return [
        *((task, noise, "larger-data", 0) for noise in noises for task in TASKS),
        *((*case, "cross-fitted", 0) for case in [*two, ("4 or 9", 0.4), ("4 or 9", 0.8)]),
        *((task, 0.0, "larger-data", 0) for task in ("parity", "above 4", "4 or 9")),
        *((*case, "larger-data", 1) for case in two),
    ]


def run(case: tuple[str, float, str, int], arrays: dict[str, Any]) -> Forecast:
    """Forecast and full plan of one case."""
    task, noise, regime, seed = case
    limit = ROWS + (TEACHER_ROWS if regime == "larger-data" else 0)
    dataset = load(arrays, **TASKS[task], noise=noise / 2, limit=limit, seed=seed)
    student_rows = ROWS if limit > ROWS else None
    return forecast(
        dataset, teacher=Ridge(), regime=regime, student_rows=student_rows, seed=seed, check=True,
        **SETTINGS,
    )  # fmt: skip


def rows(case: tuple[str, float, str, int], found: Forecast) -> Iterator[dict[str, Any]]:
    """A row for each label kind and for the saving."""
    points = [*found.points, found.measured]
    seconds = sum(point.seconds for point in found.points)
    widest = found.measured.decision.widths[-1]
    for what in WHAT:
        said: Prediction = found.saving if what == "saving" else found.widths[what]
        values = [_measured(point.decision, what) for point in points if point is not None]
        yield dict(
            zip(
                FIELDS,
                (
                    *case, what, said.value, *said.interval, *values[-1], widest, said.slope[1],
                    *(value for value, _, _ in values[:-1]), seconds, found.measured.seconds,
                ),
                strict=True,
            )
        )  # fmt: skip


def _measured(decision: Any, what: str) -> tuple[Any, Any, Any]:
    if what == "saving":
        saving = decision.saving("hard", "soft")
        return saving.ratio, *saving.interval
    least = decision.least[what]
    return least.width, *least.interval


def half_size(seed: int = 0) -> dict[str, Any]:
    """MNIST as means of 2 x 2 pixels in 0..1, with few validation and test rows."""
    source = BUILT_IN["mnist"].load()
    train, test = source.train, source.test
    judge, learn = split_rows(train.y, VALIDATION_ROWS, seed=seed)
    few, _ = split_rows(test.y, TEST_ROWS, seed=seed)
    parts = {"": train.rows(learn), "_val": train.rows(judge), "_test": test.rows(few)}
    return {
        name: value
        for suffix, part in parts.items()
        for name, value in ((f"X{suffix}", _halved(part.X)), (f"y{suffix}", part.y))
    }


def _halved(X: Any) -> Any:
    return X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


def summary(path: Path) -> str:
    """Coverage of the point estimate and overlap with its interval, by what was forecast."""
    with open(path, newline="", encoding="utf-8") as file:
        stored = list(csv.DictReader(file))
    lines = []
    for what in WHAT:
        of = [row for row in stored if row["what"] == what]
        inside = [_holds(row) for row in of]
        meet = [
            _number(r["low"]) <= _number(r["measured_high"])
            and _number(r["measured_low"]) <= _number(r["high"])
            for r in of
        ]
        factors = [_number(r["high"]) / _number(r["low"]) for r in of]
        beyond = sum(not row["measured"] for row in of)
        lines.append(
            f"{what}: {sum(inside)} of {len(of)} intervals hold the measured one, {sum(meet)} meet its "
            f"interval, {beyond} were beyond all tried widths; high/low median {np.median(factors):.2g}"
        )
    return "\n".join(lines)


def _holds(row: dict[str, str]) -> bool:
    """Whether the forecast's interval holds what was measured.

    A least width beyond the widest tried is held by an interval that goes on beyond that width.
    """
    low, high = _number(row["low"]), _number(row["high"])
    if row["measured"]:
        return low <= float(row["measured"]) <= high
    return high > float(row["widest"])


def _number(text: str) -> float:
    """A width; none at all is beyond all."""
    return float(text) if text else np.inf


def main() -> None:
    """Run the cases that are not stored yet, then say how often the forecasts held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/forecast.csv"))
    parser.add_argument("--only", type=int, help="Cases to run now, at most.")
    options = parser.parse_args()
    done = set()
    if options.out.exists():
        with open(options.out, newline="", encoding="utf-8") as file:
            done = {tuple(row[name] for name in FIELDS[:4]) for row in csv.DictReader(file)}
    else:
        options.out.write_text(",".join(FIELDS) + "\n", encoding="utf-8")
    pending = [case for case in cases() if tuple(map(str, case)) not in done][: options.only]
    arrays = half_size() if pending else {}
    for case in pending:
        began = time.process_time()
        found = run(case, arrays)
        with open(options.out, "a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, FIELDS).writerows(rows(case, found))
        print(f"{case}: {time.process_time() - began:.0f} s of processor", flush=True)
    print(summary(options.out))


if __name__ == "__main__":
    main()
