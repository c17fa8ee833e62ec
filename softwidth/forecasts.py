"""The least width at many rows, from plans at few: before anything is trained on all of them.

Plans on nested, stratified subsamples of the students' rows, judged on the same held-out rows, then
`power_law` from their bootstrap draws. A draw resamples the same held-out rows at every size, so what
the sizes have in common by sharing them is carried into the forecast.

The teacher's regime is the full plan's. A teacher that learns from the students' own rows
(cross-fitted, in-sample) gets a subsample's rows only, as it would get all of them in the full plan:
its labels get better with the rows, and the law holds that too. A teacher of rows that the
students never see, and labels from a file, are the same at every size.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError, check_flag, check_integer, check_number
from softwidth._types import Array, Dataset, Width
from softwidth.least_width import STEP, Decision
from softwidth.pace import Pace, default_epochs
from softwidth.plan_labels import SoftLabels
from softwidth.plan_spec import PlanSpec
from softwidth.plan_store import Keeper
from softwidth.planner import load_task, search_widths, task_of, timed
from softwidth.power_law import power_law
from softwidth.search import WIDEST
from softwidth.store import Store
from softwidth.tasks import split_rows, with_training_rows
from softwidth.trials import KINDS

Picked = np.ndarray[Any, np.dtype[np.intp]]
SHARES, SHARES_BEYOND = (1 / 8, 1 / 4, 1 / 2), (1 / 4, 1 / 2, 1.0)
BEYOND = 1.0
FAN = 25  # sizes at which the fan of the figure is drawn


@dataclass(frozen=True, eq=False)
class Point:
    """A plan on some of the rows.

    Attributes
    ----------
    rows : int
        Of the students.
    decision : Decision
    distance : float
        Mean ``|p - y|`` of the soft labels there.
    accuracy : float
        Share of rows whose label is the top class of the soft labels.
    warnings : list of str
    seconds : float
    """

    rows: int
    decision: Decision
    distance: float
    accuracy: float
    warnings: list[str]
    seconds: float

    @property
    def octaves(self) -> dict[str, Array]:
        """Draws of the least width of every kind and of the saving, in octaves, shape (2 draws,).

        A draw says that the least width lies above the wider tried width that fails and is at most
        the narrower one that meets the target: anywhere between, on a logarithmic scale. Beyond the
        widest tried it is `BEYOND` octaves wider on average: a search that sees a curve still fall
        doubles its widest width, so what it leaves beyond is near, or out of reach.
        """
        widths = self.decision.widths
        below = np.log2([STEP / 2, *widths]) if widths[0] == STEP else np.log2([STEP, *widths])
        above = np.log2([*widths, widths[-1]])
        rng = np.random.default_rng(self.rows)
        found = {}
        for kind in KINDS:
            places = self.decision.places[kind][:, 1:].ravel()  # by either target
            low, high = below[places], above[places]
            # The least that there is is no bracket: nothing is narrower.
            low = np.where(above[places] <= np.log2(STEP), high, low)
            found[kind] = low + (high - low) * rng.random(len(places))
            beyond = places == len(widths)
            found[kind][beyond] += rng.exponential(BEYOND, int(beyond.sum()))
        return found | {"saving": found["hard"] - found["soft"]}


@dataclass(frozen=True)
class Prediction:
    """A forecast value with its 95 % interval; `None` is wider than any search would try.

    Attributes
    ----------
    value : float or None
    interval : tuple of (float or None)
    slope : tuple of float
        Low, middle, high: the power of the rows.
    fan : list of tuple
        Rows, low, middle, high.
    """

    value: float | None
    interval: tuple[float | None, float | None]
    slope: tuple[float, float, float]
    fan: list[tuple[float, float, float, float]] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Forecast:
    """Least widths and saving to expect at some number of rows.

    Attributes
    ----------
    rows : int
        Of the students, for which it is made.
    points : list of Point
        By number of rows.
    widths : dict of str to Prediction
        Per label kind.
    saving : Prediction
        Least width with hard labels over that with soft ones.
    measured : Point or None
        The plan at `rows`, made after the forecast, if it was asked for.
    """

    dataset: Dataset
    spec: PlanSpec
    source: str
    regime: str
    rows: int
    points: list[Point]
    widths: dict[str, Prediction]
    saving: Prediction
    measured: Point | None
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The content of ``forecast.json``."""
        from softwidth.forecast_record import record

        return record(self)


def forecast(
    source: str | Any = "digits",
    *,
    rows: int | None = None,
    shares: Sequence[float] | None = None,
    check: bool = False,
    teacher: Any = None,
    store: Store | str | Path | None = None,
    **settings: Any,
) -> Forecast:
    """Predict the least widths at many rows from plans at few.

    Parameters
    ----------
    source : str, path, mapping of arrays, or Dataset
        As for `planner.plan`.
    rows : int, optional
        Rows of the students to predict for; all of them without it. More than there are is a
        forecast of what further rows would do.
    shares : sequence of float, optional
        Sizes of the nested subsamples as shares of the students' rows, rising: an eighth, a quarter
        and a half; a quarter, a half and all of them where `rows` are more than there are.
    check : bool
        Also plan on all rows afterwards, to compare; the budget is spent once more.
    teacher : {"wide", "kernel"} or classifier, optional
        As for `planner.plan`.
    store : Store, str, path, optional
        Keeps every student and every step, as of `planner.plan`: a forecast that was broken off goes
        on where it stopped, and one that is done is only read.
    **settings
        Fields of `plan_spec.PlanSpec`. The budget is for all subsamples together.

    Returns
    -------
    Forecast

    Raises
    ------
    ArgumentError, DataFileError, MissingDataError, MemoryLimitError
        Anything that cannot be used, named; subsamples of too few rows.
    StoreError
        The store cannot be reached or written; what it has got is whole.
    KeyboardInterrupt
        After Ctrl-C; with a store, it says what is kept.

    Examples
    --------
    >>> found = forecast("digits", pair=[3, 8], widths=[2, 4], seeds=2, rounds=0, epochs=5)
    >>> [point.rows for point in found.points], found.rows
    ([28, 57, 114], 229)
    """
    began = time.monotonic()
    if isinstance(teacher, str):
        settings, teacher = {**settings, "teacher": teacher}, None
    spec, check = PlanSpec.of(settings), check_flag("check", check)
    lessons = _Lessons(load_task(source, spec), spec, teacher, store)
    wanted = lessons.n if rows is None else check_integer("rows", rows, low=1)
    if check and wanted > lessons.n:
        raise ArgumentError("check", check, f"needs {wanted:,} rows, and there are {lessons.n:,}.")
    sizes = _sizes(shares, lessons.n, wanted)
    nested = _nested(lessons.students.y_train, sizes, spec.seed)
    points = _points(lessons, nested, spec, store)
    widths, saving = extrapolated(points, wanted, between=not spec.fixed, seed=spec.seed)
    measured = None
    if check:
        chosen = _nested(lessons.students.y_train, [wanted], spec.seed)[0]
        measured, _ = _point(lessons, chosen, spec, store)
    return Forecast(
        dataset=lessons.students,
        spec=spec,
        source=lessons.source,
        regime=lessons.regime,
        rows=wanted,
        points=points,
        widths=widths,
        saving=saving,
        measured=measured,
        seconds=time.monotonic() - began,
    )


def extrapolated(
    points: Sequence[Point], rows: int, *, between: bool = True, seed: int = 0
) -> tuple[dict[str, Prediction], Prediction]:
    """Predictions of the least widths and of the saving at so many rows, from plans at fewer."""
    x = np.log2([point.rows / rows for point in points])
    at = np.append(np.linspace(x[0], 0, FAN)[:-1], 0.0)
    drawn = [point.octaves for point in points]
    tried = None if between else points[-1].decision.widths
    found = {}
    for name in (*KINDS, "saving"):
        law = power_law(x, np.stack([of[name] for of in drawn], axis=1), at, seed=seed)
        fan = [
            (float(2**place * rows), float(2**low), float(2**middle), float(2**high))
            for place, (low, middle, high) in zip(at, law.values, strict=True)
        ]
        ends: Sequence[float | None] = fan[-1][1:]
        if name != "saving":
            ends = _as_widths(fan[-1][1:], tried)
        slope = (float(law.slope[0]), float(law.slope[1]), float(law.slope[2]))
        found[name] = Prediction(ends[1], (ends[0], ends[2]), slope, fan)
    return {kind: found[kind] for kind in KINDS}, found["saving"]


def _as_widths(
    octaves: Sequence[float], tried: Sequence[Width] | None
) -> tuple[int | None, int | None, int | None]:
    """Widths that exist, the next wider one; the lower end is the next narrower one.

    >>> _as_widths((0.9, 6.1, 5000), None), _as_widths((2.5, 5, 40), [2, 4, 8, 16])
    ((2, 8, None), (2, 8, None))
    """
    lattice = np.array(tried) if tried is not None else np.arange(STEP, WIDEST + 1, STEP)
    low, value, high = octaves
    lowest = lattice[max(0, int(np.searchsorted(lattice, low, side="right")) - 1)]
    above = [int(np.searchsorted(lattice, end)) for end in (value, high)]
    ends = [int(lattice[place]) if place < len(lattice) else None for place in above]
    return int(lowest), ends[0], ends[1]


class _Lessons:
    """The students' rows, and the soft labels that a plan on some of them would have."""

    def __init__(self, dataset: Dataset, spec: PlanSpec, teacher: Any, store: Any) -> None:
        self.spec, self.teacher = spec, teacher
        shrinks = spec.regime in ("in-sample", "cross-fitted") or spec.student_rows is None
        own = dataset.soft_train is not None and teacher is None and spec.teacher is None
        self.whole: SoftLabels | None = None  # where the labels are the same at every size
        if own or not shrinks:
            with closing(Keeper(store)) as keeper:
                self.whole = keeper.soft_labels(dataset, spec, teacher)
            self.students = self.whole.dataset
        elif spec.student_rows is None:
            self.students = dataset
        else:
            rows, _ = split_rows(
                dataset.y_train, spec.student_rows, seed=spec.seed, name="student_rows"
            )
            self.students = with_training_rows(dataset, rows)
        self.n = len(self.students.y_train)
        self.source, self.regime = "", ""

    def of(self, rows: Picked, budget: float, keeper: Keeper) -> SoftLabels:
        """Soft labels of some of the students' rows."""
        part = with_training_rows(self.students, rows)
        if self.whole is None:
            own = self.spec.model_copy(update={"student_rows": None, "budget": budget})
            found = keeper.soft_labels(part, own, self.teacher)
        else:
            keeper.name(part)
            lesson = replace(self.whole.lesson, soft=self.whole.lesson.soft[rows])
            found = replace(self.whole, dataset=part, lesson=lesson)
        self.source, self.regime = found.source, found.lesson.regime
        return found


def _sizes(shares: Sequence[float] | None, n: int, rows: int) -> list[int]:
    """Rows of the subsamples, rising and fewer than those predicted for."""
    if shares is None:
        shares, base = (SHARES, rows) if rows <= n else (SHARES_BEYOND, n)
    else:
        shares, base = list(shares), n
    for share in shares:
        check_number("shares", share, low=0, high=1, open_low=True)
    sizes = [int(share * base) for share in shares]
    if len(sizes) < 2 or sizes != sorted(set(sizes)) or sizes[-1] >= rows:
        wish = f"must be two or more rising shares of {n:,} rows, all below the {rows:,} to predict for."
        raise ArgumentError("shares", list(shares), wish)
    return sizes


def _nested(y: Any, sizes: Sequence[int], seed: int) -> list[Picked]:
    """Stratified row numbers of so many rows each, every one within the next larger one."""
    rows: Picked = np.arange(len(y))
    found = []
    for size in reversed(sizes):
        if size < len(rows):
            rows = rows[split_rows(y[rows], size, seed=seed, name="shares")[0]]
        found.append(rows)
    return found[::-1]


def _points(lessons: _Lessons, nested: Sequence[Picked], spec: PlanSpec, store: Any) -> list[Point]:
    """Plans on the subsamples; what a small one leaves of its share of the budget goes to others."""
    spent, points = 0.0, []
    work = np.array([len(rows) * (spec.epochs or default_epochs(len(rows))) for rows in nested])
    for place, rows in enumerate(nested):
        share = max(spec.budget - spent, 1e-3) * work[place] / work[place:].sum()
        own = spec.model_copy(update={"budget": float(share)})
        point, seconds = _point(lessons, rows, own, store)
        spent += seconds  # as kept, not as read: who goes on must share as who began
        points.append(point)
    return points


def _point(lessons: _Lessons, rows: Picked, spec: PlanSpec, store: Any) -> tuple[Point, float]:
    """A plan on some rows, without what only a page of its own would show, and its seconds."""
    with closing(Keeper(store)) as keeper:
        try:
            return _planned(lessons, rows, spec, keeper)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(keeper.told()) from None


def _planned(
    lessons: _Lessons, rows: Picked, spec: PlanSpec, keeper: Keeper
) -> tuple[Point, float]:
    began, pace = time.monotonic(), Pace(spec.budget)
    labels = timed(pace, "teacher", lambda: lessons.of(rows, spec.budget, keeper))
    task = task_of(labels, spec)
    pace.keep_in(keeper.journal(task, spec))
    search = search_widths(task, spec, pace, keeper=keeper)
    point = Point(
        len(rows),
        search.decision,
        labels.lesson.health.distance,
        labels.lesson.health.accuracy,
        [*labels.warnings, *search.trainer.tuned.warnings],
        time.monotonic() - began,
    )
    return point, pace.now
