"""What soft labels saved on other data sets, as a guess about new ones before any student is trained.

A ridge regression of log2 of the saving on four factors that are known by then, fitted to the data
sets of the study ``robustness``. How wrong it is, is measured by leaving out one source of data after
the other. Where the factors guess no better than the mean of all others does, the mean is the guess.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError
from softwidth._types import Array
from softwidth.health import Health

ON_LOG_SCALE = {"margin", "rows_per_feature"}
LEAST_MARGIN = 1e-4  # of rows that nothing separates, for its logarithm
PENALTY = 3.0  # rows' worth of doubt about every slope; set before the first fit
NAMES = {
    "margin": "margin",
    "distance": "mean |p - y|",
    "quality": "teacher",
    "rows_per_feature": "rows per feature",
}
FACTORS = tuple(NAMES)
LEVEL = 0.95
FILE = "prior.json"

Case = Mapping[str, Any]


@dataclass(frozen=True)
class Prior:
    """A fitted guess.

    Attributes
    ----------
    mean, slopes, centre, scale : float, tuple of float
        ``log2 saving = mean + sum_k slopes_k (x_k - centre_k)/scale_k``; slopes are 0 where the
        factors do not help.
    low, high : tuple of float
        The range of every factor among the data sets, on its scale.
    error : float
        Root mean square error in octaves on sources left out.
    skill : float
        ``1 - mse/mse of the mean`` of the regression on sources left out.
    cases, sources : int
    """

    mean: float
    slopes: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    error: float
    skill: float
    cases: int
    sources: int

    def guess(self, factors: Case) -> dict[str, Any]:
        """The saving to expect, with an interval of 95 % (Student's t for the number of sources).

        Parameters
        ----------
        factors : mapping
            ``margin``; ``distance``, mean |p - y|; ``quality``, see `quality`; ``rows_per_feature``.

        Returns
        -------
        dict
            ``saving``, ``interval``; ``unlike``, factors outside what was measured; and what
            the guess stands on: ``cases``, ``sources``, ``error``, ``skill``, ``by_factors``.

        Raises
        ------
        ArgumentError
            A factor that is missing or no finite number.
        """
        from scipy.special import stdtrit  # `scipy.stats.t.ppf` is this and takes 0.4 s to import

        given = on_scale(factors)
        x = np.clip(given, self.low, self.high)  # a line says nothing beyond what it was fitted to
        log = self.mean + float(np.dot(self.slopes, (x - self.centre) / np.array(self.scale)))
        off = -float(stdtrit(self.sources - 1, (1 - LEVEL) / 2)) * self.error
        outside = given != x
        return {
            "saving": float(2**log),
            "interval": [float(2 ** (log - off)), float(2 ** (log + off))],
            "unlike": [name for name, out in zip(FACTORS, outside, strict=True) if out],
            "factors": {name: float(factors[name]) for name in FACTORS},
            "by_factors": any(self.slopes),
            **{name: getattr(self, name) for name in ("cases", "sources", "error", "skill")},
        }


def prior_of(
    health: Health, *, n_classes: int, rows: int, features: int, margin: float
) -> dict[str, Any] | None:
    """The guess about a plan, with the words for it in ``said``; None where the package has no prior.

    Parameters
    ----------
    health : Health
        Of the soft labels. A teacher counts by the rows that it has not seen, where there are such.
    n_classes, rows, features : int
        Of the students' rows.
    margin : float
        Upper end of their kernel margin.
    """
    prior = known_prior()
    if prior is None:
        return None
    known = health.held_out_accuracy
    right = health.accuracy if known is None else known
    found = prior.guess(
        {
            "margin": margin,
            "distance": health.distance,
            "quality": quality(right, n_classes),
            "rows_per_feature": rows / features,
        }
    )
    return {**found, "said": told(found)}


def told(guess: Case) -> str:
    """A guess in words.

    >>> told({"saving": 2.0, "interval": [0.5, 8.0], "unlike": ["margin"], "by_factors": False,
    ...       "cases": 29, "sources": 7})
    'Before any training, from 29 data sets of 7 sources: hard labels will need about 2 times as many neurons as soft ones (0.5 to 8, 95 %), as they did there on average; nothing that is known of these data before told more. They are unlike all of those in their margin.'
    """
    low, high = guess["interval"]
    why = (
        "by margin, mean |p - y|, teacher and rows per feature"
        if guess["by_factors"]
        else "as they did there on average; nothing that is known of these data before told more"
    )
    unlike = " and ".join(NAMES[name] for name in guess["unlike"])
    return (
        f"Before any training, from {guess['cases']} data sets of {guess['sources']} sources: hard labels will need about "
        f"{guess['saving']:.2g} times as many neurons as soft ones ({low:.2g} to {high:.2g}, 95 %), {why}."
        + (f" They are unlike all of those in their {unlike}." if unlike else "")
    )


def quality(accuracy: float, n_classes: int) -> float:
    """How far a teacher is from guessing: 0, to being always right: 1.

    >>> quality(0.75, 2)
    0.5
    """
    chance = 1 / n_classes
    return (accuracy - chance) / (1 - chance)


def on_scale(factors: Case) -> Array:
    """Factors as the regression has them, shape (4,)."""
    values = []
    for name in FACTORS:
        value = factors.get(name)
        if value is None or not np.isfinite(value):
            raise ArgumentError(name, value, "must be a finite number.")
        log = name in ON_LOG_SCALE
        values.append(np.log10(max(float(value), LEAST_MARGIN)) if log else float(value))
    return np.array(values)


def fit_prior(cases: Sequence[Case]) -> Prior:
    """Fit to data sets whose saving was measured.

    Parameters
    ----------
    cases : sequence of mapping
        Each the factors, ``saving``, and ``data``: whose cases are left out together.

    Raises
    ------
    ArgumentError
        Fewer than three sources of data.
    """
    sources = np.array([case["data"] for case in cases])
    names = np.unique(sources)
    if len(names) < 3:
        raise ArgumentError("cases", list(names), "must be of three sources of data at least.")
    X = np.stack([on_scale(case) for case in cases])
    y = np.log2([case["saving"] for case in cases])
    left = errors_left_out(X, y, sources)
    mse, constant = (left**2).mean(axis=0)
    helps = bool(mse < constant)
    centre, scale, slopes = _ridge(X, y)
    return Prior(
        mean=float(y.mean()),
        slopes=tuple(map(float, slopes if helps else np.zeros_like(slopes))),
        centre=tuple(map(float, centre)),
        scale=tuple(map(float, scale)),
        low=tuple(map(float, X.min(axis=0))),
        high=tuple(map(float, X.max(axis=0))),
        error=float(np.sqrt(min(mse, constant))),
        skill=skill_at(mse, constant),
        cases=len(cases),
        sources=len(names),
    )


def skill_at(mse: float, constant: float) -> float:
    """``1 - mse/constant``; 0 where even the mean is never wrong.

    >>> skill_at(1.0, 4.0), skill_at(0.0, 0.0)
    (0.75, 0.0)
    """
    return float(1 - mse / constant) if constant > 0 else 0.0


def errors_left_out(X: Array, y: Array, sources: np.ndarray[Any, Any]) -> Array:
    """Errors of the regression and of the mean on every source left out, shape (N, 2)."""
    errors = np.empty((len(y), 2))
    for name in np.unique(sources):
        out = sources == name
        centre, scale, slopes = _ridge(X[~out], y[~out])
        mean = y[~out].mean()
        guessed = mean + (X[out] - centre) / scale @ slopes
        errors[out] = np.stack([y[out] - guessed, y[out] - mean], axis=1)
    return errors


def _ridge(X: Array, y: Array) -> tuple[Array, Array, Array]:
    centre, scale = X.mean(axis=0), X.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    Z = (X - centre) / scale
    gram = Z.T @ Z + PENALTY * np.eye(X.shape[1])
    return centre, scale, np.linalg.solve(gram, Z.T @ (y - y.mean()))


def written(prior: Prior) -> str:
    """As the file of the package has it."""
    return json.dumps(asdict(prior), indent=1) + "\n"


@cache
def known_prior() -> Prior | None:
    """The prior that comes with the package; None where there is none."""
    path = files("softwidth") / FILE
    if not path.is_file():
        return None
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    return Prior(**fields)
