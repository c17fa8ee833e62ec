"""Images of a plan as they are given (arrays, data sets, loaders), cut into parts, with soft labels.

All becomes the package's own `Dataset`, an image a row of its pixels, so that the planner speaks of
them as of any rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
)
from torch.utils.data import Dataset as TorchDataset

from softwidth._checks import (
    ArgumentError,
    as_type,
    check_choice,
    check_names,
    check_numeric,
    check_same_length,
)
from softwidth._types import Array, Dataset, Labels
from softwidth.calibration import accuracy, fit_temperature
from softwidth.deep.data import Images
from softwidth.deep.plan_spec import REGIMES, DeepPlanSpec
from softwidth.deep.training import MEASURE_BATCH, predict_logits
from softwidth.distributions import as_probabilities, temper
from softwidth.plan_labels import SoftLabels, given_labels
from softwidth.tasks import split_rows

KEYS = ("X", "y", "soft", "X_val", "y_val", "soft_val", "X_test", "y_test", "soft_test")
ENDINGS = {"train": "", "val": "_val", "test": "_test"}
HELD_SHARE = 0.2  # of the rows, cut off for each held-out part that is not given


@dataclass(frozen=True, eq=False)
class Part:
    """Images with class ids, and soft labels as they came (probabilities or votes)."""

    X: np.ndarray[Any, Any]  # (N, C, H, W)
    y: Labels
    soft: np.ndarray[Any, Any] | None = None  # (N, K)

    def rows(self, chosen: np.ndarray[Any, Any]) -> Part:
        """Those chosen by number."""
        return Part(
            self.X[chosen], self.y[chosen], None if self.soft is None else self.soft[chosen]
        )


@dataclass(frozen=True, eq=False)
class DeepData:
    """The data of a plan: every image a row of pixels, and the shape (C, H, W) that it has."""

    dataset: Dataset
    shape: tuple[int, ...]

    def images(self, X: Array, y: Labels, P: Array | None = None) -> Images:
        """Rows as images again; their memory is shared."""
        soft = None if P is None else torch.from_numpy(np.asarray(P, np.float32))
        pixels = torch.from_numpy(X).reshape(-1, *self.shape)
        return Images(pixels, torch.from_numpy(y), soft, self.dataset.n_classes)


def read_data(
    data: Any, soft: Any, *, seed: int, name: str = "data", classes: Sequence[str] | None = None
) -> DeepData:
    """The data of a plan.

    Parameters
    ----------
    data : mapping, Images, Dataset, DataLoader, or a sequence of these
        As in `planner.plan`.
    soft : array_like, shape (N, K), or None
        Soft labels of the training images, in the order in which they are given.
    seed : int
        Of cutting off held-out parts.
    name : str
    classes : sequence of str, optional
        Names of the classes.

    Raises
    ------
    ArgumentError
    """
    parts = _mapped(data) if isinstance(data, Mapping) else _listed(data)
    if soft is not None:
        given = soft.detach().cpu() if isinstance(soft, Tensor) else soft
        train = parts["train"]
        parts["train"] = replace(train, soft=_table("soft", given, "data", len(train.y)))
    for missing in ("test", "val"):
        if missing not in parts:
            train = parts["train"]
            held, own = split_rows(
                train.y, round(HELD_SHARE * len(train.y)), seed=seed, name="data"
            )
            parts |= {"train": train.rows(np.sort(own)), missing: train.rows(np.sort(held))}
    shapes = {part.X.shape[1:] for part in parts.values()}
    if len(shapes) > 1:
        raise ArgumentError("data", sorted(shapes), "must have images of one shape in all parts.")
    known = [part.soft.shape[1] for part in parts.values() if part.soft is not None]
    K = max([2, *known, *(int(part.y.max()) + 1 for part in parts.values())])
    names = tuple(check_names("classes", classes)) or tuple(map(str, range(K)))
    if len(names) < K:
        raise ArgumentError("classes", classes, f"must name {K} classes.")
    arrays: dict[str, Any] = {}
    for split, part in parts.items():
        P = None if part.soft is None else _as_soft(part, split, len(names))
        arrays |= {f"X_{split}": part.X.reshape(len(part.X), -1), f"y_{split}": part.y}
        arrays[f"soft_{split}"] = P
    (shape,) = shapes
    return DeepData(Dataset(**arrays, name=name, classes=names), shape)


def _as_soft(part: Part, split: str, n_classes: int) -> np.ndarray[Any, Any]:
    """Soft labels that can be made into probabilities, as they came."""
    as_probabilities(part.soft, name=f"soft{ENDINGS[split]}", n_classes=n_classes)
    return np.asarray(part.soft)


def _mapped(data: Mapping[str, Any]) -> dict[str, Part]:
    """Parts by name from arrays under `KEYS`."""
    for key in data:
        check_choice("data", key, KEYS)
    parts = {
        split: _part(data[f"X{end}"], data.get(f"y{end}"), data.get(f"soft{end}"), end=end)
        for split, end in ENDINGS.items()
        if f"X{end}" in data
    }
    if "train" not in parts:
        raise ArgumentError("data", list(data), "must have X and y.")
    return parts


def _listed(data: Any) -> dict[str, Part]:
    """Parts from one thing, or training, (validation) and test images in this order."""
    whole = isinstance(data, (Images, TorchDataset, DataLoader)) or _is_pair(data)
    given = [data] if whole else list(data) if isinstance(data, (list, tuple)) else []
    if not 1 <= len(given) <= len(ENDINGS):
        wish = (
            "must be images (arrays X and y, a Dataset or a DataLoader), or up to three of these."
        )
        raise ArgumentError("data", type(data).__name__, wish)
    names = {1: ("train",), 2: ("train", "test"), 3: ("train", "val", "test")}[len(given)]
    return {name: _one(part) for name, part in zip(names, given, strict=True)}


def _is_pair(data: Any) -> bool:
    """Whether this is X and y."""
    return isinstance(data, (list, tuple)) and len(data) == 2 and not any(
        isinstance(entry, (Images, TorchDataset, DataLoader, list, tuple)) for entry in data[:1]
    )  # fmt: skip


def _one(given: Any) -> Part:
    """One part, whatever it is."""
    if isinstance(given, Images):
        soft = None if given.soft is None else given.soft.numpy()
        return Part(given.X.cpu().numpy(), given.y.cpu().numpy(), soft)
    if isinstance(given, TorchDataset):
        return _loaded(DataLoader(given, batch_size=MEASURE_BATCH))
    if isinstance(given, DataLoader):
        return _loaded(_in_order(given))
    if isinstance(given, (list, tuple)) and len(given) in (2, 3):
        return _part(*given)
    wish = "must be images (arrays X and y, a Dataset or a DataLoader)."
    raise ArgumentError("data", type(given).__name__, wish)


def _in_order(loader: DataLoader[Any]) -> DataLoader[Any]:
    """The same items in the order of their data set, in which soft labels stand too.

    Raises
    ------
    ArgumentError
        If it draws some of them only, or some twice: two loaders may share one data set, and what
        one of them leaves to the other would be looked at twice.
    """
    data, own = loader.dataset, loader.sampler
    whole = isinstance(own, (SequentialSampler, RandomSampler)) and len(own) == len(data)  # type: ignore[arg-type]
    again = isinstance(own, RandomSampler) and own.replacement
    batches = loader.batch_sampler is None or type(loader.batch_sampler) is BatchSampler
    if not isinstance(data, IterableDataset) and (again or not whole or not batches):
        wish = "has a sampler of its own: give a Dataset of its items, such as torch.utils.data.Subset."
        raise ArgumentError("data", type(loader).__name__, wish)
    size, collate = loader.batch_size or MEASURE_BATCH, loader.collate_fn
    return DataLoader(data, size, collate_fn=collate if loader.batch_size else None)


def _loaded(loader: DataLoader[Any]) -> Part:
    """All items; what a transform draws at random is drawn once."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        batches = list(loader)
    fit = all(isinstance(batch, (list, tuple)) and len(batch) in (2, 3) for batch in batches)
    if not batches or not fit or len({len(batch) for batch in batches}) > 1:
        wish = "must have items of an image and a class id (and soft labels)."
        raise ArgumentError("data", type(loader.dataset).__name__, wish)
    columns = [
        [torch.as_tensor(entry) for entry in column] for column in zip(*batches, strict=True)
    ]
    return _part(*(torch.cat(column) for column in columns))


def _part(X: Any, y: Any, soft: Any = None, *, end: str = "") -> Part:
    """Checked arrays of one part."""
    X, y, soft = (a.detach().cpu().numpy() if isinstance(a, Tensor) else a for a in (X, y, soft))
    pixels = check_numeric(f"X{end}", X)
    pixels = as_type(f"X{end}", pixels, np.uint8 if pixels.dtype == np.uint8 else np.float32)
    if pixels.ndim != 4 or 0 in pixels.shape or not np.isfinite(pixels).all():
        wish = "must be finite images (N, C, H, W); rows of features are (N, D, 1, 1)."
        raise ArgumentError(f"X{end}", pixels, wish)
    ids = check_numeric(f"y{end}", y)
    if ids.ndim != 1 or ids.dtype.kind not in "iub" or (ids < 0).any():
        raise ArgumentError(f"y{end}", ids, "must be a vector of class ids from 0.")
    check_same_length(f"y{end}", ids, f"X{end}", len(pixels))
    given = None if soft is None else _table(f"soft{end}", soft, f"X{end}", len(pixels))
    return Part(pixels, ids.astype(np.int64), given)


def _table(name: str, soft: Any, other: str, n: int) -> np.ndarray[Any, Any]:
    """Soft labels of the `n` images of `other`, a row an image and a column a class."""
    given = check_numeric(name, soft)
    if given.ndim != 2:
        raise ArgumentError(name, given, "must have a row an image and a column a class.")
    check_same_length(name, given, other, n)
    return given


def soft_labels(
    data: DeepData, teacher: nn.Module | None, spec: DeepPlanSpec, device: str | torch.device
) -> SoftLabels:
    """The data with their soft labels: their own, or a trained teacher's.

    A teacher's logits are divided by the temperature that the validation images ask for, as every
    teacher's of a plan are.

    Raises
    ------
    ArgumentError
        Neither or both are there; a teacher that gives no logits of these classes.
    """
    dataset = data.dataset
    if (teacher is None) == (dataset.soft_train is None):
        wish = "and soft labels: one of the two must be given, and not both."
        raise ArgumentError("teacher", None if teacher is None else type(teacher).__name__, wish)
    if teacher is None:
        return given_labels(dataset)
    told = {split: _told(data, teacher, split, device) for split in ENDINGS}
    temperature = fit_temperature(told["val"], dataset.y_val)
    in_sample = spec.regime != "larger-data"
    own = accuracy(told["train"], dataset.y_train) if in_sample else None
    train, val, test = (temper(P, temperature) for P in told.values())
    return given_labels(
        replace(dataset, soft_train=train, soft_val=val, soft_test=test),
        source=type(teacher).__name__,
        regime=REGIMES["in-sample" if in_sample else "larger-data"],
        temperature=temperature,
        train_accuracy=own,
    )


def _told(data: DeepData, teacher: nn.Module, split: str, device: str | torch.device) -> Array:
    """A teacher's probabilities (N, K) of one part."""
    if not isinstance(teacher, nn.Module):
        raise ArgumentError("teacher", type(teacher).__name__, "must be a trained nn.Module.")
    X, y, _ = data.dataset.part(split)
    logits = predict_logits(teacher, data.images(X, y).X, device=device)
    if tuple(logits.shape) != (len(y), data.dataset.n_classes) or not torch.isfinite(logits).all():
        wish = f"must give finite logits of {data.dataset.n_classes} classes."
        raise ArgumentError("teacher", type(teacher).__name__, wish)
    return torch.softmax(logits.double(), dim=1).numpy()
