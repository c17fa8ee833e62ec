"""What a JAX user would write instead of a bank."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problem import Concatenated, Problem, Weights, ungroup


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
        return ungroup(self.groups, [np.asarray(W) for W in self.W])


class JaxConcatenated(Concatenated):
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
