"""What is written down while a bank trains, against a direct computation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import banks, problems, random_problem
from reference import batches_of, log_probabilities, train_one

from softwidth.histories import record_epochs
from softwidth.labels import entropy, make_targets
from softwidth.network import initialise
from softwidth.specs import Recipe, Student
from softwidth.training import train_bank

EPOCHS = 5


def votes(seed, N, K):
    return np.random.default_rng(seed).integers(0, 4, (N, K)) + np.eye(K, dtype=int)[0]


def targets_of_each_epoch(targets):
    return [targets.at(epoch) for epoch in range(EPOCHS)]


@given(
    problem=problems(),
    scheme=st.sampled_from(["soft", "sampled", "multipass", "smoothed(0.2)"]),
    batch_size=st.one_of(st.none(), st.integers(1, 60)),
    seed=st.integers(0, 99),
)
def test_losses_of_drawn_labels(problem, scheme, batch_size, seed):
    """KL is cross-entropy less the entropy of the very labels drawn, batch by batch."""
    X, y, hard = problem
    N, K = hard["hard"].shape
    P = votes(seed, N, K) if scheme == "multipass" else hard["soft"]
    targets = make_targets(scheme, y=y, P=P, n_classes=K, seed=seed)
    student = Student(8, seed=seed, labels="x", step_size=0.7)
    bank = train_bank(
        X, y, {"x": targets}, [student], epochs=EPOCHS, batch_size=batch_size, order_seed=seed,
        dtype="float64", tolerance=0,
    )  # fmt: skip
    order = batches_of(N, batch_size, EPOCHS, seed) or [np.arange(N)] * EPOCHS
    network, steps = initialise(8, X.shape[1], K, seed=seed), len(order) // EPOCHS
    W, ce, kl = network.W, [], []
    for t, rows in enumerate(order):
        T = targets.at(t // steps)[rows]
        start = type(network)(W, network.A, network.b, network.scale)
        W, losses = train_one(start, X[rows], T, [0.7])
        ce += losses
        kl.append(losses[0] - entropy(T).mean())
    np.testing.assert_allclose(bank.cross_entropy[0], ce, atol=1e-10)
    np.testing.assert_allclose(bank.kl[0], kl, atol=1e-10)
    if scheme in ("sampled", "multipass"):
        np.testing.assert_allclose(bank.kl, bank.cross_entropy)  # a single vote has no entropy
    assert (bank.kl > -1e-12).all()


@given(problem=problems(), students=banks(3), batch_size=st.integers(1, 60))
def test_epoch_means_are_means_over_rows(problem, students, batch_size):
    """From the logits before every step: the mean over all rows, however uneven the batches."""
    X, y, targets = problem
    course = {"batch_size": batch_size, "dtype": "float64", "order_seed": 3, "tolerance": 0}
    bank = train_bank(X, y, targets, students, epochs=2, **course)
    batches = batches_of(len(X), batch_size, 2, 3)
    per_epoch = len(batches) // 2
    assert bank.rows_per_step.tolist() == [len(rows) for rows in batches[:per_epoch]]
    for s, student in enumerate(students):
        P = targets[student.labels]
        start = initialise(
            student.width, X.shape[1], P.shape[1], init=student.init, seed=student.seed
        )
        means = np.zeros(2)
        for t, rows in enumerate(batches):
            W, _ = train_one(
                start, X, P, [student.step_size] * t, radius=student.radius, batches=batches
            )
            f = start.scale * np.maximum(X[rows] @ W.T, 0) @ start.A
            means[t // per_epoch] -= (P[rows] * log_probabilities(f)).sum() / len(X)
        np.testing.assert_allclose(bank.epoch_means()[s], means, atol=1e-9)
        kl = bank.epoch_means("cross_entropy")[s] - entropy(P).mean()
        np.testing.assert_allclose(bank.epoch_means("kl")[s], kl, atol=1e-10)


def test_epoch_means_have_a_value_for_every_epoch():
    X, y, targets = random_problem(0)
    bank = train_bank(X, y, targets, [Student(4), Student(8)], epochs=7, batch_size=9)
    for metric in ("cross_entropy", "kl", "error"):
        assert bank.epoch_means(metric).shape == (2, 7)


@given(
    problem=problems(),
    students=banks(4),
    every=st.integers(1, 4),
    bias=st.booleans(),
    batch_size=st.sampled_from([None, 7]),
)
def test_diagnostics_are_their_definitions(problem, students, every, bias, batch_size):
    """Against banks trained to each recorded epoch alone, their networks taken apart."""
    X, y, targets = problem
    K = targets["hard"].shape[1]
    students = [
        Student(s.width, s.seed, s.labels, 5 * s.step_size, s.radius, s.init) for s in students
    ]
    course = {"dtype": "float64", "bias": bias, "batch_size": batch_size, "tolerance": 0}
    bank = train_bank(X, y, targets, students, epochs=4, diagnostics_every=every, **course)
    assert bank.diagnostics["epoch"].tolist() == record_epochs(
        Recipe(epochs=4, diagnostics_every=every)
    )
    ones = np.hstack([X, np.ones((len(X), 1))]) if bias else X
    for r, epochs in enumerate(bank.diagnostics["epoch"]):
        ends = (
            train_bank(X, y, targets, students, epochs=epochs, **course).networks
            if epochs
            else None
        )
        for s, student in enumerate(students):
            start = initialise(
                student.width, X.shape[1], K, init=student.init, seed=student.seed, bias=bias
            )
            W = ends[s].W if epochs else start.W
            moved = np.linalg.norm(W - start.W, axis=1)
            ball = student.radius / np.sqrt(student.width)
            expected = {
                "displacement": moved.max(),
                "edge": np.mean(moved >= ball * (1 - 1e-5)),
                "flipped": np.mean((ones @ W.T > 0) != (ones @ start.W.T > 0)),
            }
            for name, value in expected.items():
                assert bank.diagnostics[name][s, r] == pytest.approx(value, abs=1e-9), name


def test_nothing_is_recorded_unless_asked_for():
    X, y, targets = random_problem(0)
    assert train_bank(X, y, targets, [Student(4)]).diagnostics == {}


def test_students_that_left_stay_at_the_mean_of_their_last_epoch():
    X, y, targets = random_problem(0, N=23)
    wild = Student(4, step_size=1e30)
    bank = train_bank(
        X, y, targets, [wild, Student(4)], epochs=9, batch_size=10, diagnostics_every=2
    )
    end = bank.epochs[0]
    assert bank.status == ["diverged", "trained"]
    for metric in ("cross_entropy", "error"):
        means = bank.epoch_means(metric)[0]
        assert np.isfinite(means).all()
        assert means[end:] == pytest.approx(means[end - 1])
    assert bank.diagnostics["epoch"].tolist() == [0, 2, 4, 6, 8, 9]
    distance = bank.diagnostics["displacement"][0]
    assert distance[0] == 0
    assert (distance[bank.diagnostics["epoch"] >= end] == distance[-1]).all()
