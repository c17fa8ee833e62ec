"""The limiting kernel beside the bare symmetric product and other ways to write it.

The bare product is NumPy's ``X @ X.T``: BLAS `syrk` of one triangle, then mirrored, which is also
what ours returns. A rate is the product's time divided by the kernel's.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from softwidth.kernels import limiting_kernel

REPEATS = 4
BARS = {
    "kernel_float32_softwidth_of_bare_product": (">=", 0.75),
    "kernel_float64_softwidth_of_bare_product": (">=", 0.75),
}
Kernel = Callable[[np.ndarray[Any, Any]], Any]


def plain(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The formula in NumPy for rows of unit norm: three n x n arrays, digits lost near x = ±x'."""
    K = X @ X.T
    return K * (np.pi - np.arccos(np.clip(K, -1, 1))) / X.dtype.type(2 * np.pi)


def jax_kernel(X: np.ndarray[Any, Any]) -> Any:
    """The same in JAX, compiled."""
    import jax
    import jax.numpy as jnp

    @jax.jit
    def formula(X: Any) -> Any:
        K = X @ X.T
        return K * (jnp.pi - jnp.arccos(jnp.clip(K, -1, 1))) / (2 * jnp.pi)

    return lambda: formula(X).block_until_ready()


def rates(X: np.ndarray[Any, Any]) -> dict[str, float]:
    """Best of `REPEATS` alternating runs, as parts of the bare product's rate."""
    ways: dict[str, Callable[[], Any]] = {
        "bare": lambda: X @ X.T,
        "softwidth": lambda: limiting_kernel(X, dtype=X.dtype),
        "numpy": lambda: plain(X),
    }
    if X.dtype == np.float32 and importlib.util.find_spec("jax"):
        ways["jax"] = jax_kernel(X)
    best = dict.fromkeys(ways, np.inf)
    for _ in range(REPEATS):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            best[name] = min(best[name], time.perf_counter() - start)
    return {"bare_seconds": best["bare"]} | {n: best["bare"] / s for n, s in best.items() if n != "bare"}  # fmt: skip


def run(quick: bool) -> dict[str, Any]:
    n, d = (300, 20) if quick else (10_000, 784)
    found: dict[str, Any] = {}
    for dtype in (np.float32, np.float64):
        X = np.random.default_rng(0).standard_normal((n, d)).astype(dtype)
        X /= np.linalg.norm(X, axis=1, keepdims=True)
        for name, value in rates(X).items():
            unit = "" if name == "bare_seconds" else "_of_bare_product"
            found[f"kernel.{np.dtype(dtype).name}.{name}{unit}"] = round(float(value), 3)
    return found
