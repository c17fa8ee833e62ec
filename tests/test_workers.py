"""Who works where must not be seen in any result."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import banks, problems, random_problem, students
from threadpoolctl import threadpool_info

from softwidth import training, workers
from softwidth._cores import usable_cores
from softwidth.inputs import check_data
from softwidth.memory import bytes_needed
from softwidth.network import initialise
from softwidth.specs import Recipe, Student
from softwidth.training import train_bank
from softwidth.workers import UNEVEN, share_out

BOUND = {"float64": 1e-12, "float32": 1e-2}  # those that `train_bank` states


def assert_within_bound(ours, theirs, dtype):
    largest = 1 + np.abs(theirs).max(axis=(1, 2), keepdims=True)
    assert (np.abs(ours - theirs) / largest).max() < BOUND[dtype]


courses = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["float32", "float64"]),
        "momentum": st.sampled_from([0.0, 0.9]),
        "batch_size": st.one_of(st.none(), st.integers(5, 60)),
        "bias": st.booleans(),
    }
)


@given(
    problem=problems(),
    bank=st.lists(students(largest_step=4), min_size=1, max_size=5),
    course=courses,
)
def test_a_student_does_not_see_who_shares_the_bank(problem, bank, course):
    X, y, targets = problem
    steps = -(-len(X) // (course["batch_size"] or len(X)))
    course = {**course, "epochs": max(1, 200 // steps)}
    together = train_bank(X, y, targets, bank, **course).logits(X)
    for s, student in enumerate(bank):
        alone = train_bank(X, y, {student.labels: targets[student.labels]}, [student], **course)
        assert_within_bound(together[[s]], alone.logits(X), course["dtype"])


@given(problem=problems(), bank=banks(8), course=courses)
def test_nor_how_it_is_cut(problem, bank, course):
    """On one thread or two, whole or in pieces that fit a limit."""
    X, y, targets = problem
    one = train_bank(X, y, targets, bank, epochs=20, threads=1, **course)
    two = train_bank(X, y, targets, bank, epochs=20, threads=2, **course)
    limit = cheapest_limit(X, y, targets, bank, epochs=20, threads=1, **course)
    pieces = train_bank(X, y, targets, bank, epochs=20, threads=1, memory=limit, **course)
    for other in (two, pieces):
        assert_within_bound(other.logits(X), one.logits(X), course["dtype"])
        assert other.status == one.status
        assert other.epochs.tolist() == one.epochs.tolist()


def cheapest_limit(X, y, targets, bank, **recipe):
    """The least memory with which the bank can be trained at all: a piece holds few students."""
    settings = Recipe.of(recipe)
    data = check_data(X, y, targets, settings)
    return max(bytes_needed([student], data, settings) for student in bank)


@given(
    problem=problems(),
    bank=banks(4),
    round_work=st.sampled_from([1, 1e4, 1e6]),
    diagnostics=st.integers(1, 7),
)
def test_nor_how_often_somebody_looks(problem, bank, round_work, diagnostics):
    X, y, targets = problem
    course = {"epochs": 12, "dtype": "float64", "diagnostics_every": diagnostics}
    plain = train_bank(X, y, targets, bank, **course)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "ROUND_WORK", round_work)
        often = train_bank(X, y, targets, bank, **course)
    np.testing.assert_array_equal(often.cross_entropy, plain.cross_entropy)
    for name, values in plain.diagnostics.items():
        np.testing.assert_array_equal(often.diagnostics[name], values)


def mixed_bank(quick_step):
    """Students that diverge at once, that converge early, and that train to the end."""
    wild = [Student(8, seed=s, step_size=1e30) for s in range(3)]
    quick = [Student(64, seed=s, step_size=quick_step) for s in range(2)]
    calm = [Student(16, seed=s, step_size=0.01) for s in range(3)]
    return wild, quick, calm


def test_finished_students_leave_and_the_others_are_unharmed():
    X, y, targets = random_problem(0, N=20, D=8)
    wild, quick, calm = mixed_bank(quick_step=50)
    course = {"epochs": 400, "tolerance": 0.02, "dtype": "float64", "diagnostics_every": 100}
    bank = train_bank(X, y, targets, [*wild, *calm, *quick], **course)
    assert bank.status == ["diverged"] * 3 + ["trained"] * 3 + ["converged"] * 2
    assert (bank.epochs[:3] < 5).all()
    assert (bank.epochs[3:6] == 400).all()
    assert (bank.epochs[6:] < 400).all()
    alone = train_bank(X, y, targets, calm, **course)
    np.testing.assert_allclose(bank.logits(X, [3, 4, 5]), alone.logits(X), atol=1e-12)
    np.testing.assert_allclose(bank.kl[3:6], alone.kl, atol=1e-12)
    for s in (6, 7):
        left = bank.epochs[s]
        assert (bank.kl[s, left - 1 :] == bank.kl[s, left - 1]).all()
        assert bank.kl[s, left - 1] < 0.02 < bank.kl[s, left - 2]


@pytest.mark.parametrize("compact_at", [0.0, 0.25, 2.0])
@pytest.mark.parametrize("threads", [1, 2])
def test_when_they_leave_is_not_seen(monkeypatch, compact_at, threads):
    """At once, when they own a good part of the neurons, or never."""
    X, y, targets = random_problem(0, N=20, D=8)
    wild, quick, calm = mixed_bank(quick_step=1)
    students = [quick[0], wild[0], calm[0], wild[1], calm[1], quick[1], calm[2], wild[2]]
    course = {
        "epochs": 400, "tolerance": 0.02, "dtype": "float64", "diagnostics_every": 70,
        "batch_size": 7, "momentum": 0.5, "bias": True, "train_output": True,
    }  # fmt: skip
    monkeypatch.setattr(training, "ROUND_WORK", 1)
    expected = train_bank(X, y, targets, students, threads=1, **course)
    assert set(expected.status) == {"trained", "converged", "diverged"}
    monkeypatch.setattr(workers, "COMPACT_AT", compact_at)
    bank = train_bank(X, y, targets, students, threads=threads, **course)
    assert bank.status == expected.status
    assert bank.epochs.tolist() == expected.epochs.tolist()
    np.testing.assert_allclose(bank.cross_entropy, expected.cross_entropy, rtol=1e-9, atol=1e-12)
    for name, values in expected.diagnostics.items():
        np.testing.assert_allclose(bank.diagnostics[name], values, rtol=1e-9, atol=1e-12)
    good = [s for s, status in enumerate(bank.status) if status != "diverged"]
    np.testing.assert_allclose(bank.logits(X, good), expected.logits(X, good), atol=1e-9)


@pytest.mark.parametrize("step_size", [1e30, 1e39, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("radius", [np.inf, 1.0])
def test_overflow_is_divergence(step_size, dtype, radius):
    """Weights of infinity and NaN must not pass for a network that says 0 everywhere."""
    X, y, targets = random_problem(1, N=30)
    students = [Student(8, step_size=step_size, radius=radius), Student(8, step_size=0.5)]
    bank = train_bank(
        X, y, targets, students, epochs=20, dtype=dtype, diagnostics_every=5, momentum=0.9
    )
    whole = np.isfinite(bank.networks[0].W).all()
    assert bank.status == ["trained" if whole and radius == 1 else "diverged", "trained"]
    alone = train_bank(X, y, targets, students[1:], epochs=20, dtype=dtype, momentum=0.9)
    np.testing.assert_allclose(bank.logits(X, [1]), alone.logits(X), rtol=BOUND[dtype])
    if bank.status[0] == "diverged" and not whole:
        assert bank.evaluate(X, y)["error"][0] == 1


def test_overflow_in_the_very_last_step_is_divergence():
    X, y, targets = random_problem(1, N=30)
    bank = train_bank(X, y, targets, [Student(8, step_size=1e300)], epochs=1)
    assert bank.status == ["diverged"]
    assert bank.epochs == [1]


def test_an_error_in_a_worker_is_raised(monkeypatch):
    X, y, targets = random_problem(0)

    def fail(*_):
        raise RuntimeError("no more")

    monkeypatch.setattr(workers.Worker, "run", fail)
    with pytest.raises(RuntimeError, match="no more"):
        train_bank(X, y, targets, [Student(4), Student(4)], threads=2)


@settings(max_examples=200)
@given(widths=st.lists(st.integers(1, 300), min_size=1, max_size=40), hands=st.integers(1, 9))
def test_share_out_is_a_fair_partition(widths, hands):
    groups = share_out(widths, hands)
    assert sorted(p for group in groups for p in group) == list(range(len(widths)))
    assert all(groups)
    assert len(groups) <= hands
    loads = [sum(widths[p] for p in group) for group in groups]
    if len(groups) > 1:
        assert max(loads) <= UNEVEN * sum(widths)
        # The greedy rule: nobody is ahead of the least loaded by more than its last student.
        assert max(loads) - min(loads) <= max(widths)


def test_threads_of_blas_come_back():
    X, y, targets = random_problem(0)
    before = [library["num_threads"] for library in threadpool_info()]
    train_bank(X, y, targets, [Student(4), Student(4)], threads=2)
    assert [library["num_threads"] for library in threadpool_info()] == before
    assert usable_cores() >= 1


@pytest.mark.parametrize("init", ["symmetric", "gaussian", "he", "glorot"])
def test_students_start_where_their_seed_says(init):
    """Whatever their place in the bank: their network is the one that `initialise` draws."""
    X, y, targets = random_problem(0)
    students = [Student(10, seed=s, init=init, step_size=1e-30) for s in (5, 3, 5)]
    bank = train_bank(X, y, targets, students, epochs=1, dtype="float64")
    for student, network in zip(students, bank.networks, strict=True):
        start = initialise(10, X.shape[1], init=init, seed=student.seed)
        np.testing.assert_array_equal(network.W, start.W)
        np.testing.assert_array_equal(network.A, start.A)
        assert network.scale == start.scale
