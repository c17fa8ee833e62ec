"""Training, margins, kernels, bounds and certificates, called with hostile input."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hostile_values import Hostile
from problems import random_problem

from softwidth import bounds as bounds_module
from softwidth import bounds_paper, certificates, kernels
from softwidth.bank import Bank
from softwidth.margins import margin
from softwidth.network import initialise, size
from softwidth.specs import Student
from softwidth.training import train_bank


def _student(h: Hostile) -> Any:
    return Student(
        width=h.small(h.of([2, 4, 6])), seed=h.scalar(h.whole(0, 9)), labels=h.scalar(h.of(["hard", "soft"])),
        step_size=h.scalar(h.of([0.1, 1.0, 1e30, 1e-320, 1e300])), radius=h.scalar(h.of([np.inf, 1.0, 1e-30])),
        init=h.scalar(h.of(["symmetric", "gaussian", "he", "glorot"])),
    )  # fmt: skip


def _recipe(h: Hostile) -> dict[str, Any]:
    some: dict[str, Any] = {
        "momentum": 0.9, "optimiser": "adam", "schedule": "cosine", "train_output": True, "bias": True, "order_seed": 3, "tolerance": 0.1,
        "diagnostics_every": 1, "dtype": h.of(["float32", "float64"]), "threads": 1,
    }  # fmt: skip
    given = {name: h.scalar(value) for name, value in some.items() if h.chance(0.3)}
    if "threads" in given:  # a thousand threads are what was asked for
        given["threads"] = h.of([1, 1, 2, 0, -1, "two", 1.0, None])
    for name, value in {"epochs": h.whole(1, 4), "batch_size": 5, "memory": 2**24}.items():
        if h.chance(0.5):
            given[name] = h.small(value)
    if h.chance(0.03):
        given[h.of(["", "epoch", "lr", "\x1b[31m"])] = 1
    return given


def train(h: Hostile, where: Path) -> Any:
    problem = random_problem(h.whole(0, 99), N=h.whole(1, 30), D=h.whole(1, 8), K=h.whole(2, 4))
    h.share /= 2
    targets = h.scalar(h.arrays(dict(problem.targets)))
    bank = train_bank(
        h.array(problem.X),
        h.array(problem.y),
        targets,
        h.scalar([_student(h) for _ in range(h.whole(1, 3))]),
        **_recipe(h),
    )
    bank.epoch_means(h.scalar("kl"))
    return bank


@functools.cache
def _bank() -> Bank:
    problem = random_problem(1)
    return train_bank(
        *problem[:2], problem.targets, [Student(2), Student(6, labels="soft")], epochs=2
    )


def use_bank(h: Hostile, where: Path) -> Any:
    problem, bank = random_problem(h.whole(0, 99), N=h.whole(1, 30)), _bank()
    way = h.of(["logits", "evaluate", "network", "means"])
    X = h.array(problem.X)
    if way == "logits":
        return bank.logits(X, h.scalar([0, 1]))
    if way == "evaluate":
        return bank.evaluate(X, h.array(problem.y), h.array(problem.targets["soft"]))
    if way == "network":
        return bank.networks[0].predict_proba(X)
    return bank.epoch_means(h.anything())


def networks(h: Hostile, where: Path) -> Any:
    width, D, K = h.small(4), h.small(3), h.small(2)
    if h.chance(0.5):
        return size(width, D, K, bias=h.scalar(True))
    return initialise(
        width,
        D,
        K,
        init=h.scalar("he"),
        seed=h.scalar(0),
        bias=h.scalar(False),
        dtype=h.scalar(np.float32),
    )


def margins(h: Hostile, where: Path) -> Any:
    problem = random_problem(h.whole(0, 99), N=h.whole(2, 20), D=h.whole(1, 6), K=h.of([2, 2, 3]))
    h.share /= 2
    found = margin(
        h.array(problem.X), h.array(problem.y), h.scalar(h.of(["kernel", "sup"])), h.small(h.of([None, 4, 16])), gap=h.scalar(1e-3),
        confidence=h.scalar(0.9), limit=h.scalar(None), n_classes=h.small(None), seed=h.scalar(0), init=h.scalar("symmetric"),
        neurons=h.of([16, 2, 0, -1, "a", 2.0]) if h.chance(h.share) else 16, fresh=h.of([64, 4, 0, None]) if h.chance(h.share) else 64,
    )  # fmt: skip
    found.verify()
    return found.as_dict()


def theorems(h: Hostile, where: Path) -> Any:
    m, e, n, K, c = h.scalar(0.1), h.scalar(0.05), h.scalar(100), h.scalar(2), h.scalar(0.9)
    B, width, steps, norm = h.scalar(1.0), h.scalar(64), h.scalar(100), h.scalar(1.0)
    ways: list[Callable[[], Any]] = [
        lambda: bounds_module.bounds(m, e, n, K, c, norm).as_dict(),
        lambda: bounds_module.crossover(e, n, n_classes=K, confidence=c),
        lambda: bounds_module.hard_loss(m, B, width, steps, n, n_classes=K, confidence=c),
        lambda: bounds_module.hard_requirement(m, e, n, n_classes=K, confidence=c),
        lambda: bounds_module.soft_requirement(m, e, n, n_classes=K, confidence=c),
        lambda: bounds_module.soft_error(m, width, steps, n, radius=B, n_classes=K, confidence=c),
        lambda: bounds_module.drift(B, width, n, n_classes=K, confidence=c),
        lambda: bounds_module.theorem_b(B, width, steps, n, n_classes=K, confidence=c, step_size=h.scalar(None)),
        lambda: bounds_module.classification(e, m, n_classes=K),
        lambda: bounds_module.kappa(m),
        lambda: bounds_paper.lemma3(e, m),
        lambda: bounds_paper.corollary4(m, e, n, confidence=c, norm=norm),
        lambda: bounds_paper.proposition5(m, e, n, confidence=c, norm=norm),
        lambda: bounds_paper.lemma6(width, n, confidence=c),
        lambda: bounds_paper.crossover(e, n, confidence=c, norm=norm),
    ]  # fmt: skip
    return h.of(ways)()


def certificate(h: Hostile, where: Path) -> Any:
    K, D, m, N = h.of([2, 3]), h.whole(1, 5), h.of([2, 8]), h.whole(1, 12)
    problem = random_problem(h.whole(0, 99), N=N, D=D, K=K)
    start = initialise(m, D, K, seed=h.whole(0, 9))
    C = 1 if K == 2 else K
    v = h.array(h.rng.standard_normal((m, D) if K == 2 else (m, K, D)) / 9)
    run: dict[str, Any] = {
        "step_size": h.scalar(0.5),
        "n_steps": h.scalar(5),
        "radius": h.scalar(2.0),
    }
    X, F = h.array(problem.X), h.array(h.rng.standard_normal((N, C)))
    way = h.of(["a", "hard", "sharp"])
    if way == "a":
        return certificates.theorem_a(start, v, X, F, **run).as_dict()
    if way == "hard":
        return certificates.hard_certificate(start, v, X, h.array(problem.y), F, **run)
    return certificates.sharp_certificate(
        start, v, X, h.array(problem.targets["soft"]), displacement=h.scalar(None), **run
    )


def ntk(h: Hostile, where: Path) -> Any:
    X, Z, W = (h.array(h.rng.standard_normal((h.whole(1, 20), 3))) for _ in range(3))
    Z, dtype = h.of([None, Z]), h.scalar(h.of(["float32", "float64"]))
    if h.chance(0.5):
        return kernels.limiting_kernel(X, Z, dtype=dtype)
    return kernels.finite_kernel(
        X, W, Z, weights=h.array(np.ones(5)) if h.chance(0.3) else None, dtype=dtype
    )
