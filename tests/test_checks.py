"""Every message names the argument, its value and the wish."""

import fractions

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from softwidth import _checks
from softwidth._checks import ArgumentError, SoftwidthError, rows_text, shorten


@pytest.mark.parametrize(
    "error", [ArgumentError("x", 1, "must not."), _checks.DataFileError("x"),
              _checks.MissingDataError("x"), _checks.MemoryLimitError("x")],
)  # fmt: skip
def test_all_errors_are_ours_and_the_standard_ones(error):
    """Who catches ValueError, LookupError or MemoryError catches them too."""
    assert isinstance(error, SoftwidthError)
    assert isinstance(error, (ValueError, LookupError, MemoryError))


def test_a_message_has_three_parts():
    assert str(ArgumentError("width", 7, "must be even.")) == "`width` (=7) must be even."


@given(value=st.one_of(st.text(), st.lists(st.text()), st.binary()), limit=st.integers(4, 80))
def test_values_are_shown_on_one_line_of_bounded_length(value, limit):
    shown = shorten(value, limit)
    assert len(shown) <= limit
    assert "\n" not in shown
    assert shorten(shown, limit) == shown


@given(rows=st.lists(st.integers(0, 10**6), min_size=1))
def test_rows_are_counted(rows):
    text = rows_text(np.array(rows))
    shown, _, more = text.partition(" and ")
    named = [int(row) for row in shown.split(", ")]
    assert named == rows[: len(named)]
    assert len(named) + (int(more.split()[0]) if more else 0) == len(rows)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("cosin", "did you mean 'cosine'? Choices: constant, cosine."),
        ("Constant", "did you mean 'constant'? Choices"),
        ("zzz", "choices: constant, cosine."),
        ("", "choices: constant, cosine."),
        (None, "choices: "),
        (["cosine"], "choices: "),
        (np.array(["cosine"]), "choices: "),
        (3, "choices: "),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(value, hint):
    with pytest.raises(ArgumentError) as error:
        _checks.check_choice("schedule", value, ("constant", "cosine"))
    assert str(error.value).startswith("`schedule` (=")
    assert hint in str(error.value)


@pytest.mark.parametrize(
    "value", [0.5, 1, np.float32(0.5), np.int64(1), fractions.Fraction(1, 2), 0]
)
def test_numbers_that_are_numbers(value):
    number = _checks.check_number("x", value, low=0, high=1)
    assert type(number) is float
    assert number == value


@pytest.mark.parametrize(
    ("value", "limits", "wish"),
    [
        (-0.1, {"low": 0}, "of at least 0."),
        (0, {"low": 0, "open_low": True}, "above 0."),
        (1.5, {"low": 0, "high": 1}, "of at least 0 and at most 1."),
        (np.nan, {"low": 0}, "of at least 0."),
        (np.inf, {"low": 0}, "of at least 0."),
        (-np.inf, {"low": 0, "allow_inf": True}, "of at least 0."),
        ("0.5", {"low": 0}, "of at least 0."),
        (None, {"low": 0}, "of at least 0."),
        (1j, {"low": 0}, "of at least 0."),
        ([0.5], {"low": 0}, "of at least 0."),
        (np.array([0.5]), {"low": 0}, "of at least 0."),
        (10**400, {"low": 0}, "of at least 0."),
    ],
)
def test_numbers_that_are_not(value, limits, wish):
    with pytest.raises(ArgumentError) as error:
        _checks.check_number("x", value, **limits)
    assert str(error.value) == f"`x` (={shorten(value)}) must be a number {wish}"


def test_infinity_where_it_is_meant():
    assert _checks.check_number("radius", np.inf, low=0, allow_inf=True) == np.inf


@pytest.mark.parametrize("value", [-1, 1.0, "1", None, True, np.nan, [1], np.array(1)])
def test_whole_numbers_that_are_not(value):
    with pytest.raises(ArgumentError, match=r"`seed` \(=.*\) must be a whole number of at least 0"):
        _checks.check_integer("seed", value)


@pytest.mark.parametrize("value", [0, 5, np.int32(5), np.uint8(5), 2**70])
def test_whole_numbers_that_are(value):
    assert _checks.check_integer("seed", value) == value


@pytest.mark.parametrize("value", ["yes", 1, None, np.array([True])])
def test_flags_that_are_none(value):
    with pytest.raises(ArgumentError, match="must be True or False"):
        _checks.check_flag("bias", value)


@given(
    X=hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int16, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
    )
)
def test_matrices_are_accepted_exactly_if_finite(X):
    """As numbers of the type asked for: what overflows in single precision is refused."""
    with np.errstate(over="ignore"):
        wanted = X[:, ::-1].astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(wanted).all(axis=1))
    if len(bad):
        rows = rows_text(bad)
        with pytest.raises(ArgumentError, match=f"has NaN or infinite entries in rows {rows}"):
            _checks.check_matrix("X", X[:, ::-1])
    else:
        out = _checks.check_matrix("X", X[:, ::-1])
        assert (out.dtype, out.flags.c_contiguous) == (np.float32, True)
        np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize(
    ("X", "wish"),
    [
        ([[np.nan, 1], [0, 1], [np.inf, -np.inf]], "has NaN or infinite entries in rows 0, 2."),
        ([[1e300, 1]], "has NaN or infinite entries in rows 0."),
        ([1.0, 2.0], "must be a matrix"), (np.zeros((2, 0)), "must be a matrix"),
        (np.zeros((2, 2, 2)), "must be a matrix"), (3.0, "must be a matrix"),
        ([[1j, 0]], "must hold real numbers, not entries of type complex128."),
        ([["a", "b"]], "must hold real numbers"), (None, "must hold real numbers"),
        (np.array([[1, None]], object), "must hold real numbers, not entries of type object."),
        (np.array([["2020-01-01"]], "M8[D]"), "must hold real numbers"),
        ([[1, 2], [3]], "must hold numbers, every row as many."),
        ({"a": 1}, "must hold real numbers"),
    ],
)  # fmt: skip
def test_matrices_that_are_none(X, wish):
    with pytest.raises(ArgumentError) as error:
        _checks.check_matrix("X", X)
    assert str(error.value).startswith("`X` (=")
    assert wish in str(error.value)


def test_large_finite_numbers_are_finite():
    """Their sum overflows, they do not; and numpy has nothing to warn of."""
    X = np.full((3, 4), 1.7e308)
    np.testing.assert_array_equal(_checks.check_matrix("X", X, dtype=np.float64), X)


@pytest.mark.parametrize(
    ("y", "wish"),
    [
        ([0, 1, 2], "(=2) must be a class id from 0 to 1 (rows 2)."),
        ([-1, 0], "(=-1) must be a class id from 0 to 1 (rows 0)."),
        ([0, 0.5, 1.5], "(=0.5) must be a class id from 0 to 1 (rows 1, 2)."),
        ([np.nan, 0], "(=nan) must be a class id"), ([np.inf], "(=inf) must be a class id"),
        ([1e30], "(=1e+30) must be a class id"), (np.array([2**63], np.uint64), "must be a class"),
        ([], "must be a non-empty vector of class ids."), ([[0, 1]], "must be a non-empty vector"),
        (0, "must be a non-empty vector"), (["0", "1"], "must hold real numbers"),
        (np.array([0, 1], object), "must hold real numbers"), ([[0], [0, 1]], "must hold numbers"),
    ],
)  # fmt: skip
def test_class_ids_that_are_none(y, wish):
    with pytest.raises(ArgumentError) as error:
        _checks.check_class_ids("y", y, n_classes=2)
    assert str(error.value).startswith("`y` (=")
    assert wish in str(error.value)


@pytest.mark.parametrize("y", [[0, 1], [0.0, 1.0], [False, True], np.array([0, 1], np.uint8)])
def test_class_ids_that_are(y):
    ids = _checks.check_class_ids("y", y, n_classes=2)
    assert ids.dtype == np.int64
    assert ids.tolist() == [0, 1]


def test_rows_without_direction_are_named():
    with pytest.raises(ArgumentError, match=r"`X` \(=4 rows\) has rows of zeros, .*: 1, 3\. Drop"):
        _checks.check_rows_not_zero("X", np.array([True, False, True, False]))
    _checks.check_rows_not_zero("X", np.array([True, True]))


def test_lengths_that_differ():
    with pytest.raises(ArgumentError, match=r"`y` \(=2 rows\) must have as many rows as `X` \(3\)"):
        _checks.check_same_length("y", [1, 2], "X", 3)
    _checks.check_same_length("y", [1, 2], "X", 2)
