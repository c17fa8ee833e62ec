"""The rate that no matrix product on this machine exceeds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from softwidth._cores import usable_cores

SIZE = 1024  # BLAS's blocks of it stay in the cache; larger squares were not faster
SECONDS = 0.3


def peak_gflops() -> float:
    """Square products on every core at once, each core for itself: the best turn, in GFLOP/s.

    On a processor whose arithmetic units allow 99 GFLOP/s a core (two fused multiply-adds of 8
    numbers a cycle), OpenBLAS reaches 92 here.
    """
    cores = usable_cores()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores) as pool:
        return round(sum(pool.map(_core_gflops, range(cores))), 1)


def _core_gflops(seed: int) -> float:
    rng = np.random.default_rng(seed)
    A, B = (rng.standard_normal((SIZE, SIZE), dtype=np.float32) for _ in range(2))
    out, fastest, end = np.empty_like(A), np.inf, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        began = time.perf_counter()
        np.matmul(A, B, out=out)
        fastest = min(fastest, time.perf_counter() - began)
    return float(2 * SIZE**3 / fastest / 1e9)
