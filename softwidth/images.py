"""Decoding CIFAR-10's JPEG streams, once."""

from __future__ import annotations

import io
import os
import warnings
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import DataFileError, MissingDataError, check_memory
from softwidth._progress import progress
from softwidth.archives import SAFE_SHARE, load_npz
from softwidth.fetch import cache_directory

Images = np.ndarray[Any, Any]

SIDE = 32  # pixels of an image's side; CIFAR-10's
BYTES_A_PIXEL = 2 * 3 + 3 * 12  # three channels: decoded and stacked, then as float32 and cut up


def cifar10_training_images(path: Path) -> tuple[Images, np.ndarray[Any, Any]]:
    """Images (N, 32, 32, 3) of 0..255 and class ids; decoded images stay in the user cache."""
    arrays = load_npz(path, ("data", "offsets", "y"))
    data, offsets = arrays["data"], arrays["offsets"]
    _check_streams(path, data, offsets)
    needed = (len(offsets) - 1) * SIDE**2 * BYTES_A_PIXEL
    check_memory(f"decoding {path.name}", needed, share=SAFE_SHARE)
    digest = blake2b(data.tobytes() + offsets.tobytes(), digest_size=8).hexdigest()
    cached = cache_directory() / f"cifar10_train_{digest}.npy"
    images = _cached(cached, len(offsets) - 1)
    if images is None:
        images = decode_jpegs(data, offsets)
        _keep(images, cached)
    return images, arrays["y"]


def _check_streams(path: Path, data: np.ndarray[Any, Any], offsets: np.ndarray[Any, Any]) -> None:
    whole = data.ndim == offsets.ndim == 1 and data.dtype == np.uint8 and offsets.dtype.kind in "iu"
    if not whole or len(offsets) < 2 or offsets[0] < 0 or offsets[-1] > len(data):
        raise DataFileError(f"the `offsets` of {path.name} do not cut its `data` into images.")


def _cached(path: Path, n: int) -> Images | None:
    """Images decoded before; None where there are none or they are damaged."""
    try:
        images = np.load(path, allow_pickle=False, mmap_mode="r")  # whatever its header says
    except (OSError, ValueError, EOFError, OverflowError):
        return None
    fits = images.shape == (n, SIDE, SIDE, 3) and images.dtype == np.uint8
    return np.array(images) if fits else None


def _keep(images: Images, path: Path) -> None:
    """Keep decoded images for the next time, if the cache can be written."""
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            np.save(file, images)
        os.replace(beside, path)
    except OSError:
        with suppress(OSError):
            beside.unlink()


def decode_jpegs(data: np.ndarray[Any, Any], offsets: np.ndarray[Any, Any]) -> Images:
    """The RGB images whose streams are ``data[offsets[i]:offsets[i + 1]]``, shape (N, 32, 32, 3).

    Raises
    ------
    DataFileError
        A stream that is no JPEG image of that size; the message says which.
    MissingDataError
        Pillow is not installed.
    """
    images = np.empty((len(offsets) - 1, SIDE, SIDE, 3), np.uint8)
    with progress("decoding images", len(images)) as shown:
        for i in range(len(images)):
            images[i] = _decode(data[offsets[i] : offsets[i + 1]].tobytes(), i)
            shown.update(i)
    return images


def _decode(stream: bytes, number: int) -> Images:
    try:
        from PIL import Image
    except ImportError:
        raise MissingDataError(
            "JPEG images need Pillow: pip install 'softwidth[images]'."
        ) from None
    bombs = Image.DecompressionBombError, Image.DecompressionBombWarning
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(stream), formats=["JPEG"]) as image:
                if image.size == (SIDE, SIDE):  # from the header: a huge image is never decoded
                    return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, *bombs):
        pass
    raise DataFileError(f"image {number} is not a readable JPEG stream of {SIDE} x {SIDE} pixels.")
