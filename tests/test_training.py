"""The bank against plain NumPy, and the promises of `train_bank`."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import banks, problems, random_problem
from reference import batches_of, train_all, train_one

from softwidth import _steps
from softwidth._checks import ArgumentError
from softwidth.labels import make_targets
from softwidth.network import initialise
from softwidth.specs import Student
from softwidth.training import train_bank

recipes = st.fixed_dictionaries(
    {
        "epochs": st.integers(1, 6),
        "batch_size": st.one_of(st.none(), st.integers(1, 70)),
        "momentum": st.one_of(st.just(0), st.floats(0, 0.9)),
        "schedule": st.sampled_from(["constant", "cosine"]),
        "order_seed": st.integers(0, 100),
        "threads": st.integers(1, 2),
    }
)


def schedule_by_hand(recipe: dict, n_steps: int) -> np.ndarray:
    if recipe["schedule"] == "constant":
        return np.ones(n_steps)
    return np.cos(np.pi * np.arange(n_steps) / (2 * n_steps)) ** 2


def starts(students, X, K, bias=False):
    return [
        initialise(s.width, X.shape[1], K, init=s.init, seed=s.seed, bias=bias) for s in students
    ]


@settings(max_examples=150)
@given(problem=problems(), students=banks(), recipe=recipes)
def test_bank_is_the_ten_line_reference(problem, students, recipe):
    X, y, targets = problem
    K = targets["hard"].shape[1]
    bank = train_bank(X, y, targets, students, dtype="float64", tolerance=0, **recipe)
    order = batches_of(len(X), recipe["batch_size"], recipe["epochs"], recipe["order_seed"])
    factors = schedule_by_hand(recipe, bank.cross_entropy.shape[1])
    for s, (student, start) in enumerate(zip(students, starts(students, X, K), strict=True)):
        W, losses = train_one(
            start,
            X,
            targets[student.labels],
            factors * student.step_size,
            radius=student.radius,
            momentum=recipe["momentum"],
            batches=order,
        )
        np.testing.assert_allclose(bank.networks[s].W, W, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(bank.cross_entropy[s], losses, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(bank.networks[s].A, start.A)
        assert not bank.networks[s].b.any()


@settings(max_examples=100)
@given(
    problem=problems(),
    students=banks(3),
    recipe=recipes,
    train_output=st.booleans(),
    bias=st.booleans(),
)
def test_output_layer_and_biases_are_the_reference(problem, students, recipe, train_output, bias):
    X, y, targets = problem
    K = targets["hard"].shape[1]
    layers = {"train_output": train_output, "bias": bias}
    bank = train_bank(X, y, targets, students, dtype="float64", tolerance=0, **recipe, **layers)
    order = batches_of(len(X), recipe["batch_size"], recipe["epochs"], recipe["order_seed"])
    factors = schedule_by_hand(recipe, bank.cross_entropy.shape[1])
    for s, (student, start) in enumerate(zip(students, starts(students, X, K, bias), strict=True)):
        network, losses = train_all(
            start,
            X,
            targets[student.labels],
            factors * student.step_size,
            train_output=train_output,
            radius=student.radius,
            momentum=recipe["momentum"],
            batches=order,
        )
        trained = bank.epochs[s] * len(bank.rows_per_step)  # one that diverged is taken out
        ours, theirs = bank.cross_entropy[s, :trained], losses[:trained]
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-10)
        if bank.status[s] != "trained":
            assert np.mean(theirs[-len(bank.rows_per_step) :]) > 1e2
            continue
        for ours, theirs in zip(
            (bank.networks[s].W, bank.networks[s].A, bank.networks[s].b),
            (network.W, network.A, network.b),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-8 * (1 + abs(ours).max()))


@given(problem=problems(), students=banks(), threads=st.integers(1, 2))
def test_float32_follows_float64(problem, students, threads):
    X, y, targets = problem
    ours, exact = (
        train_bank(X, y, targets, students, epochs=10, tolerance=0, threads=threads, dtype=dtype)
        for dtype in ("float32", "float64")
    )
    np.testing.assert_allclose(ours.cross_entropy, exact.cross_entropy, rtol=2e-4, atol=1e-5)


@settings(max_examples=100)
@given(
    problem=problems(150),
    width=st.integers(1, 40).map(lambda half: 2 * half),
    others=banks(4),
    bias=st.booleans(),
    batch_size=st.one_of(st.none(), st.integers(1, 150)),
    dtype=st.sampled_from(["float32", "float64"]),
    threads=st.integers(1, 2),
)
def test_symmetric_start_is_zero_exactly(problem, width, others, bias, batch_size, dtype, threads):
    """A tie is a mistake, so a share of mistakes of 1 says that every logit was 0."""
    X, y, targets = problem
    K = targets["hard"].shape[1]
    bank = train_bank(
        X, y, targets, [*others, Student(width, seed=7)],
        epochs=1, bias=bias, batch_size=batch_size, dtype=dtype, threads=threads,
    )  # fmt: skip
    assert bank.error[-1, 0] == pytest.approx(1, abs=1e-12)
    assert bank.cross_entropy[-1, 0] == pytest.approx(np.log(K), rel=1e-12 if K == 2 else 1e-7)


@settings(max_examples=40)
@given(
    problem=problems(),
    students=banks(),
    radius=st.floats(1e-3, 5),
    momentum=st.sampled_from([0.0, 0.95]),
    batch_size=st.one_of(st.none(), st.just(7)),
    bias=st.booleans(),
)
def test_no_neuron_ever_leaves_its_ball(problem, students, radius, momentum, batch_size, bias):
    X, y, targets = problem
    K = targets["hard"].shape[1]
    students = [Student(s.width, s.seed, s.labels, 20.0, radius, s.init) for s in students]
    bank = train_bank(
        X, y, targets, students, epochs=8, momentum=momentum, batch_size=batch_size, bias=bias,
        dtype="float64", diagnostics_every=1,
    )  # fmt: skip
    for s, start in enumerate(starts(students, X, K, bias)):
        ball = radius / np.sqrt(students[s].width)
        distance = np.linalg.norm(bank.networks[s].W - start.W, axis=1)
        # The weights are of the order of 5: so coarse is the grid on which they move.
        assert distance.max() <= ball * (1 + 1e-12) + 1e-14
        assert bank.diagnostics["displacement"][s].max() <= ball * (1 + 1e-12) + 1e-14


def test_projection_binds_where_it_should():
    X, y, targets = random_problem(0)
    tight, free = (Student(16, step_size=5, radius=radius) for radius in (0.1, np.inf))
    bank = train_bank(X, y, targets, [tight, free], epochs=30, diagnostics_every=30)
    edge, distance = (bank.diagnostics[name][:, -1] for name in ("edge", "displacement"))
    assert edge[0] > 0.9
    assert distance[0] == pytest.approx(0.1 / 4, rel=1e-5)
    assert edge[1] == 0
    assert distance[1] > 0.1


@given(
    problem=problems(),
    students=banks(),
    dtype=st.sampled_from(["float32", "float64"]),
    batch_size=st.one_of(st.none(), st.just(9)),
)
def test_same_seed_same_result_to_the_last_bit(problem, students, dtype, batch_size):
    X, y, targets = problem
    one, two = (
        train_bank(X, y, targets, students, epochs=5, dtype=dtype, batch_size=batch_size)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.cross_entropy, two.cross_entropy)
    np.testing.assert_array_equal(one.logits(X), two.logits(X))


def test_another_seed_is_another_result():
    X, y, targets = random_problem(0)
    bank = train_bank(X, y, targets, [Student(8, seed=0), Student(8, seed=1)], epochs=3)
    assert not np.array_equal(bank.networks[0].W, bank.networks[1].W)
    orders = [
        train_bank(X, y, targets, [Student(8)], epochs=3, batch_size=8, order_seed=seed)
        for seed in (0, 1)
    ]
    assert not np.array_equal(orders[0].networks[0].W, orders[1].networks[0].W)


@given(problem=problems(), student=banks(1), dtype=st.sampled_from(["float32", "float64"]))
def test_hard_labels_are_one_hot_soft_labels(problem, student, dtype):
    X, y, targets = problem
    hard = Student(**{**vars(student[0]), "labels": "hard"})
    soft = Student(**{**vars(student[0]), "labels": "one-hot"})
    kinds = {"hard": make_targets("hard", y=y, n_classes=targets["hard"].shape[1])}
    kinds["one-hot"] = targets["hard"]
    apart = [
        train_bank(X, y, {student.labels: kinds[student.labels]}, [student], epochs=6, dtype=dtype)
        for student in (hard, soft)
    ]
    np.testing.assert_array_equal(apart[0].networks[0].W, apart[1].networks[0].W)
    np.testing.assert_array_equal(apart[0].kl, apart[1].kl)


@pytest.mark.parametrize("K", [2, 3])
def test_one_sample(K):
    bank = train_bank([[0.6, 0.8]], [1], {"hard": np.eye(K)[[1]]}, [Student(16)], epochs=50)
    assert bank.error[0, 0] == 1
    assert bank.evaluate([[0.6, 0.8]], [1])["error"] == 0


def test_a_task_of_which_one_class_is_present():
    X, _, _ = random_problem(3)
    y = np.zeros(len(X), int)
    bank = train_bank(X, y, {"hard": np.eye(2)[y]}, [Student(32, step_size=3)], epochs=200)
    assert bank.evaluate(X, y)["error"] == 0
    assert bank.cross_entropy[0, -1] < 0.1


def test_students_learn_what_can_be_learnt():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    y = (X[:, 0] > 0).astype(int)
    bank = train_bank(
        X, y, {"hard": np.eye(2)[y]}, [Student(w, step_size=2) for w in (2, 16, 64)], epochs=300
    )
    fresh = rng.standard_normal((500, 5))
    assert bank.evaluate(fresh, (fresh[:, 0] > 0).astype(int))["error"].max() < 0.06


def test_first_use_types_do_not_compile_again():
    """Whole numbers where floats are meant, and read-only rows: both are what users pass."""
    X, y, targets = random_problem(0)
    X = X.astype(np.float32)
    bank = train_bank(X, y, targets, [Student(4)], momentum=0.5, tolerance=1e-6)
    bank.logits(X)
    before = len(_steps.run_epochs.signatures), len(_steps.bank_logits.signatures)
    X.flags.writeable = False
    bank = train_bank(
        X, y, targets, [Student(4, step_size=1, radius=2)],
        momentum=0, tolerance=0, bias=np.True_, epochs=np.int64(3),
    )  # fmt: skip
    bank.logits(X)
    assert (len(_steps.run_epochs.signatures), len(_steps.bank_logits.signatures)) == before


@settings(max_examples=60)
@given(
    problem=problems(),
    students=banks(),
    cut=st.integers(1, 4),
    train_output=st.booleans(),
    bias=st.booleans(),
)
def test_two_calls_are_one(problem, students, cut, train_output, bias):
    X, y, targets = problem
    recipe = {"train_output": train_output, "bias": bias, "dtype": "float64", "tolerance": 0}
    once = train_bank(X, y, targets, students, epochs=5, **recipe)
    first = train_bank(X, y, targets, students, epochs=cut, **recipe)
    then = train_bank(X, y, targets, students, epochs=5 - cut, networks=first.networks, **recipe)
    scale = 1 + np.nan_to_num(abs(once.logits(X))).max()
    in_span = len(X) <= 0.8 * (X.shape[1] + bias)  # their way in and out of it rounds
    for a, b in zip(once.logits(X), then.logits(X), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * scale if in_span else 0)
    joined = np.concatenate([first.cross_entropy, then.cross_entropy], axis=1)
    np.testing.assert_allclose(joined, once.cross_entropy, rtol=1e-7, atol=1e-9)


def test_the_ball_stays_around_the_start():
    X, y, targets = random_problem(5)
    student = Student(8, step_size=10.0, radius=0.5)
    networks = None
    for _ in range(3):
        bank = train_bank(X, y, targets, [student], epochs=20, networks=networks, dtype="float64")
        networks = bank.networks
    start = initialise(8, X.shape[1], 2, seed=0).W
    moved = np.linalg.norm(networks[0].W - start, axis=1)
    assert moved.max() == pytest.approx(0.5 / np.sqrt(8))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda found: found[:1], "one for each of the 2 students"),
        (lambda found: 3, "must be a list"),
        (lambda found: [found[0], "network"], r"networks\[1\]"),
        (lambda found: found[::-1], "as its student"),
        (lambda found: [replace(found[0], W=found[0].W * np.nan), found[1]], "finite weights"),
    ],
)
def test_networks_to_go_on_from_are_checked(change, told):
    X, y, targets = random_problem(5)
    students = [Student(4), Student(8)]
    found = train_bank(X, y, targets, students, epochs=1).networks
    with pytest.raises(ArgumentError, match=told):
        train_bank(X, y, targets, students, networks=change(list(found)))
