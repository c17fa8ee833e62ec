"""What `train_bank` refuses, in words that name the argument, its value and the wish."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import problems, random_problem

from softwidth._checks import ArgumentError, SoftwidthError
from softwidth.inputs import check_data
from softwidth.labels import Targets, make_targets
from softwidth.specs import Recipe, Student
from softwidth.training import train_bank

X, y, TARGETS = random_problem(0, N=12, D=3)
STUDENTS = [Student(4)]


def with_row(array, row, value):
    changed = np.array(array, dtype=np.float64)
    changed[row] = value
    return changed


def refuse(message, X=X, y=y, targets=TARGETS, students=STUDENTS, **recipe):
    with pytest.raises(ArgumentError, match=message) as error:
        train_bank(X, y, targets, students, **recipe)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (with_row(X, 3, np.nan), r"`X` \(=array of shape \(12, 3\)\) has NaN or infinite entries in rows 3\."),
        (with_row(X, [2, 5], np.inf), r"`X` .* has NaN or infinite entries in rows 2, 5\."),
        (with_row(X, 0, 1e200), r"`X` .* has NaN or infinite entries in rows 0\."),
        (np.zeros((0, 3)), r"`X` .* must be a matrix \(rows are samples\) with at least one row"),
        (np.zeros((12, 0)), r"`X` .* must be a matrix"),
        (X[:, 0], r"`X` .* must be a matrix"),
        (X[None], r"`X` .* must be a matrix"),
        (X.astype(object), r"`X` .* must hold real numbers, not entries of type object"),
        (X.astype(str), r"`X` .* must hold real numbers, not entries of type <U"),
        (X + 1j, r"`X` .* must hold real numbers, not entries of type complex128"),
        ([[1, 2], [3]], r"`X` \(=\[\[1, 2\], \[3\]\]\) must hold numbers, every row as many"),
        (None, r"`X` .* must hold real numbers"),
        (X[:11], r"must have as many rows as `X` \(11\)"),
    ],
)  # fmt: skip
def test_rows(rows, message):
    refuse(message, X=rows)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (y[:5], r"`y` \(=5 rows\) must have as many rows as `X` \(12\)"),
        (with_row(y, 4, 2), r"`y` \(=2\.0\) must be a class id from 0 to 1 \(rows 4\)"),
        (with_row(y, 4, -1), r"`y` \(=-1\.0\) must be a class id from 0 to 1"),
        (with_row(y, 4, np.nan), r"`y` \(=nan\) must be a class id"),
        (with_row(y, 4, 0.5), r"`y` \(=0\.5\) must be a class id"),
        ([], r"`y` .* must be a non-empty vector of class ids"),
        (y[:, None], r"`y` .* must be a non-empty vector"),
        (["odd"] * 12, r"`y` .* must hold real numbers, not entries of type <U3"),
        (y.astype(object), r"`y` .* must hold real numbers"),
        (None, r"`y` .* must hold real numbers"),
    ],
)
def test_class_ids(ids, message):
    refuse(message, y=ids)


SOFT = TARGETS["soft"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (SOFT[:7], r"`targets\['soft'\]` \(=7 rows\) must have as many rows as `X` \(12\)"),
        (with_row(SOFT, 2, np.nan), r"`targets\['soft'\]` .* has NaN or infinite entries in rows 2"),
        (with_row(SOFT, 2, [-0.5, 1.5]), r"`targets\['soft'\]` \(=12 rows\) has negative entries in rows 2"),
        (with_row(SOFT, 2, [0.5, 0.6]), r"`targets\['soft'\]` .* sums to neither 1 .* in rows 2"),
        (with_row(TARGETS["hard"] * 3, 2, 0), r"`targets\['soft'\]` .* has no votes in rows 2"),
        (SOFT[:, :1], r"`targets\['soft'\]` .* must have at least two columns, one for each class"),
        (np.zeros((0, 2)), r"`targets\['soft'\]` .* must be a non-empty matrix"),
        (SOFT[None], r"`targets\['soft'\]` .* must be a non-empty matrix"),
        (SOFT.astype(object), r"`targets\['soft'\]` .* must hold real numbers"),
        (SOFT.astype(str), r"`targets\['soft'\]` .* must hold real numbers"),
        ([[1], [0, 1]], r"`targets\['soft'\]` .* must hold numbers, every row as many"),
        (None, r"`targets\['soft'\]` .* must hold real numbers"),
        (np.full((12, 3), 1 / 3), r"`targets` .* must all have the same number of classes"),
        (Targets("soft", SOFT - 1), r"`targets\['soft'\]` .* has negative entries"),
        (Targets("soft", SOFT[:, 0:1]), r"`targets\['soft'\]` .* must have at least two columns"),
        (Targets("soft", SOFT[:3]), r"`targets\['soft'\]` \(=3 rows\) must have as many rows"),
    ],
)  # fmt: skip
def test_targets(table, message):
    refuse(message, targets={"hard": TARGETS["hard"], "soft": table})


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({}, r"`targets` \(=\{\}\) must map at least one label kind to its targets"),
        (None, r"`targets` \(=None\) must map at least one label kind"),
        (SOFT, r"`targets` \(=array of shape \(12, 2\)\) must map at least one label kind"),
        ({0: SOFT}, r"`targets` \(=0\) must have names of label kinds as its keys"),
    ],
)
def test_mappings(targets, message):
    refuse(message, targets=targets)


@pytest.mark.parametrize(
    ("students", "message"),
    [
        ([], r"`students` \(=\[\]\) must be a list of at least one Student"),
        (None, r"`students` \(=None\) must be a list"),
        (Student(4), r"`students` \(=Student\(.*\) must be a list"),
        ([Student(4), 8], r"`students\[1\]` \(=8\) must be a Student"),
        ([{"width": 4}], r"`students\[0\]` .* must be a Student"),
        ([Student(5)], r"`width` \(=5\) must be even: symmetric initialisation pairs the neurons"),
        ([Student(0)], r"`width` \(=0\) must be a whole number of at least 1"),
        ([Student(4.0)], r"`width` \(=4\.0\) must be a whole number"),
        ([Student("4")], r"`width` \(=4\) must be a whole number"),
        ([Student(4, seed=-1)], r"`seed` \(=-1\) must be a whole number of at least 0"),
        ([Student(4, seed=0.5)], r"`seed` \(=0\.5\) must be a whole number"),
        ([Student(4, labels="sotf")], r"`labels` \(=sotf\) is unknown; did you mean 'soft'\?"),
        ([Student(4, labels=None)], r"`labels` \(=None\) is unknown; choices: hard, soft"),
        ([Student(4, step_size=0)], r"`step_size` \(=0\) must be a number above 0"),
        ([Student(4, step_size=-1.0)], r"`step_size` \(=-1\.0\) must be a number above 0"),
        ([Student(4, step_size=np.inf)], r"`step_size` \(=inf\) must be a number above 0"),
        ([Student(4, step_size="1")], r"`step_size` \(=1\) must be a number above 0"),
        ([Student(4, radius=0)], r"`radius` \(=0\) must be a number above 0"),
        ([Student(4, radius=np.nan)], r"`radius` \(=nan\) must be a number above 0"),
        ([Student(4, radius=None)], r"`radius` \(=None\) must be a number above 0"),
        ([Student(4, init="gausian")], r"`init` \(=gausian\) is unknown; did you mean 'gaussian'\?"),
    ],
)  # fmt: skip
def test_students(students, message):
    refuse(message, students=students)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epoch": 3}, r"`setting` \(=epoch\) is unknown; did you mean 'epochs'\? Choices: epochs"),
        ({"lr": 3}, r"`setting` \(=lr\) is unknown"),
        ({"epochs": 0}, r"`epochs` \(=0\) must be a whole number of at least 1"),
        ({"epochs": 2.5}, r"`epochs` \(=2\.5\) must be a whole number"),
        ({"batch_size": 0}, r"`batch_size` \(=0\) must be a whole number of at least 1"),
        ({"batch_size": "all"}, r"`batch_size` \(=all\) must be a whole number"),
        ({"momentum": 1}, r"`momentum` \(=1\) must be below 1"),
        ({"momentum": -0.1}, r"`momentum` \(=-0\.1\) must be a number of at least 0"),
        ({"momentum": "0.9"}, r"`momentum` \(=0\.9\) must be a number of at least 0"),
        ({"momentum": np.nan}, r"`momentum` \(=nan\) must be a number"),
        ({"schedule": "cos"}, r"`schedule` \(=cos\) is unknown; did you mean 'cosine'\?"),
        ({"tolerance": -1e-9}, r"`tolerance` \(=-1e-09\) must be a number of at least 0"),
        ({"order_seed": -1}, r"`order_seed` \(=-1\) must be a whole number of at least 0"),
        ({"diagnostics_every": -1}, r"`diagnostics_every` \(=-1\) must be a whole number"),
        ({"dtype": "float16"}, r"`dtype` \(=float16\) is unknown; did you mean 'float"),
        ({"dtype": np.float32}, r"`dtype` \(=.*float32.*\) is unknown; choices: float32, float64"),
        ({"threads": 0}, r"`threads` \(=0\) must be a whole number of at least 1"),
        ({"memory": 0}, r"`memory` \(=0\) must be a whole number of at least 1"),
        ({"memory": "4GB"}, r"`memory` \(=4GB\) must be a whole number"),
        ({"bias": 1}, r"`bias` \(=1\) must be True or False"),
        ({"train_output": "yes"}, r"`train_output` \(=yes\) must be True or False"),
    ],
)  # fmt: skip
def test_recipes(setting, message):
    refuse(message, **setting)


junk = st.one_of(
    st.none(), st.text(max_size=3), st.integers(-3, 3), st.floats(), st.booleans(),
    st.lists(st.one_of(st.integers(-2, 2), st.floats(), st.text(max_size=1)), max_size=3),
    st.lists(st.lists(st.floats(), max_size=3), max_size=3), st.builds(object),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


def answer(**arguments):
    """Our error, if that is the answer; any other error, or a warning, ends the test."""
    given = {"X": X, "y": y, "targets": TARGETS, "students": STUDENTS, "epochs": 1, **arguments}
    try:
        train_bank(**given)
    except SoftwidthError as error:
        return str(error)
    return None


@settings(max_examples=150)
@given(name=st.sampled_from(["X", "y", "targets", "students"]), value=junk)
def test_whatever_is_passed_is_refused(name, value):
    assert f"`{name}" in answer(**{name: value})


@settings(max_examples=150)
@given(name=st.sampled_from(sorted(vars(Student(4)))), value=junk)
def test_whatever_a_student_is_it_is_trained_or_refused(name, value):
    refusal = answer(students=[Student(**{"width": 4, name: value})])
    assert refusal is None or f"`{name}`" in refusal


@settings(max_examples=150)
@given(name=st.sampled_from(sorted(vars(Recipe()).keys() - {"threads"})), value=junk)
def test_whatever_a_recipe_says_it_is_followed_or_refused(name, value):
    refusal = answer(**{name: value})
    assert refusal is None or f"`{name}`" in refusal or "`memory` allows" in refusal


@given(problem=problems())
def test_targets_arrive_as_they_are(problem):
    """Of a binary task the probability of class 1; else a row of numbers for each class."""
    X, y, targets = problem
    K = targets["hard"].shape[1]
    kinds = {**targets, "smooth": make_targets("smoothed(0.1)", y=y, n_classes=K)}
    data = check_data(X, y, kinds, Recipe(dtype="float64"))
    T, entropies = data.stacked(0)
    assert T.shape == (3, 1 if K == 2 else K, len(X))
    np.testing.assert_allclose(T[1], targets["soft"].T[-T.shape[1] :], atol=1e-15)
    assert not entropies[0].any()
    q = 1 - 0.1 + 0.1 / K
    expected = -q * np.log(q) - (K - 1) * 0.1 / K * np.log(0.1 / K)
    np.testing.assert_allclose(entropies[2], expected)


def test_rows_that_need_no_change_are_not_copied():
    """Half a gigabyte of rows in the right form is used where it lies; read-only rows are not."""
    rows = X.astype(np.float32)
    assert np.shares_memory(check_data(rows, y, TARGETS, Recipe()).X, rows)
    rows.flags.writeable = False
    data = check_data(rows, y, TARGETS, Recipe())
    assert data.X.flags.writeable
    np.testing.assert_array_equal(data.X, rows)
    assert not rows.flags.writeable


def test_arguments_are_left_as_they_were():
    rows, ids, table = X.astype(np.float32), y.copy(), SOFT.copy()
    train_bank(rows, ids, {"hard": table}, STUDENTS, epochs=3, batch_size=5)
    np.testing.assert_array_equal(rows, X.astype(np.float32))
    np.testing.assert_array_equal(ids, y)
    np.testing.assert_array_equal(table, SOFT)
