"""What an estimator is given as `y`: labels or distributions, and the classes that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError, check_choice
from softwidth._types import Labels

Names = np.ndarray[Any, Any]


def is_matrix(y: Any) -> bool:
    """Whether `y` holds a distribution a row; a single column is a vector of labels."""
    try:
        shape = np.asarray(y).shape
    except ValueError:
        raise ArgumentError("y", y, "must have as many entries in every row.") from None
    return len(shape) == 2 and shape[1] > 1


def column_classes(given: Any, y: Any, n_classes: int) -> Names:
    """Class names of the columns of a matrix: as given, its own column names, or numbers.

    Raises
    ------
    ArgumentError
        Not a name for each column, or one twice.
    """
    own = getattr(y, "columns", np.arange(n_classes)) if given is None else given
    wish = f"must name the {n_classes} columns of `y`, each once."
    names = _vector(own, wish)
    try:
        different = len(set(names.tolist()))
    except TypeError:  # what has no hash is no name
        raise ArgumentError("classes", own, wish) from None
    if not len(names) == different == n_classes:
        raise ArgumentError("classes", own, wish)
    return names


def first_classes(told: Any, y: Any) -> Names:
    """All classes that will come, as the first call of ``partial_fit`` is told them.

    Raises
    ------
    ArgumentError
        Missing where `y` are labels, no vector, fewer than two.
    """
    if is_matrix(y):
        return column_classes(told, y, np.shape(y)[1])
    wish = "must be told in the first call of partial_fit: all labels that will ever come."
    try:
        with np.errstate(over="ignore"):  # of fractions beside numbers of great precision
            names = np.unique(_vector(told, wish))
    except (TypeError, ArithmeticError):  # of several kinds, or without an order
        raise ArgumentError("classes", told, wish) from None
    if len(names) < 2:
        raise ArgumentError("classes", told, "must hold at least two classes, not one class.")
    return names


def same_classes(told: Any, y: Any, before: Names) -> Names:
    """The classes of earlier calls; what is told of them now must not differ.

    Raises
    ------
    ArgumentError
        Other classes, or columns of a matrix in another order.
    """
    of_columns = is_matrix(y)
    told = getattr(y, "columns", None) if told is None and of_columns else told
    if told is None:
        return before
    wish = f"must be those of the first call ({', '.join(map(str, before))})."
    ordered = [
        list(names) if of_columns else sorted(names, key=str)
        for names in (_vector(told, wish).tolist(), before.tolist())
    ]
    if ordered[0] != ordered[1]:
        raise ArgumentError("classes", told, wish)
    return before


def _vector(told: Any, wish: str) -> Names:
    """Classes as they are told, as a vector."""
    try:
        names = np.asarray(told)
    except ValueError:  # of several lengths
        raise ArgumentError("classes", told, wish) from None
    if names.ndim != 1:
        raise ArgumentError("classes", told, wish)
    return names


def class_ids(y: Sequence[Any] | Names, classes: Names) -> Labels:
    """The place of every label among sorted classes.

    >>> class_ids(np.array(["b", "a"]), np.array(["a", "b"])).tolist()
    [1, 0]

    Raises
    ------
    ArgumentError
        A label that is none of them; the nearest is named.
    """
    own, inverse = np.unique(np.asarray(y), return_inverse=True)
    places = {name: place for place, name in enumerate(classes.tolist())}
    for name in own.tolist():
        if name not in places:
            check_choice("y", str(name), [str(known) for known in places])
            raise ArgumentError("y", name, "is a label of another type than `classes`.")
    return np.asarray([places[name] for name in own.tolist()])[inverse]
