"""Data with many people's votes on every row, as built-in data: CIFAR-10H and ChaosNLI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from softwidth._checks import DataFileError, MissingDataError
from softwidth._types import Array
from softwidth.archives import load_npz
from softwidth.builtin_tables import standardised
from softwidth.fetch import need_file
from softwidth.sources import Source, from_arrays

CIFAR10H_FILES = ("cifar10_test.npz", "cifar10h-counts.npy")
CIFAR10H_TRAINING = 7500  # images, the first; their order is a shuffled one
CIFAR10H_NOTE = (
    "Features of patches of JPEG copies of CIFAR-10's test images, learned from the training rows "
    "without labels; labels are the votes' majority."
)
CHAOS_FILES = ("chaosNLI_snli.jsonl", "chaosNLI_mnli_m.jsonl")
CHAOS_CLASSES = ("entailment", "neutral", "contradiction")  # in the order of the files' votes
CHAOS_NOTE = "Sentence vectors by WordLlama; labels are the majority of 100 votes."
DIMENSIONS = 64  # of a sentence's vector


def cifar10h(classes: Sequence[str]) -> Source:
    """The 10,000 test images of CIFAR-10 with the votes of 47 to 63 people each."""
    from softwidth.patch_features import PatchFeatures  # scikit-learn takes a second

    shares, votes = cifar10h_images(len(classes))
    features = PatchFeatures().fit(shares[:CIFAR10H_TRAINING])
    X, y = features(shares), np.array(classes)[votes.argmax(axis=1)]
    parts = {"": slice(CIFAR10H_TRAINING), "_test": slice(CIFAR10H_TRAINING, None)}
    own = {"X": X, "y": y, "soft": votes}
    arrays = {f"{key}{end}": value[rows] for key, value in own.items() for end, rows in parts.items()}  # fmt: skip
    found = from_arrays(arrays, "cifar10h", (CIFAR10H_NOTE,))
    if found.classes != tuple(classes):
        raise DataFileError("the votes of CIFAR-10H leave a class without images.")
    return found


def cifar10h_images(n_classes: int) -> tuple[Array, Array]:
    """Images (N, 32, 32, 3) with values in 0..1, and the votes (N, K) on each."""
    path = need_file("cifar10h", CIFAR10H_FILES[0])
    images = load_npz(path, ("x",))["x"]
    votes = _votes(need_file("cifar10h", CIFAR10H_FILES[1]), (len(images), n_classes))
    if images.dtype != np.uint8 or images.ndim != 4:
        raise DataFileError(f"{path.name} has no images of bytes.")
    return images.astype(np.float32) / 255, votes


def _votes(path: Path, shape: tuple[int, int]) -> Array:
    try:
        votes = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataFileError(f"{path.name} cannot be read: {error}") from None
    if votes.shape != shape or votes.dtype.kind not in "iu":
        raise DataFileError(f"{path.name} has {votes.dtype} {votes.shape}, not counts {shape}.")
    return np.asarray(votes)


def chaosnli() -> Source:
    """3,113 pairs of sentences with 100 votes each: whether the second follows from the first."""
    X, votes = chaosnli_pairs()
    y = np.sort(CHAOS_CLASSES)[votes.argmax(axis=1)]
    return standardised({"X": X, "y": y, "soft": votes}, "chaosnli", (CHAOS_NOTE,))


def chaosnli_pairs() -> tuple[Array, Array]:
    """Vectors of the pairs (N, 256), and the votes (N, 3) in the order of the classes' names.

    Raises
    ------
    MissingDataError
        Also without the package that has the sentence vectors.
    """
    paths = [need_file("chaosnli", name) for name in CHAOS_FILES]
    try:
        lines = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]  # fmt: skip
        counts = np.array([line["label_count"] for line in lines])
        premise, hypothesis = ([str(line["example"][k]) for line in lines] for k in ("premise", "hypothesis"))  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise DataFileError(f"{' or '.join(CHAOS_FILES)} cannot be read: {error!r}") from None
    if counts.ndim != 2 or counts.shape[1] != len(CHAOS_CLASSES) or counts.dtype.kind != "i":
        raise DataFileError(f"{' or '.join(CHAOS_FILES)} have other votes than three counts a line.")  # fmt: skip
    first, second = embed(premise), embed(hypothesis)
    X = np.hstack([first, second, abs(first - second), first * second])
    return X, counts[:, np.argsort(CHAOS_CLASSES)]


def embed(sentences: Sequence[str]) -> Array:
    """Unit vectors (N, 64) of sentences, from the weights that are in WordLlama's wheel."""
    try:
        import wordllama
    except ImportError:
        wish = "ChaosNLI needs sentence vectors: `pip install 'softwidth[cases]'`."
        raise MissingDataError(wish) from None
    # Its own look-up misses the tokenizer beside the weights: as a cache the package is complete.
    package = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(cache_dir=package, trunc_dim=DIMENSIONS, disable_download=True)
    return np.asarray(model.embed(list(sentences), norm=True), np.float32)
