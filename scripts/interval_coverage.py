"""How often the intervals of a plan cover the truth, and how often it sees a difference where none is.

Run: ``python scripts/interval_coverage.py [--repetitions 200] [--store coverage.sqlite] [--only NAME]``.
It goes on from where it was broken off. The result is in docs/LOG.md.

A family is a distribution with known p(x) and one set of training rows. Its truth is the mean loss of
a thousand students of every label kind and width on 100,000 rows, each row counted by its p(x) and not
by a drawn label, at the step size that other students' mean loss chooses: the least width is where
the monotone curve is within the tolerance of the least such curve. Repetitions are whole plans, as
`softwidth.plan` searches them, with validation rows, test rows and students of their own on the same
training rows: what other training rows would change is not what an interval of a plan speaks of.
Families without a difference count how often one is called.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from softwidth._types import Array, Labels
from softwidth.advice import recommend
from softwidth.bank import log_likelihoods
from softwidth.distributions import entropy
from softwidth.pace import Pace, default_batch
from softwidth.plan_spec import PlanSpec
from softwidth.plan_store import Keeper
from softwidth.planner import search_widths
from softwidth.resampling import monotone
from softwidth.specs import Student
from softwidth.store import Row, open_store
from softwidth.sweep import collect, sweep
from softwidth.training import train_bank
from softwidth.trials import KINDS, MOMENTUM, SCHEDULE, Rows, Setting, Task, Trial, train

TRUTH_WIDTHS = (2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 32)
STEP_SIZES = (3.0, 10.0, 30.0)
EPOCHS, SEEDS, ROUNDS = 30, 5, 2
VALIDATION, TEST = 1000, 50  # rows of a plan
CHOOSING, MEASURING = 24, 1000  # students that choose a step size, and others that tell the truth
POPULATION, PARTS = 100_000, 5  # rows of the truth; a fifth of the students answer for a fifth
CHUNK = 5_000  # rows at a time
APART = 10**6  # seeds from one repetition's students to the next one's
AGAIN = 500  # times that a truth is found again with the errors that it may have
FOREVER = 1e9  # seconds: what is trained must not depend on the machine


@dataclass(frozen=True)
class Family:
    """Rows of unit norm with known class probabilities.

    Attributes
    ----------
    features, rows, tolerance, metric
        Of the plans.
    narrowest : int
        Plans try this width and its double three times, or search from there.
    chances : callable
        Rows (N, D) to probabilities (N, K).
    same_as : str, optional
        A null family: rows and hard labels of another one, and these as soft labels too, learned by
        students of other seeds, so that only chance tells the kinds apart.
    redrawn : bool
        A null family beyond what intervals promise: every repetition has training rows of its own,
        and its soft labels are second labels, drawn like the hard ones. Neither kind is better, but
        on the rows given one of them has the luck.
    """

    features: int
    rows: int
    chances: Callable[[Array], Array]
    tolerance: float = 0.02
    metric: str = "error"
    narrowest: int = 2
    same_as: str = ""
    redrawn: bool = False

    @property
    def listed(self) -> tuple[int, ...]:
        """Widths of a plan that does not search for others."""
        return tuple(self.narrowest * 2**k for k in range(4))

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Array, Labels, Array]:
        """Rows, drawn labels, and probabilities."""
        X = rng.standard_normal((n, self.features))
        X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
        P = self.chances(X)
        return X, self.label(rng, P), P

    def label(self, rng: np.random.Generator, P: Array) -> Labels:
        """Labels drawn from probabilities."""
        below = P.cumsum(axis=1)[:, :-1] < rng.random((len(P), 1))
        return below.sum(axis=1).astype(np.int64)

    def task(self, name: str, repetition: int) -> Task:
        """The family's training rows, and a repetition's own others."""
        own = [3, repetition] if self.redrawn else [0]
        train = np.random.default_rng([*(self.same_as or name).encode(), *own])
        X, y, P = self.draw(train, self.rows)
        rng = np.random.default_rng([*name.encode(), 1, repetition])
        Xv, yv, Pv = self.draw(rng, VALIDATION)
        Xt, yt, Pt = self.draw(rng, TEST)
        soft = np.eye(P.shape[1])[self.label(train, P) if self.redrawn else y]
        soft = soft if self.same_as or self.redrawn else P
        return Task(X, y, soft, Rows(Xv, yv, Pv), Rows(Xt, yt, Pt))


def _waves(X: Array, sharp: float = 1.0) -> Array:
    """Two waves along two features."""
    f = sharp * (2.5 * np.sin(3 * X[:, 0]) + 2 * np.cos(4 * X[:, 1]) - 0.5)
    return _softmax(np.stack([0 * f, f], axis=1))


def _network(X: Array, K: int = 3, H: int = 24, scale: float = 2.0) -> Array:
    """A ReLU network of random weights."""
    rng = np.random.default_rng(7)
    W, A = rng.standard_normal((X.shape[1], H)), rng.standard_normal((H, K)) / np.sqrt(H)
    return _softmax(scale * np.maximum(X @ W, 0) @ A)


def _softmax(logits: Array) -> Array:
    return np.exp(log_likelihoods(np.asarray(logits, float)))


FAMILIES = {
    "waves": Family(3, 150, _waves, tolerance=0.025),
    "network": Family(3, 100, _network, tolerance=0.03, narrowest=4),
    "divergence": Family(3, 150, _waves, tolerance=0.05, metric="kl"),
    "clean": Family(3, 150, lambda X: _waves(X, 40.0)),
    "relabelled": Family(3, 150, _waves, tolerance=0.025, same_as="waves"),
    "redrawn": Family(3, 150, _waves, tolerance=0.025, redrawn=True),
}


@dataclass(frozen=True)
class Truth:
    """Mean losses of many students: a spec is a family, a width, step sizes and seeds."""

    name: str = "coverage-truth"

    def cost(self, spec: Any) -> float:
        """In units of `Experiment.cost`."""
        family, students = FAMILIES[spec["family"]], len(spec["kinds"]) * spec["seeds"]
        return float(
            200 * spec["width"] * students * (family.rows * EPOCHS + POPULATION / PARTS / 10)
        )

    def together(self, spec: Any) -> str:
        """The family."""
        return str(spec["family"])

    def prepare(self, spec: Any) -> Any:
        """Training rows, and the population."""
        family = FAMILIES[spec["family"]]
        rng = np.random.default_rng([*spec["family"].encode(), 2])
        return family.task(spec["family"], 0), family.draw(rng, POPULATION)

    def run(self, prepared: Any, specs: Sequence[Any]) -> list[Row]:
        """One bank for each spec."""
        return [self._row(*prepared, spec) for spec in specs]

    def _row(self, task: Task, population: Any, spec: Any) -> Row:
        rows = POPULATION // PARTS
        X, _, P = (of[spec["part"] * rows :][:rows] for of in population)
        began, metric = time.perf_counter(), FAMILIES[spec["family"]].metric
        seeds = range(spec["first"], spec["first"] + spec["seeds"])
        students = [
            Student(spec["width"], s, kind, step) for kind, step in spec["kinds"] for s in seeds
        ]
        bank = train_bank(
            task.X,
            task.y,
            task.targets,
            students,
            epochs=EPOCHS,
            batch_size=default_batch(len(task.y)),
            momentum=MOMENTUM,
            schedule=SCHEDULE,
            threads=1,
        )
        losses = np.zeros(len(students))
        for start in range(0, rows, CHUNK):
            part = slice(start, start + CHUNK)
            losses += _expected_loss(metric, bank.logits(X[part]), P[part]).sum(axis=1) / rows
        by_kind = losses.reshape(len(spec["kinds"]), spec["seeds"])
        return Row.of(
            spec,
            self.name,
            {"mean": by_kind.mean(axis=1).tolist(), "sd": by_kind.std(axis=1, ddof=1).tolist()},
            seconds=time.perf_counter() - began,
        )


def _expected_loss(metric: str, logits: Array, P: Array) -> Array:
    """Loss (S, N) of students' logits (S, N, C), in expectation over labels."""
    if metric == "kl":
        log_q = log_likelihoods(logits.astype(np.float64))
        return np.asarray(-np.einsum("nk,snk->sn", P, log_q) - entropy(P))
    said = logits[..., 0] > 0 if logits.shape[2] == 1 else logits.argmax(axis=2)
    return np.asarray((1 - P)[np.arange(len(P)), said.astype(np.intp)])


@dataclass(frozen=True)
class Plans:
    """Whole plans: a spec is a family, whether widths are searched for, and a repetition."""

    name: str = "coverage-plans"

    def cost(self, spec: Any) -> float:
        """In units of `Experiment.cost`: about a second."""
        return 1e10

    def together(self, spec: Any) -> str:
        """The family."""
        return str(spec["family"])

    def prepare(self, spec: Any) -> None:
        """Nothing is shared."""

    def run(self, prepared: None, specs: Sequence[Any]) -> list[Row]:
        """One plan for each spec."""
        return [self._row(spec) for spec in specs]

    def _row(self, spec: Any) -> Row:
        began, family = time.perf_counter(), FAMILIES[spec["family"]]
        task = family.task(spec["family"], 1 + spec["repetition"])
        widths = family.listed
        asked = PlanSpec.of(
            {
                "widths": f"{widths[0]}:{widths[-1]}" if spec["search"] else widths,
                "metric": family.metric,
                "tolerance": family.tolerance,
                "seeds": SEEDS,
                "rounds": ROUNDS,
                "step_sizes": STEP_SIZES,
                "epochs": EPOCHS,
                "seed": spec["repetition"],
                "budget": FOREVER,
            }
        )
        keeper = OwnSeeds(APART * (1 + spec["repetition"]), bool(family.same_as))
        found = search_widths(task, asked, Pace(FOREVER), keeper=keeper)
        decision, saving = found.decision, found.decision.saving("hard", "soft")
        least = {kind: _plain(decision.least[kind]) for kind in KINDS}
        seeds = [len(found.trainer.tuned.seeds(width)) for width in decision.widths]
        metrics = {
            "least": least,
            "saving": {"ratio": saving.ratio, "interval": list(saving.interval)},
            "gain": list(decision.gain("soft", "hard").interval),
            "called": recommend(decision, []).labels,
            "widths": list(decision.widths),
            "seeds": seeds,
            "ended": found.ended,
        }
        return Row.of(spec, self.name, metrics, seconds=time.perf_counter() - began)


def _plain(least: Any) -> dict[str, Any]:
    return {"width": least.width, "interval": list(least.interval)}


class OwnSeeds(Keeper):
    """Gives a plan, for its seeds 0, 1, ..., students of other seeds.

    Parameters
    ----------
    first : int
        The seed that stands for 0.
    apart : bool
        Students of soft labels have seeds of their own.
    """

    def __init__(self, first: int, apart: bool) -> None:
        super().__init__(None)
        self.first, self.apart = first, apart

    def ledger(self, task: Task, setting: Setting) -> Any:
        """A ledger that knows every student, since it trains them."""
        return _Moved(self, task, setting)


@dataclass(frozen=True, eq=False)
class _Moved:
    own: OwnSeeds
    task: Task
    setting: Setting

    def known(self, students: Sequence[Student]) -> dict[Student, Trial]:
        moved = {self._moved(student): student for student in students}
        trials = train(self.task, list(moved), self.setting, None)
        return {moved[t.student]: replace(t, student=moved[t.student]) for t in trials}

    def keep(self, trials: Sequence[Trial]) -> Sequence[Trial]:
        return trials

    def _moved(self, student: Student) -> Student:
        apart = APART // 2 if self.own.apart and student.labels == "soft" else 0
        return replace(student, seed=self.own.first + apart + student.seed)


def truth_curves(name: str, store: Any) -> tuple[dict[str, Array], dict[str, Array]]:
    """Mean loss by kind and width of `TRUTH_WIDTHS`, each at its best step size, and standard errors."""
    choosing = [
        _students(name, width, [[k, s] for k in KINDS for s in STEP_SIZES], 0, CHOOSING)
        for width in TRUTH_WIDTHS
    ]
    _run(Truth(), choosing, store, f"{name}: step sizes of the truth")
    best = [_best_steps(row) for row in collect(choosing, store)]
    share = MEASURING // PARTS
    measuring = [
        _students(name, width, steps, CHOOSING + part * share, share, part)
        for width, steps in zip(TRUTH_WIDTHS, best, strict=True)
        for part in range(PARTS)
    ]
    _run(Truth(), measuring, store, f"{name}: truth")
    rows = collect(measuring, store)
    means, sds = (
        np.array([row.metrics[key] for row in rows]).reshape(-1, PARTS, len(KINDS))
        for key in ("mean", "sd")
    )
    errors = np.sqrt((sds**2).mean(axis=1) / MEASURING)
    return (
        dict(zip(KINDS, means.mean(axis=1).T, strict=True)),
        dict(zip(KINDS, errors.T, strict=True)),
    )


def _students(
    name: str, width: int, kinds: list[list[Any]], first: int, seeds: int, part: int = 0
) -> dict[str, Any]:
    """A spec of `Truth`."""
    spec = {"family": name, "width": width, "kinds": kinds, "first": first, "seeds": seeds}
    return spec | {"part": part}


def _best_steps(row: Row) -> list[list[Any]]:
    kinds, means = row.spec["kinds"], row.metrics["mean"]
    tried = [(kind, mean, step) for (kind, step), mean in zip(kinds, means, strict=True)]
    return [[kind, min((m, s) for k, m, s in tried if k == kind)[1]] for kind in KINDS]


def true_widths(
    curves: dict[str, Array], family: Family, *, search: bool, widest: int
) -> dict[str, float]:
    """Least width by kind, infinite beyond the widest, whose best sets the target."""
    kept = [w for w, width in enumerate(TRUTH_WIDTHS) if search or width in family.listed]
    kept = [w for w in kept if TRUTH_WIDTHS[w] <= widest]
    smooth = {kind: monotone(curve[kept]) for kind, curve in curves.items()}
    target = min(curve[-1] for curve in smooth.values()) + family.tolerance
    widths = np.array([*(TRUTH_WIDTHS[w] for w in kept), np.inf])
    return {
        kind: _crossing(widths, curve, target) if search else float(widths[_first(curve, target)])
        for kind, curve in smooth.items()
    }


def _first(curve: Array, target: float) -> int:
    meets = np.append(curve <= target + 1e-12, True)
    return int(meets.argmax())


def _crossing(widths: Array, curve: Array, target: float) -> float:
    """The least even width that meets the target, between two known ones by the line in log width."""
    place = _first(curve, target)
    if place in (0, len(curve)):
        return float(widths[place])
    between = np.interp(
        -target, -curve[place - 1 : place + 1], np.log(widths[place - 1 : place + 1])
    )
    return float(2 * np.ceil(np.exp(between) / 2 - 1e-9))


def _covers(interval: Sequence[float | None], value: float) -> bool:
    low, high = (np.inf if end is None else end for end in interval)
    return bool(low <= value <= high)


def _true_gain(curves: dict[str, Array], widths: Sequence[int]) -> float:
    """What soft labels win on average over these widths; between known ones by the line in log width."""
    curve = curves["hard"] - curves["soft"]
    return float(np.interp(np.log(widths), np.log(TRUTH_WIDTHS), curve).mean())


def _saving_covered(row: Row, true: dict[str, float]) -> bool:
    """A width beyond the widest leaves the ratio open on its side."""
    low, high = row.metrics["saving"]["interval"]
    least = row.metrics["least"]
    if least["hard"]["interval"][1] is None:
        high = np.inf
    if least["soft"]["interval"][1] is None:
        low = 0.0
    if np.isinf(true["hard"]) and np.isinf(true["soft"]):
        return bool(low <= 1 <= high)
    return bool(low - 1e-9 <= true["hard"] / true["soft"] <= high + 1e-9)


def judged(name: str, search: bool, repetitions: int, store: Any) -> dict[str, Any]:
    """One line of the table."""
    specs = [{"family": name, "search": search, "repetition": r} for r in range(repetitions)]
    _run(Plans(), specs, store, f"{name}: {'searching' if search else 'listed'} plans")
    rows = collect(specs, store)
    line = {"family": name, "widths": "searched" if search else "listed"}
    if not FAMILIES[name].redrawn:
        line |= _covered(name, search, rows, store)
    line["gains"] = _share(not low <= 0 <= high for low, high in (r.metrics["gain"] for r in rows))
    line["called"] = _share(row.metrics["called"] != "either" for row in rows)
    octaves = [np.log2(np.divide(*row.metrics["saving"]["interval"][::-1])) for row in rows]
    line["octaves"] = f"{np.median(octaves):.1f}"
    line["students"] = f"{np.mean([np.mean(row.metrics['seeds']) for row in rows]):.1f}"
    return line


def _covered(name: str, search: bool, rows: Sequence[Row], store: Any) -> dict[str, str]:
    """The true least widths, and how often they and their ratio are covered.

    A plan speaks of the best that is reached at the widths that it has tried, so its target is the
    true best up to its widest; the last column counts by the best of all widths instead.
    """
    family = FAMILIES[name]
    curves, errors = truth_curves(family.same_as or name, store)
    if family.same_as:  # exactly one curve
        curves = dict.fromkeys(KINDS, curves["hard"])
    tried = [max(row.metrics["widths"]) for row in rows]
    true = {
        widest: true_widths(curves, family, search=search, widest=widest)
        for widest in {*tried, TRUTH_WIDTHS[-1]}
    }
    usual, least = true[max(set(tried), key=tried.count)], [row.metrics["least"] for row in rows]
    found = {"hard": f"{usual['hard']:g}", "soft": f"{usual['soft']:g}"}
    for kind in ("hard", "soft"):
        found[f"covered {kind}"] = _share(
            _covers(of[kind]["interval"], true[widest][kind])
            for of, widest in zip(least, tried, strict=True)
        )
    found["covered saving"] = _share(
        _saving_covered(row, true[widest]) for row, widest in zip(rows, tried, strict=True)
    )
    of_gain = [(row.metrics["gain"], _true_gain(curves, row.metrics["widths"])) for row in rows]
    found["covered gain"] = _share(low <= gain <= high for (low, high), gain in of_gain)
    found["truth"] = _sure(curves, errors, family, search=search, widest=max(tried))
    found["by the best of all"] = " ".join(
        _share(_covers(of[kind]["interval"], true[TRUTH_WIDTHS[-1]][kind]) for of in least)
        for kind in ("hard", "soft")
    )
    return found


def _sure(
    curves: dict[str, Array],
    errors: dict[str, Array],
    family: Family,
    *,
    search: bool,
    widest: int,
) -> str:
    """How often the true widths would be found so, were the truth measured again."""
    rng = np.random.default_rng(0)
    true = true_widths(curves, family, search=search, widest=widest)
    same = 0
    for _ in range(AGAIN):
        noise = {k: errors[k] * rng.standard_normal(len(TRUTH_WIDTHS)) for k in KINDS}
        moved = {k: curves[k] + noise["hard" if family.same_as else k] for k in KINDS}
        found = true_widths(moved, family, search=search, widest=widest)
        same += all(found[kind] == true[kind] for kind in ("hard", "soft"))
    return f"{100 * same / AGAIN:.0f} % sure"


def _share(hits: Iterable[bool]) -> str:
    """A share in percent with its Clopper-Pearson interval."""
    counted = list(hits)
    found = binomtest(sum(counted), len(counted))
    low, high = found.proportion_ci(0.95, method="exact")
    return f"{100 * found.statistic:.1f} ({100 * low:.0f} to {100 * high:.0f})"


def _run(experiment: Any, specs: Sequence[Any], store: Any, label: str) -> None:
    sweep(experiment, specs, store, study=experiment.name, bank_seconds=5.0, progress_label=label)


def main() -> int:
    """Everything that is not stored yet, then the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--store", type=Path, default=Path("coverage.sqlite"))
    parser.add_argument("--only", action="append", choices=sorted(FAMILIES))
    parser.add_argument("--truth", action="store_true", help="only show the true curves")
    options = parser.parse_args()
    names = options.only or list(FAMILIES)
    with open_store(options.store) as store:
        if options.truth:
            for name in names:
                curves, _ = truth_curves(name, store)
                print(
                    name, pd.DataFrame(curves, index=TRUTH_WIDTHS).T.round(4).to_string(), sep="\n"
                )
                for search in (False, True):
                    print(
                        true_widths(curves, FAMILIES[name], search=search, widest=TRUTH_WIDTHS[-1])
                    )
            return 0
        table = []
        for search in (True, False):
            for name in names:
                table.append(judged(name, search, options.repetitions, store))
                print(table[-1], file=sys.stderr)
    print(pd.DataFrame(table).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
