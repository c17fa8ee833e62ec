"""Students that are deep: networks of PyTorch of any width, trained on images with soft or hard labels.

`families` makes networks from a width multiplier, `losses` has what distillation uses, `data` the
images, `training` trains one network, resumably, `planner` finds the least width of a family.
Needs PyTorch: ``pip install 'softwidth[deep]'``.
"""

from __future__ import annotations

from softwidth.deep._torch import need_torch

need_torch()

from softwidth.deep.data import Images, add_noise, augment, load_images, split_images  # noqa: E402
from softwidth.deep.families import FAMILIES, Cost, make_family, model_cost  # noqa: E402
from softwidth.deep.losses import LOSSES, Targets, make_loss  # noqa: E402
from softwidth.deep.plan_record import DeepPlan  # noqa: E402
from softwidth.deep.planner import plan  # noqa: E402
from softwidth.deep.training import Recipe, Trained, predict_logits, train  # noqa: E402

__all__ = [
    "FAMILIES",
    "LOSSES",
    "Cost",
    "DeepPlan",
    "Images",
    "Recipe",
    "Targets",
    "Trained",
    "add_noise",
    "augment",
    "load_images",
    "make_family",
    "make_loss",
    "model_cost",
    "plan",
    "predict_logits",
    "split_images",
    "train",
]
