"""Plans of deep students, called with hostile input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from hostile_data import Odd
from hostile_values import Hostile
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from softwidth import deep, report


def plans(h: Hostile, where: Path) -> Any:
    def small(width):
        return nn.Sequential(nn.Flatten(), nn.Linear(4, max(1, round(8 * width))), nn.Linear(max(1, round(8 * width)), 2))  # fmt: skip

    n = h.whole(8, 40)
    X, y = h.rng.random((n, 1, 2, 2)).astype("f4"), h.rng.integers(2, size=n)
    soft = h.array(h.rng.dirichlet(np.ones(2), n))
    items = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    data = h.of([{"X": h.array(X), "y": h.array(y)}, (h.array(X), h.array(y)), items, DataLoader(items, 4), [items, items], (items, (X, y)), (), X])  # fmt: skip
    some: dict[str, Any] = {
        "widths": h.of(["1/4:1", "1/0", [0.5, 1.0]]), "metric": "kl", "tolerance": 0.05, "batch_size": 8, "optimizer": "sgd",
        "regime": "in-sample", "teacher": h.of([small(1), Odd(h)]), "device": "cpu", "mixed_precision": True, "classes": ["a", "b"],
        "checkpoints": where / "c", "loss": h.of(["hinton", "logit mse"]), "temperature": 2.0, "share": 0.3,
    }  # fmt: skip
    settings = {name: h.scalar(value) for name, value in some.items() if h.chance(0.1)}
    given = {"seeds": 1, "rounds": 0, "epochs": 1, "step_sizes": h.of([[0.01], h.scalar([0.1])]), "widths": [0.5, 1.0]}  # fmt: skip
    make = h.of([*[small] * 8, lambda width: nn.Flatten(), lambda width: 3, None])
    found = deep.plan(
        make, h.scalar(data), soft=h.of([soft, soft, soft, None]), **(given | settings)
    )
    return report.page(found.as_dict())
