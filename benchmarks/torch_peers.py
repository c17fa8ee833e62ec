"""What a torch user would write instead of a bank."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problem import Concatenated, Problem, Weights, ungroup


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
        return ungroup(self.groups, [W.numpy() for W in self.W])


class ParallelMLPs(Concatenated):
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
