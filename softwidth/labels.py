"""Label schemes: from class ids, probabilities or votes to what a student trains on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_class_ids,
    check_integer,
    check_memory,
    check_number,
    check_numeric,
    check_same_length,
)
from softwidth._types import Array, Labels
from softwidth.distributions import as_probabilities, entropy, is_votes, one_hot, temper

__all__ = [
    "SCHEMES",
    "Targets",
    "as_probabilities",
    "entropy",
    "flip",
    "is_votes",
    "make_targets",
    "one_hot",
    "parse_scheme",
    "repeat_votes",
    "temper",
]


BYTES_A_VOTE = 48  # while votes are spread out: row, class, draw and order of each


@dataclass(frozen=True, eq=False)
class Targets:
    """What a label kind trains on, epoch by epoch.

    Attributes
    ----------
    name : str
    P : ndarray, shape (N, K)
        The label distribution of every row.
    mode : {"fixed", "sampled", "multipass"}
        The same `P` in every epoch; one vote drawn from it per row and epoch; or every vote of a
        row once, one in each epoch, before any is used again.
    votes : ndarray, shape (N, V) of small ints, or None
        For ``multipass``: each row's votes in random order, then zeros up to the V columns.
        A row with more votes than another does not weigh more; `repeat_votes` is the form in which
        it does.
    n_votes : ndarray, shape (N,), or None
        How many of them are the row's own.
    seed : int
    """

    name: str
    P: Array
    mode: str = "fixed"
    votes: np.ndarray[Any, Any] | None = None
    n_votes: np.ndarray[Any, Any] | None = None
    seed: int = 0

    @property
    def fixed(self) -> bool:
        """Whether every epoch has the same targets."""
        return self.mode == "fixed"

    def at(self, epoch: int) -> Array:
        """The targets of one epoch, shape (N, K)."""
        if self.mode == "fixed":
            return self.P
        if self.mode == "sampled":
            drawn = _draw(self.P, np.random.default_rng([self.seed, epoch]))
        else:
            assert self.votes is not None  # noqa: S101 - `multipass` has both
            assert self.n_votes is not None  # noqa: S101
            drawn = self.votes[np.arange(len(self.P)), epoch % self.n_votes].astype(np.int64)
        return one_hot(drawn, self.P.shape[1])

    def rows(self, chosen: np.ndarray[Any, Any]) -> Targets:
        """The targets of the rows chosen by number or mask."""
        votes = None if self.votes is None else self.votes[chosen]
        n_votes = None if self.n_votes is None else self.n_votes[chosen]
        return replace(self, P=self.P[chosen], votes=votes, n_votes=n_votes)


def _draw(P: Array, rng: np.random.Generator) -> Labels:
    """One class per row, drawn from the row's distribution."""
    below = rng.random((len(P), 1)) >= np.cumsum(P, axis=1)[:, :-1]
    return below.sum(axis=1)


def repeat_votes(X: Array, votes: Any) -> tuple[Array, Labels, np.ndarray[Any, Any]]:
    """Every vote as a row of its own: ``X`` repeated, the class ids voted for, the rows' numbers.

    >>> X, y, rows = repeat_votes(np.array([[1.0], [2.0]]), [[2, 1], [0, 1]])
    >>> X.ravel().tolist(), y.tolist(), rows.tolist()
    ([1.0, 1.0, 1.0, 2.0], [0, 0, 1, 1], [0, 0, 0, 1])
    """
    counts = _check_votes("repeat_votes", votes)
    check_same_length("votes", counts, "X", len(X))
    rows, classes = np.nonzero(counts)
    repeats = counts[rows, classes]
    rows, classes = np.repeat(rows, repeats), np.repeat(classes, repeats)
    return X[rows], classes, rows


def _check_votes(scheme: str, votes: Any) -> Labels:
    as_probabilities(votes, name="P")
    counts = np.asarray(votes)
    if not is_votes(counts):
        wish = f"must hold vote counts, several a row: `{scheme}` goes through them one by one."
        raise ArgumentError("P", counts, wish)
    n_votes = counts.sum(axis=1, dtype=np.float64)
    check_memory(f"`{scheme}`", BYTES_A_VOTE * n_votes.sum() + len(counts) * n_votes.max())
    return counts.astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Given:
    """What a scheme may draw on; asking for what is absent is our error."""

    scheme: str
    labels: Labels | None
    soft: Any
    n_classes: int
    rng: np.random.Generator
    seed: int

    @property
    def hard(self) -> Array:
        if self.labels is None:
            raise ArgumentError("y", None, f"must be given for the scheme `{self.scheme}`.")
        return one_hot(self.labels, self.n_classes)

    @property
    def P(self) -> Array:
        if self.soft is None:
            raise ArgumentError("P", None, f"must be given for the scheme `{self.scheme}`.")
        return as_probabilities(self.soft, name="P", n_classes=self.n_classes)


def _hard(given: _Given) -> Targets:
    """Class ids as they are."""
    return Targets(given.scheme, given.hard)


def _soft(given: _Given) -> Targets:
    """The probabilities or vote shares as they are."""
    return Targets(given.scheme, given.P)


def _argmax(given: _Given) -> Targets:
    """The top class of the soft labels as a hard label: tells softness from better labels."""
    P = given.P
    ties = P.max(axis=1, keepdims=True) == P  # a tie is broken by chance, not by column order
    return Targets(
        given.scheme, one_hot((ties * given.rng.random(P.shape)).argmax(1), given.n_classes)
    )


def _smoothed(given: _Given, alpha: float) -> Targets:
    """(1 - alpha) hard + alpha / K (label smoothing, Szegedy et al. 2016)."""
    alpha = check_number("alpha", alpha, low=0, high=1)
    return Targets(given.scheme, (1 - alpha) * given.hard + alpha / given.n_classes)


def _mixed(given: _Given, weight: float, temperature: float) -> Targets:
    """``weight hard + (1 - weight) tempered soft`` (Hinton, Vinyals and Dean 2015)."""
    weight = check_number("weight", weight, low=0, high=1)
    return Targets(given.scheme, weight * given.hard + (1 - weight) * temper(given.P, temperature))


def _tempered(given: _Given, temperature: float) -> Targets:
    """Soft labels to the power 1 / temperature, made to sum to 1."""
    return Targets(given.scheme, temper(given.P, temperature))


def _flipped(given: _Given, rate: float) -> Targets:
    """Class ids, each exchanged for another class at the rate given."""
    rate = check_number("rate", rate, low=0, high=1)
    return Targets(given.scheme, one_hot(flip(given.hard.argmax(1), rate, given.n_classes, given.rng), given.n_classes))  # fmt: skip


def _drawn(given: _Given) -> Targets:
    """One vote drawn per row, the same in every epoch: what one annotator alone would have said."""
    return Targets(given.scheme, one_hot(_draw(given.P, given.rng), given.n_classes))


def _sampled(given: _Given) -> Targets:
    """One vote drawn per row and epoch."""
    return Targets(given.scheme, given.P, mode="sampled", seed=given.seed)


def _multipass(given: _Given) -> Targets:
    """Every vote of a row once, one an epoch, before any is used again."""
    P, counts = given.P, _check_votes("multipass", given.soft)
    n_votes = counts.sum(axis=1)
    rows = np.repeat(np.arange(len(counts)), n_votes)
    cast = np.repeat(np.tile(np.arange(counts.shape[1]), len(counts)), counts.ravel())
    in_random_order = np.lexsort((given.rng.random(len(rows)), rows))
    votes = np.zeros((len(counts), int(n_votes.max())), np.min_scalar_type(given.n_classes))
    votes[np.arange(votes.shape[1]) < n_votes[:, None]] = cast[in_random_order]
    return Targets(given.scheme, P, "multipass", votes, n_votes, given.seed)


_SCHEMES: dict[str, Callable[..., Targets]] = {
    "hard": _hard,
    "soft": _soft,
    "argmax": _argmax,
    "smoothed": _smoothed,
    "mixed": _mixed,
    "tempered": _tempered,
    "flipped": _flipped,
    "drawn": _drawn,
    "sampled": _sampled,
    "multipass": _multipass,
}
SCHEMES = {name: str(make.__doc__) for name, make in _SCHEMES.items()}


def flip(y: Labels, rate: float, n_classes: int, rng: np.random.Generator) -> Labels:
    """Class ids of which each is, with probability `rate`, another one drawn uniformly."""
    away = rng.integers(1, n_classes, size=len(y)) * (rng.random(len(y)) < rate)
    return (y + away) % n_classes


def parse_scheme(text: str) -> tuple[str, tuple[float, ...]]:
    """A scheme's name and numbers from its text.

    >>> parse_scheme("mixed(0.5, 2)")
    ('mixed', (0.5, 2.0))
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*", str(text))
    name = check_choice("scheme", match[1] if match else str(text), _SCHEMES)
    wanted = list(inspect.signature(_SCHEMES[name]).parameters)[1:]
    written = match[2].split(",") if match and match[2] else []
    try:
        values = tuple(float(number) for number in written)
    except ValueError:
        values = ()
    if len(values) != len(wanted):
        form = f"{name}({', '.join(wanted)})" if wanted else name
        raise ArgumentError("scheme", text, f"must be written `{form}`.")
    return name, values


def make_targets(
    scheme: str, y: Any = None, P: Any = None, *, n_classes: int, seed: int = 0
) -> Targets:
    """The targets of a label scheme.

    Parameters
    ----------
    scheme : str
        ``hard``, ``soft``, ``argmax``, ``smoothed(alpha)``, ``mixed(weight, temperature)``,
        ``tempered(temperature)``, ``flipped(rate)``, ``drawn``, ``sampled`` or ``multipass``;
        `SCHEMES` says what each is.
    y : array_like, shape (N,), optional
        Class ids.
    P : array_like, shape (N, K), optional
        Probabilities or vote counts.
    n_classes : int
        K.
    seed : int
        For ties, flips and draws.

    Returns
    -------
    Targets

    Raises
    ------
    ArgumentError
        Unknown scheme (the nearest is named), numbers missing or out of range, labels that the
        scheme needs and that are absent or malformed.

    Examples
    --------
    >>> make_targets("smoothed(0.2)", y=[0, 1], n_classes=2).P.tolist()
    [[0.9, 0.1], [0.1, 0.9]]
    """
    name, values = parse_scheme(scheme)
    n_classes = check_integer("n_classes", n_classes, low=2)
    seed = check_integer("seed", seed)
    labels = None if y is None else check_class_ids("y", y, n_classes=n_classes)
    if labels is not None and P is not None:
        check_same_length("P", np.atleast_1d(check_numeric("P", P)), "y", len(labels))
    given = _Given(scheme, labels, P, n_classes, np.random.default_rng(seed), seed)
    return _SCHEMES[name](given, *values)
