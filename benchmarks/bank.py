"""A step of our bank beside its peers and beside the bare matrix products.

60 students (widths 2 to 64, 5 seeds, hard and soft labels) train on 10,000 rows of 784 features, in
full batch and in batches of 128. A `ratio_to_X` is X's time divided by ours for the same work in
the same run, the median over rounds in which all take turns: above 1 we are faster. Ours is a whole
call of `train_bank`, its set-up included; of the peers the steps are timed alone. Before that, all
must have reached the same losses and weights from the same start (`loss_differs_by` in nats,
`step_differs_by` in parts of the longest step).

`bare_products` are the two matrix products of a step and nothing else, as NumPy computes them on
all cores. `peak_gflops` is the best rate of the same BLAS on square products in the cache, and
`ratio_at_peak_to_X` what a bank would have whose every operation ran at it: with this BLAS none can
be more times faster than X.

scikit-learn's MLPClassifier takes no soft labels, draws its own weights and trains the output layer
and biases too: nearly the same work, timed on the hard-label students and counted twice.
"""

from __future__ import annotations

import statistics
import time
from typing import Any, NamedTuple

from benchmarks.alike import check_alike
from benchmarks.ceiling import peak_gflops
from benchmarks.peers import OURS, peers_here
from benchmarks.problem import Problem, make_problem
from benchmarks.quiet import Quiet

ROUNDS = 4
SECONDS_A_TURN = 1.5
QUIET = 0.03  # part of the machine that others may take in a round that counts
PATIENCE = 90  # seconds to wait for quiet rounds, for each size of batch
BARS = {
    "full_batch.ratio_to_bare_products": (">=", 0.85),
    "full_batch.ratio_to_torch_loop": (">=", 4.0),
    "full_batch.ratio_to_torch_vmap": (">=", 3.5),
    "full_batch.ratio_to_better_jax": (">=", 1.6),
    "batch_128.ratio_to_torch_loop": (">=", 5.0),
    "batch_128.ratio_to_better_jax": (">=", 1.0),
}
Turns = dict[str, list[float]]


class Round(NamedTuple):
    """One turn of everybody, so that drift hits all alike."""

    seconds: dict[str, float]  # of an epoch, by peer
    peak: float  # GFLOP/s
    busy: float  # part of the machine that others took


def run(quick: bool) -> dict[str, float]:
    """Ratios of full batch and of batches of 128 rows."""
    n, d = (600, 40) if quick else (10_000, 784)
    found: dict[str, float] = {}
    for label, batch in (("full_batch", None), ("batch_128", 128)):
        problem = make_problem(n, d, batch)
        peers = {name: make(problem) for name, make in peers_here().items()}
        alike = check_alike(problem, peers, OURS)
        rounds = take_rounds(peers, 1 if quick else ROUNDS)
        figures = {**alike, **figures_of(problem, rounds)}
        found |= {f"{label}.{name}": value for name, value in figures.items()}
        busy = max(found.get("bank.busy_elsewhere", 0), *(taken.busy for taken in rounds))
        found["bank.busy_elsewhere"] = round(busy, 3)
        print_table(label, problem, turns_of(rounds))
    return found


def take_rounds(peers: dict[str, Any], count: int) -> list[Round]:
    """The quietest rounds, as many as asked for; more are taken while others use the machine."""
    epochs = {name: _epochs_a_turn(peer) for name, peer in peers.items()}
    end, taken = time.monotonic() + PATIENCE, list[Round]()
    while len(taken) < count or (
        sum(done.busy <= QUIET for done in taken) < count and time.monotonic() < end
    ):
        taken.append(_round(peers, epochs))
    return sorted(taken, key=lambda done: done.busy)[:count]


def _round(peers: dict[str, Any], epochs: dict[str, int]) -> Round:
    since, peak = Quiet(), peak_gflops()
    seconds = {
        name: _seconds(peer, epochs[name]) / getattr(peer, "share", 1.0)
        for name, peer in peers.items()
    }
    return Round(seconds, peak, since.busy_elsewhere())


def turns_of(rounds: list[Round]) -> Turns:
    """Seconds of every peer, a number a round."""
    return {name: [taken.seconds[name] for taken in rounds] for name in rounds[0].seconds}


def _epochs_a_turn(peer: Any) -> int:
    return max(1, min(40, round(SECONDS_A_TURN / _seconds(peer, 1))))


def _seconds(peer: Any, epochs: int) -> float:
    began = time.perf_counter()
    peer.run(epochs)
    return (time.perf_counter() - began) / epochs


def figures_of(problem: Problem, rounds: list[Round]) -> dict[str, float]:
    """How many times faster the bank is than each peer, could be at most, and its rate."""
    turns, peak = turns_of(rounds), max(taken.peak for taken in rounds)
    others = {name: times for name, times in turns.items() if name != OURS}
    jax = [times for name, times in others.items() if name.startswith("JAX")]
    if jax:
        others["better JAX"] = min(jax, key=statistics.median)
    found = {"gflops": rate(problem, turns[OURS]), "peak_gflops": peak}
    for name, times in others.items():
        key = name.replace(" ", "_").replace("-", "_").lower()
        found[f"ratio_to_{key}"] = ratio(times, turns[OURS])
        found[f"ratio_at_peak_to_{key}"] = peak / rate(problem, times)
    return {name: round(value, 2) for name, value in found.items()}


def ratio(theirs: list[float], ours: list[float]) -> float:
    """Median over turns of their time divided by ours in the same turn."""
    return statistics.median(other / own for other, own in zip(theirs, ours, strict=True))


def rate(problem: Problem, times: list[float]) -> float:
    """GFLOP/s of the products of an epoch in the median turn."""
    return problem.flops / statistics.median(times) / 1e9


def print_table(label: str, problem: Problem, turns: Turns) -> None:
    """A line a peer."""
    print(f"\n{label}: {len(problem.students)} students, X {problem.X.shape}")
    for name, times in turns.items():
        milliseconds, times_ours = 1e3 * statistics.median(times), ratio(times, turns[OURS])
        rates = f"{rate(problem, times):7.1f} GFLOP/s {times_ours:6.2f} x ours"
        print(f"  {name:18} {milliseconds:9.1f} ms an epoch {rates}")
