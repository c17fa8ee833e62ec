"""Training one network: epochs, early stopping, a checkpoint after each, resumed to the last bit.

All chance in epoch e comes from the seed and e alone, so a run that goes on from a checkpoint sees
the batches, crops and dropped units that an unbroken one sees.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    check_choice,
    check_count,
    check_flag,
    check_integer,
    check_number,
    check_path,
)
from softwidth.deep.data import Images, as_pixels, augment
from softwidth.deep.losses import Loss, Targets, make_loss
from softwidth.digests import digest

Weights = dict[str, Tensor]
History = dict[str, list[float]]

MEASURE_BATCH = 1024
MOMENTUM = 0.9
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,  # its weight decay is an L2 penalty, as the paper's
    "adamw": torch.optim.AdamW,
    "sgd": lambda weights, **settings: torch.optim.SGD(weights, momentum=MOMENTUM, **settings),
}
CURVES = ("loss", "val_error", "val_log_loss")
SEED_OF_EPOCH = 1_000_003


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    step_size : float
    epochs : int
        At most.
    batch_size : int
    weight_decay : float
    optimizer : {"adam", "adamw", "sgd"}
        Adam adds ``weight_decay`` times the weights to the gradient (L2); SGD has momentum 0.9.
    patience : int
        Epochs without a better validation error after which training ends.
    loss : str
        One of `losses.LOSSES`.
    temperature, share : float
        Of the loss, see `losses.make_loss`.
    augment : bool
        Crop and flip the images of every batch at random.
    mixed_precision : bool
        Products in bfloat16, weights and sums in single precision.
    """

    step_size: float
    epochs: int = 100
    batch_size: int = 128
    weight_decay: float = 1e-4
    optimizer: str = "adam"
    patience: int = 20
    loss: str = "soft cross-entropy"
    temperature: float = 1.0
    share: float = 0.5
    augment: bool = False
    mixed_precision: bool = False

    def __post_init__(self) -> None:
        check_number("step_size", self.step_size, low=0, open_low=True)
        for name in ("epochs", "batch_size", "patience"):
            check_count(name, getattr(self, name))
        check_number("weight_decay", self.weight_decay, low=0)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        for name in ("augment", "mixed_precision"):
            check_flag(name, getattr(self, name))
        self.make_loss()

    def make_loss(self) -> Loss:
        """Its loss."""
        return make_loss(self.loss, temperature=self.temperature, share=self.share)

    def make_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Its optimiser of the weights of a model."""
        make = OPTIMIZERS[self.optimizer]
        return make(model.parameters(), lr=self.step_size, weight_decay=self.weight_decay)


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network.

    Attributes
    ----------
    model : nn.Module
        As it was after its best epoch: of least validation error, the first of equals.
    history : dict of list of float
        By epoch: ``loss`` (mean over the batches), ``val_error`` and ``val_log_loss`` against the
        class ids.
    best_epoch : int
        From 1.
    epochs : int
        Run in all.
    seconds : float
        Of training, by all runs that took part in it.
    """

    model: nn.Module
    history: History
    best_epoch: int
    epochs: int
    seconds: float

    @property
    def status(self) -> str:
        """``trained``, or ``diverged`` where the loss was no number any more."""
        lost = not torch.isfinite(torch.tensor(self.history["loss"])).all()
        return "diverged" if lost else "trained"


def train(
    model: nn.Module,
    data: Images,
    validation: Images,
    recipe: Recipe,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    checkpoint: Path | None = None,
    progress: Callable[[int, dict[str, float]], None] | None = None,
) -> Trained:
    """Train a network until it stops getting better on validation images.

    Parameters
    ----------
    model : nn.Module
        From images (B, C, H, W) in [0, 1] to logits (B, K); it is trained in place.
    data, validation : Images
        Soft labels are those of `data`; validation counts mistakes against class ids, for all kinds
        of labels alike.
    recipe : Recipe
    seed : int
        Of batches, crops and whatever the model draws; the model comes with its weights.
    device : str or torch.device
    checkpoint : Path, optional
        Where to write the state after every epoch. A call that finds one there goes on from it, and
        returns at once if that run was finished; the weights are those of an unbroken run.
    progress : callable, optional
        Called after every epoch with its number and the last entries of the history.

    Returns
    -------
    Trained

    Raises
    ------
    ArgumentError
        Data of another number of classes than the logits, or a checkpoint of another run.
    DataFileError
        A checkpoint that is damaged.
    """
    if not isinstance(recipe, Recipe):
        raise ArgumentError("recipe", recipe, "must be a Recipe.")
    seed, place = check_integer("seed", seed), check_device(device)
    path = None if checkpoint is None else check_path("checkpoint", checkpoint)
    model.to(place).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    _check_logits(model, data, validation, place)
    run = _Run(model, data, validation, recipe, seed, place)
    if path is not None:
        run.load(path)
    while not run.over:
        run.epoch()
        if path is not None:
            run.save(path)
        if progress is not None:
            progress(run.epochs, {name: values[-1] for name, values in run.history.items()})
    return run.end()


def check_device(device: Any) -> torch.device:
    """`device` as one that this machine has."""
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except Exception:  # every backend has its own words for what it is not
        raise ArgumentError("device", device, "is no device of this machine.") from None
    return place


def _check_logits(model: nn.Module, data: Images, validation: Images, place: torch.device) -> None:
    if validation.n_classes != data.n_classes:
        wish = f"must be {data.n_classes}, as the training images have."
        raise ArgumentError("validation.n_classes", validation.n_classes, wish)
    shape = tuple(predict_logits(model, data.X[:1], device=place).shape)
    if shape != (1, data.n_classes):
        wish = f"must give logits of shape (B, {data.n_classes}), not {('B', *shape[1:])}."
        raise ArgumentError("model", type(model).__name__, wish)


class _Run:
    """A network on its way: everything that a checkpoint has to hold."""

    def __init__(
        self,
        model: nn.Module,
        data: Images,
        validation: Images,
        recipe: Recipe,
        seed: int,
        device: torch.device,
    ) -> None:
        self.model, self.recipe, self.seed, self.device = model, recipe, seed, device
        self.data, self.validation = data, validation
        self.loss, self.optimizer = recipe.make_loss(), recipe.make_optimizer(model)
        self.P = data.P
        self.history: History = {name: [] for name in CURVES}
        self.best_epoch, self.seconds = 0, 0.0
        self.best = copied(model)

    @property
    def epochs(self) -> int:
        return len(self.history["loss"])

    @property
    def over(self) -> bool:
        """Whether all epochs are done, none was better for long, or the loss is no number."""
        tired = self.epochs - self.best_epoch >= self.recipe.patience
        lost = self.epochs > 0 and not abs(self.history["loss"][-1]) < float("inf")
        return self.epochs >= self.recipe.epochs or (self.epochs > 0 and tired) or lost

    def epoch(self) -> None:
        """All batches once, then the validation images."""
        began = time.perf_counter()
        with _own_chance(self.seed * SEED_OF_EPOCH + self.epochs, self.device) as drawn:
            total = sum(self._step(batch, drawn) for batch in self._batches(drawn))
        self.history["loss"].append(float(total) / len(self.data))
        self._validate()
        self.seconds += time.perf_counter() - began

    def _batches(self, drawn: torch.Generator) -> Iterator[Tensor]:
        order = torch.randperm(len(self.data), generator=drawn)
        yield from torch.split(order, self.recipe.batch_size)

    def _step(self, batch: Tensor, drawn: torch.Generator) -> Tensor:
        """One step; the loss summed over the batch, left on the device."""
        self.model.train()
        X = as_input(self.data.X[batch], self.device)
        if self.recipe.augment:
            X = augment(X, drawn)
        targets = Targets(self.data.y[batch].to(self.device), self.P[batch].to(self.device))
        with torch.autocast(self.device.type, torch.bfloat16, self.recipe.mixed_precision):
            logits = self.model(X)
        loss = self.loss(logits.float(), targets)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.detach() * len(batch)

    def _validate(self) -> None:
        logits = predict_logits(self.model, self.validation.X, device=self.device)
        y = self.validation.y
        error = float((logits.argmax(dim=1) != y).double().mean())
        log_loss = float(nn.functional.cross_entropy(logits, y))
        if not self.best_epoch or error < min(self.history["val_error"]):
            self.best_epoch, self.best = self.epochs, copied(self.model)
        self.history["val_error"].append(error)
        self.history["val_log_loss"].append(log_loss)

    def end(self) -> Trained:
        """The network of the best epoch."""
        self.model.load_state_dict(self.best)
        return Trained(self.model, self.history, self.best_epoch, self.epochs, self.seconds)

    @functools.cached_property
    def about(self) -> str:
        """A hash of whatever this run's numbers follow from."""
        arrays = [
            tensor.cpu().numpy()
            for part in (self.data, self.validation)
            for tensor in (part.X, part.y, part.P)
        ]
        return digest(asdict(self.recipe), self.seed, *arrays)

    def save(self, path: Path) -> None:
        """Beside its place first, then renamed: a checkpoint is whole or not there."""
        state = {
            "about": self.about,
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": {} if self.over else self.optimizer.state_dict(),
            "history": self.history,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
        }
        write_state("checkpoint", path, state)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint, if there is one."""
        if not path.exists():
            return
        state = read_state(path, self.device)
        if state.get("about") != self.about:
            raise ArgumentError(
                "checkpoint", path, "is of another recipe, seed or data: name another file."
            )
        try:
            self.model.load_state_dict(state["model"])
            if state["optimizer"]:
                self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError):
            raise ArgumentError("checkpoint", path, "is of another network.") from None
        self.best, self.history = state["best"], state["history"]
        self.best_epoch, self.seconds = state["best_epoch"], state["seconds"]


def copied(model: nn.Module) -> Weights:
    """The weights as they are now."""
    return {name: weights.detach().clone() for name, weights in model.state_dict().items()}


def write_state(name: str, path: Path, state: dict[str, Any]) -> None:
    """A checkpoint, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, beside)
        os.replace(beside, path)
    except (OSError, RuntimeError) as error:
        with suppress(OSError):
            beside.unlink()
        raise ArgumentError(name, path, f"cannot be written: {error}.") from None


def read_state(path: Path, device: torch.device) -> dict[str, Any]:
    """A checkpoint: tensors and plain values only, nothing that runs code."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception:  # a damaged archive fails in a dozen ways
        state = None
    if not isinstance(state, dict):
        raise DataFileError(f"{path} is no readable checkpoint: remove it to begin anew.")
    return state


@contextmanager
def _own_chance(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """A generator of this seed; the global ones start from it too, and are put back."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


def as_input(X: Tensor, device: str | torch.device) -> Tensor:
    """A batch as float32 pixels on a device, channels last: a third faster on CPUs."""
    return as_pixels(X.to(device)).contiguous(memory_format=torch.channels_last)


def predict_logits(
    model: nn.Module,
    X: Tensor,
    *,
    device: str | torch.device = "cpu",
    batch_size: int = MEASURE_BATCH,
) -> Tensor:
    """Logits of images (N, C, H, W), shape (N, K), float32 on the CPU."""
    was_training = model.training
    model.to(device).eval()
    with torch.no_grad():
        found = [
            model(as_input(batch, device)).float().cpu()
            for batch in torch.split(X, check_count("batch_size", batch_size))
        ]
    model.train(was_training)
    return torch.cat(found)
