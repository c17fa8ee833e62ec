"""A step of our bank beside its peers and beside the bare matrix products."""

from __future__ import annotations

import importlib.util
import statistics
import time
from typing import Any

import numpy as np

from benchmarks.peers import PEERS
from benchmarks.problem import Problem, make_problem

ROUNDS = 3
SECONDS_A_TURN = 1.5
NEEDS = {"torch loop": "torch", "torch vmap": "torch", "ParallelMLPs": "torch", "JAX vmap": "jax", "JAX concatenated": "jax"}  # fmt: skip


def run(quick: bool) -> dict[str, float]:
    """Ratios of full batch and of batches of 128 rows."""
    n, d = (600, 40) if quick else (10_000, 784)
    found: dict[str, float] = {}
    for label, batch in (("full_batch", None), ("batch_128", 128)):
        check_alike(batch)
        problem = make_problem(n, d, batch)
        seconds = time_peers(problem, rounds=1 if quick else ROUNDS)
        found |= {f"{label}.{name}": value for name, value in ratios(problem, seconds).items()}
        print_table(label, problem, seconds)
    return found


def here() -> list[str]:
    """Peers whose library is installed."""
    return [name for name in PEERS if name not in NEEDS or importlib.util.find_spec(NEEDS[name])]


def check_alike(batch: int | None) -> None:
    """All peers must reach the same weights on a small problem, or there is nothing to compare."""
    problem = make_problem(512, 30, batch, widths=(2, 6))
    reached = {}
    for name in here():
        peer = PEERS[name](problem)
        peer.run(2)
        if peer.weights() is not None:
            reached[name] = peer.weights()
    ours = reached.pop("softwidth bank")
    for name, weights in reached.items():
        for W, own in zip(weights, ours, strict=True):
            np.testing.assert_allclose(W, own, atol=1e-4, err_msg=f"{name} computes something else")


def time_peers(problem: Problem, *, rounds: int) -> dict[str, float]:
    """Median seconds of an epoch of every peer, turn by turn so that drift hits all alike."""
    peers = {name: PEERS[name](problem) for name in here()}
    epochs = {name: _epochs_a_turn(peer) for name, peer in peers.items()}
    turns: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, peer in peers.items():
            began = time.perf_counter()
            peer.run(epochs[name])
            share = getattr(peer, "share", 1.0)
            turns[name].append((time.perf_counter() - began) / epochs[name] / share)
    return {name: statistics.median(times) for name, times in turns.items()}


def _epochs_a_turn(peer: Any) -> int:
    """As many as fill a turn; the first run, which compiles, does not count."""
    peer.run(1)
    began = time.perf_counter()
    peer.run(1)
    return max(1, min(40, round(SECONDS_A_TURN / (time.perf_counter() - began))))


def ratios(problem: Problem, seconds: dict[str, float]) -> dict[str, float]:
    """How many times faster the bank is than each peer, and its rate in GFLOP/s."""
    ours = seconds["softwidth bank"]
    found = {
        f"ratio_to_{name.replace(' ', '_').replace('-', '_').lower()}": round(other / ours, 3)
        for name, other in seconds.items()
        if name != "softwidth bank"
    }
    jax = [other for name, other in seconds.items() if name.startswith("JAX")]
    if jax:
        found["ratio_to_better_jax"] = round(min(jax) / ours, 3)
    return {**found, "gflops": round(problem.flops / ours / 1e9, 1)}


def print_table(label: str, problem: Problem, seconds: dict[str, float]) -> None:
    """A line a peer."""
    print(f"\n{label}: {len(problem.students)} students, X {problem.X.shape}")
    for name, value in seconds.items():
        rate = problem.flops / value / 1e9
        times = value / seconds["softwidth bank"]
        print(f"  {name:18} {1e3 * value:9.1f} ms an epoch {rate:7.1f} GFLOP/s {times:6.2f} x ours")
