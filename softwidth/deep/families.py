"""Networks of every width: a family is a function from a width multiplier to a module.

Every member takes images ``(B, C, H, W)`` of pixels in [0, 1], centres them itself and gives logits
``(B, K)``. Weights are drawn as He et al. (2015) do, from PyTorch's global generator: see `seeded`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_count,
    check_flag,
    check_integer,
    check_number,
    listed,
)

Family = Callable[[float], nn.Module]

CHANNELS = (64, 128, 256, 256, 512, 512, 512, 512)  # VGG-11's (Simonyan and Zisserman 2015)
POOLED = (1, 2, 4, 6, 8)  # layers with a maximum over 2 x 2 after them
FEATURES = 512  # of a hidden fully connected layer
PLAIN_CHANNELS = (32, 64)
MIDDLE, SPREAD = (
    0.5,
    0.25,
)  # of pixels; those of CIFAR-10 have means of 0.45-0.49, deviations of 0.25


class Centre(nn.Module):
    """``(x - 1/2) / (1/4)``: pixels with mean and deviation near 0 and 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Pixels of any shape."""
        return (x - MIDDLE) / SPREAD


def scaled(number: int, width: float) -> int:
    """A layer's units at a width multiplier: rounded, at least one.

    >>> scaled(64, 0.25), scaled(64, 0.001)
    (16, 1)
    """
    return max(1, round(number * width))


def vgg(
    width: float = 1.0,
    *,
    convolutional: int = 2,
    fully_connected: int = 3,
    n_classes: int = 2,
    channels: int = 3,
    size: int = 32,
    batch_norm: bool = False,
) -> nn.Module:
    """VGG ``c+f`` for small images: the first c of `CHANNELS`, then f fully connected layers.

    Parameters
    ----------
    width : float
        Multiplies the channels and the hidden features.
    convolutional, fully_connected : int
        c (1 to 8) and f (1 or more; the last gives the logits).
    n_classes, channels, size : int
        K; of an image (C, size, size). A side of 1 is pooled no more.
    batch_norm : bool
        After every convolution.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> model_cost(vgg(1 / 16), (3, 32, 32)).parameters
    17946
    """
    width = check_number("width", width, low=0, open_low=True)
    depth = check_integer("convolutional", convolutional, low=1)
    if depth > len(CHANNELS):
        raise ArgumentError("convolutional", depth, f"must be at most {len(CHANNELS)}.")
    fully_connected = check_integer("fully_connected", fully_connected, low=1)
    batch_norm = check_flag("batch_norm", batch_norm)
    side, layers = check_count("size", size), []
    counts = [check_count("channels", channels), *(scaled(c, width) for c in CHANNELS[:depth])]
    for number, (inputs, outputs) in enumerate(pairwise(counts), start=1):
        layers += _convolution(inputs, outputs, batch_norm)
        if number in POOLED and side > 1:
            layers.append(nn.MaxPool2d(2))
            side //= 2
    hidden = [scaled(FEATURES, width)] * (fully_connected - 1)
    return _ready(layers, _dense([counts[-1] * side**2, *hidden, _classes(n_classes)]))


def plain_cnn(
    width: float = 1.0, *, n_classes: int = 2, channels: int = 3, size: int = 32
) -> nn.Module:
    """Two convolutions of 32 and 64 channels with pooling, the mean over what is left, logits."""
    width = check_number("width", width, low=0, open_low=True)
    side, layers = check_count("size", size), []
    counts = [check_count("channels", channels), *(scaled(c, width) for c in PLAIN_CHANNELS)]
    for inputs, outputs in pairwise(counts):
        layers += _convolution(inputs, outputs, False)
        if side > 1:
            layers.append(nn.MaxPool2d(2))
            side //= 2
    layers.append(nn.AdaptiveAvgPool2d(1))
    return _ready(layers, _dense([counts[-1], _classes(n_classes)]))


def mlp(
    width: float = 1.0,
    *,
    n_classes: int = 2,
    channels: int = 3,
    size: int = 32,
    hidden: Sequence[int] = (FEATURES,),
) -> nn.Module:
    """Fully connected layers of `hidden` features each, times `width`, on all pixels."""
    width = check_number("width", width, low=0, open_low=True)
    given = listed(hidden)
    if given is None:
        raise ArgumentError("hidden", hidden, "must be a list of whole numbers.")
    features = [scaled(check_count("hidden", number), width) for number in given]
    inputs = check_count("channels", channels) * check_count("size", size) ** 2
    return _ready([], _dense([inputs, *features, _classes(n_classes)]))


def _classes(n_classes: int) -> int:
    return check_count("n_classes", n_classes, low=2)


def _convolution(inputs: int, outputs: int, batch_norm: bool) -> list[nn.Module]:
    norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
    return [nn.Conv2d(inputs, outputs, 3, padding=1), *norm, nn.ReLU()]


def _dense(counts: Sequence[int]) -> list[nn.Module]:
    """Fully connected layers between these numbers of units, ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(counts):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]


def _ready(convolutions: list[nn.Module], dense: list[nn.Module]) -> nn.Module:
    """All layers in order, with He's weights and biases of 0."""
    model = nn.Sequential(Centre(), *convolutions, nn.Flatten(), *dense)
    for layer in model:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return model


FAMILIES: dict[str, Callable[..., nn.Module]] = {"vgg": vgg, "plain_cnn": plain_cnn, "mlp": mlp}


def make_family(name: str, **settings: Any) -> Family:
    """A family by its name, with everything fixed but the width.

    Raises
    ------
    ArgumentError
        Unknown name or setting; a bad value is told when a member is made.

    Examples
    --------
    >>> small = make_family("mlp", hidden=[64], channels=1, size=8)
    >>> model_cost(small(0.5), (1, 8, 8)).parameters  # 64 * 32 + 32 + 32 * 2 + 2
    2146
    """
    make = FAMILIES[check_choice("name", name, FAMILIES)]
    known = list(inspect.signature(make).parameters)[1:]
    for setting in settings:
        check_choice("settings", setting, known)

    def member(width: float) -> nn.Module:
        return make(width, **settings)

    member.__name__ = name
    return member


def seeded(family: Family, width: float, seed: int) -> nn.Module:
    """The member that this seed draws; the global generator stays as it was.

    >>> a, b = (seeded(vgg, 0.1, 3).state_dict() for _ in range(2))
    >>> all(torch.equal(a[name], b[name]) for name in a)
    True
    """
    with torch.random.fork_rng():
        torch.manual_seed(check_integer("seed", seed))
        return family(width)


@dataclass(frozen=True)
class Cost:
    """What a network takes.

    Attributes
    ----------
    parameters : int
        Numbers that are trained.
    multiply_adds : int
        Of one prediction, in convolutions and matrix products.
    """

    parameters: int
    multiply_adds: int


def model_cost(model: nn.Module, shape: Sequence[int]) -> Cost:
    """Parameters, and multiply-adds per prediction, of any module.

    Parameters
    ----------
    model : nn.Module
        It is run once, on an image of zeros.
    shape : sequence of int
        Of one input, such as (C, H, W).

    Examples
    --------
    >>> model_cost(nn.Linear(10, 3), [10])
    Cost(parameters=33, multiply_adds=30)
    """
    own = list(model.parameters())
    zeros = torch.zeros(1, *shape, device=own[0].device if own else "cpu")
    was_training = model.training
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model.eval()(zeros)
    model.train(was_training)
    trained = sum(weights.numel() for weights in own if weights.requires_grad)
    return Cost(trained, counter.get_total_flops() // 2)
