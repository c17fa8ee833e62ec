"""What is asked of a bank, and what a recipe stands for."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import random_problem

from softwidth._checks import ArgumentError
from softwidth.specs import Recipe, Student
from softwidth.training import train_bank


def test_the_defaults_are_sound():
    Student(2).check()
    Recipe().check()
    assert Recipe.of({}) == Recipe()


@given(n=st.integers(1, 60))
def test_schedules(n):
    """Cosine falls from 1 towards 0; half of the way is half of the size."""
    constant, cosine = (Recipe(schedule=name).factors(n) for name in ("constant", "cosine"))
    assert (constant == 1).all()
    assert cosine[0] == 1
    assert (np.diff(cosine) < 0).all()
    assert cosine[-1] == pytest.approx(np.sin(np.pi / (2 * n)) ** 2)
    assert Recipe(schedule="cosine").factors(2 * n)[n] == pytest.approx(0.5)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe)])
def test_every_setting_has_an_effect_or_changes_nothing(field):
    """Those of the computation change the result; those of its place and look do not."""
    other = {
        "epochs": 4, "batch_size": 7, "momentum": 0.5, "optimiser": "adam", "schedule": "cosine", "train_output": True,
        "bias": True, "order_seed": 1, "tolerance": 0.69, "diagnostics_every": 1,
        "dtype": "float32", "threads": 1, "memory": 2**30,
    }  # fmt: skip
    X, y, targets = random_problem(0)
    plain = {"epochs": 5, "batch_size": 9, "dtype": "float64", "threads": 2}
    one, two = (
        train_bank(X, y, targets, [Student(4), Student(4, seed=1)], **settings)
        for settings in (plain, {**plain, field: other[field]})
    )
    same = np.array_equal(one.networks[0].W, two.networks[0].W)
    assert same == (field in ("diagnostics_every", "threads", "memory"))


@pytest.mark.parametrize("field", ["seed", "labels", "step_size", "radius", "init", "width"])
def test_every_field_of_a_student_has_an_effect(field):
    other = {
        "seed": 1,
        "labels": "soft",
        "step_size": 0.5,
        "radius": 0.01,
        "init": "he",
        "width": 6,
    }
    X, y, targets = random_problem(0)
    students = [Student(4), dataclasses.replace(Student(4), **{field: other[field]})]
    bank = train_bank(X, y, targets, students)
    assert not np.allclose(bank.logits(X)[0], bank.logits(X)[1])


def test_specs_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Student(4).width = 6
    with pytest.raises(ArgumentError, match="did you mean 'epochs'"):
        Recipe.of({"epoch": 1})
