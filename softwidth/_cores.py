"""Cores of this machine, and how many of them BLAS may use."""

from __future__ import annotations

import functools
import os
from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import ThreadpoolController


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def blas_threads(n: int) -> AbstractContextManager[Any]:
    """BLAS uses at most `n` threads inside this context."""
    return _libraries().limit(limits=n, user_api="blas")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
