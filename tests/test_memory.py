"""Training takes no more memory than `bytes_needed` says, and a bank is cut to what is allowed."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth import memory
from softwidth._checks import MemoryLimitError
from softwidth.inputs import check_data
from softwidth.memory import bytes_needed, pieces_that_fit
from softwidth.specs import Recipe, Student
from softwidth.training import train_bank


def task(N=600, D=300, K=2, dtype="float32"):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D)).astype(dtype)
    y = np.arange(N) % K
    return X / np.linalg.norm(X, axis=1, keepdims=True), y, {"hard": np.eye(K)[y]}


def need_and_peak(X, y, targets, students, **recipe):
    """What is said, and what tracemalloc sees, both beyond the checked data."""
    settings = Recipe.of(recipe)
    train_bank(X[:5], y[:5], {"hard": targets["hard"][:5]}, [Student(2)], **{**recipe, "epochs": 1})
    tracemalloc.start()
    try:
        data = check_data(X, y, targets, settings)
        held = tracemalloc.get_traced_memory()[0]
        need = bytes_needed(students, data, settings)
        del data
        tracemalloc.reset_peak()
        train_bank(X, y, targets, students, **recipe)
        return need, tracemalloc.get_traced_memory()[1] - held
    finally:
        tracemalloc.stop()


ONE = [Student(1024)]
MANY = [Student(16, seed=s) for s in range(64)]
BALLS = [Student(16, seed=s, radius=1.0) for s in range(64)]


@pytest.mark.parametrize("students", [ONE, MANY, BALLS], ids=["one", "many", "balls"])
@pytest.mark.parametrize(
    ("shape", "recipe"),
    [
        ({}, {}),
        ({"dtype": "float64"}, {"dtype": "float64", "momentum": 0.9}),
        ({"N": 2000}, {}),  # several blocks of rows a step
        ({}, {"batch_size": 64}),
        ({}, {"batch_size": 64, "momentum": 0.9, "diagnostics_every": 1}),
        ({"K": 10}, {"train_output": True, "bias": True}),
        ({"N": 100}, {"bias": True}),  # in the span of the data
        ({"N": 100}, {"diagnostics_every": 1, "threads": 1}),
        ({"D": 3, "N": 2000}, {"epochs": 40, "batch_size": 20}),  # histories, above all
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) or "plain",
)
def test_the_peak_is_below_what_is_said(students, shape, recipe):
    X, y, targets = task(**shape)
    need, peak = need_and_peak(X, y, targets, students, **{"epochs": 2, **recipe})
    assert peak <= need
    assert peak > need / 6  # and it is no idle bound


@pytest.mark.parametrize("students", [ONE, BALLS], ids=["one", "balls"])
def test_four_arrays_of_weights_and_one_block_of_rows(students):
    """The budget: data, at most 4 weights, one block of 1024 rows for all neurons."""
    X, y, targets = task(N=1100, D=1000)
    _, peak = need_and_peak(X, y, targets, students, epochs=2, momentum=0.9)
    weights, block = 1024 * 1000 * 4, 1024 * 1024 * 4
    assert peak <= 4 * weights + block + 2**19


def test_students_that_leave_take_no_more():
    X, y, targets = task(N=100, D=120)
    students = [Student(64, seed=s, step_size=1e30 if s % 2 else 0.1) for s in range(16)]
    need, peak = need_and_peak(X, y, targets, students, epochs=40, threads=1)
    assert peak <= need


def test_a_limit_is_kept_by_training_in_pieces():
    X, y, targets = task(N=600, D=600)
    recipe = {"epochs": 2, "threads": 1}
    data = check_data(X, y, targets, Recipe.of(recipe))
    whole, one = (bytes_needed(MANY[:n], data, Recipe.of(recipe)) for n in (64, 1))
    limit = one + (whole - one) // 5
    pieces = pieces_that_fit(MANY, data, Recipe.of({**recipe, "memory": limit}))
    assert 4 < len(pieces) < 9
    _, free = need_and_peak(X, y, targets, MANY, **recipe)
    _, peak = need_and_peak(X, y, targets, MANY, **recipe, memory=limit)
    weights = 64 * 16 * 600 * 4  # of the students already done, which stay
    assert peak <= limit + weights
    assert peak < free


@given(
    widths=st.lists(st.integers(1, 200).map(lambda half: 2 * half), min_size=1, max_size=30),
    part=st.floats(0, 1),
)
def test_pieces_are_as_few_as_fit(widths, part):
    X, y, targets = task(N=50, D=20)
    students = [Student(width) for width in widths]
    data = check_data(X, y, targets, Recipe())
    least = max(bytes_needed([student], data, Recipe()) for student in students)
    whole = bytes_needed(students, data, Recipe())
    limit = int(least + part * (whole - least))
    pieces = pieces_that_fit(students, data, Recipe(memory=limit))
    assert [member for piece in pieces for member in piece] == list(range(len(students)))
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        assert bytes_needed([students[m] for m in piece], data, Recipe()) <= limit
        if following:
            more = [students[m] for m in [*piece, following[0]]]
            assert bytes_needed(more, data, Recipe()) > limit


def test_cutting_looks_at_every_student_a_few_times_only(monkeypatch):
    """By bisection, and not by adding one after the other to a sum taken anew."""
    X, y, targets = task(N=50, D=20)
    students = [Student(2, seed=s) for s in range(5000)]
    data = check_data(X, y, targets, Recipe())
    looked_at = []

    def counted(group, *arguments):
        looked_at.append(len(group))
        return bytes_needed(group, *arguments)

    monkeypatch.setattr(memory, "bytes_needed", counted)
    assert len(pieces_that_fit(students, data, Recipe(memory=2**30))) == 1
    assert sum(looked_at) <= 2 * len(students) * np.log2(len(students))


def test_what_cannot_fit_is_refused_with_its_need():
    X, y, targets = task()
    students = [Student(4), Student(512)]
    with pytest.raises(MemoryLimitError) as error:
        train_bank(X, y, targets, students, memory=2**20)
    message = str(error.value)
    width, needed, allowed = re.match(
        r"a student of width (\d+) needs ([\d.]+) MiB to train, and `memory` allows ([\d.]+) MiB",
        message,
    ).groups()
    assert (width, allowed) == ("4", "1.0")
    enough = int((float(needed) + 0.1) * 2**20)
    train_bank(X, y, targets, students[:1], memory=enough, epochs=1)
    with pytest.raises(MemoryLimitError, match="a student of width 512 needs"):
        train_bank(X, y, targets, students, memory=enough)


def test_rows_of_a_mapped_file_are_trained_on_where_they_lie(tmp_path):
    """40 MB that are never copied: the peak is what is said, a small part of the file."""
    X, _, _ = task(N=40_000, D=256)
    y = (X[:, 0] > 0).astype(np.int64)
    targets = {"hard": np.eye(2)[y]}
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    need, peak = need_and_peak(mapped, y, targets, [Student(8)], epochs=1, batch_size=256)
    assert peak <= need < X.nbytes / 4
    one, other = (
        train_bank(rows, y, targets, [Student(8)], epochs=1, batch_size=256) for rows in (mapped, X)
    )
    np.testing.assert_array_equal(one.networks[0].W, other.networks[0].W)
    tracemalloc.start()
    one.evaluate(mapped, y)
    assert tracemalloc.get_traced_memory()[1] < X.nbytes / 4
    tracemalloc.stop()


@pytest.mark.parametrize("K", [2, 5])
def test_evaluation_takes_what_is_said_however_many_students_and_rows(K, monkeypatch):
    """Pieces of students, then of rows too: the same measures, but for the order of sums."""
    X, y, targets = task(N=20_000, D=16, K=K)
    bank = train_bank(
        X, y, targets, [Student(8, seed=s) for s in range(6)], epochs=1, batch_size=256
    )
    weight = np.where(np.arange(len(y)) < 9_000, 0.0, np.linspace(0, 2, len(y)))
    whole = bank.evaluate(X, y, targets["hard"], sample_weight=weight)
    monkeypatch.setattr("softwidth.bank.MEASURED", 2**14)
    tracemalloc.start()
    pieces = bank.evaluate(X, y, targets["hard"], sample_weight=weight)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    given = 2 * 8 * len(y) * (K + 2) + X.nbytes  # of checked labels, weights and rows
    assert peak <= given + 4 * len(bank) * len(y) * K + 16 * 8 * 2**14
    for name, values in whole.items():
        np.testing.assert_allclose(pieces[name], values, rtol=1e-12)
