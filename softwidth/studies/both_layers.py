"""Both layers trained, with biases, momentum or Adam: does the finding survive in a usual network.

The theorems train the first layer only. Noisy parity (`_scenes`), a teacher of other rows; also
without momentum, as the theorems have it. Adam has a grid of step sizes of its own, the same for
every label kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from softwidth.studies._gains import draw_gains, everywhere, groups
from softwidth.studies._scenes import noisy_parity, scene
from softwidth.studies._study import Ask, Scale, Verdict
from softwidth.studies._table import tuned_lines

if TYPE_CHECKING:
    import altair
    import pandas

CLAIM = "Soft labels win also when output layer and biases are trained, with momentum, without, or by Adam."  # fmt: skip
COST = "9 worker min, 11,780 students of digits and mnist"
LAST = "supported: +0.53 (+0.14 to +0.93) points"
NETWORKS: dict[str, dict[str, Any]] = {
    "first layer": {},
    "first layer, no momentum": {"momentum": 0.0},
    "both layers": {"train_output": True},
    "both layers and biases": {"train_output": True, "bias": True},
    "both layers and biases, He": {"train_output": True, "bias": True, "init": "he"},
    "both layers and biases, He, Adam": {
        "train_output": True,
        "bias": True,
        "init": "he",
        "optimiser": "adam",
    },
}
ADAM_STEPS = (0.001, 0.00316, 0.01, 0.0316, 0.1)
COMPARISONS = 2 * len(NETWORKS)  # on two data sets


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, network, width and label kind."""
    import pandas as pd

    return pd.DataFrame([line for source in scale.data for line in _of_data(ask, scale, source)])


def _of_data(ask: Ask, scale: Scale, source: str) -> list[dict[str, Any]]:
    here = scene(source, scale)
    lines: list[dict[str, Any]] = []
    for name in scale(NETWORKS, list(NETWORKS)[-2:]):
        base = noisy_parity(source, scale, **NETWORKS[name])
        grid = {"step_sizes": ADAM_STEPS} if base.optimiser == "adam" else {}
        group = {"data": source, "network": name}
        lines += tuned_lines(
            ask, scale, base, group, widths=here.widths, comparisons=COMPARISONS, **grid
        )
    return lines


def judge(table: pandas.DataFrame) -> Verdict:
    """Supported by a gain in every network on all data, refuted by a loss in one."""
    lines = groups(table, ("data", "network"))
    return everywhere(lines, lambda line: f"{line['network']} on {line['data']}", "Soft labels win")


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """The gains network by network."""
    return draw_gains(table, "network", "what is trained")
