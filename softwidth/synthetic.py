"""Sources whose truth is known: the margin, or the probability of each class at every input.

A family is written like a function, ``circle(8)``, wherever a built-in data set is named. Its
classes are drawn, its soft labels are the exact ``p(x)``: no teacher has to be trusted.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_integer,
    check_memory,
    check_number,
)
from softwidth._types import Array
from softwidth.network import initialise
from softwidth.sources import Source, from_arrays

HELD_OUT = {"val": 2000, "test": 5000}  # rows of `net`, however many it has for training
Arrays = dict[str, Any]


def circle(points: float) -> Arrays:
    """``points`` inputs evenly spaced on the unit circle, their classes alternating: margin known.

    The rows are the whole population, so training, validation and test part are the same ones.
    Soft labels are those of the largest-margin map with B = 1, ``p = s(±γ)``, with
    γ of `circle_margin`.
    """
    count = check_integer("points", _whole(points), low=4)
    check_memory("a synthetic source", 200.0 * count)
    y = np.arange(count) % 2
    angle = 2 * np.pi * np.arange(count) / count
    X = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    arrays = {"X": X, "y": y, "soft": _two(expit(circle_margin(count) * (2 * y - 1)))}
    return {f"{name}{part}": a for part in ("", "_val", "_test") for name, a in arrays.items()}


def circle_margin(points: int) -> float:
    """Separation margin of `circle`, kernel and sup norm alike, in the limit of infinite width.

    ``γ = 1/(N cos(π/N))`` for N points, N a multiple of 4: of N/2 neighbours with alternating signs on
    any half circle the sum has the length ``1/cos(π/N)``, whatever the neuron z, and by the symmetry of
    the rows the dual's best weights are ``1/N`` each: ``D(α) = E‖u(z)‖`` (THEORY.md section 3). The
    norm does not depend on z, so both margins are equal.

    Raises
    ------
    ArgumentError
        Not a multiple of 4: with N/2 odd the sum is 0 and nothing separates the rows.

    Examples
    --------
    >>> round(circle_margin(4), 6) == round(2**0.5 / 4, 6)
    True
    """
    points = check_integer("points", points, low=4)
    if points % 4:
        raise ArgumentError("points", points, "must be a multiple of 4: others have margin 0.")
    return float(1 / (points * np.cos(np.pi / points)))


def net(
    neurons: float = 16,
    features: float = 20,
    steepness: float = 4,
    rows: float = 1000,
    seed: float = 0,
) -> Arrays:
    """Inputs uniform on the sphere, classes drawn from ``p(x) = s(steepness f(x)/sd f)``.

    ``f`` is a random ReLU network of so many neurons, centred: both classes are as likely. The Bayes
    error is ``E min(p, 1 - p)``: the mean of the held-out soft labels' smaller column.
    """
    H, D = (
        check_integer("neurons", _whole(neurons), low=2),
        check_integer("features", _whole(features), low=2),
    )
    N, number = check_integer("rows", _whole(rows), low=4), check_integer("seed", _whole(seed))
    steepness = check_number("steepness", steepness, low=0, high=1e6, open_low=True)
    total = N + sum(HELD_OUT.values())
    check_memory("a synthetic source", 8.0 * (float(total) * (3.0 * D + 2.0 * H) + float(H) * D))
    # Held-out rows first: they and the truth are the same whatever the number of rows.
    rng = np.random.default_rng([number, H, D])
    X = rng.standard_normal((total, D))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    f = initialise(H, D, init="gaussian", seed=number, dtype=np.float64).logits(X)[:, 0]
    held = f[: total - N]
    P = _two(expit(steepness * (f - np.median(held)) / held.std()))
    y = (rng.random(total) < P[:, 1]).astype(np.int64)
    ends = np.cumsum([*HELD_OUT.values()])
    pieces = dict(zip(("_val", "_test", ""), np.split(np.arange(total), ends), strict=True))
    return {
        f"{name}{part}": array[chosen]
        for part, chosen in pieces.items()
        for name, array in (("X", X), ("y", y), ("soft", P))
    }


def _two(p: Array) -> Array:
    return np.stack([1 - p, p], axis=1)


def _whole(value: float) -> Any:
    """Numbers of a text are floats; 8.0 stands for 8, and 8.5 is left for the check."""
    return int(value) if float(value).is_integer() else value


FAMILIES: dict[str, Callable[..., Arrays]] = {"circle": circle, "net": net}
_FORM = re.compile(r"\s*(\w+)\s*\(([^()]*)\)\s*")


def is_synthetic(source: str) -> bool:
    """Whether it is written like a family.

    >>> is_synthetic("circle(8)"), is_synthetic("digits")
    (True, False)
    """
    return _FORM.fullmatch(source) is not None


def synthetic(text: str) -> Source:
    """The source of a family from its text.

    Parameters
    ----------
    text : str
        ``circle(points)`` or ``net(neurons, features, steepness, rows, seed)``; of `net`'s numbers the
        last ones may be left out.

    Raises
    ------
    ArgumentError
        An unknown family (the nearest is named), or numbers it cannot have.

    Examples
    --------
    >>> synthetic("circle(8)").train.X.shape
    (8, 2)
    """
    match = _FORM.fullmatch(text)
    name = check_choice("source", match[1] if match else text, FAMILIES)
    names = list(inspect.signature(FAMILIES[name]).parameters)
    written = match[2].split(",") if match and match[2].strip() else []
    try:
        numbers = [float(number) for number in written]
    except ValueError:
        numbers = [np.nan]
    if (
        not np.isfinite(numbers).all()
        or len(numbers) > len(names)
        or (name == "circle" and not numbers)
    ):
        raise ArgumentError("source", text, f"must be written `{name}({', '.join(names)})`.")
    return from_arrays(FAMILIES[name](*numbers), " ".join(text.split()))
