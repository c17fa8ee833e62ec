"""Rows such as studies make, and what it takes for two to be equal."""

from __future__ import annotations

import numpy as np

from softwidth.store import Row

FIELDS = ("spec", "study", "metrics", "seconds", "versions", "machine", "commit", "created")


def trial(width=8, seed=0, study="demo", **metrics):
    """A row such as a study makes."""
    curves = {"kl": np.geomspace(1, 1e-3, 20) / (width + 1), "error": np.arange(3, dtype="<f4")}
    spec = {"data": {"source": "digits", "noise": 0.4}, "width": width, "seed": seed}
    metrics = {"test_error": 1 / (width + seed + 1), "status": "fine", **metrics}
    return Row.of(spec, study, metrics, curves=curves, seconds=0.5)


def same(one, two):
    """Whether two rows are equal to the last bit, their curves too."""
    equal = all(getattr(one, name) == getattr(two, name) for name in FIELDS)
    names = set(one.curves) | set(two.curves)
    return equal and all(_same_array(one.curves[name], two.curves[name]) for name in names)


def _same_array(one, two):
    return one.dtype == two.dtype.newbyteorder("<") and np.array_equal(one, two, equal_nan=True)
