"""Label schemes: from class ids, probabilities or votes to what a student trains on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import entr

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_class_ids,
    check_finite,
    check_number,
    check_numeric,
    check_same_length,
    rows_text,
)
from softwidth._types import Array, Labels

SUM_TOLERANCE = 1e-3  # how far from 1 the probabilities of a row may sum before they are refused
MODES = ("fixed", "sampled", "multipass")


def is_votes(soft: Any) -> bool:
    """Whether a matrix holds vote counts: whole numbers, and not every row a single vote.

    >>> is_votes([[3, 0], [1, 2]]), is_votes([[1, 0], [0, 1]]), is_votes([[0.5, 0.5]])
    (True, False, False)
    """
    table = np.asarray(soft)
    if table.ndim != 2 or table.dtype.kind not in "fiub":
        return False
    return bool(
        (table >= 0).all() and (table == np.rint(table)).all() and (table.sum(1) != 1).any()
    )


def as_probabilities(soft: Any, *, name: str = "soft", n_classes: int | None = None) -> Array:
    """Class probabilities (N, K) from probabilities, vote counts, or one column.

    Parameters
    ----------
    soft : array_like, shape (N, K) or (N,)
        Rows of probabilities (they may miss 1 by 1e-3 and are made to sum to 1 exactly), rows of
        vote counts, or the probability of the positive class alone.
    name : str
        What to call it in an error.
    n_classes : int, optional
        K, when it is known.

    Returns
    -------
    ndarray, shape (N, K), float64

    Raises
    ------
    ArgumentError
        Rows that are neither probabilities nor votes: negative or missing entries, sums that are
        not 1, rows without a vote; or another number of columns than `n_classes`.

    Examples
    --------
    >>> as_probabilities([[3, 1], [0, 2]]).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    >>> as_probabilities([0.25, 0.5]).tolist()
    [[0.75, 0.25], [0.5, 0.5]]
    """
    table = check_numeric(name, soft)
    if table.ndim not in (1, 2) or 0 in table.shape:
        raise ArgumentError(
            name, table, "must be a non-empty matrix (N, K) of probabilities or votes."
        )
    table = check_finite(name, table.astype(np.float64))
    if table.ndim == 1:
        table = np.stack([1 - table, table], axis=1)
    if table.shape[1] < 2 or (n_classes is not None and table.shape[1] != n_classes):
        wish = f"{n_classes} columns" if n_classes else "at least two columns"
        raise ArgumentError(name, table, f"must have {wish}, one for each class.")
    _refuse_rows(name, np.any(table < 0, axis=1), "has negative entries")
    total = table.sum(axis=1, keepdims=True)
    if is_votes(table):
        _refuse_rows(name, total[:, 0] == 0, "has no votes")
    else:
        unlike_one = abs(total[:, 0] - 1) > SUM_TOLERANCE
        _refuse_rows(name, unlike_one, "sums to neither 1 (probabilities) nor whole votes")
    return table / total


def _refuse_rows(name: str, bad: np.ndarray[Any, Any], what: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        raise ArgumentError(name, f"{len(bad)} rows", f"{what} in rows {rows_text(rows)}.")


def entropy(P: Array) -> Array:
    """Entropy of every row in nats, ``-sum_k p_k ln p_k``, shape (N,).

    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(4).tolist()
    [0.0, 0.6931]
    """
    return np.asarray(entr(P).sum(axis=1))


def one_hot(y: Labels, n_classes: int) -> Array:
    """Class ids as rows of zeros with a single one, shape (N, K)."""
    return np.eye(n_classes)[y]


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
        For ``multipass``: each row's votes in random order, repeated to fill the V columns.
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
    if not is_votes(votes):
        wish = f"must hold vote counts, several a row: `{scheme}` goes through them one by one."
        raise ArgumentError("P", np.asarray(votes), wish)
    as_probabilities(votes, name="P")
    return np.asarray(votes).astype(np.int64)


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
    check_number("alpha", alpha, low=0, high=1)
    return Targets(given.scheme, (1 - alpha) * given.hard + alpha / given.n_classes)


def _mixed(given: _Given, weight: float, temperature: float) -> Targets:
    """``weight hard + (1 - weight) tempered soft`` (Hinton, Vinyals and Dean 2015)."""
    check_number("weight", weight, low=0, high=1)
    return Targets(given.scheme, weight * given.hard + (1 - weight) * temper(given.P, temperature))


def _tempered(given: _Given, temperature: float) -> Targets:
    """Soft labels to the power 1 / temperature, made to sum to 1."""
    return Targets(given.scheme, temper(given.P, temperature))


def _flipped(given: _Given, rate: float) -> Targets:
    """Class ids, each exchanged for another class at the rate given."""
    check_number("rate", rate, low=0, high=1)
    return Targets(given.scheme, one_hot(flip(given.hard.argmax(1), rate, given.n_classes, given.rng), given.n_classes))  # fmt: skip


def _sampled(given: _Given) -> Targets:
    """One vote drawn per row and epoch."""
    return Targets(given.scheme, given.P, mode="sampled", seed=given.seed)


def _multipass(given: _Given) -> Targets:
    """Every vote of a row once, one an epoch, before any is used again."""
    counts = _check_votes("multipass", given.soft)
    n_votes = counts.sum(axis=1)
    votes = np.empty((len(counts), int(n_votes.max())), np.min_scalar_type(given.n_classes))
    order = np.asarray(given.rng.random(votes.shape))
    order[np.arange(votes.shape[1]) >= n_votes[:, None]] = 2  # what is no vote comes last
    in_order = (np.arange(votes.shape[1])[:, None] >= counts.cumsum(1)[:, None, :-1]).sum(2)
    votes[:] = np.take_along_axis(in_order, order.argsort(axis=1), axis=1)
    return Targets(given.scheme, given.P, "multipass", votes, n_votes, given.seed)


_SCHEMES: dict[str, Callable[..., Targets]] = {
    "hard": _hard,
    "soft": _soft,
    "argmax": _argmax,
    "smoothed": _smoothed,
    "mixed": _mixed,
    "tempered": _tempered,
    "flipped": _flipped,
    "sampled": _sampled,
    "multipass": _multipass,
}
SCHEMES = {name: str(make.__doc__) for name, make in _SCHEMES.items()}


def temper(P: Array, temperature: float) -> Array:
    """``p_k^(1/T) / sum_j p_j^(1/T)``: flatter for T > 1, sharper for T < 1.

    >>> temper(np.array([[0.8, 0.2]]), 0.5).round(4).tolist()
    [[0.9412, 0.0588]]
    """
    check_number("temperature", temperature, low=0, open_low=True)
    powers = (P / P.max(axis=1, keepdims=True)) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


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
        ``tempered(temperature)``, ``flipped(rate)``, ``sampled`` or ``multipass``; `SCHEMES` says
        what each is.
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
    labels = None if y is None else check_class_ids("y", y, n_classes=n_classes)
    if labels is not None and P is not None:
        check_same_length("P", P, "y", len(labels))
    given = _Given(scheme, labels, P, n_classes, np.random.default_rng(seed), seed)
    return _SCHEMES[name](given, *values)
