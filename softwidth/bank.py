"""A trained bank: the students, how they got there, and what they say of new rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_class_ids,
    check_numeric,
    check_same_length,
    check_weights,
)
from softwidth._types import Array
from softwidth.labels import as_probabilities, entropy
from softwidth.network import Network, check_features, for_reading, n_outputs, with_bias_column
from softwidth.specs import Student

LOGIT_BYTES = 2**24  # of one chunk of students' logits while evaluating
HISTORIES = ("cross_entropy", "kl", "error")
MEASURED = 2**20  # probabilities measured at a time: 8 MiB in double precision


@dataclass(eq=False)
class Bank:
    """Students that were trained together.

    Attributes
    ----------
    students : tuple of Student
    networks : list of Network
        Their networks at the end, in the same order.
    status : list of str
        ``"trained"`` to the last epoch, ``"converged"`` or ``"diverged"`` and taken out before,
        or ``"interrupted"``.
    epochs : ndarray, shape (S,)
        Epochs that each was trained for.
    cross_entropy, kl, error : ndarray, shape (S, steps)
        Mean over the rows of each step, before that step: cross-entropy and its excess over the
        targets' entropy in nats, and the share of mistakes against the class ids (a tie is a
        mistake). After a student was taken out they repeat the mean of its last epoch; steps that
        an interruption left out are NaN.
    rows_per_step : ndarray, shape (steps of an epoch,)
    diagnostics : dict of str to ndarray
        Empty unless asked for; ``epoch`` (R,) and, shape (S, R): ``edge``, the share of neurons on
        the edge of their ball, ``flipped``, the share of activations that differ from the start,
        ``displacement``, the largest distance of a neuron from its start.
        A student that was taken out stays at what it was.
    seconds : float
    interrupted : bool
    """

    students: tuple[Student, ...]
    networks: list[Network]
    status: list[str]
    epochs: np.ndarray[Any, Any]
    cross_entropy: Array
    kl: Array
    error: Array
    rows_per_step: np.ndarray[Any, Any]
    n_classes: int
    diagnostics: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.students)

    def epoch_means(self, metric: str = "cross_entropy") -> Array:
        """A history averaged over the rows of each epoch, shape (S, epochs).

        Parameters
        ----------
        metric : {"cross_entropy", "kl", "error"}

        Raises
        ------
        ArgumentError
            If `metric` is unknown.
        """
        check_choice("metric", metric, HISTORIES)
        history = getattr(self, metric)
        by_epoch = history.reshape(len(self), -1, len(self.rows_per_step))
        return np.average(by_epoch, axis=2, weights=self.rows_per_step)

    def logits(self, X: Array, members: Sequence[int] | None = None) -> Array:
        """Logits of the students numbered in `members` (all by default), shape (S, N, C).

        Raises
        ------
        ArgumentError
            If `X` is not a finite matrix with the features of the training data, or `members`
            are not numbers of students.
        """
        X = self._check_features(X)
        members = range(len(self)) if members is None else self._check_members(members)
        return np.concatenate([logits for _, logits in self._chunks(X, members)])

    def evaluate(
        self, X: Array, y: Any, P: Any = None, *, sample_weight: Any = None
    ) -> dict[str, Array]:
        """Held-out measures of every student, each of shape (S,).

        Parameters
        ----------
        X : ndarray, shape (N, D)
        y : ndarray, shape (N,)
            Class ids.
        P : ndarray, shape (N, K), optional
            Soft labels of these rows.
        sample_weight : array_like, shape (N,), optional
            What a row counts for in the means, in any unit.

        Notes
        -----
        Beyond `X` and `P` this takes the logits of one student, or `LOGIT_BYTES` of several, and at
        most 16 arrays of `MEASURED` numbers, however many students and rows there are (tested).

        Returns
        -------
        dict
            ``error`` (0-1, of the top class, the first of several; NaN is a mistake), ``log_loss`` (nats, against `y`), ``brier`` (sum over classes) and,
            with `P`, ``kl`` (nats, mean of KL(P || prediction)).

        Raises
        ------
        ArgumentError
            Mismatched lengths, class ids out of range, soft labels that are none.
        """
        X = self._check_features(X)
        y = check_class_ids("y", y, n_classes=self.n_classes)
        check_same_length("y", y, "X", len(X))
        P = None if P is None else as_probabilities(P, name="P", n_classes=self.n_classes)
        if P is not None:
            check_same_length("P", P, "X", len(X))
        weight = None if sample_weight is None else check_weights("sample_weight", sample_weight, len(y))  # fmt: skip
        chunks = self._chunks(X, range(len(self)))
        parts = [_by_pieces(logits, y, P, weight) for _, logits in chunks]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _check_features(self, X: Any) -> Array:
        one = self.networks[0]
        return check_features(X, one.W.shape[1] - one.bias, one.W.dtype)

    def _check_members(self, members: Sequence[int]) -> list[int]:
        numbers = check_numeric("members", members)
        if numbers.ndim != 1 or len(numbers) == 0 or numbers.dtype.kind not in "iu":
            raise ArgumentError("members", members, "must be a list of at least one student.")
        if numbers.min() < 0 or numbers.max() >= len(self):
            wish = f"must hold numbers of students, from 0 to {len(self) - 1}."
            raise ArgumentError("members", members, wish)
        return numbers.tolist()

    def _chunks(self, X: Array, members: Sequence[int]) -> Iterator[tuple[Sequence[int], Array]]:
        """Members by chunks of bounded memory, with their logits (S, N, C)."""
        X = with_bias_column(X, self.networks[0].bias)
        size = max(1, LOGIT_BYTES // (len(X) * n_outputs(self.n_classes) * X.itemsize))
        for start in range(0, len(members), size):
            chunk = members[start : start + size]
            yield chunk, stacked_logits([self.networks[s] for s in chunk], X)


def stacked_logits(networks: Sequence[Network], X: Array, block: int = 1024) -> Array:
    """Logits (S, N, C) of networks of any widths in one pass over `X` (bias column included)."""
    from softwidth._steps import bank_logits

    W = np.concatenate([network.W for network in networks])
    A = np.concatenate([network.A for network in networks])
    b = np.stack([network.b for network in networks])
    width = np.array([network.width for network in networks])
    if X.shape[1] != W.shape[1]:  # compiled code would read other numbers, and say nothing
        raise ArgumentError(
            "X", X.shape, f"must have {W.shape[1]} columns, that of the bias included."
        )
    X = for_reading(np.asarray(X, W.dtype))  # compiled code takes one type only
    scale = np.array([network.scale for network in networks], X.dtype)
    out = np.empty((len(networks), A.shape[1], len(X)), X.dtype)
    H = np.empty((len(W), min(block, len(X))), X.dtype)
    bank_logits(X, W, A, b, scale, width.cumsum() - width, width, H, out)
    return out.transpose(0, 2, 1)


def log_likelihoods(logits: Array) -> Array:
    """Log probabilities (..., K) in nats from logits (..., C), without overflow."""
    with np.errstate(invalid="ignore"):  # a student that diverged: NaN where logits are
        if logits.shape[-1] == 1:
            return -np.logaddexp(0, np.concatenate([logits, -logits], axis=-1))
        return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def _by_pieces(
    logits: Array, y: np.ndarray[Any, Any], P: Array | None, weight: Array | None
) -> dict[str, Array]:
    """`measures` of a chunk, by pieces of students and rows of at most `MEASURED` probabilities."""
    S, N, C = logits.shape
    rows = max(MEASURED // max(C, 2), 1)
    few = max(MEASURED // (min(rows, N) * max(C, 2)), 1)
    total = N if weight is None else weight.sum()
    found: dict[str, Array] = {}
    for s0, r0 in itertools.product(range(0, S, few), range(0, N, rows)):
        members, part = slice(s0, s0 + few), slice(r0, r0 + rows)
        own = None if weight is None else weight[part]
        share = (len(y[part]) if own is None else own.sum()) / total
        if share:  # rows without weight have no mean
            piece = measures(logits[members, part], y[part], None if P is None else P[part], own)
            for name, means in piece.items():
                found.setdefault(name, np.zeros(S))[members] += share * means
    return found


def measures(
    logits: Array, y: np.ndarray[Any, Any], P: Array | None = None, weight: Array | None = None
) -> dict[str, Array]:
    """The measures of `Bank.evaluate`, each (S,), from logits (S, N, C) and checked labels."""
    log_q = log_likelihoods(logits.astype(np.float64))  # (S, N, K)
    of_label = np.take_along_axis(log_q, y[None, :, None], axis=2)[..., 0]
    q = np.exp(log_q)
    truth = np.eye(q.shape[2])[y]
    measures = {
        "error": _mean((q.argmax(axis=2) != y) | np.isnan(of_label), weight),
        "log_loss": -_mean(of_label, weight),
        "brier": _mean(((q - truth) ** 2).sum(axis=2), weight),
    }
    if P is not None:
        measures["kl"] = _mean(-np.einsum("nk,snk->sn", P, log_q) - entropy(P), weight)
    return measures


def _mean(losses: Array, weight: Array | None) -> Array:
    """Weighted means (S,) of losses (S, N)."""
    return np.average(losses, axis=1, weights=weight)
