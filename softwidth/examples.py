"""What an estimator learns from: rows with a label distribution and a weight each.

The cross-entropy is linear in the label distribution, so equal rows are one row with the weighted
mean of their labels and the sum of their weights: the same loss. Told so, a row twice is a row of
weight 2 to the last digits, in mini-batches too, and never stands on both sides of a split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._mapped import take_rows
from softwidth._types import Array
from softwidth.tasks import row_hashes, split_rows


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows `X` (N, D), label distributions `P` (N, K) and weights `weight` (N,)."""

    X: Array
    P: Array
    weight: Array

    def rows(self, chosen: Any) -> Examples:
        """The rows chosen by number or mask."""
        return Examples(take_rows(self.X, chosen), self.P[chosen], self.weight[chosen])

    def with_class_weights(self, factors: Array) -> Examples:
        """Every vote for class k weighs `factors` (K,) of it, in the loss ``-sum_k c_k p_k ln q_k``.

        >>> one = Examples(np.zeros((1, 1)), np.array([[0.5, 0.5]]), np.ones(1))
        >>> heavy = one.with_class_weights(np.array([3.0, 1.0]))
        >>> heavy.P.tolist(), heavy.weight.tolist()
        ([[0.75, 0.25]], [2.0])
        """
        scaled = self.P * factors
        total = scaled.sum(axis=1)
        P = np.divide(scaled, total[:, None], out=self.P.copy(), where=total[:, None] > 0)
        return Examples(self.X, P, self.weight * total)

    def balanced(self) -> Array:
        """Factors that give all classes the same weight in all, shape (K,); 0 where none has any.

        >>> y = np.array([0, 0, 0, 1])
        >>> Examples(np.zeros((4, 1)), np.eye(2)[y], np.ones(4)).balanced().round(3).tolist()
        [0.667, 2.0]
        """
        of_class = self.weight @ self.P
        even = self.weight.sum() / np.count_nonzero(of_class)
        return np.divide(even, of_class, out=np.zeros_like(of_class), where=of_class > 0)

    def distinct(self) -> Examples:
        """Equal rows as one, rows of no weight as none; in an order that the rows alone decide."""
        own = self.rows(self.weight > 0)
        _, first, group = np.unique(row_hashes(own.X), return_index=True, return_inverse=True)
        weight = np.bincount(group, own.weight).astype(np.float64)
        P = np.zeros((len(first), own.P.shape[1]))
        np.add.at(P, group, own.weight[:, None] * own.P)
        return Examples(own.X[first], P / weight[:, None], weight)

    def split(self, fraction: float, seed: int) -> tuple[Examples, Examples]:
        """All but a share of the rows, and that share, stratified by top class.

        Both sides are all rows where these are too few to be split.
        """
        top, K = self.P.argmax(axis=1), self.P.shape[1]
        n = max(round(fraction * len(top)), len(np.unique(top)))
        if n >= len(top) or len(top) < 2 * K:
            return self, self
        chosen, others = split_rows(top, n, seed=seed, name="validation_fraction")
        return self.rows(others), self.rows(chosen)
