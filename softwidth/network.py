"""The two-layer ReLU network of THEORY.md section 1: initialisations, outputs, size."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from scipy.special import expit, softmax

from softwidth._checks import (
    SMALL,
    ArgumentError,
    check_choice,
    check_dtype,
    check_flag,
    check_integer,
    check_matrix,
    check_memory,
    check_width,
)
from softwidth._mapped import changed_rows, is_mapped
from softwidth._types import Array

BYTES_A_WEIGHT = 16  # while it is drawn in double precision and kept
ACTIVATIONS = 2**24  # that are held at a time: 64 MiB in float32


@dataclass(frozen=True, eq=False)
class Network:
    """One student: ``f_k(x) = b_k + scale * sum_r A[r, k] max(0, W[r]ᵀ x)``.

    Attributes
    ----------
    W : ndarray, shape (width, D) or (width, D + 1)
        Hidden weights; the last column is the hidden bias where the network has one.
    A : ndarray, shape (width, C)
        Output weights; C is 1 for a binary task, otherwise the number of classes.
    b : ndarray, shape (C,)
        Output bias, zero unless the network has biases.
    scale : float
        ``1/sqrt(width)`` with output signs +-1 (THEORY.md section 1), 1 for He and Glorot.
    bias : bool
        Whether the network has biases.
    """

    W: Array
    A: Array
    b: Array
    scale: float
    bias: bool = False

    @property
    def width(self) -> int:
        """Number of hidden neurons."""
        return int(self.W.shape[0])

    def logits(self, X: Array) -> Array:
        """Logits, shape (N, C).

        Parameters
        ----------
        X : ndarray, shape (N, D)

        Raises
        ------
        ArgumentError
            If `X` is not a finite matrix with as many columns as the network was made for.
        """
        X = check_features(X, self.W.shape[1] - self.bias, self.W.dtype)
        step = max(1, ACTIVATIONS // self.width)
        parts = [self._logits(X[start : start + step]) for start in range(0, len(X), step)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _logits(self, X: Array) -> Array:
        H = (_with_ones(X) if self.bias else X) @ self.W.T
        return self.scale * (np.maximum(H, 0, out=H) @ self.A) + self.b

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, shape (N, K)."""
        return probabilities(self.logits(X))


def check_features(X: Any, n_features: int, dtype: Any) -> Array:
    """`X` as a finite matrix with `n_features` columns."""
    X = check_matrix("X", X, dtype=dtype)
    if X.shape[1] != n_features:
        raise ArgumentError("X", X, f"must have {n_features} columns, as in training.")
    return X


Rows = TypeVar("Rows", bound=np.ndarray[Any, Any])


class _Lent:
    """The memory of a read-only array, which is said to be writable."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array  # lives as long as what is made of it
        address = array.__array_interface__["data"][0]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def for_reading(X: Rows) -> Rows:
    """`X` in the form that compiled code reads rows in: in order, aligned, of a writable type.

    Compiled code has one type for writable and one for read-only arrays and is compiled for each;
    rows are never written to, so that read-only ones, such as those of a mapped file, are used
    where they lie.
    """
    X = np.require(X, requirements=["C", "A"])
    return X if X.flags.writeable else cast(Rows, np.asarray(_Lent(X)))


def with_bias_column(X: Array, bias: bool) -> Array:
    """`X` with a last column of ones where the network has biases: its weight is the bias."""
    if not bias:
        return X
    if not is_mapped(X):
        return _with_ones(X)
    for rows, added in _biased:  # bank after bank of a plan has the same rows
        if rows() is X:
            return added
    added = changed_rows(X, _with_ones, "adding the bias column", columns=X.shape[1] + 1)
    _biased.append((weakref.ref(X, _forget), added))
    return added


# Rows of files that are in use, and the same with the column.
_biased: list[tuple[weakref.ref[Array], Array]] = []


def _forget(gone: weakref.ref[Array]) -> None:
    _biased[:] = [entry for entry in _biased if entry[0] is not gone]


def _with_ones(X: Array) -> Array:
    return np.hstack([X, np.ones((len(X), 1), X.dtype)])


def n_outputs(n_classes: int) -> int:
    """C, the number of logits: 1 for a binary task, K otherwise (THEORY.md section 1).

    >>> n_outputs(2), n_outputs(10)
    (1, 10)
    """
    return 1 if n_classes == 2 else n_classes


def probabilities(logits: Array) -> Array:
    """Class probabilities (N, K) from logits (N, C): sigmoid for one logit, else softmax.

    >>> probabilities(np.array([[0.0]])).tolist()
    [[0.5, 0.5]]
    """
    if logits.shape[-1] > 1:
        return np.asarray(softmax(logits, axis=-1))
    # Not 1 - p: in float32 that is 0 from a logit of 17 on, and its logarithm infinite.
    return np.concatenate([expit(-logits), expit(logits)], axis=-1)


def _signs(rng: np.random.Generator, width: int, C: int) -> Array:
    return rng.choice([-1.0, 1.0], size=(width, C))


def _normal(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return rng.standard_normal((rows, columns))


def _uniform(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return rng.uniform(-1, 1, (rows, columns))


Draw = Callable[[np.random.Generator, int, int], Array]


def _fill(W: Array, draw: Draw, rng: np.random.Generator, factor: float = 1.0) -> None:
    """Fill `W` with ``factor`` times the draws, by rows: never a second `W` in double precision."""
    for start in range(0, len(W), DRAWN_ROWS):
        rows = W[start : start + DRAWN_ROWS]
        rows[:] = factor * draw(rng, *rows.shape)


def _symmetric(rng: np.random.Generator, W: Array, C: int) -> tuple[Array, float]:
    # Twins side by side, where THEORY.md writes them width/2 apart: a sum over neurons in order
    # then cancels pair by pair. `_passes.equal_twins` sees to the last bit of it in training.
    width = len(W)
    _fill(W[::2], _normal, rng)
    W[1::2] = W[::2]
    A = _signs(rng, width // 2, C)
    return np.stack([A, -A], axis=1).reshape(width, C), width**-0.5


def _gaussian(rng: np.random.Generator, W: Array, C: int) -> tuple[Array, float]:
    _fill(W, _normal, rng)
    return _signs(rng, len(W), C), len(W) ** -0.5


def _he(rng: np.random.Generator, W: Array, C: int) -> tuple[Array, float]:
    width, D = W.shape
    _fill(W, _normal, rng, (2 / D) ** 0.5)
    return _normal(rng, width, C) * (2 / width) ** 0.5, 1.0


def _glorot(rng: np.random.Generator, W: Array, C: int) -> tuple[Array, float]:
    width, D = W.shape
    _fill(W, _uniform, rng, (6 / (D + width)) ** 0.5)
    return _uniform(rng, width, C) * (6 / (width + C)) ** 0.5, 1.0


# Each fills the hidden weights and returns the output weights and the scale.
INITIALISATIONS: dict[str, Callable[[np.random.Generator, Array, int], tuple[Array, float]]] = {
    "symmetric": _symmetric,
    "gaussian": _gaussian,
    "he": _he,
    "glorot": _glorot,
}
DRAWN_ROWS = 256


def check_init(init: str, width: int) -> None:
    """`init` must be known, and `width` fit it."""
    check_choice("init", init, INITIALISATIONS)
    check_width("width", width, paired=init == "symmetric")


def initialise(
    width: int,
    n_features: int,
    n_classes: int = 2,
    *,
    init: str = "symmetric",
    seed: int = 0,
    bias: bool = False,
    dtype: Any = np.float64,
) -> Network:
    """A network at its random start.

    Parameters
    ----------
    width : int
        Number of hidden neurons; even for ``init="symmetric"``.
    n_features, n_classes : int
        D and K.
    init : {"symmetric", "gaussian", "he", "glorot"}
        ``symmetric``: for r <= width/2, w_r ~ N(0, I) and signs a_r uniform on +-1, then the same
        neurons again with the signs turned, so that f is 0 (THEORY.md section 1). ``gaussian``:
        the same without pairs. ``he``: w ~ N(0, 2/D), a ~ N(0, 2/width) (He et al. 2015).
        ``glorot``: uniform with variances 2/(D + width) and 2/(width + C) (Glorot and Bengio 2010).
    seed : int
        Seed of this network alone.
    bias : bool
        Hidden and output biases, starting at 0.
    dtype : floating dtype
        Type of the weights; they are drawn in double precision whatever it is.

    Returns
    -------
    Network

    Raises
    ------
    ArgumentError
        Unknown `init`, odd `width` with symmetric pairs, sizes below 1, a `dtype` that is no
        floating-point type.
    MemoryLimitError
        Larger than memory.

    Examples
    --------
    >>> network = initialise(4, 3, seed=1)
    >>> network.logits(np.eye(3)).ravel().tolist()
    [0.0, 0.0, 0.0]
    """
    check_init(init, width)
    width, n_features = int(width), check_integer("n_features", n_features, low=1)
    C = n_outputs(check_integer("n_classes", n_classes, low=2))
    rng = np.random.default_rng(check_integer("seed", seed))
    needed = BYTES_A_WEIGHT * width * (n_features + C)
    if needed > SMALL:
        check_memory(f"a network of {width:,} neurons", needed)
    W = np.zeros((width, n_features + check_flag("bias", bias)), check_dtype("dtype", dtype))
    A, scale = INITIALISATIONS[init](rng, W[:, :n_features], C)
    return Network(W, A.astype(W.dtype), np.zeros(C, W.dtype), scale, bias)


@dataclass(frozen=True)
class Size:
    """What a network costs: `parameters` stored, `operations` (multiply-adds) per prediction."""

    parameters: int
    operations: int


def size(width: int, n_features: int, n_classes: int = 2, *, bias: bool = False) -> Size:
    """Parameters (hidden and output weights, biases) and multiply-adds per prediction.

    Raises
    ------
    ArgumentError
        Sizes below 1, or fewer than two classes.

    Examples
    --------
    >>> size(4, 10)
    Size(parameters=44, operations=44)
    >>> size(4, 10, 3, bias=True)
    Size(parameters=59, operations=52)
    """
    width = check_width("width", width, paired=False)
    n_features = check_integer("n_features", n_features, low=1)
    C = n_outputs(check_integer("n_classes", n_classes, low=2))
    products = width * (n_features + C)
    return Size(products + (width + C) * check_flag("bias", bias), products)
