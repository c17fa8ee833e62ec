"""Cost of a step against the number of neurons, and memory against what is promised."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.problem import make_problem
from softwidth import train_bank

MEMORY_PROBE = """
import sys, tracemalloc
import numpy as np
from softwidth import Student, train_bank
n, d, students, batch = (int(a) for a in sys.argv[1:])
X = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
y = np.arange(n) % 2
hard = np.eye(2)[y]
names = [Student(64, seed=s, radius=1.0) for s in range(students)]
train_bank(X[:64], y[:64], {"hard": hard[:64]}, names[:2], epochs=1, batch_size=batch or None)
tracemalloc.start()
train_bank(X, y, {"hard": hard}, names, epochs=2, batch_size=batch or None)
print(tracemalloc.get_traced_memory()[1])
"""


def run(quick: bool) -> dict[str, float]:
    """Seconds per neuron over sizes, relative to the largest, and memory beside its bound."""
    n, d = (600, 40) if quick else (10_000, 784)
    return {**_linearity(n, d, quick), **_memory(n, d, quick)}


def _linearity(n: int, d: int, quick: bool) -> dict[str, float]:
    problem = make_problem(n, d, None)
    targets = {"hard": problem.targets["hard"]}
    hard = [student for student in problem.students if student.labels == "hard"]
    per_neuron = {}
    for copies in (1, 2) if quick else (1, 2, 4, 8):
        students = hard * copies
        neurons = sum(student.width for student in students)
        train_bank(problem.X, problem.y, targets, students, epochs=1)
        began = time.perf_counter()
        epochs = 8 // copies
        train_bank(problem.X, problem.y, targets, students, epochs=epochs)
        per_neuron[neurons] = (time.perf_counter() - began) / epochs / neurons
    last = per_neuron[max(per_neuron)]
    print("\nneurons   microseconds per neuron and step")
    for neurons, seconds in per_neuron.items():
        print(f"{neurons:7}   {1e6 * seconds:8.1f}")
    return {f"sizes.per_neuron_at_{h}": round(s / last, 3) for h, s in per_neuron.items()}


def _memory(n: int, d: int, quick: bool) -> dict[str, float]:
    found = {}
    print(
        "\nstudents of width 64, batch: peak beyond the data, promised (4 x weights + row block), MB"
    )
    for students, batch in ((4, 0),) if quick else ((20, 0), (80, 0), (80, 128)):
        command = [sys.executable, "-c", MEMORY_PROBE, *map(str, (n, d, students, batch))]
        extra = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        weights = 4 * students * 64 * d
        block = 4 * students * 64 * min(batch or 1024, n, 1024)
        promised = 4 * weights + block
        found[f"memory.used_of_promised_{students}_{batch}"] = round(extra / promised, 3)
        print(f"{students:4} {batch:4}   {extra / 1e6:8.1f} {promised / 1e6:8.1f}")
    return found
