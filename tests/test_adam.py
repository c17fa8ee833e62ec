"""Adam in a bank against PyTorch's, and what else may go wrong with it there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference import batches_of

from softwidth._checks import ArgumentError
from softwidth.network import initialise
from softwidth.specs import Recipe, Student
from softwidth.training import train_bank

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 7)) / 3
TASKS = {2: (X[:, 0] > 0).astype(int), 3: np.digitize(X[:, 0], [-0.1, 0.1])}


def soft(y, K):
    P = 0.8 * np.eye(K)[y] + 0.2 / K
    return P / P.sum(axis=1, keepdims=True)


def theirs(network, rows, P, recipe, step_size):
    """Weights after the same steps by `torch.optim.Adam`."""
    if network.bias:
        rows = np.hstack([rows, np.ones((len(rows), 1))])
    W, A, b, given, targets = (torch.tensor(a) for a in (network.W, network.A, network.b, rows, P))
    trained = [W, *([A] if recipe.train_output else []), *([b] if recipe.bias else [])]
    for tensor in trained:
        tensor.requires_grad_()
    adam = torch.optim.Adam(trained, lr=1.0, betas=(recipe.momentum, 0.999), eps=1e-8)
    batches = batches_of(len(rows), recipe.batch_size, recipe.epochs, recipe.order_seed)
    steps = len(batches) if batches else recipe.epochs
    for t, factor in enumerate(recipe.factors(steps)):
        chosen = torch.tensor(batches[t]) if batches else slice(None)
        F = network.scale * torch.relu(given[chosen] @ W.T) @ A + b
        F = torch.hstack([torch.zeros_like(F), F]) if F.shape[1] == 1 else F
        loss = -(targets[chosen] * torch.log_softmax(F, dim=1)).sum(dim=1).mean()
        adam.param_groups[0]["lr"] = step_size * factor
        adam.zero_grad()
        loss.backward()
        adam.step()
    return [tensor.detach().numpy() for tensor in (W, A, b)]


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize(
    "recipe",
    [
        {"epochs": 30},
        {"epochs": 12, "batch_size": 32, "momentum": 0.9, "schedule": "cosine"},
        {"epochs": 12, "batch_size": 32, "momentum": 0.9, "train_output": True, "bias": True},
    ],
)
def test_adam_is_pytorchs(K, recipe):
    y = TASKS[K]
    P = soft(y, K)
    settings = Recipe.of({**recipe, "optimiser": "adam", "dtype": "float64", "tolerance": 0.0})
    own = {name: value for name, value in vars(settings).items() if name != "memory"}
    students = [Student(6, 0, "soft", 0.03, init="he"), Student(10, 1, "soft", 0.003, init="he")]
    bank = train_bank(X, y, {"soft": P}, students, **own)
    for student, network in zip(students, bank.networks, strict=True):
        start = initialise(student.width, 7, K, init="he", seed=student.seed, bias=settings.bias)
        W, A, b = theirs(start, X, P, settings, student.step_size)
        np.testing.assert_allclose(network.W, W, atol=1e-8)
        np.testing.assert_allclose(network.A, A, atol=1e-8)
        np.testing.assert_allclose(network.b, b, atol=1e-8)


def test_a_student_is_the_same_whoever_shares_its_bank():
    """Also when others diverge, converge and are taken out before it."""
    y, P = TASKS[2], soft(TASKS[2], 2)
    settings = {"epochs": 60, "batch_size": 30, "momentum": 0.9, "optimiser": "adam", "dtype": "float64",
                "train_output": True, "bias": True, "tolerance": 1e-3}  # fmt: skip
    own = Student(8, 3, "soft", 0.02)
    others = [Student(8, s, "soft", size) for s in range(4) for size in (0.1, 1e6)]
    alone = train_bank(X, y, {"soft": P}, [own], **settings)
    among = train_bank(X, y, {"soft": P}, [*others, own], **settings)
    assert {"diverged", "trained"} & set(among.status[:-1])
    assert len(set(among.epochs.tolist())) > 1
    np.testing.assert_allclose(among.networks[-1].W, alone.networks[0].W, atol=1e-10)
    assert among.status[-1] == alone.status[0]


def test_neurons_stay_in_their_balls():
    y = TASKS[2]
    student = Student(8, 0, "hard", 0.5, radius=0.3)
    bank = train_bank(X, y, {"hard": np.eye(2)[y]}, [student], epochs=20, optimiser="adam")
    start = initialise(8, 7, seed=0)
    far = np.linalg.norm(bank.networks[0].W - start.W, axis=1)
    assert far.max() == pytest.approx(0.3 / np.sqrt(8), rel=1e-4)


def test_wide_rows_are_not_turned_for_adam():
    """More features than rows: descent goes into their span, where Adam would take other steps."""
    few = RNG.normal(size=(12, 40)) / 6
    y = (few[:, 0] > 0).astype(int)
    P = soft(y, 2)
    settings = Recipe(epochs=15, optimiser="adam", momentum=0.9, dtype="float64", tolerance=0.0)
    given = {name: value for name, value in vars(settings).items() if name != "memory"}
    bank = train_bank(few, y, {"soft": P}, [Student(6, 0, "soft", 0.05, init="he")], **given)
    W, _, _ = theirs(initialise(6, 40, init="he", seed=0), few, P, settings, 0.05)
    np.testing.assert_allclose(bank.networks[0].W, W, atol=1e-8)


def test_an_unknown_optimiser_is_answered_with_the_nearest():
    with pytest.raises(ArgumentError, match="adam"):
        train_bank(X, TASKS[2], {"hard": np.eye(2)[TASKS[2]]}, [Student(4)], optimiser="adamw")
