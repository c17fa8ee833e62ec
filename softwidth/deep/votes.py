"""Soft labels that people have voted for, or simulated people, and how far predictions are from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError, check_count, check_number
from softwidth._types import Array
from softwidth.calibration import fit_temperature
from softwidth.deep.data import Images
from softwidth.distributions import entropy, temper
from softwidth.trial_data import annotators

SIMULATED = {"people", "rate"}
LEAST = 1e-15  # of a probability whose logarithm is taken


def check_votes(votes: Any) -> None:
    """Nothing, once `votes` says whose they are; see `trials.DeepSpec`.

    Raises
    ------
    ArgumentError
    """
    if not isinstance(votes, Mapping) or set(votes) not in (set(), SIMULATED):
        wish = "must be {} (those that come with the images), or have `people` and `rate`."
        raise ArgumentError("votes", votes, wish)
    if votes:
        check_count("people", votes["people"])
        check_number("rate", votes["rate"], low=0, high=1)


def with_votes(images: Images, votes: Mapping[str, Any], *, seed: Any) -> Images:
    """The images with simulated votes, or as they are.

    Parameters
    ----------
    images : Images
    votes : mapping
        ``people`` vote on each image, each for its class with probability ``1 - rate`` and else for
        one of the others, all alike (`trial_data.annotators`). Empty: nobody is simulated.
    seed : int or sequence of int
    """
    if not votes:
        return images
    P = annotators(images.y.numpy(), float(votes["rate"]), images.n_classes)
    counts = np.random.default_rng(seed).multinomial(int(votes["people"]), P)
    return images.with_soft(counts / counts.sum(axis=1, keepdims=True))


def divergences(P: Array, Q: Array) -> Array:
    """``KL(P || Q) = sum_k p_k ln(p_k / q_k)`` of every row in nats, (N,), from (N, K) both.

    A ``q_k`` that is less than 1e-15, or no number, counts as 1e-15.

    >>> divergences(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([[0.5, 0.5], [0.75, 0.25]])).round(4).tolist()
    [0.0, 1.3863]
    """
    likelihood = np.log(np.maximum(np.nan_to_num(Q), LEAST))
    return np.asarray(-(P * likelihood).sum(axis=1) - entropy(P))


def held_divergences(
    Q_val: Array, validation: Images, Q_test: Array, test: Images
) -> dict[str, Any]:
    """How far predictions are from what was voted for on test images.

    Parameters
    ----------
    Q_val, Q_test : ndarray, shape (N, K)
        Predictions for validation and test images.
    validation, test : Images
        Without votes a prediction is compared with the class id.

    Returns
    -------
    dict
        ``test_kl`` by image, (N,) in float32; ``test_kl_tempered``, the same once the ``temperature``,
        a float, is the one that is best for the class ids of the validation images.
    """
    temperature = fit_temperature(np.nan_to_num(Q_val, nan=LEAST), validation.y.numpy())
    P = test.P.double().numpy()
    tempered = temper(np.nan_to_num(Q_test, nan=LEAST), temperature)
    return {
        "temperature": temperature,
        "test_kl": divergences(P, Q_test).astype(np.float32),
        "test_kl_tempered": divergences(P, tempered).astype(np.float32),
    }
