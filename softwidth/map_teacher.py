"""The theory's own teacher: labels ``s(f_v(x))`` of a transport map of bounded norm."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from softwidth._checks import (
    ArgumentError,
    check_class_ids,
    check_integer,
    check_matrix,
    check_number,
    check_same_length,
)
from softwidth._types import Array, Labels
from softwidth.margins import margin
from softwidth.network import check_features, initialise
from softwidth.transport import aligned, expansion

LARGEST = 1e38  # radius: the map is kept in single precision


class MapTeacher:
    """Binary soft labels of the map that separates its rows with the largest kernel margin.

    ``p(x) = s(f_v(x))``, ``v(z) = B u(z)/‖u(z)‖`` with ``u(z) = sum_i alpha_i y_i x_i 1(zᵀx_i > 0)``
    of the kernel margin's multipliers (THEORY.md section 3), and ``f_v(x)`` the mean over a fixed
    wide draw of neurons. So ``|f_v(x)| <= B/2`` up to the draw, and with B = 1 every p lies in
    [0.37, 0.63]: the labels that the theorems speak of, neither calibrated nor sure.

    Parameters
    ----------
    radius : float
        B, the norm of the map at every neuron.
    neurons : int
        Drawn for the mean.
    gap : float
        Relative gap of the margin.
    seed : int
        Of the draw.
    """

    def __init__(
        self, radius: float = 1.0, *, neurons: int = 4096, gap: float = 1e-3, seed: int = 0
    ) -> None:
        self.radius, self.neurons, self.gap, self.seed = radius, neurons, gap, seed

    def fit(self, X: Array, y: Labels) -> MapTeacher:
        """Find the map on rows and class ids 0 and 1.

        Raises
        ------
        ArgumentError
            Malformed rows or labels, more than two classes, or rows that nothing separates.
        """
        check_number("radius", self.radius, low=0, high=LARGEST, open_low=True)
        check_integer("neurons", self.neurons, low=2)
        X = check_matrix("X", X)
        y = check_class_ids("y", y, n_classes=2)
        check_same_length("y", y, "X", len(X))
        found = margin(X, y, gap=self.gap, n_classes=2)
        if found.lower <= 0:
            wish = "cannot be separated: their margin is 0, and there is no map to teach."
            raise ArgumentError("X", f"{len(y)} rows", wish)
        coefficients = found.alpha * (2 * y[found.rows] - 1)
        W = initialise(self.neurons, X.shape[1], init="gaussian", seed=self.seed).W
        self.W = W.astype(np.float32)
        v = aligned(expansion(X[found.rows], coefficients).at(W), self.radius)
        self.v = v.astype(np.float32)
        self.classes_ = np.array([0, 1])
        return self

    def logits(self, X: Array) -> Array:
        """``f_v`` on the rows of `X`, shape (N,)."""
        X = check_features(X, self.W.shape[1], self.W.dtype)
        return ((X @ self.v.T) * (X @ self.W.T > 0)).mean(axis=1, dtype=np.float64)

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, shape (N, 2)."""
        f = self.logits(X)
        return np.stack([expit(-f), expit(f)], axis=1)
