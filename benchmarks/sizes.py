"""Cost of a step against the number of neurons, and memory against what is promised.

`per_neuron_at_H` is the time of a full-batch step of a bank of H neurons, divided by H and by the
same at the largest H: 1 everywhere if the cost is linear. `used_of_promised_S_B` is what a bank of S
students of width 64 with finite radius takes in batches of B rows (0: full batch) beyond what the
process and its data had taken before, as Linux counts it (peak resident memory, so that BLAS's own
buffers count too), divided by 4 x weights + one row block of inputs and activations.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.problem import make_problem
from softwidth import train_bank
from softwidth.workers import BLOCK

ROUNDS = 3
COPIES = (1, 2, 4, 8)
BANKS = ((20, 0), (80, 0), (80, 128))  # students, batch
BARS = {
    **{f"sizes.per_neuron_at_{630 * copies}": ("<=", 1.25) for copies in COPIES[:-1]},
    **{f"memory.used_of_promised_{s}_{batch}": ("<=", 1.0) for s, batch in BANKS},
}

MEMORY_PROBE = """
import sys
import numpy as np
from softwidth import Student, train_bank
n, d, students, batch = (int(a) for a in sys.argv[1:])
def resident(name):
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith(name))
X = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32)
X /= np.sqrt(np.einsum("nd,nd->n", X, X))[:, None]
y = np.arange(n) % 2
hard = np.eye(2)[y]
names = [Student(64, seed=s, radius=1.0) for s in range(students)]
train_bank(X[:64], y[:64], {"hard": hard[:64]}, names[:2], epochs=1, batch_size=batch or None)
before = resident("VmRSS")
train_bank(X, y, {"hard": hard}, names, epochs=2, batch_size=batch or None)
print(resident("VmHWM") - before)
"""


def run(quick: bool) -> dict[str, float]:
    """Seconds per neuron over sizes, relative to the largest, and memory beside its bound."""
    n, d = (600, 40) if quick else (10_000, 784)
    return {**_linearity(n, d, quick), **_memory(10_000, 784, BANKS[:1] if quick else BANKS)}


def _linearity(n: int, d: int, quick: bool) -> dict[str, float]:
    problem = make_problem(n, d, None)
    targets = {"hard": problem.targets["hard"]}
    hard = [student for student in problem.students if student.labels == "hard"]
    neurons = sum(student.width for student in hard)
    turns: dict[int, list[float]] = {copies: [] for copies in (COPIES[:2] if quick else COPIES)}
    for _ in range(1 if quick else ROUNDS):
        for copies, times in turns.items():
            epochs = 2 * COPIES[-1] // copies
            began = time.perf_counter()
            train_bank(problem.X, problem.y, targets, hard * copies, epochs=epochs)
            times.append((time.perf_counter() - began) / epochs / copies / neurons)
    per_neuron = {copies * neurons: statistics.median(times) for copies, times in turns.items()}
    print("\nneurons   microseconds per neuron and step")
    for count, seconds in per_neuron.items():
        print(f"{count:7}   {1e6 * seconds:8.1f}")
    last = per_neuron[max(per_neuron)]
    return {f"sizes.per_neuron_at_{h}": round(s / last, 3) for h, s in per_neuron.items()}


def _memory(n: int, d: int, banks: tuple[tuple[int, int], ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    if not Path("/proc/self/status").exists():
        return found
    print("\nstudents of width 64, batch: MB beyond the data, promised, rows and neurons")
    for students, batch in banks:
        command = [sys.executable, "-c", MEMORY_PROBE, *map(str, (n, d, students, batch))]
        extra = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        promised = _promised(n, d, 64 * students, batch)
        found[f"memory.used_of_promised_{students}_{batch}"] = round(extra / promised, 3)
        print(f"{students:4} {batch:4}   {extra / 1e6:8.1f} {promised / 1e6:8.1f}")
    return found


def _promised(n: int, d: int, neurons: int, batch: int) -> float:
    """Bytes of 4 x weights, and of one block of rows with the activations of all neurons."""
    block = min(batch or n, n, BLOCK)
    return 4.0 * (4 * neurons * d + block * (d + neurons))
