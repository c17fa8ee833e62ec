"""Deep students as trials of a sweep: what determines one, the teacher they share, what is measured."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from softwidth._checks import ArgumentError, check_choice, check_count, check_integer
from softwidth.bank import measures
from softwidth.calibration import expected_calibration_error, mean_distance
from softwidth.deep.data import Images, add_noise, load_images, split_images
from softwidth.deep.families import Family, make_family, model_cost, seeded
from softwidth.deep.training import Recipe, Trained, check_device, predict_logits, train
from softwidth.deep.votes import check_votes, held_divergences, with_votes
from softwidth.digests import digest
from softwidth.fetch import cache_directory
from softwidth.labels import make_targets, parse_scheme
from softwidth.store import Row

REGIMES = ("in-sample", "cross-fitted")
RECIPE = tuple(f.name for f in fields(Recipe))
HELD = ("val", "test")
PASSES = 3  # forward, and back to the inputs and to the weights
WORTH_KEEPING = 1e12  # multiply-adds of training: minutes of a core
Metrics = dict[str, Any]
Curves = dict[str, np.ndarray[Any, Any]]
NOISE_SEEDS = {"train": 0, "test": 1}


@dataclass(frozen=True)
class DeepSpec:
    """One deep student, and the teacher (or the votes) and data that it shares with others.

    Attributes
    ----------
    source, classes : str, tuple of int or None
        As in `data.load_images`.
    variance : float
        Of Gaussian noise on pixels of [0, 1].
    shares : tuple of float
        Of the training images: for training, for validation, and kept back as a second test.
    data_seed : int
        Of the split, of simulated votes and, with 0 and 1 added, of the noise on training and test
        images.
    teacher : mapping
        Empty where `votes` are the soft labels. ``family``, ``width``, ``step_size``, the family's settings, and whatever its recipe has of
        its own, such as ``augment``.
    regime : {"in-sample", "cross-fitted"}
        Whether the teacher speaks of images that it has learned from, or each half of the images is
        told by a teacher of the other half.
    teacher_seed : int
    family, settings, width : str, mapping, float
        Of the student, see `families.make_family`.
    labels : str
        A scheme of `softwidth.labels` without votes.
    seed : int
        Of weights and batches.
    step_size, epochs, batch_size, weight_decay, optimizer, patience, loss, temperature, share, \
augment, mixed_precision
        As in `training.Recipe`. Teachers are trained on class ids, else by the same recipe where
        `teacher` says nothing else.
    votes : mapping or None
        Soft labels without a teacher: empty for the votes that come with the images of `source`, or
        ``people`` and ``rate`` for simulated ones, see `votes.with_votes`.
    limit : int or None
        So many of the training images, the first, and no others.
    """

    source: str = "digits"
    classes: tuple[int, ...] | None = None
    variance: float = 0.0
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    data_seed: int = 0
    teacher: Mapping[str, Any] = field(default_factory=dict)
    regime: str = "in-sample"
    teacher_seed: int = 0
    family: str = "vgg"
    settings: Mapping[str, Any] = field(default_factory=dict)
    width: float = 1.0
    labels: str = "soft"
    seed: int = 0
    step_size: float = 1e-3
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
    votes: Mapping[str, Any] | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        check_choice("regime", self.regime, REGIMES)
        parse_scheme(self.labels)
        for name in ("data_seed", "teacher_seed", "seed"):
            check_integer(name, getattr(self, name))
        if self.limit is not None:
            check_count("limit", self.limit)
        self._check_teacher()
        self.recipe()

    def _check_teacher(self) -> None:
        missing = {"family", "width", "step_size"} - set(self.teacher)
        if self.votes is None and missing:
            raise ArgumentError("teacher", dict(self.teacher), f"must have {sorted(missing)}.")
        if self.votes is not None:
            check_votes(self.votes)
            if self.teacher:
                wish = "must be empty: the soft labels are `votes`."
                raise ArgumentError("teacher", dict(self.teacher), wish)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON; what is None is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def recipe(self) -> Recipe:
        """Of the student."""
        return Recipe(**{name: getattr(self, name) for name in RECIPE})

    def teacher_recipe(self) -> Recipe:
        """The same, on class ids, but for what the teacher has of its own."""
        own = {name: value for name, value in self.teacher.items() if name in RECIPE}
        plain = {"loss": "hard cross-entropy", "temperature": 1.0, "share": 0.5}
        return Recipe(**(asdict(self.recipe()) | plain | own))

    def shared(self) -> dict[str, Any]:
        """What determines data and soft labels."""
        names = ("source", "classes", "variance", "shares", "data_seed", "teacher", "regime", "teacher_seed")  # fmt: skip
        own = {name: getattr(self, name) for name in names}
        # Left out where they are not given: teachers are kept under the hash of this.
        own |= {name: value for name in ("votes", "limit") if (value := getattr(self, name)) is not None}  # fmt: skip
        return own if self.votes is not None else {**own, "recipe": asdict(self.teacher_recipe())}


@dataclass(frozen=True, eq=False)
class Bench:
    """What students of one key share.

    Attributes
    ----------
    train, val, test, spare : Images
        The first three with soft labels of the teacher or of people, the test images without where
        nobody voted on them; `spare` are the training images kept back.
    facts : dict
        About soft labels and pixels, for every row.
    """

    train: Images
    val: Images
    test: Images
    spare: Images
    facts: dict[str, Any]

    @property
    def nbytes(self) -> int:
        """Of all pixels: `bank_work.Kept` counts them."""
        return sum(part.nbytes for part in (self.train, self.val, self.test, self.spare))


def images_of(spec: DeepSpec) -> dict[str, Images]:
    """The images of a spec with their noise and votes, by part."""
    noisy = {
        part: add_noise(_given(spec, part), spec.variance, seed=2 * spec.data_seed + seed)
        for part, seed in NOISE_SEEDS.items()
    }
    names = ("train", "val", "spare")
    parts = split_images(noisy["train"], spec.shares, seed=spec.data_seed)
    return {**dict(zip(names, parts, strict=True)), "test": noisy["test"]}


def _given(spec: DeepSpec, part: str) -> Images:
    """The images of a part as they come, and the votes on them."""
    images = load_images(spec.source, part, classes=spec.classes)
    if part == "train" and spec.limit is not None:
        images = images.rows(range(min(spec.limit, len(images))))
    if spec.votes is None:
        return images
    images = with_votes(images, spec.votes, seed=[spec.data_seed, NOISE_SEEDS[part]])
    if part == "train" and images.soft is None:
        wish = f"must be simulated: nobody has voted on images of {spec.source}."
        raise ArgumentError("votes", dict(spec.votes), wish)
    return images


def family_of(name: str, settings: Mapping[str, Any], images: Images) -> Family:
    """A family for images of this size and these classes."""
    _, channels, size, _ = images.X.shape
    own = {"n_classes": images.n_classes, "channels": channels, "size": size}
    return make_family(name, **(own | dict(settings)))


def prepare(spec: DeepSpec, device: str = "cpu") -> Bench:
    """Data, and soft labels: votes, or those of a teacher trained for them."""
    parts = images_of(spec)
    if spec.votes is not None:
        return Bench(**parts, facts=_soft_facts(parts["train"].P.double().numpy(), parts["train"]))
    soft, found = _taught(spec, parts, device)
    facts = {
        "teacher_val_accuracy": _accuracy(soft["val"], parts["val"]),
        "teacher_held_out_accuracy": _accuracy(soft["test"], parts["test"]),
        **_soft_facts(soft["train"], parts["train"]),
        "teacher_epochs": found.epochs,
        "teacher_best_epoch": found.best_epoch,
        "teacher_seconds": round(found.seconds, 1),
    }
    told = {name: parts[name].with_soft(P) for name, P in soft.items()}
    return Bench(**told, spare=parts["spare"], facts=facts)


def _soft_facts(P: np.ndarray[Any, Any], images: Images) -> dict[str, Any]:
    """What soft labels (N, K) of training images are worth, and what their pixels are."""
    return {
        "soft_accuracy": _accuracy(P, images),
        "soft_distance": mean_distance(P, images.y.numpy()),
        "pixels": images.note,
    }


def _accuracy(P: np.ndarray[Any, Any], images: Images) -> float:
    return float((P.argmax(axis=1) == images.y.numpy()).mean())


def _taught(
    spec: DeepSpec, parts: dict[str, Images], device: str
) -> tuple[dict[str, np.ndarray[Any, Any]], Trained]:
    """Probabilities of training, validation and test images, and (the last of) the teachers."""
    train_, held = parts["train"], {name: parts[name] for name in HELD}
    if spec.regime == "in-sample":
        found = teach(spec, train_, parts["val"], device)
        everywhere = {"train": train_, **held}
        return {name: predicted(found, part, device) for name, part in everywhere.items()}, found
    halves = split_images(train_, (0.5, 0.5), seed=spec.data_seed)
    told = np.empty((len(train_), train_.n_classes))
    rows = halves_of(train_, spec.data_seed)
    found_by = [teach(spec, half, parts["val"], device) for half in halves]
    for own, other in zip(rows, reversed(found_by), strict=True):
        told[own] = predicted(other, train_.rows(own), device)
    means = {
        name: np.mean([predicted(each, part, device) for each in found_by], axis=0)
        for name, part in held.items()
    }
    return {"train": told, **means}, found_by[-1]


def halves_of(images: Images, seed: int) -> list[np.ndarray[Any, Any]]:
    """Which images `split_images` puts into which half."""
    numbers = torch.arange(len(images), dtype=torch.float32)[:, None, None, None]
    numbered = Images(numbers, images.y, None, images.n_classes)
    return [half.X.flatten().long().numpy() for half in split_images(numbered, (0.5, 0.5), seed=seed)]  # fmt: skip


def teach(spec: DeepSpec, images: Images, validation: Images, device: str) -> Trained:
    """The teacher of these images; a costly one is kept in the user's cache, epoch by epoch."""
    settings = {key: value for key, value in spec.teacher.items() if key not in RECIPE}
    name, width = settings.pop("family"), float(settings.pop("width"))
    model = seeded(family_of(name, settings, images), width, spec.teacher_seed)
    recipe = spec.teacher_recipe()
    work = model_cost(model, images.X.shape[1:]).multiply_adds * len(images) * recipe.epochs
    place: Path | None = None
    if work > WORTH_KEEPING:
        name = digest(spec.shared(), len(images), images.y.numpy())
        place = cache_directory() / "teachers" / f"{name}.pt"
    return train(
        model, images, validation, recipe, seed=spec.teacher_seed, device=device, checkpoint=place
    )


def predicted(found: Trained, images: Images, device: str) -> np.ndarray[Any, Any]:
    """Class probabilities (N, K) in double precision."""
    logits = predict_logits(found.model, images.X, device=device)
    return torch.softmax(logits.double(), dim=1).numpy()


@dataclass(frozen=True)
class DeepTrials:
    """`experiments.Experiment` of `DeepSpec`: students trained one after another.

    Metrics, by split (``train_``, ``val_``, ``test_``; ``spare_error``): ``error``, ``log_loss``,
    ``brier``, ``ece``, and ``kl`` of the soft labels over the prediction (of the class ids where there
    are none); ``temperature`` and ``test_kl_tempered`` where soft labels are votes; ``status``, ``epochs``,
    ``best_epoch``, ``parameters``, ``multiply_adds``, and the facts of `prepare`. Curves: who is
    wrong on which held-out image, and the history of training; ``test_kl`` and ``test_kl_tempered`` by
    image where soft labels are votes (`votes.held_divergences`).

    Attributes
    ----------
    device : str
        Where to train; no part of a spec, as it determines no more than rounding.
    """

    device: str = "cpu"
    name: str = "deep students"

    def __post_init__(self) -> None:
        check_device(self.device)

    def cost(self, spec: DeepSpec) -> float:
        """Multiply-adds of as many epochs as are allowed."""
        model, n = _member(spec)
        return float(PASSES * model * n * spec.epochs)

    def together(self, spec: DeepSpec) -> str:
        """Everything about data and teacher."""
        return "; ".join(f"{name}={value}" for name, value in spec.shared().items())

    def prepare(self, spec: DeepSpec) -> Bench:
        """Data and soft labels, see `prepare`."""
        return prepare(spec, self.device)

    def run(self, prepared: Bench, specs: Sequence[DeepSpec]) -> list[Row]:
        """Train the students and measure them."""
        return [self._row(prepared, spec) for spec in specs]

    def _row(self, bench: Bench, spec: DeepSpec) -> Row:
        began = time.perf_counter()
        model = seeded(family_of(spec.family, spec.settings, bench.train), spec.width, spec.seed)
        cost = model_cost(model, bench.train.X.shape[1:])
        data = bench.train.with_soft(labels_of(spec, bench.train))
        found = train(model, data, bench.val, spec.recipe(), seed=spec.seed, device=self.device)
        metrics, curves = self._measured(found, bench, voted=spec.votes is not None)
        own = {"status": found.status, "epochs": found.epochs, "best_epoch": found.best_epoch}
        row = Row.of(
            spec.as_dict(),
            self.name,
            {**metrics, **own, **asdict(cost), **bench.facts},
            curves=curves,
            seconds=time.perf_counter() - began,
        )
        return replace(row, versions={**row.versions, "torch": str(torch.__version__)})

    def _measured(self, found: Trained, bench: Bench, *, voted: bool) -> tuple[Metrics, Curves]:
        metrics: Metrics = {}
        curves: Curves = {name: np.asarray(v, np.float32) for name, v in found.history.items()}
        Q: dict[str, np.ndarray[Any, Any]] = {}
        for split in ("train", *HELD):
            part = getattr(bench, split)
            logits = self._logits(found, part)
            Q[split] = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
            told = measured(logits, part)
            metrics |= {f"{split}_{name}": value for name, value in told.items()}
            if split in HELD:
                metrics[f"{split}_rows"] = len(part)
                curves[f"{split}_wrong"] = np.packbits(_wrong(logits, part))
        metrics["spare_error"] = float(_wrong(self._logits(found, bench.spare), bench.spare).mean())
        if voted:
            far = held_divergences(Q["val"], bench.val, Q["test"], bench.test)
            metrics["temperature"] = far.pop("temperature")
            metrics["test_kl_tempered"] = float(far["test_kl_tempered"].mean())
            curves |= far
        return metrics, curves

    def _logits(self, found: Trained, images: Images) -> np.ndarray[Any, Any]:
        return predict_logits(found.model, images.X, device=self.device).double().numpy()


def _wrong(logits: np.ndarray[Any, Any], images: Images) -> np.ndarray[Any, Any]:
    return np.asarray(logits.argmax(axis=1) != images.y.numpy())


def labels_of(spec: DeepSpec, images: Images) -> np.ndarray[Any, Any]:
    """What the student learns from, (N, K)."""
    soft = None if images.soft is None else images.soft.double().numpy()
    made = make_targets(
        spec.labels, images.y.numpy(), soft, n_classes=images.n_classes, seed=spec.seed
    )
    if not made.fixed:
        raise ArgumentError("labels", spec.labels, "must be a scheme that is the same each epoch.")
    return np.asarray(made.P)


def measured(logits: np.ndarray[Any, Any], images: Images) -> dict[str, float | None]:
    """Measures of logits (N, K) against class ids and soft labels; None for what is no number."""
    y = images.y.numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        P = images.P.double().numpy()
        found = {name: values[0] for name, values in measures(logits[None], y, P).items()}
        Q = torch.softmax(torch.from_numpy(logits), dim=1).nan_to_num().numpy()
        found["ece"] = np.float64(expected_calibration_error(Q, y))
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


_known_costs: dict[str, tuple[int, int]] = {}


def _member(spec: DeepSpec) -> tuple[int, int]:
    """Multiply-adds of the student, and how many images it learns from; looked up once."""
    key = digest(spec.family, spec.settings, spec.width, spec.source, spec.classes, spec.shares, spec.limit)  # fmt: skip
    if key not in _known_costs:
        images = load_images(spec.source, classes=spec.classes)
        model = family_of(spec.family, spec.settings, images)(spec.width)
        work = model_cost(model, images.X.shape[1:]).multiply_adds
        rows = min(spec.limit or len(images), len(images))
        _known_costs[key] = work, round(spec.shares[0] * rows)
    return _known_costs[key]
