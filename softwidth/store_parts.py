"""Results with arrays of any size as rows of a store: what is too large for one row goes to several.

The first row has the numbers, the small arrays, and the shapes of the others; the rest are pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from softwidth._checks import DataFileError
from softwidth.store import Row, Store
from softwidth.store_rows import spec_id

PIECE = 2**21  # bytes of arrays in one row, less than the least that a store takes
MOST_PIECES = 2**12
PIECES, SHAPES = "pieces", "shapes"


def in_pieces(row: Row) -> Iterator[Row]:
    """The row, its large arrays in rows of their own: store them together."""
    large = {name: np.ravel(a) for name, a in row.curves.items() if a.nbytes > PIECE // 8}
    if sum(array.nbytes for array in row.curves.values()) <= PIECE or not large:
        yield row
        return
    cuts = [
        (name, values[start : start + PIECE // values.itemsize])
        for name, values in large.items()
        for start in range(0, len(values), PIECE // values.itemsize)
    ]
    shapes = {name: list(row.curves[name].shape) for name in large}
    yield replace(
        row,
        metrics={**row.metrics, PIECES: len(cuts), SHAPES: shapes},
        curves={name: a for name, a in row.curves.items() if name not in large},
    )
    for number, (name, values) in enumerate(cuts):
        spec = _piece(row.spec, number)
        yield replace(row, spec=spec, metrics={}, curves={name: values}, seconds=0.0)


@contextmanager
def damage_of(store: Store, row: Row) -> Iterator[None]:
    """What goes wrong inside with a row that was read is a DataFileError that names it."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise DataFileError(f"{store.where} is damaged: row {row.id}: {told}.") from None


def whole(store: Store, specs: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    """The stored ones of these rows by id, all arrays in place; a row that lacks a piece is left out.

    Raises
    ------
    DataFileError
        A row is damaged.
    """
    rows = store.get(map(spec_id, specs), curves=True)
    return {id_: full for id_, row in rows.items() if (full := _joined(store, row)) is not None}


def _joined(store: Store, row: Row) -> Row | None:
    if PIECES not in row.metrics:
        return row
    with damage_of(store, row):
        return _with_pieces(store, row)


def _with_pieces(store: Store, row: Row) -> Row | None:
    count, shapes = row.metrics[PIECES], row.metrics[SHAPES]
    if type(count) is not int or not 0 < count <= MOST_PIECES or not isinstance(shapes, dict):
        raise ValueError("impossible pieces")
    ids = [spec_id(_piece(row.spec, number)) for number in range(count)]
    found = store.get(ids, curves=True)
    pieces: dict[str, list[np.ndarray[Any, Any]]] = {}
    for id_ in ids:
        if id_ not in found:
            return None
        for name, values in found[id_].curves.items():
            pieces.setdefault(name, []).append(values)
    arrays = {name: np.concatenate(parts) for name, parts in pieces.items()}
    if set(arrays) != set(shapes) or any(prod(shapes[n]) != a.size for n, a in arrays.items()):
        raise ValueError("its pieces do not fit")
    metrics = {name: v for name, v in row.metrics.items() if name not in (PIECES, SHAPES)}
    large = {name: values.reshape(shapes[name]) for name, values in arrays.items()}
    return replace(row, metrics=metrics, curves={**row.curves, **large})


def _piece(spec: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {**spec, "piece": number}
