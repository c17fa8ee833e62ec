"""Decoding CIFAR-10's JPEG streams, once."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import DataFileError, MissingDataError
from softwidth._progress import progress
from softwidth.fetch import cache_directory
from softwidth.files import load_npz


def cifar10_training_images(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Images (50000, 32, 32, 3) of 0..255 and class ids; decoded images stay in the user cache."""
    arrays = load_npz(path)
    cached = cache_directory() / f"cifar10_train_{len(arrays['data'])}.npy"
    if cached.is_file():
        return np.load(cached, allow_pickle=False), arrays["y"]
    images = decode_jpegs(arrays["data"], arrays["offsets"])
    cached.parent.mkdir(parents=True, exist_ok=True)
    beside = cached.with_suffix(f".{os.getpid()}.tmp")
    with open(beside, "wb") as file:
        np.save(file, images)
    os.replace(beside, cached)
    return images, arrays["y"]


def decode_jpegs(data: np.ndarray[Any, Any], offsets: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The RGB images whose streams are ``data[offsets[i]:offsets[i + 1]]``, shape (N, h, w, 3)."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise MissingDataError(
            "JPEG images need Pillow: pip install 'softwidth[images]'."
        ) from None
    images = []
    with progress("decoding images", len(offsets) - 1) as shown:
        for i in range(len(offsets) - 1):
            stream = io.BytesIO(data[offsets[i] : offsets[i + 1]].tobytes())
            try:
                images.append(np.asarray(Image.open(stream).convert("RGB")))
            except (UnidentifiedImageError, OSError):
                raise DataFileError(f"image {i} is not a readable JPEG stream.") from None
            shown.update(i)
    return np.stack(images)
