"""The classes of a plan: rows of each, what always saying one gets wrong, and errors on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from softwidth._types import Array, Dataset
from softwidth.balance import class_counts, class_share
from softwidth.trials import KINDS, Rows, Trial

MOST_CLASSES = 100  # of a table


def class_record(data: Dataset, test: Rows, shown: dict[str, Sequence[Trial]]) -> dict[str, Any]:
    """``classes`` and ``base_rate`` of a ``plan.json``.

    Parameters
    ----------
    data : Dataset
    test : Rows
    shown : dict of str to sequence of Trial
        The students of each label kind whose errors are told by class, means over seeds.
    """
    errors = {kind: _errors(shown[kind], test, data.n_classes) for kind in KINDS}
    classes = [
        {**asdict(count), "test_error": {kind: errors[kind][k] for kind in KINDS}}
        for k, count in enumerate(class_counts(data)[:MOST_CLASSES])
    ]
    # Whoever always says one class says the training rows' most common one.
    usual = int(class_share(data, "train").argmax())
    rates = {f"{s}_error": 1 - class_share(data, s)[usual] for s in ("val", "test")}
    present = len(np.unique(data.y_test))
    base = {"class": data.classes[usual], **rates, "balanced": 1 - 1 / present}
    return {"classes": classes, "base_rate": base}


def _errors(trials: Sequence[Trial], test: Rows, n_classes: int) -> list[float | None]:
    """Mean test error on each class; None where it has no row."""
    wrong = np.mean([trial.test.losses["error"] for trial in trials], axis=0)
    y = test.y[:: test.draws]
    weight: Array = np.ones(len(y)) if test.weight is None else test.weight[:: test.draws]
    of_class = np.bincount(y, weight, minlength=n_classes)
    missed = np.bincount(y, weight * wrong, minlength=n_classes)
    return [float(m / w) if w else None for m, w in zip(missed, of_class, strict=True)]
