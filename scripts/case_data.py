"""Rows of the real cases (scripts/real_cases.py): inputs, labels, votes, and their two halves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from softwidth import builtin_tables
from softwidth._types import Array
from softwidth.builtin import BUILT_IN, CIFAR10_CLASSES
from softwidth.builtin_votes import CHAOS_CLASSES, chaosnli_pairs, cifar10h_images
from softwidth.patch_features import PatchFeatures
from softwidth.tasks import Part, group, split_rows

VALIDATION, TEST = 0.3, 0.1  # of the half that is planned on; students learn from the others
MNIST_ROWS = 4_000

Features = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Halves:
    """The rows that a plan is made on, in its three parts, and those that it never sees."""

    train: Part
    val: Part
    test: Part
    held: Part
    classes: tuple[str, ...] = ()  # names in their order, or their numbers serve

    def arrays(self) -> dict[str, Any]:
        """The first half as `softwidth.plan` takes arrays."""
        parts = {"": self.train, "_val": self.val, "_test": self.test}
        found = {f"{k}{end}": getattr(p, k) for end, p in parts.items() for k in ("X", "y", "soft")}
        if self.classes:
            found |= {f"y{end}": np.array(self.classes)[found[f"y{end}"]] for end in parts}
        return {name: array for name, array in found.items() if array is not None}


def halved(part: Part, *, seed: int, learn: Callable[[Array], Features] | None = None) -> Halves:
    """Two stratified halves; `learn` gives features from the first half's inputs alone."""
    half, other = split_rows(part.y, len(part.y) // 2, seed=seed)
    first, held = part.rows(half), part.rows(other)
    if learn is not None:
        features = learn(first.X)
        first, held = (Part(features(p.X), p.y, p.soft) for p in (first, held))
    test, rest = split_rows(first.y, round(TEST * len(half)), seed=seed + 1)
    val, train = split_rows(first.y[rest], round(VALIDATION * len(half)), seed=seed + 2)
    return Halves(first.rows(rest[train]), first.rows(rest[val]), first.rows(test), held)


def parity(source: str, *, seed: int) -> Halves:
    """Odd against even digits."""
    found = BUILT_IN[source].load()
    part, _ = group(found.train, found.classes, ("1", "3", "5", "7", "9"))
    if len(part.y) > MNIST_ROWS:
        part = part.rows(split_rows(part.y, MNIST_ROWS, seed=seed)[0])
    return halved(part, seed=seed)


def cifar10h(*, seed: int) -> Halves:
    """The 10,000 test images of CIFAR-10 with the votes of 47 to 63 people each."""
    images, votes = cifar10h_images(len(CIFAR10_CLASSES))
    return halved(
        Part(images, votes.argmax(axis=1), votes),
        seed=seed,
        learn=lambda X: PatchFeatures(seed=seed).fit(X),
    )


def chaosnli(*, seed: int, constant: bool = True) -> Halves:
    """3,113 pairs of sentences with 100 votes each: whether the second follows from the first.

    Students without biases need the constant column.
    """
    X, votes = chaosnli_pairs()
    learn = with_constant if constant else standard
    found = halved(Part(X, votes.argmax(axis=1), votes), seed=seed, learn=learn)
    return replace(found, classes=tuple(sorted(CHAOS_CLASSES)))


def table(name: str, *, seed: int) -> Halves:
    """A classification table that scikit-learn embeds, its columns standardised."""
    import sklearn.datasets

    X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    return halved(Part(X.astype(np.float32), y), seed=seed, learn=standard)


def standard(X: Array) -> Features:
    """Columns of mean 0 and variance 1 on these rows; constant ones of 0."""
    mean, scale = X.mean(axis=0), X.std(axis=0)
    return lambda rows: ((rows - mean) / np.where(scale > 0, scale, 1)).astype(np.float32)


def with_constant(X: Array) -> Features:
    """The same with a constant column, see `builtin_tables.with_constant`."""
    scaled = standard(X)
    return lambda rows: builtin_tables.with_constant(scaled(rows))


def blobs(n: int = 240, *, seed: int) -> Halves:
    """Two clouds that overlap, with ten votes on every row: a toy for tests."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 5)).astype(np.float32)
    positive = rng.binomial(10, 1 / (1 + np.exp(-3 * X[:, 0])))
    votes = np.stack([10 - positive, positive], axis=1)
    return halved(Part(X, votes.argmax(axis=1), votes), seed=seed)
