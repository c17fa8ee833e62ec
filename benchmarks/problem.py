"""The work that all peers do: gradient descent on many small students of a binary task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth import Student
from softwidth.network import initialise

WIDTHS, SEEDS, KINDS = (2, 4, 8, 16, 32, 64), range(5), ("hard", "soft")
STEP_SIZE = 3.0
Weights = list[np.ndarray[Any, Any]]


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows, targets and students at their start; `batch` rows a step, in the order of `orders`."""

    X: np.ndarray[Any, Any]  # (N, D) float32, unit rows
    y: np.ndarray[Any, Any]  # (N,)
    targets: dict[str, np.ndarray[Any, Any]]  # (N,) probability of class 1
    students: list[Student]
    batch: int | None

    @property
    def starts(self) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Hidden weights (m, D) and output weights (m,), with the scale in them."""
        found = []
        for student in self.students:
            network = initialise(student.width, self.X.shape[1], seed=student.seed)
            signs = network.A[:, 0] * network.scale
            found.append((network.W.astype(np.float32), signs.astype(np.float32)))
        return found

    def batches(self, epoch: int) -> list[np.ndarray[Any, Any] | slice]:
        """Rows of every step of an epoch, in the bank's own order."""
        N = len(self.y)
        if self.batch is None:
            return [slice(None)]
        order = np.random.default_rng([0, epoch]).permutation(N)
        return [order[start : start + self.batch] for start in range(0, N, self.batch)]

    @property
    def flops(self) -> float:
        """Of the two matrix products of an epoch."""
        neurons = sum(student.width for student in self.students)
        return 4.0 * self.X.size * neurons

    def by_width(self) -> dict[int, list[int]]:
        """Numbers of the students of each width."""
        groups: dict[int, list[int]] = {}
        for number, student in enumerate(self.students):
            groups.setdefault(student.width, []).append(number)
        return groups


def make_problem(n: int, d: int, batch: int | None, *, widths: tuple[int, ...] = WIDTHS) -> Problem:
    """A linear teacher's task on the sphere."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    p = 1 / (1 + np.exp(-20 * X @ rng.standard_normal(d) / d**0.5))
    y = (rng.random(n) < p).astype(np.int64)
    students = [Student(w, seed=s, labels=k, step_size=STEP_SIZE) for k in KINDS for w in widths for s in SEEDS]  # fmt: skip
    targets = {"hard": y.astype(np.float32), "soft": p.astype(np.float32)}
    return Problem(X, y, targets, students, batch)


def ungroup(groups: list[list[int]], stacked: list[Any]) -> Weights:
    """Weights of the students in their own order from those stacked by group."""
    found = {
        i: W for g, Ws in zip(groups, stacked, strict=True) for i, W in zip(g, Ws, strict=True)
    }
    return [np.asarray(found[i]) for i in range(len(found))]


class Concatenated:
    """All neurons in one matrix, and which student each belongs to."""

    def __init__(self, problem: Problem) -> None:
        starts = problem.starts
        self.problem = problem
        self.widths = [len(a) for _, a in starts]
        self.all_W = np.concatenate([W for W, _ in starts])
        self.all_a = np.concatenate([a for _, a in starts])
        self.student = np.repeat(np.arange(len(starts)), self.widths)
        self.all_T = np.stack([problem.targets[s.labels] for s in problem.students], axis=1)

    def split(self, W: Any) -> Weights:
        return np.split(np.asarray(W), np.cumsum(self.widths)[:-1])
