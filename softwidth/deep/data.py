"""Images with labels as tensors: where they come from, noise, augmentation, splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from softwidth._checks import (
    ArgumentError,
    DataFileError,
    check_choice,
    check_integer,
    check_number,
    check_same_length,
    listed,
)
from softwidth.archives import load_npz
from softwidth.builtin import CIFAR10_CLASSES, CIFAR10_NOTE
from softwidth.distributions import as_probabilities
from softwidth.fetch import need_file
from softwidth.images import cifar10_training_images

PARTS = ("train", "test")
DIGITS_HELD = 360  # the last of scikit-learn's 1,797: other writers' hands
VOTED_HELD = 3000  # the last of the 10,000 images of CIFAR-10H, its test part here
PADDING = 4  # pixels around an image from which its crop is cut, as everybody does on CIFAR-10
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Images:
    """Images and what is known about their classes.

    Attributes
    ----------
    X : Tensor, shape (N, C, H, W)
        Of uint8 (0..255), or of float32 (0..1, noise may reach beyond).
    y : Tensor, shape (N,), int64
        Class ids, from 0.
    soft : Tensor, shape (N, K), float32, or None
        Label distributions.
    n_classes : int
        K; by default that of `soft`, else the largest class id and one, at least 2.
    note : str
        What to say beside every result: how the pixels differ from the original ones.
    """

    X: Tensor
    y: Tensor
    soft: Tensor | None = None
    n_classes: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        _check_pixels(self.X)
        _check_ids(self.y, len(self.X))
        least = int(self.y.max()) + 1
        known = max(least, 2) if self.soft is None else self.soft.shape[-1]
        n_classes = check_integer("n_classes", self.n_classes) or known
        if n_classes < least:
            raise ArgumentError("n_classes", n_classes, f"must be at least {least}, as `y` has.")
        object.__setattr__(self, "n_classes", n_classes)
        if self.soft is not None:
            _check_soft(self.soft, len(self.X), n_classes)

    def __len__(self) -> int:
        return len(self.X)

    @property
    def P(self) -> Tensor:
        """The label distributions: `soft`, or else the class ids as one-hot rows; (N, K)."""
        if self.soft is not None:
            return self.soft
        return torch.nn.functional.one_hot(self.y, self.n_classes).float()

    @property
    def nbytes(self) -> int:
        """Of the pixels."""
        return self.X.nbytes

    def rows(self, chosen: Any) -> Images:
        """The images chosen by number or mask."""
        chosen = torch.as_tensor(chosen)
        soft = None if self.soft is None else self.soft[chosen]
        return replace(self, X=self.X[chosen], y=self.y[chosen], soft=soft)

    def with_soft(self, P: Any) -> Images:
        """The same images with these probabilities or votes (N, K) as soft labels."""
        made = as_probabilities(np.asarray(P), name="soft", n_classes=self.n_classes)
        return replace(self, soft=torch.from_numpy(made).float())


def _check_pixels(X: Any) -> None:
    if not isinstance(X, Tensor) or X.ndim != 4 or 0 in X.shape:
        raise ArgumentError("X", _told(X), "must be a tensor of images (N, C, H, W).")
    if X.dtype not in (torch.uint8, torch.float32):
        raise ArgumentError("X", X.dtype, "must hold pixels in uint8 or float32.")
    if X.dtype == torch.float32 and not torch.isfinite(X.sum()):
        raise ArgumentError("X", _told(X), "has pixels that are NaN or infinite.")


def _check_ids(y: Any, n: int) -> None:
    if not isinstance(y, Tensor) or y.ndim != 1 or y.dtype != torch.int64:
        raise ArgumentError("y", _told(y), "must be a tensor of class ids (N,) in int64.")
    check_same_length("y", y, "X", n)
    if int(y.min()) < 0:
        raise ArgumentError("y", int(y.min()), "must hold class ids from 0.")


def _check_soft(soft: Any, n: int, n_classes: int) -> None:
    if not isinstance(soft, Tensor) or soft.dtype != torch.float32 or soft.ndim != 2:
        raise ArgumentError("soft", _told(soft), "must be a tensor (N, K) in float32, or None.")
    check_same_length("soft", soft, "X", n)
    if soft.shape[1] != n_classes:
        raise ArgumentError("soft", _told(soft), f"must have {n_classes} columns.")
    sums = (soft.sum(dim=1) - 1).abs().max()
    if not (sums <= SUM_TOLERANCE and soft.min() >= 0):
        raise ArgumentError("soft", _told(soft), "must have rows of probabilities that sum to 1.")


def _told(value: Any) -> str:
    return f"tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else str(value)


def as_pixels(X: Tensor) -> Tensor:
    """Images as float32 in [0, 1], whatever they were stored as."""
    return X.float() / 255 if X.dtype == torch.uint8 else X


def load_images(
    source: str, part: str = "train", *, classes: Sequence[int] | None = None
) -> Images:
    """A built-in set of images.

    Parameters
    ----------
    source : {"cifar10", "cifar10h", "cifar10n", "digits"}
        CIFAR-10 from ``$SOFTWIDTH_DATA``; its images are JPEG copies (`note` says how far off they
        are), those for training decoded once and cached. CIFAR-10H has the votes of 47 to 63 people
        on CIFAR-10's test images as soft labels: 7,000 for training, the last 3,000 for testing.
        CIFAR-10N has three votes on each of the training images, none on those for testing. Class
        ids are the true ones. Digits are scikit-learn's, 8 x 8.
    part : {"train", "test"}
    classes : sequence of int, optional
        Keep these classes only; the first becomes class 0, the second class 1, ... Not of images with
        votes: people could vote for any class.

    Raises
    ------
    ArgumentError, DataFileError, MissingDataError
    """
    check_choice("source", source, SOURCES)
    check_choice("part", part, PARTS)
    found = SOURCES[source](part)
    return found if classes is None else only(found, classes)


def only(images: Images, classes: Sequence[int]) -> Images:
    """The images of these classes, numbered anew in the order given."""
    if images.soft is not None:
        raise ArgumentError("classes", classes, "must be None for images with soft labels.")
    wanted = [check_integer("classes", c) for c in listed(classes) or []]
    present = set(images.y.tolist())
    if len(wanted) < 2 or len(set(wanted)) < len(wanted) or not set(wanted) <= present:
        raise ArgumentError(
            "classes", classes, "must name two or more classes that there are, each once."
        )
    place = torch.full((images.n_classes,), -1)
    place[wanted] = torch.arange(len(wanted))
    kept = place[images.y] >= 0
    return Images(images.X[kept], place[images.y[kept]], None, len(wanted), images.note)


def _cifar10(part: str) -> Images:
    if part == "train":
        X, y = cifar10_training_images(need_file("cifar10", "cifar10_train_jpeg.npz"))
    else:
        stored = load_npz(need_file("cifar10", "cifar10_test.npz"), ("x", "y"))
        X, y = stored["x"], stored["y"]
    if X.dtype != np.uint8 or X.shape != (len(y), 32, 32, 3):
        raise DataFileError(f"the {part} images of CIFAR-10 have the shape {X.shape}.")
    pixels = torch.from_numpy(np.ascontiguousarray(X.transpose(0, 3, 1, 2)))
    ids = torch.from_numpy(y.astype(np.int64))
    return Images(pixels, ids, None, len(CIFAR10_CLASSES), CIFAR10_NOTE)


def _cifar10h(part: str) -> Images:
    images = _cifar10("test").with_soft(cifar10h_votes())
    held = torch.arange(len(images)) >= len(images) - VOTED_HELD
    return images.rows(held if part == "test" else ~held)


def _cifar10n(part: str) -> Images:
    images = _cifar10(part)
    if part == "test":
        return images
    found = cifar10n_labels()
    if not np.array_equal(found["y"], images.y.numpy()):
        raise DataFileError("cifar10n_train_votes.npz is in another order than CIFAR-10's images.")
    return images.with_soft(count_votes(found["votes"], images.n_classes))


def _digits(part: str) -> Images:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    chosen = slice(None, -DIGITS_HELD) if part == "train" else slice(-DIGITS_HELD, None)
    pixels = torch.from_numpy((X[chosen] / 16).astype(np.float32)).reshape(-1, 1, 8, 8)
    return Images(pixels, torch.from_numpy(y[chosen].astype(np.int64)), None, 10)


SOURCES: dict[str, Callable[[str], Images]] = {
    "cifar10": _cifar10,
    "cifar10h": _cifar10h,
    "cifar10n": _cifar10n,
    "digits": _digits,
}


def cifar10h_votes() -> np.ndarray[Any, Any]:
    """CIFAR-10H: votes (10000, 10) of 47 to 63 people on each test image (Peterson et al. 2019)."""
    votes = np.load(need_file("cifar10", "cifar10h-counts.npy"), allow_pickle=False)
    if votes.shape != (10000, 10) or votes.dtype.kind not in "iu":
        raise DataFileError(f"cifar10h-counts.npy holds {votes.dtype} of shape {votes.shape}.")
    return votes


def cifar10n_labels() -> dict[str, np.ndarray[Any, Any]]:
    """CIFAR-10N: ``votes`` (50000, 3) class ids, ``aggre_label`` of them, ``y`` (Wei et al. 2022)."""
    keys = ("votes", "aggre_label", "y")
    return load_npz(need_file("cifar10", "cifar10n_train_votes.npz"), keys)


def count_votes(votes: np.ndarray[Any, Any], n_classes: int) -> np.ndarray[Any, Any]:
    """Class ids voted for (N, V) as counts (N, K).

    >>> count_votes(np.array([[2, 2, 0]]), 3).tolist()
    [[1, 0, 2]]
    """
    return (votes[:, :, None] == np.arange(n_classes)).sum(axis=1)


def add_noise(images: Images, variance: float, *, seed: int) -> Images:
    """Gaussian noise on every pixel of [0, 1], drawn once: an image is the same in every epoch.

    Values are not clipped, so that the noise has the variance that it says.

    Raises
    ------
    ArgumentError
    """
    variance = check_number("variance", variance, low=0)
    drawn = torch.Generator().manual_seed(check_integer("seed", seed))
    pixels = as_pixels(images.X)
    if variance == 0:
        return replace(images, X=pixels)
    noise = torch.randn(pixels.shape, generator=drawn)
    return replace(images, X=noise.mul_(variance**0.5).add_(pixels))


def augment(X: Tensor, generator: torch.Generator, *, padding: int = PADDING) -> Tensor:
    """Every image of a batch (B, C, H, W) cropped from its padded self and flipped, each at random.

    Parameters
    ----------
    X : Tensor, shape (B, C, H, W)
    generator : torch.Generator
        Of the CPU, so that a batch is the same on every device.
    padding : int
        Pixels of 0 on each side.
    """
    B, _, H, W = X.shape
    down, right = torch.randint(2 * padding + 1, (2, B, 1), generator=generator).to(X.device)
    flip = (torch.rand(B, 1, generator=generator) < 0.5).to(X.device)
    rows = down + torch.arange(H, device=X.device)  # (B, H)
    columns = right + torch.arange(W, device=X.device)  # (B, W)
    columns = torch.where(flip, columns.flip(1), columns)
    padded = torch.nn.functional.pad(X, (padding,) * 4).movedim(1, 3)
    image = torch.arange(B, device=X.device)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]].movedim(3, 1)


def split_images(images: Images, shares: Sequence[float], *, seed: int) -> list[Images]:
    """Parts of these shares, every class shared out alike; the last takes what is left.

    >>> data = Images(torch.zeros(20, 1, 2, 2), torch.arange(20) % 2)
    >>> [len(part) for part in split_images(data, [0.8, 0.1, 0.1], seed=0)]
    [16, 2, 2]
    """
    given = [check_number("shares", share, low=0, high=1) for share in listed(shares) or []]
    if not given or abs(sum(given) - 1) > SUM_TOLERANCE:
        raise ArgumentError("shares", shares, "must be numbers that sum to 1.")
    drawn = np.random.default_rng(check_integer("seed", seed))
    ends = np.cumsum(given)[:-1]
    pieces: list[list[np.ndarray[Any, Any]]] = [[] for _ in given]
    for ids in (np.flatnonzero(images.y.numpy() == c) for c in range(images.n_classes)):
        order = drawn.permutation(ids)
        cuts = np.rint(ends * len(order)).astype(int)
        for piece, own in zip(pieces, np.split(order, cuts), strict=True):
            piece.append(own)
    return [images.rows(np.sort(np.concatenate(piece))) for piece in pieces]
