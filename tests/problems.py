"""Random small tasks and banks that the tests of the core share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from softwidth._types import Array, Labels
from softwidth.network import INITIALISATIONS
from softwidth.specs import Student

KINDS = ("hard", "soft")


class Problem(NamedTuple):
    X: Array  # (N, D), rows of unit norm
    y: Labels  # (N,)
    targets: dict[str, Array]  # "hard" and "soft", (N, K)


def random_problem(seed: int, N: int = 40, D: int = 6, K: int = 2) -> Problem:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, D))
    y = rng.integers(0, K, N)
    hard = np.eye(K)[y]
    soft = 0.6 * hard + 0.4 * rng.dirichlet(np.ones(K), N)
    return Problem(X / np.linalg.norm(X, axis=1, keepdims=True), y, {"hard": hard, "soft": soft})


def problems(max_rows: int = 60) -> st.SearchStrategy[Problem]:
    return st.builds(
        random_problem,
        seed=st.integers(0, 2**32 - 1),
        N=st.integers(1, max_rows),
        D=st.integers(1, 12),
        K=st.integers(2, 5),
    )


def students(largest_step: float = 2) -> st.SearchStrategy[Student]:
    return st.builds(
        Student,
        width=st.integers(1, 12).map(lambda half: 2 * half),
        seed=st.integers(0, 1000),
        labels=st.sampled_from(KINDS),
        step_size=st.floats(0.01, largest_step),
        radius=st.one_of(st.just(np.inf), st.floats(0.01, 3)),
        init=st.sampled_from(sorted(INITIALISATIONS)),
    )


def banks(max_size: int = 6) -> st.SearchStrategy[list[Student]]:
    return st.lists(students(), min_size=1, max_size=max_size)
