"""Our bank and what a user would pick instead of it.

A peer is made from a `Problem` and trains whole epochs with ``run(epochs)``; ``weights()`` gives
every student's hidden weights, so that all can be seen to compute the same thing.
"""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np

from benchmarks.problem import Problem, Weights
from softwidth import train_bank

OURS = "softwidth bank"


class OurBank:
    """`train_bank`: one call, its set-up included."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def run(self, epochs: int) -> None:
        p = self.problem
        targets = {kind: np.stack([1 - t, t], axis=1) for kind, t in p.targets.items()}
        self.bank = train_bank(
            p.X, p.y, targets, p.students, epochs=epochs, batch_size=p.batch, tolerance=0
        )

    def weights(self) -> Weights:
        return [network.W for network in self.bank.networks]


class BareProducts:
    """The two matrix products of every step and nothing else: the ceiling."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.W = np.concatenate([W for W, _ in problem.starts])
        rows = problem.batch or len(problem.y)
        self.H = np.empty((len(self.W), rows), np.float32)
        self.G = np.empty_like(self.W)

    def run(self, epochs: int) -> None:
        X, rows = self.problem.X, self.H.shape[1]
        for _ in range(epochs):
            for start in range(0, len(X) - rows + 1, rows):
                block = X[start : start + rows]
                np.matmul(self.W, block.T, out=self.H)
                np.matmul(self.H, block, out=self.G)

    def weights(self) -> None:
        return None


class SklearnLoop:
    """`MLPClassifier`, one after another, on the hard-label students.

    It draws its own weights and trains biases and the output layer too, and it takes no soft
    labels: nearly the same work, on half of the students.
    """

    share = 0.5  # of the students

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def run(self, epochs: int) -> None:
        from sklearn.neural_network import MLPClassifier

        p = self.problem
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that so few epochs have not converged
            for student in p.students:
                if student.labels == "hard":
                    MLPClassifier(
                        student.width,
                        solver="sgd",
                        alpha=0,
                        momentum=0,
                        batch_size=p.batch or len(p.y),
                        max_iter=epochs,
                        n_iter_no_change=epochs + 1,
                        learning_rate_init=0.01,
                        random_state=student.seed,
                    ).fit(p.X, p.y)

    def weights(self) -> None:
        return None


def peers_here() -> dict[str, Any]:
    """The peers whose library is installed, by name; those of torch and JAX are."""
    found: dict[str, Any] = {"bare products": BareProducts, OURS: OurBank}
    if importlib.util.find_spec("torch"):
        from benchmarks import torch_peers as torch

        found["torch loop"], found["torch vmap"] = torch.TorchLoop, torch.TorchVmap
        found["ParallelMLPs"] = torch.ParallelMLPs
    if importlib.util.find_spec("jax"):
        from benchmarks import jax_peers as jax

        found["JAX vmap"], found["JAX concatenated"] = jax.JaxVmap, jax.JaxConcatenated
    return {**found, "scikit-learn loop": SklearnLoop}
