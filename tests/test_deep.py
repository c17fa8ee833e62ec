"""Deep students: families, losses, images, training."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from softwidth import deep
from softwidth._checks import ArgumentError, DataFileError, MissingDataError
from softwidth.deep.data import count_votes
from softwidth.deep.families import CHANNELS, POOLED, scaled, seeded
from softwidth.deep.losses import Targets, teacher_logits
from softwidth.labels import make_targets


def test_without_torch_it_says_in_a_line_how_to_get_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("softwidth.deep")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDataError, match=r"pip install 'softwidth\[deep\]'"):
        __import__("softwidth.deep")


# --- families


@pytest.mark.parametrize("convolutional", [1, 2, 5, 8])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_costs_are_those_of_the_closed_form(convolutional, batch_norm):
    """PyTorch counts while it runs; here they follow from the layers' sizes."""
    width, f, K, size = 0.1, 3, 4, 16
    channels = [3, *(scaled(c, width) for c in CHANNELS[:convolutional])]
    side, parameters, products = size, 0, 0
    for layer, (a, b) in enumerate(pairwise(channels), start=1):
        parameters += 9 * a * b + b + 2 * b * batch_norm
        products += 9 * a * b * side**2
        if layer in POOLED and side > 1:
            side //= 2
    for a, b in pairwise([channels[-1] * side**2, *[scaled(512, width)] * (f - 1), K]):
        parameters += a * b + b
        products += a * b
    model = deep.make_family(
        "vgg", convolutional=convolutional, fully_connected=f, n_classes=K, size=size,
        batch_norm=batch_norm,
    )(width)  # fmt: skip
    assert deep.model_cost(model, (3, size, size)) == deep.Cost(parameters, products)


@pytest.mark.parametrize("name", deep.FAMILIES)
@pytest.mark.parametrize("size", [1, 8, 11])
def test_families_start_with_logits_of_the_inputs_size(name, size):
    """He's weights keep the scale from layer to layer, whatever the width."""
    family = deep.make_family(name, n_classes=5, channels=1, size=size)
    X = torch.rand(64, 1, size, size, generator=torch.Generator().manual_seed(0))
    logits = torch.stack([deep.predict_logits(seeded(family, 0.3, s), X) for s in range(8)])
    assert logits.shape == (8, 64, 5)
    assert 0.1 < logits.pow(2).mean().sqrt() < 10


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vgh", {}),
        ("vgg", {"depth": 3}),
        ("vgg", {"convolutional": 9}),
        ("vgg", {"size": 0}),
        ("vgg", {"n_classes": 1}),
        ("mlp", {"hidden": 3}),
        ("mlp", {"hidden": [0]}),
    ],
)
def test_families_refuse_in_our_words(name, settings):
    with pytest.raises(ArgumentError):
        deep.make_family(name, **settings)(1.0)
    with pytest.raises(ArgumentError):
        deep.make_family("vgg")(0)


# --- losses


def _batch(B=6, K=4):
    drawn = np.random.default_rng(0)
    P = torch.tensor(drawn.dirichlet(np.ones(K), B))
    y = torch.tensor(drawn.integers(K, size=B))
    return torch.tensor(drawn.normal(size=(B, K))), Targets(y, P)


def _gradient(loss, logits, targets):
    z = logits.clone().requires_grad_()
    loss(z, targets).backward()
    return z.grad


def test_hinton_at_temperature_one_is_the_mixed_label_scheme():
    logits, targets = _batch()
    P = make_targets("mixed(0.3, 1)", targets.y.numpy(), targets.P.numpy(), n_classes=4).P
    mixed = Targets(targets.y, torch.tensor(P))
    found = deep.make_loss("hinton", temperature=1, share=0.3)(logits, targets)
    assert torch.isclose(found, deep.make_loss("soft cross-entropy")(logits, mixed))
    only = deep.make_loss("hinton", temperature=7, share=1)(logits, targets)
    assert torch.isclose(only, deep.make_loss("hard cross-entropy")(logits, targets))


def test_hinton_at_a_high_temperature_is_half_of_logit_matching():
    """Section 2.1 of Hinton et al.: T^2 dC/dz -> (z - v)/(N K) for logits of mean zero."""
    logits, targets = _batch()
    hot = _gradient(deep.make_loss("hinton", temperature=1e4, share=0), logits, targets)
    matching = _gradient(deep.make_loss("logit mse"), logits, targets)
    assert torch.allclose(hot, matching / 2, atol=1e-4)


def test_logit_matching_has_its_minimum_at_the_teacher():
    _, targets = _batch()
    loss = deep.make_loss("logit mse")
    assert loss(teacher_logits(targets.P) + 3, targets) < 1e-10
    assert torch.allclose(torch.softmax(teacher_logits(targets.P), 1), targets.P, atol=1e-6)


# --- images


def test_digits_and_their_classes():
    data = deep.load_images("digits", classes=[8, 3])
    whole = deep.load_images("digits")
    assert data.X.shape[1:] == (1, 8, 8)
    assert torch.equal(data.X[data.y == 0], whole.X[whole.y == 8])
    assert torch.equal(data.X[data.y == 1], whole.X[whole.y == 3])


def test_noise_is_drawn_once_and_has_its_variance():
    zero = deep.Images(torch.zeros(200, 1, 16, 16), torch.zeros(200, dtype=torch.int64))
    noisy = deep.add_noise(zero, 0.09, seed=1)
    assert abs(float(noisy.X.var()) - 0.09) < 0.003
    assert torch.equal(noisy.X, deep.add_noise(zero, 0.09, seed=1).X)
    assert not torch.equal(noisy.X, deep.add_noise(zero, 0.09, seed=2).X)


def test_augmented_images_are_crops_of_padded_ones():
    """Each is found among all crops and mirrored crops, cut here one by one."""
    X = torch.rand(12, 3, 5, 6)
    found = deep.augment(X, torch.Generator().manual_seed(0), padding=2)
    padded = nn.functional.pad(X, (2, 2, 2, 2))
    mirrored = 0
    for image, source in zip(found, padded, strict=True):
        crops = [source[:, i : i + 5, j : j + 6] for i in range(5) for j in range(5)]
        straight = any(torch.equal(image, crop) for crop in crops)
        mirrored += any(torch.equal(image, crop.flip(2)) for crop in crops)
        assert straight or mirrored
    assert 0 < mirrored < 12


def test_a_split_shares_out_every_class_and_every_image_once():
    y = torch.arange(97) % 3
    data = deep.Images(torch.arange(97.0)[:, None, None, None], y)
    parts = deep.split_images(data, [0.5, 0.25, 0.25], seed=3)
    assert sorted(np.concatenate([part.X.ravel() for part in parts])) == list(range(97))
    for part in parts:
        counts = torch.bincount(part.y)
        assert counts.max() - counts.min() <= 1


def test_votes_are_counted():
    counts = count_votes(np.array([[0, 1, 1], [2, 2, 2]]), 3)
    assert counts.tolist() == [[1, 2, 0], [0, 0, 3]]


@pytest.mark.parametrize(
    "given",
    [
        {"X": torch.zeros(3, 8, 8)},
        {"X": torch.zeros(3, 1, 8, 8, dtype=torch.float64)},
        {"X": torch.full((3, 1, 8, 8), torch.nan)},
        {"y": torch.tensor([0, 1])},
        {"y": torch.tensor([0.0, 1.0, 1.0])},
        {"y": torch.tensor([0, 1, -1])},
        {"soft": torch.full((3, 2), 0.4)},
        {"soft": torch.full((3, 3), 1 / 3), "n_classes": 2},
        {"y": torch.tensor([0, 1, 5]), "n_classes": 3},
    ],
)
def test_images_are_checked(given):
    whole = {"X": torch.zeros(3, 1, 8, 8), "y": torch.tensor([0, 1, 1])}
    with pytest.raises(ArgumentError):
        deep.Images(**(whole | given))


# --- training


@pytest.fixture(scope="module")
def digits():
    return deep.split_images(deep.load_images("digits", classes=[3, 8]), [0.6, 0.2, 0.2], seed=0)[
        :2
    ]


def _with_dropout(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2)
        )  # fmt: skip


RECIPE = deep.Recipe(3e-3, epochs=6, batch_size=32, augment=True, patience=6)


class BrokenError(Exception):
    pass


def test_a_broken_run_goes_on_to_the_last_bit(digits, tmp_path):
    """Batches, crops, dropped units and Adam's moments are those of an unbroken run."""

    def kill(epoch, last):
        if epoch == 3:
            raise BrokenError

    path = tmp_path / "run.pt"
    whole = deep.train(_with_dropout(), *digits, RECIPE, seed=5)
    with pytest.raises(BrokenError):
        deep.train(_with_dropout(), *digits, RECIPE, seed=5, checkpoint=path, progress=kill)
    again = deep.train(_with_dropout(9), *digits, RECIPE, seed=5, checkpoint=path)
    assert again.history == whole.history
    for name, weights in whole.model.state_dict().items():
        assert torch.equal(weights, again.model.state_dict()[name])
    finished = deep.train(_with_dropout(9), *digits, RECIPE, seed=5, checkpoint=path)
    assert (finished.history, finished.seconds) == (again.history, again.seconds)


def test_a_checkpoint_of_another_run_is_refused(digits, tmp_path):
    path = tmp_path / "run.pt"
    deep.train(_with_dropout(), *digits, RECIPE, seed=5, checkpoint=path)
    with pytest.raises(ArgumentError, match="another recipe, seed or data"):
        deep.train(_with_dropout(), *digits, RECIPE, seed=6, checkpoint=path)
    with pytest.raises(ArgumentError, match="another network"):
        deep.train(seeded(deep.make_family("mlp", channels=1, size=8), 0.1, 0), *digits, RECIPE, seed=5, checkpoint=path)  # fmt: skip
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataFileError, match="no readable checkpoint"):
        deep.train(_with_dropout(), *digits, RECIPE, seed=5, checkpoint=path)


def test_training_ends_when_nothing_gets_better_and_keeps_the_best(digits):
    model = seeded(deep.make_family("vgg", channels=1, size=8), 0.05, 0)
    found = deep.train(model, *digits, deep.Recipe(0.01, epochs=40, patience=3), seed=0)
    errors = found.history["val_error"]
    assert found.epochs == len(errors) == min(found.best_epoch + 3, 40)
    assert found.best_epoch == int(np.argmin(errors)) + 1
    logits = deep.predict_logits(found.model, digits[1].X)
    assert float((logits.argmax(1) != digits[1].y).double().mean()) == min(errors) < 0.1


def test_soft_labels_are_what_is_learned(digits):
    """Labels turned round: the student answers the other class, whatever the class ids say."""
    data, validation = digits
    turned = data.with_soft(1 - data.P.numpy())
    model = seeded(deep.make_family("mlp", channels=1, size=8), 0.1, 0)
    recipe = deep.Recipe(0.01, epochs=5, patience=5)
    found = deep.train(model, turned, validation, recipe, seed=0)
    assert found.history["val_error"][-1] > 0.9


def test_a_loss_that_is_no_number_ends_the_run(digits):
    model = seeded(deep.make_family("mlp", channels=1, size=8), 0.1, 0)
    found = deep.train(model, *digits, deep.Recipe(1e30, epochs=9, optimizer="sgd"), seed=0)
    assert (found.status, found.epochs < 9) == ("diverged", True)


def test_mixed_precision_learns_too(digits):
    model = seeded(deep.make_family("plain_cnn", channels=1, size=8), 0.25, 0)
    recipe = deep.Recipe(0.02, epochs=8, mixed_precision=True)
    found = deep.train(model, *digits, recipe, seed=0)
    assert min(found.history["val_error"]) < 0.2


@pytest.mark.parametrize(
    "wrong",
    [
        {"step_size": 0},
        {"epochs": 0},
        {"optimizer": "adm"},
        {"loss": "soft"},
        {"loss": "hinton", "share": 2},
        {"temperature": 0},
        {"augment": 1},
    ],
)
def test_recipes_are_checked(wrong):
    with pytest.raises(ArgumentError):
        deep.Recipe(**({"step_size": 0.1} | wrong))


def test_train_checks_its_network_and_device(digits):
    three = seeded(deep.make_family("mlp", n_classes=3, channels=1, size=8), 0.1, 0)
    with pytest.raises(ArgumentError, match="logits of shape"):
        deep.train(three, *digits, RECIPE, seed=0)
    with pytest.raises(ArgumentError, match="device"):
        deep.train(three, *digits, RECIPE, seed=0, device="gpu")
