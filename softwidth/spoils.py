"""Ways to break a teacher's probabilities on purpose, to see what students gain from."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from softwidth._checks import ArgumentError, check_choice, check_number
from softwidth._types import Array
from softwidth.distributions import temper

LEAST = 1e-15  # probability, before a logarithm


def _tempered(P: Array, temperature: float, rng: np.random.Generator) -> Array:
    """Too sure below 1, too unsure above."""
    return temper(P, temperature)


def _biased(P: Array, shift: float, rng: np.random.Generator) -> Array:
    """The last class's logit raised by so much on every row."""
    logits = np.log(np.maximum(P, LEAST))
    logits[:, -1] += shift
    return _softmax(logits)


def _noisy(P: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Gaussian noise of this deviation on every logit."""
    return _softmax(np.log(np.maximum(P, LEAST)) + sigma * rng.standard_normal(P.shape))


def _exchanged(P: Array, share: float, rng: np.random.Generator) -> Array:
    """So many rows, as a share of all, have each other's probabilities."""
    rows = np.flatnonzero(rng.random(len(P)) < check_number("share", share, low=0, high=1))
    spoiled = P.copy()
    spoiled[rows] = P[rng.permutation(rows)]
    return spoiled


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


Spoil = Callable[[Array, float, np.random.Generator], Array]
_SPOILS: dict[str, Spoil] = {
    "tempered": _tempered,
    "biased": _biased,
    "noisy": _noisy,
    "exchanged": _exchanged,
}
SPOILS = {name: str(spoil.__doc__) for name, spoil in _SPOILS.items()}


def parse_spoil(text: str) -> tuple[str, float]:
    """A way's name and number from its text.

    Raises
    ------
    ArgumentError
        Unknown, or not written ``name(number)``.

    Examples
    --------
    >>> parse_spoil("biased(0.5)")
    ('biased', 0.5)
    """
    match = re.fullmatch(r"\s*(\w+)\s*\(([^()]*)\)\s*", text) if isinstance(text, str) else None
    name = check_choice("spoil", match[1] if match else text, _SPOILS)
    try:
        number = float(match[2]) if match else np.nan
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise ArgumentError("spoil", text, f"must be written `{name}(number)`.")
    return name, number


def spoiled(P: Array, text: str, rng: np.random.Generator) -> Array:
    """Probabilities (N, K) broken as `text` says.

    >>> spoiled(np.array([[0.5, 0.5]]), "biased(1)", np.random.default_rng(0)).round(3).tolist()
    [[0.269, 0.731]]
    """
    name, number = parse_spoil(text)
    return _SPOILS[name](P, number, rng)
