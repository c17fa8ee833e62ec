"""The built-in data sets, and where each of them is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import DataFileError
from softwidth._types import Array, Labels
from softwidth.archives import load_npz
from softwidth.builtin_tables import breast_cancer, diabetes, wine
from softwidth.builtin_votes import CHAOS_FILES, CIFAR10H_FILES, chaosnli, cifar10h
from softwidth.fetch import find_file, how_to_get, need_file
from softwidth.images import cifar10_training_images
from softwidth.sources import Source, from_arrays

DIGITS_FILE = "datasets/data/digits.csv.gz"  # of scikit-learn
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")  # fmt: skip
CIFAR10_NOTE = (
    "The images are JPEG copies of CIFAR-10: about 6 grey levels off the original pixels."
)


def _digits() -> Source:
    X, y = _embedded_digits()
    return from_arrays({"X": X / 16, "y": y}, "digits")


def _embedded_digits() -> tuple[Array, Labels]:
    """What scikit-learn's `load_digits` gives, from the file that it reads where that is in place.

    Importing scikit-learn takes 0.7 s, and a stored plan of the digits needs nothing else of it.
    """
    found = find_spec("sklearn")
    file = Path(str(found and found.origin)).parent / DIGITS_FILE
    if not file.is_file():
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        return X, y
    table = np.loadtxt(file, delimiter=",")
    return table[:, :-1], table[:, -1].astype(int)


def _mnist() -> Source:
    path = need_file("mnist", "mnist.npz")
    stored = load_npz(path, ("x_train", "y_train", "x_test", "y_test"))
    return from_arrays(
        {
            "X": pixels(stored["x_train"], path.name),
            "y": stored["y_train"],
            "X_test": pixels(stored["x_test"], path.name),
            "y_test": stored["y_test"],
        },
        "mnist",
    )


def _cifar10() -> Source:
    images, y = cifar10_training_images(need_file("cifar10", "cifar10_train_jpeg.npz"))
    path = need_file("cifar10", "cifar10_test.npz")
    test = load_npz(path, ("x", "y"))
    arrays = {
        "X": pixels(images, "the cache of decoded images"),
        "y": y,
        "X_test": pixels(test["x"], path.name),
        "y_test": test["y"],
    }
    found = from_arrays(arrays, "cifar10", (CIFAR10_NOTE,))
    if found.classes != tuple(map(str, range(10))):
        raise DataFileError(f"the class ids of CIFAR-10 are {', '.join(found.classes)}, not 0..9.")
    return replace(found, classes=CIFAR10_CLASSES)


def pixels(images: np.ndarray[Any, Any], file: str) -> Array:
    """Images of 0..255 as rows of 0..1."""
    if images.dtype != np.uint8 or images.ndim < 2 or images.size == 0:
        raise DataFileError(
            f"{file} has images of type {images.dtype} and shape {images.shape}, not of bytes."
        )
    flat = images.reshape(len(images), -1).astype(np.float32)
    return np.divide(flat, 255, out=flat)


@dataclass(frozen=True)
class BuiltIn:
    """A data set known by name: how it is loaded, its size, its files."""

    load: Callable[[], Source]
    rows: int
    features: int
    files: tuple[str, ...] = ()
    classes: int = 10


BUILT_IN = {
    "digits": BuiltIn(_digits, 1797, 64),
    "breast-cancer": BuiltIn(breast_cancer, 569, 31, classes=2),
    "wine": BuiltIn(wine, 178, 14, classes=3),
    "diabetes": BuiltIn(diabetes, 442, 11, classes=2),
    "mnist": BuiltIn(_mnist, 70000, 784, ("mnist.npz",)),
    "cifar10": BuiltIn(_cifar10, 60000, 3072, ("cifar10_train_jpeg.npz", "cifar10_test.npz")),
    "cifar10h": BuiltIn(lambda: cifar10h(CIFAR10_CLASSES), 10000, 256, CIFAR10H_FILES),
    "chaosnli": BuiltIn(chaosnli, 3113, 257, CHAOS_FILES, 3),
}


def available() -> list[dict[str, Any]]:
    """The built-in data sets: name, rows, features, classes, and where each is."""
    return [
        {
            "name": name,
            "rows": b.rows,
            "features": b.features,
            "classes": b.classes,
            "where": _where(name),
        }
        for name, b in BUILT_IN.items()
    ]


def _where(name: str) -> str:
    paths = [find_file(file) for file in BUILT_IN[name].files]
    if not paths:
        return "embedded"
    return f"not here: {how_to_get(name)}" if None in paths else str(paths[0])
