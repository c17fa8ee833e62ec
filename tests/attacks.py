"""Random networks trained against the theorems' certificates: the tests' and the script's attack.

One `attack` trains a bank on one data set, every student with its own width, start, step, radius,
teacher and labels, in double precision, and sets what was measured beside what was certified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from softwidth._types import Array
from softwidth.certificates import hard_certificate, sharp_certificate, theorem_a
from softwidth.network import Network, initialise, probabilities
from softwidth.reach import comparator, reach_of
from softwidth.specs import Student
from softwidth.training import train_bank
from softwidth.transport import GatedMap, aligned, constant

FAMILIES = ("constant", "halfspace", "expansion", "mixture", "aligned")
LABELS = ("soft", "hard", "noisy")  # the teacher's, its top class, one-hot at random for some rows
CLOUDS = ("sphere", "ball", "twins", "opposite", "line")


@dataclass(frozen=True)
class Spec:
    """One attacker."""

    width: int
    seed: int
    family: str
    teacher_seed: int
    logit: float  # largest of the teacher's logits
    slack: float  # radius over the least that holds the comparator
    step: float  # over the certificate's limit
    labels: str
    beyond: bool  # whether the limit is the sharper certificate's


def random_spec(rng: np.random.Generator) -> Spec:
    return Spec(
        width=2 * int(np.exp(rng.uniform(0, np.log(128)))),
        seed=int(rng.integers(2**31)),
        family=str(rng.choice(FAMILIES)),
        teacher_seed=int(rng.integers(2**31)),
        logit=float(np.exp(rng.uniform(np.log(1e-2), np.log(50)))),
        slack=float(rng.choice([1.0, rng.uniform(1, 2)])),
        step=float(rng.choice([rng.uniform(0.01, 1), np.exp(rng.uniform(-5, 0)), 0.999])),
        labels=str(rng.choice(LABELS, p=[0.6, 0.2, 0.2])),
        beyond=bool(rng.random() < 0.15),
    )


def mutated(spec: Spec, rng: np.random.Generator) -> Spec:
    """A near relative: some settings drawn anew, the continuous ones moved a little."""
    fresh = random_spec(rng)
    changed = {
        name: getattr(fresh, name)
        for name in ("width", "seed", "family", "teacher_seed", "labels")
        if rng.random() < 0.2
    }
    return replace(
        spec,
        logit=float(np.clip(spec.logit * np.exp(0.5 * rng.standard_normal()), 1e-3, 100)),
        step=float(np.clip(spec.step * np.exp(0.4 * rng.standard_normal()), 1e-3, 0.9999)),
        slack=float(max(1.0, spec.slack + 0.1 * rng.standard_normal())),
        **changed,
    )


def random_rows(rng: np.random.Generator, N: int, D: int) -> Array:
    """Rows of at most unit norm: on the sphere or in the ball, in near-equal pairs, in line, ..."""
    X = rng.standard_normal((N, D))
    cloud = rng.choice(CLOUDS)
    half = N // 2
    if cloud == "twins":
        X[:half] = X[half : 2 * half] + 1e-3 * rng.standard_normal((half, D))
    elif cloud == "opposite":
        X[:half] = -X[half : 2 * half]
    elif cloud == "line":
        X = np.outer(rng.standard_normal(N), X[0]) + 1e-2 * X
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return X * rng.uniform(0.05, 1, (N, 1)) if cloud == "ball" else X


def random_map(rng: np.random.Generator, family: str, X: Array, K: int) -> GatedMap:
    """A transport map with C logits (1 for two classes), of a family with closed-form f_v."""
    C = 1 if K == 2 else K
    D = X.shape[1]
    if family == "constant":
        return constant(rng.standard_normal((C, D)))
    if family == "expansion":
        J = min(len(X), 20)
        rows = X[rng.choice(len(X), J, replace=False)]
        return GatedMap(rng.standard_normal((J, C, 1)) * rows[:, None], rows)
    J = 1 if family == "halfspace" else 4
    return GatedMap(rng.standard_normal((J, C, D)), rng.standard_normal((J, D)))


def teacher_of(spec: Spec, start: Network, X: Array, K: int) -> tuple[Array, Array]:
    """The map at the neurons, and the logits (N, C) that it stands for."""
    v_of = random_map(np.random.default_rng(spec.teacher_seed), spec.family, X, K)
    v, F = v_of.at(start.W), v_of.logits(X)
    if spec.family == "aligned" and K == 2:  # no closed form: the finite network's own values
        v = aligned(v, 1.0)
        F = reach_of(start, comparator(start, v), X, 0.0).start
    size = spec.logit / max(np.abs(F).max(), 1e-12)
    return size * v, size * F


def labels_of(spec: Spec, F: Array, K: int) -> Array:
    """The targets (N, K) of one attacker."""
    P = probabilities(F)
    if spec.labels == "soft":
        return P
    y = P.argmax(axis=1)
    if spec.labels == "noisy":
        rng = np.random.default_rng(spec.teacher_seed)
        y = np.where(rng.random(len(y)) < 0.2, rng.integers(0, K, len(y)), y)
    return np.eye(K)[y]


@dataclass(frozen=True)
class Attacker:
    """A spec made concrete on the data: start, teacher, labels, radius and step size."""

    spec: Spec
    start: Network
    v: Array
    F: Array
    P: Array
    radius: float
    step_size: float

    @classmethod
    def of(cls, spec: Spec, X: Array, K: int) -> Attacker:
        start = initialise(spec.width, X.shape[1], K, seed=spec.seed)
        v, F = teacher_of(spec, start, X, K)
        moved = comparator(start, v)
        radius = spec.slack * np.linalg.norm(moved, axis=1).max() * np.sqrt(spec.width)
        limit = 4.0 if K == 2 else 1.0
        radius = max(float(radius), 1e-9)
        if spec.beyond:
            gain = reach_of(start, moved, X, radius / np.sqrt(spec.width)).gain.max()
            limit /= max(gain, 1e-3)
        return cls(spec, start, v, F, labels_of(spec, F, K), radius, spec.step * limit)

    def certificates(self, X: Array, T: int, displacement: float) -> dict[str, float]:
        """The three certificates' values: Theorem A (or its hard form), sharper, realised."""
        course = {"step_size": self.step_size, "n_steps": T, "radius": self.radius}
        if self.spec.labels == "soft":
            letter = theorem_a(self.start, self.v, X, self.F, **course)
        else:
            y = self.P.argmax(axis=1)
            letter = hard_certificate(self.start, self.v, X, y, self.F, **course)
        sharp = sharp_certificate(self.start, self.v, X, self.P, **course)
        realised = sharp_certificate(
            self.start, self.v, X, self.P, displacement=displacement, **course
        )
        return {"theorem_a": letter.value, "sharp": sharp.value, "realised": realised.value}


def attack(X: Array, K: int, specs: list[Spec], T: int) -> list[dict[str, Any]]:
    """One row for each spec: what was measured, and what the certificates allow."""
    attackers = [Attacker.of(spec, X, K) for spec in specs]
    students = [
        Student(a.spec.width, a.spec.seed, str(k), a.step_size, a.radius)
        for k, a in enumerate(attackers)
    ]
    bank = train_bank(
        X, np.zeros(len(X), int), {str(k): a.P for k, a in enumerate(attackers)}, students,
        epochs=T, dtype="float64", tolerance=0, diagnostics_every=1,
    )  # fmt: skip
    assert set(bank.status) == {"trained"}, "a student taken out has no measured average"
    farthest = bank.diagnostics["displacement"][:, :-1].max(axis=1)  # before the last step
    return [
        {
            **vars(a.spec),
            "n_samples": len(X), "n_features": X.shape[1], "n_classes": K, "n_steps": T,
            "radius": a.radius, "step_size": a.step_size, "displacement": far,
            "measured": kl.mean(), "progress": 1 - kl[-1] / kl[0] if kl[0] > 0 else 0.0, **a.certificates(X, T, far),
        }
        for a, kl, far in zip(attackers, bank.kl, farthest, strict=True)
    ]  # fmt: skip


def violations(row: dict[str, Any]) -> list[str]:
    """The certificates that the measurement exceeds, beyond rounding."""
    slack = 1e-9 * row["measured"] + 1e-12
    return [
        name for name in ("theorem_a", "sharp", "realised") if row["measured"] > row[name] + slack
    ]
