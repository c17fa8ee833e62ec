"""The long attack (scripts/fuzz.py) in short: some inputs of every entry point, and others each run."""

from __future__ import annotations

import warnings
from pathlib import Path

import hostile_answers
import numpy as np
import pytest
from hostile_answers import FREE, ROOM, FaultError, answer
from hostile_calls import CALLS, attack
from hostile_files import archive
from hostile_values import Hostile
from hypothesis import given, settings
from hypothesis import strategies as st

from softwidth._checks import ArgumentError

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is measured by Linux's /proc"
)
TRAINING = {"sweep", "train_bank", "bank", "margin", "teachers", "classifiers by name", "lessons", "estimator", "deep plan"}  # fmt: skip
QUICK = [name for name in CALLS if name != "plan"]  # a whole plan takes seconds
SEEDS = 12  # of each entry point; of those that train a third
EXAMPLES = 100


@pytest.mark.parametrize("name", QUICK)
def test_hostile_input_has_a_result_or_one_of_our_errors(name, tmp_path):
    for seed in range(SEEDS // 3 if name in TRAINING else SEEDS):
        where = tmp_path / str(seed)
        where.mkdir()
        attack(name, seed, where)  # raises what is neither


@settings(max_examples=EXAMPLES)
@given(name=st.sampled_from([name for name in QUICK if name not in TRAINING]), seed=st.integers(0))
def test_so_has_input_that_nobody_has_seen(tmp_path_factory, name, seed):
    attack(name, seed, tmp_path_factory.mktemp("hostile"))


def wrong():
    raise KeyError("x")


def warned():
    warnings.warn("careful", stacklevel=1)


def endless():
    while True:
        pass


def greedy():
    np.ones((FREE + 2 * ROOM) // 8)


def garbled():
    error = ArgumentError("x", 1, "is wrong.")
    error.args = ("\x1b[31m",)
    raise error


@pytest.mark.parametrize("call", [wrong, warned, endless, greedy, garbled])
def test_the_attack_sees_what_is_no_answer(call, tmp_path, monkeypatch):
    monkeypatch.setattr(hostile_answers, "SECONDS", 0.2)
    with pytest.raises(FaultError):
        answer(lambda h, where: call(), Hostile(0), tmp_path)


def test_an_input_is_told_by_its_seed(tmp_path):
    """Or a fault that the long attack finds could not be made again."""
    for seed in range(5):
        first, again = (archive(Hostile(seed), tmp_path / name) for name in ("a", "b"))
        assert first.read_bytes() == again.read_bytes()
