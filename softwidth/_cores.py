"""Cores of this machine, and how many of them this process or a part of it may use."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from threadpoolctl import ThreadpoolController, threadpool_limits

_granted: ContextVar[int | None] = ContextVar("_granted", default=None)


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def blas_threads(n: int) -> AbstractContextManager[Any]:
    """BLAS uses at most `n` threads inside this context."""
    return _libraries().limit(limits=n, user_api="blas")


def usable_cores() -> int:
    """Cores that this process may use, or what `one_core` left of them."""
    granted = _granted.get()
    if granted is not None:
        return granted
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_core() -> Iterator[None]:
    """Everything inside runs on one core, so that no number depends on how many there are.

    A sum that two threads share is added up in another order than one thread's: the last bit
    differs, and after a few hundred steps of single precision the third digit may.
    """
    token = _granted.set(1)
    try:
        with _single, threadpool_limits(limits=1, user_api="openmp"):  # OpenMP's is each thread's
            yield
    finally:
        _granted.reset(token)


class _SingleThreads:
    """BLAS at one thread from the first that enters to the last that leaves.

    The limit is the process's: were everybody to put back what they found, whoever leaves first
    would give threads to those who are still inside.
    """

    def __init__(self) -> None:
        self.inside, self.lock = 0, threading.Lock()
        self.limits: Any = None

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.limits = threadpool_limits(limits=1)
                _release()
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.limits.restore_original_limits()
                _release()


def _release() -> None:
    """Let other threads set limits too: threadpoolctl hears one thread until a context of it ends."""
    with threadpool_limits(limits=None):
        pass


_single = _SingleThreads()
