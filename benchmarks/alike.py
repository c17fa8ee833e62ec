"""Do peers compute the same thing? Checked on the very problem that is timed, before it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problem import Problem, Weights

EPOCHS = 2
LOSS_WITHIN = 1e-5  # nats; float32 rounding makes 1e-7 of it
STEP_WITHIN = 0.02  # of the longest displacement; weights near 1 are rounded to 6e-8 at every step


def check_alike(problem: Problem, peers: dict[str, Any], ours: str) -> dict[str, float]:
    """Train every peer a little and compare it with `ours`: losses, and how far neurons went.

    Losses alone would let a wrong step size pass, as a few small steps hardly change them.

    Returns
    -------
    dict
        The largest difference in loss (nats) and in displacement (relative to the longest one).

    Raises
    ------
    AssertionError
        A peer's losses or weights are others than ours; the message names it.
    """
    for peer in peers.values():
        peer.run(EPOCHS)
    reached = {name: peer.weights() for name, peer in peers.items()}
    own = reached.pop(ours)
    own_losses, own_steps = losses(problem, own), displacements(problem, own)
    longest = max(np.linalg.norm(step, axis=1).max() for step in own_steps)
    worst = {"loss_differs_by": 0.0, "step_differs_by": 0.0}
    for name, weights in reached.items():
        if weights is None:
            continue
        loss = np.abs(losses(problem, weights) - own_losses).max()
        steps = zip(displacements(problem, weights), own_steps, strict=True)
        step = max(np.linalg.norm(a - b, axis=1).max() for a, b in steps) / longest
        if not (loss < LOSS_WITHIN and step < STEP_WITHIN):
            raise AssertionError(
                f"{name} computes something else: loss {loss:.1e}, step {step:.1e}"
            )
        worst["loss_differs_by"] = max(worst["loss_differs_by"], float(loss))
        worst["step_differs_by"] = max(worst["step_differs_by"], float(step))
    return {name: float(f"{value:.1e}") for name, value in worst.items()}


def losses(problem: Problem, weights: Weights) -> np.ndarray[Any, Any]:
    """Mean cross-entropy of every student over all rows, from its weights in plain NumPy."""
    found = []
    for W, (_, a), student in zip(weights, problem.starts, problem.students, strict=True):
        f = np.maximum(problem.X @ W.T, 0).astype(np.float64) @ a
        found.append(np.mean(np.logaddexp(0, f) - problem.targets[student.labels] * f))
    return np.array(found)


def displacements(problem: Problem, weights: Weights) -> Weights:
    """How far every student's neurons are from their start, each (m, D)."""
    return [W - start for W, (start, _) in zip(weights, problem.starts, strict=True)]
