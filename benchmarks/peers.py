"""What a user would pick instead of a bank, each written as such a user would write it.

A peer is made from a `Problem` and trains whole epochs with ``run(epochs)``; ``weights()`` gives
every student's hidden weights, so that all can be seen to compute the same thing.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from benchmarks.problem import Problem
from softwidth import train_bank

Weights = list[np.ndarray[Any, Any]]


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


class TorchLoop:
    """A module and an optimiser for each student, one after another."""

    def __init__(self, problem: Problem) -> None:
        import torch

        class Net(torch.nn.Module):
            def __init__(self, W: Any, a: Any) -> None:
                super().__init__()
                self.hidden = torch.nn.Linear(W.shape[1], W.shape[0], bias=False)
                self.hidden.weight.data = torch.from_numpy(W.copy())
                self.register_buffer("a", torch.from_numpy(a.copy()))

            def forward(self, x: Any) -> Any:
                return torch.relu(self.hidden(x)) @ self.a

        self.torch, self.problem = torch, problem
        self.X = torch.from_numpy(problem.X)
        self.T = {kind: torch.from_numpy(t) for kind, t in problem.targets.items()}
        self.nets = [Net(W, a) for W, a in problem.starts]
        self.optimisers = [
            torch.optim.SGD(net.parameters(), lr=student.step_size)
            for net, student in zip(self.nets, problem.students, strict=True)
        ]

    def run(self, epochs: int) -> None:
        loss_of = self.torch.nn.BCEWithLogitsLoss()
        for epoch in range(epochs):
            batches = [_rows(self.torch, rows) for rows in self.problem.batches(epoch)]
            for net, optimiser, student in zip(
                self.nets, self.optimisers, self.problem.students, strict=True
            ):
                T = self.T[student.labels]
                for rows in batches:
                    optimiser.zero_grad()
                    loss_of(net(self.X[rows]), T[rows]).backward()
                    optimiser.step()

    def weights(self) -> Weights:
        return [net.hidden.weight.detach().numpy() for net in self.nets]


def _rows(torch: Any, rows: Any) -> Any:
    return rows if isinstance(rows, slice) else torch.from_numpy(rows)


class TorchVmap:
    """`torch.func.vmap` over the students of one width, one width after another."""

    def __init__(self, problem: Problem) -> None:
        import torch

        self.torch, self.problem = torch, problem
        self.X = torch.from_numpy(problem.X)
        starts = problem.starts
        self.groups = list(problem.by_width().values())
        self.W = [torch.from_numpy(np.stack([starts[i][0] for i in g])) for g in self.groups]
        self.a = [torch.from_numpy(np.stack([starts[i][1] for i in g])) for g in self.groups]
        kinds = [[problem.students[i].labels for i in g] for g in self.groups]
        self.T = [torch.from_numpy(np.stack([problem.targets[k] for k in ks])) for ks in kinds]

        def loss(W: Any, a: Any, x: Any, t: Any) -> Any:
            f = torch.relu(x @ W.T) @ a
            return torch.nn.functional.binary_cross_entropy_with_logits(f, t)

        self.gradient = torch.func.vmap(torch.func.grad(loss), in_dims=(0, 0, None, 0))

    def run(self, epochs: int) -> None:
        for epoch in range(epochs):
            for rows in self.problem.batches(epoch):
                rows = _rows(self.torch, rows)
                x = self.X[rows]
                for g, W in enumerate(self.W):
                    step = self.gradient(W, self.a[g], x, self.T[g][:, rows])
                    W.sub_(step, alpha=self.problem.students[0].step_size)

    def weights(self) -> Weights:
        return _ungroup(self.groups, [W.numpy() for W in self.W])


def _ungroup(groups: list[list[int]], stacked: list[Any]) -> Weights:
    found = {
        i: W for g, Ws in zip(groups, stacked, strict=True) for i, W in zip(g, Ws, strict=True)
    }
    return [np.asarray(found[i]) for i in range(len(found))]


class _Concatenated:
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


class ParallelMLPs(_Concatenated):
    """One wide product and a scatter-add (ParallelMLPs, arXiv 2206.08369) in torch."""

    def __init__(self, problem: Problem) -> None:
        import torch

        super().__init__(problem)
        self.torch = torch
        self.X, self.T = torch.from_numpy(problem.X), torch.from_numpy(self.all_T)
        self.W = torch.nn.Parameter(torch.from_numpy(self.all_W))
        self.a, self.of = torch.from_numpy(self.all_a), torch.from_numpy(self.student)
        self.optimiser = torch.optim.SGD([self.W], lr=problem.students[0].step_size)

    def run(self, epochs: int) -> None:
        torch, S = self.torch, len(self.widths)
        for epoch in range(epochs):
            for rows in self.problem.batches(epoch):
                rows = _rows(torch, rows)
                x, t = self.X[rows], self.T[rows]
                self.optimiser.zero_grad()
                h = torch.relu(x @ self.W.T) * self.a
                f = torch.zeros(len(x), S).index_add(1, self.of, h)
                loss = torch.nn.functional.binary_cross_entropy_with_logits(f, t, reduction="sum")
                (loss / len(x)).backward()
                self.optimiser.step()

    def weights(self) -> Weights:
        return self.split(self.W.detach().numpy())


def _jax_loss(jnp: Any, f: Any, t: Any) -> Any:
    return jnp.logaddexp(0, f) - t * f


class JaxVmap:
    """`jit` of a step that holds a `vmap` for every width."""

    def __init__(self, problem: Problem) -> None:
        import jax
        import jax.numpy as jnp

        self.problem, starts = problem, problem.starts
        self.groups = list(problem.by_width().values())
        self.W = [jnp.stack([starts[i][0] for i in g]) for g in self.groups]
        a = [jnp.stack([starts[i][1] for i in g]) for g in self.groups]
        kinds = [[problem.students[i].labels for i in g] for g in self.groups]
        self.T = [jnp.stack([problem.targets[k] for k in ks]) for ks in kinds]
        self.X, step_size = jnp.asarray(problem.X), problem.students[0].step_size

        def loss(W: Any, a: Any, x: Any, t: Any) -> Any:
            return _jax_loss(jnp, jax.nn.relu(x @ W.T) @ a, t).mean()

        gradient = jax.vmap(jax.grad(loss), in_axes=(0, 0, None, 0))

        def step(Ws: Any, X: Any, T: Any, rows: Any) -> Any:
            x = X if rows is None else X[rows]
            ts = T if rows is None else [t[:, rows] for t in T]
            return [
                W - step_size * gradient(W, a, x, t) for W, a, t in zip(Ws, a_all, ts, strict=True)
            ]

        a_all = a
        self.step = jax.jit(step, donate_argnums=0)

    def run(self, epochs: int) -> None:
        for epoch in range(epochs):
            for rows in self.problem.batches(epoch):
                rows = None if isinstance(rows, slice) else rows
                self.W = self.step(self.W, self.X, self.T, rows)
        for W in self.W:
            W.block_until_ready()

    def weights(self) -> Weights:
        return _ungroup(self.groups, [np.asarray(W) for W in self.W])


class JaxConcatenated(_Concatenated):
    """`jit` of one concatenated product and a segment reduction."""

    def __init__(self, problem: Problem) -> None:
        import jax
        import jax.numpy as jnp

        super().__init__(problem)
        self.X, self.T = jnp.asarray(problem.X), jnp.asarray(self.all_T.T)
        self.W = jnp.asarray(self.all_W)
        a, of, S = jnp.asarray(self.all_a), jnp.asarray(self.student), len(self.widths)
        step_size = problem.students[0].step_size

        def loss(W: Any, x: Any, t: Any) -> Any:
            h = jax.nn.relu(W @ x.T) * a[:, None]
            f = jax.ops.segment_sum(h, of, num_segments=S, indices_are_sorted=True)
            return _jax_loss(jnp, f, t).mean(axis=1).sum()

        def step(W: Any, X: Any, T: Any, rows: Any) -> Any:
            x = X if rows is None else X[rows]
            t = T if rows is None else T[:, rows]
            return W - step_size * jax.grad(loss)(W, x, t)

        self.step = jax.jit(step, donate_argnums=0)

    def run(self, epochs: int) -> None:
        for epoch in range(epochs):
            for rows in self.problem.batches(epoch):
                rows = None if isinstance(rows, slice) else rows
                self.W = self.step(self.W, self.X, self.T, rows)
        self.W.block_until_ready()

    def weights(self) -> Weights:
        return self.split(self.W)


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


PEERS: dict[str, type] = {
    "bare products": BareProducts,
    "softwidth bank": OurBank,
    "torch loop": TorchLoop,
    "torch vmap": TorchVmap,
    "ParallelMLPs": ParallelMLPs,
    "JAX vmap": JaxVmap,
    "JAX concatenated": JaxConcatenated,
    "scikit-learn loop": SklearnLoop,
}
