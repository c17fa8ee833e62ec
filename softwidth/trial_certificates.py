"""Students of the theory's kind, what they lost beside what they could have lost, as trials of a sweep.

Full batch, constant steps, projected, from the symmetric start, as the theorems want. The map is
that of the rows' kernel margin, of norm B at every neuron: its labels ``s(f_v)`` are what soft
students learn, and the comparator of every certificate.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_count,
    check_integer,
    check_number,
    check_width,
)
from softwidth._types import Array, Labels
from softwidth.bank import Bank
from softwidth.bounds_hard import hard_loss
from softwidth.bounds_soft import check_step, classification, constant_step, theorem_b
from softwidth.certificates import hard_certificate, sharp_certificate, theorem_a
from softwidth.distributions import one_hot
from softwidth.margin_record import Margin, signed_weights
from softwidth.margins import margin
from softwidth.network import Network, initialise
from softwidth.specs import Student
from softwidth.store import Row
from softwidth.theorems import Bound, finite
from softwidth.training import train_bank
from softwidth.transport import aligned, expansion
from softwidth.trial_data import prepare
from softwidth.trial_margins import data_settings, features_mean, rows_only
from softwidth.trial_spec import TrialSpec

LABELS = ("soft", "hard")
SHARES = (100, 10, 1)  # averages are told over the first n_steps/100, n_steps/10 and all steps
LIMIT_NEURONS, LIMIT_SEED, BLOCK = 2**16, 2**31 - 1, 2**12  # of the mean that is f_v
GAP = 1e-3
MISTAKE = float(np.log(2))  # nats of cross-entropy that a mistake costs, at least
NOTHING = 1e9  # nats: a bound above says nothing, and is told as none
FEATURES = 256  # of a row, about: nobody knows before the data are read


@dataclass(frozen=True)
class CertificateSpec:
    """One student, and how it is trained.

    Attributes
    ----------
    data : TrialSpec
        Its data settings say which rows; all others count for nothing.
    labels : {"soft", "hard"}
        ``s(f_v)`` of the map of norm `radius`, or the given labels.
    radius : float
        B: of the map, and of the balls around the neurons.
    width, seed : int
    step_size : float
    n_steps : int
        At least 100: averages are told over a hundredth, a tenth and all of them.
    """

    data: TrialSpec
    labels: str = LABELS[0]
    radius: float = 1.0
    width: int = 64
    seed: int = 0
    step_size: float = 1.0
    n_steps: int = 1000

    def __post_init__(self) -> None:
        check_choice("labels", self.labels, LABELS)
        check_number("radius", self.radius, low=0, open_low=True)
        check_width("width", self.width, paired=True)
        check_integer("seed", self.seed)
        check_step(self.step_size)
        if check_count("n_steps", self.n_steps) < max(SHARES):
            raise ArgumentError("n_steps", self.n_steps, f"must be at least {max(SHARES)}.")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: what the id is the hash of."""
        own = ("labels", "radius", "width", "seed", "step_size", "n_steps")
        return {**{name: getattr(self, name) for name in own}, **data_settings(self.data)}

    @property
    def lesson(self) -> str:
        """Students with equal ones learn the same.

        >>> CertificateSpec(TrialSpec.of(width=2), radius=4.0).lesson
        'soft 4.0'
        """
        return "hard" if self.labels == "hard" else f"soft {self.radius!r}"

    def student(self) -> Student:
        """For a bank."""
        return Student(self.width, self.seed, self.lesson, self.step_size, self.radius)


@dataclass(frozen=True, eq=False)
class Lesson:
    """Rows, and the map of norm 1 that separates them.

    Attributes
    ----------
    X : ndarray, shape (N, D), double precision
    y : ndarray, shape (N,)
    n_classes : int
    support : ndarray, shape (J, D)
    coefficients : ndarray, shape (J, C)
        The map's direction at z is ``sum_j coefficients_jk support_j 1(zᵀsupport_j > 0)``.
    logits : ndarray, shape (N, C)
        ``f_v`` on the rows, a mean over `LIMIT_NEURONS` neurons: the labels are made of it, and
        certificates of a run ask for nothing more (docs/theory.md). Theorem B speaks of the limit
        itself, of which it is a standard error of at most 0.002 B away.
    """

    X: Array
    y: Labels
    n_classes: int
    support: Array
    coefficients: Array
    logits: Array

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(a.nbytes for a in (self.X, self.y, self.support, self.coefficients, self.logits))

    def at(self, W: Array, radius: float) -> Array:
        """The map of norm `radius` at neurons: (width, D) for one logit, else (width, K, D)."""
        return aligned(expansion(self.support, self.coefficients).at(W), radius)

    def soft(self, radius: float) -> Array:
        """Labels (N, K) of the map of norm `radius`."""
        from scipy.special import softmax

        F = radius * self.logits
        F = np.hstack([np.zeros_like(F), F]) if F.shape[1] == 1 else F
        return np.asarray(softmax(F, axis=1))

    def margin(self) -> float:
        """Least logit of the right class of the map of norm 1, above every other's."""
        F = self.logits
        if self.n_classes == 2:
            return float(((2 * self.y - 1) * F[:, 0]).min())
        own = np.take_along_axis(F, self.y[:, None], axis=1)
        others = np.where(one_hot(self.y, self.n_classes) > 0, -np.inf, F)
        return float((own[:, 0] - others.max(axis=1)).min())


def kernel_weights(found: Margin, y: Labels, n_classes: int) -> Array:
    """The dual witness of a kernel margin as coefficients of every row: shape (N, C).

    Of one logit signed by the label; of K, a constraint's weight for the own class and against the
    rival (THEORY.md sections 3 and 7).
    """
    if n_classes == 2:
        return signed_weights(found, y)[:, None]
    weights = np.zeros((len(y), n_classes))
    np.add.at(weights, (found.rows, y[found.rows]), found.alpha)
    np.add.at(weights, (found.rows, found.rivals), -found.alpha)
    return weights


def lesson(spec: TrialSpec) -> Lesson:
    """Load the rows of a spec, and find their map.

    Raises
    ------
    ArgumentError
        Rows that nothing separates, and whatever cannot be used.
    """
    data = prepare(rows_only(spec)).dataset
    X, y = data.X_train.astype(np.float64), data.y_train
    found = margin(X, y, gap=GAP, n_classes=data.n_classes)
    if found.lower <= 0:
        raise ArgumentError("data", data.name, "cannot be separated: there is no map to learn.")
    weights = kernel_weights(found, y, data.n_classes)
    used = np.flatnonzero(weights.any(axis=1))
    empty = np.empty((len(y), weights.shape[1]))
    bare = Lesson(X, y, data.n_classes, X[used], weights[used], empty)
    W = initialise(LIMIT_NEURONS, X.shape[1], init="gaussian", seed=LIMIT_SEED).W
    parts = np.split(W, range(BLOCK, LIMIT_NEURONS, BLOCK))
    F = np.mean([features_means(X, part, bare.at(part, 1.0)) for part in parts], axis=0)
    return Lesson(X, y, data.n_classes, X[used], weights[used], F)


def features_means(X: Array, W: Array, v: Array) -> Array:
    """`trial_margins.features_mean` of every logit, shape (N, C), of a map as of `Lesson.at`."""
    maps = v[:, None] if v.ndim == 2 else v
    return np.stack([features_mean(X, W, maps[:, k]) for k in range(maps.shape[1])], axis=1)


@dataclass(frozen=True)
class CertificateTrials:
    """`experiments.Experiment` of `CertificateSpec`.

    Metrics, for T of a hundredth, a tenth and all of the steps, each with ``_T`` behind its name:
    ``loss``, the average over the first T steps of the KL from the labels in nats, which for hard
    ones is the cross-entropy, and ``error``, that of the share of mistakes against the classes;
    ``certificate``, of this start (Theorem A or its form for hard labels), ``steps``, its part that
    falls with T, and ``sharper`` (docs/theory.md); ``prior``, before any draw, with probability
    0.99 (Theorem B or `bounds_hard.hard_loss`); ``mistakes``, the error that the certificate leaves
    (`bounds_soft.classification`, or ``certificate / ln 2``). ``drift`` is the certificate's, and
    ``margin`` that of the map, over B.
    """

    name: str = "certificates"

    def cost(self, spec: CertificateSpec) -> float:
        """Multiply-adds of the training, about."""
        rows = float(spec.data.student_rows or 1000)
        return 2 * rows * spec.width * spec.n_steps * FEATURES

    def together(self, spec: CertificateSpec) -> str:
        """Everything about the data; the steps, as a bank has one number of them."""
        return f"{rows_only(spec.data)} {spec.n_steps}"

    def prepare(self, spec: CertificateSpec) -> Lesson:
        """Rows and map."""
        return lesson(spec.data)

    def run(self, prepared: Lesson, specs: Sequence[CertificateSpec]) -> list[Row]:
        """Train them in one bank, and certify each."""
        began = time.perf_counter()
        y, K = prepared.y, prepared.n_classes
        soft = {spec.lesson: spec.radius for spec in specs if spec.labels == "soft"}
        lessons = {name: prepared.soft(radius) for name, radius in soft.items()}
        lessons["hard"] = one_hot(y, K)
        bank = train_bank(
            prepared.X,
            y,
            lessons,
            [spec.student() for spec in specs],
            epochs=specs[0].n_steps,
            tolerance=0.0,
            threads=1,
        )
        if bank.interrupted:
            raise KeyboardInterrupt
        found = [_found(prepared, spec, bank, i) for i, spec in enumerate(specs)]
        seconds = (time.perf_counter() - began) / sum(map(self.cost, specs))
        return [
            Row.of(spec.as_dict(), self.name, metrics, seconds=seconds * self.cost(spec))
            for spec, metrics in zip(specs, found, strict=True)
        ]


def averaged_steps(n_steps: int) -> tuple[int, ...]:
    """Steps that averages are taken over.

    >>> averaged_steps(300)
    (3, 30, 300)
    """
    return tuple(n_steps // share for share in SHARES)


def _found(prepared: Lesson, spec: CertificateSpec, bank: Bank, member: int) -> dict[str, Any]:
    """What one student lost, and what it could have lost."""
    classes = prepared.n_classes
    start = initialise(spec.width, prepared.X.shape[1], classes, seed=spec.seed)
    v = prepared.at(start.W, spec.radius)
    gamma = prepared.margin()
    found: dict[str, Any] = {"status": bank.status[member], "margin": gamma}
    certified = functools.partial(_certificates, prepared, spec, start, v)
    losses = bank.kl if spec.labels == "soft" else bank.cross_entropy
    for T in averaged_steps(spec.n_steps):
        own, sharper = certified(T)
        mistakes = own.value / MISTAKE
        if spec.labels == "soft":
            mu = spec.radius * gamma
            mistakes = classification(own.value, mu, n_classes=classes).value if mu > 0 else np.inf
        found |= {
            f"loss_{T}": float(losses[member, :T].mean()),
            f"error_{T}": float(bank.error[member, :T].mean()),
            f"certificate_{T}": finite(own.value),
            f"steps_{T}": finite(own.terms["steps"]),
            f"sharper_{T}": finite(sharper.value),
            f"prior_{T}": _prior(prepared, spec, gamma, T),
            f"mistakes_{T}": finite(mistakes),
            "drift": own.terms["drift"],
            "holds": own.holds and sharper.holds,
        }
    return found


def _certificates(
    prepared: Lesson, spec: CertificateSpec, start: Network, v: Array, T: int
) -> tuple[Bound, Bound]:
    run: dict[str, Any] = {"step_size": spec.step_size, "n_steps": T, "radius": spec.radius}
    F = spec.radius * prepared.logits
    if spec.labels == "soft":
        own = theorem_a(start, v, prepared.X, F, **run)
        P = prepared.soft(spec.radius)
    else:
        own = hard_certificate(start, v, prepared.X, prepared.y, F, **run)
        P = one_hot(prepared.y, prepared.n_classes)
    return own, sharp_certificate(start, v, prepared.X, P, **run)


def _prior(prepared: Lesson, spec: CertificateSpec, gamma: float, T: int) -> float | None:
    """The bound before any draw; None where it says nothing, or speaks of another step size."""
    n, K = len(prepared.y), prepared.n_classes
    if spec.labels == "soft":
        found = theorem_b(spec.radius, spec.width, T, n, n_classes=K, step_size=spec.step_size)
    elif 0 < gamma <= 0.5 and spec.step_size == constant_step(K):
        found = hard_loss(gamma, spec.radius, spec.width, T, n, n_classes=K)
    else:
        return None
    return found.value if found.value < NOTHING else None
