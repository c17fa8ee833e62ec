"""Decoding JPEG streams: what Pillow decodes, and streams that are none."""

from __future__ import annotations

import io

import numpy as np
import psutil
import pytest
from PIL import Image

from softwidth import images
from softwidth._checks import DataFileError, MemoryLimitError
from softwidth.images import cifar10_training_images, decode_jpegs


def jpeg(seed, size=(32, 32), mode="RGB"):
    rng = np.random.default_rng(seed)
    channels = {"RGB": (3,), "L": ()}[mode]
    pixels = rng.integers(0, 256, (*size[::-1], *channels), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=75)
    return file.getvalue()


def joined(streams):
    data = np.frombuffer(b"".join(streams), np.uint8)
    return data, np.concatenate([[0], np.cumsum([len(stream) for stream in streams])])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "softwidth"


def stored(path, streams, **changed):
    data, offsets = joined(streams)
    y = np.arange(len(streams)) % 10
    np.savez(path, **{"data": data, "offsets": offsets, "y": y, **changed})
    return path


def test_every_stream_is_decoded_to_its_own_image():
    streams = [jpeg(0), jpeg(1, mode="L"), jpeg(2)]
    decoded = decode_jpegs(*joined(streams))
    assert decoded.shape == (3, 32, 32, 3)
    for image, stream in zip(decoded, streams, strict=True):
        np.testing.assert_array_equal(image, Image.open(io.BytesIO(stream)).convert("RGB"))
    assert (decoded[1, :, :, 0] == decoded[1, :, :, 2]).all()  # grey


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"no image",
        jpeg(0)[:40],
        jpeg(0)[:-200],
        jpeg(0, size=(31, 32)),
        jpeg(0, size=(900, 900)),
    ],
    ids=["empty", "text", "header", "truncated", "narrow", "large"],
)
def test_streams_that_are_none_are_named_by_number(stream):
    with pytest.raises(DataFileError, match="image 1 is not a readable JPEG"):
        decode_jpegs(*joined([jpeg(0), stream]))


def test_other_formats_are_not_opened():
    file = io.BytesIO()
    Image.new("RGB", (32, 32)).save(file, "PNG")
    with pytest.raises(DataFileError, match="image 0"):
        decode_jpegs(*joined([file.getvalue()]))


def test_a_header_that_claims_a_huge_image_is_not_believed():
    stream = bytearray(jpeg(0))
    at = stream.index(b"\xff\xc0") + 5  # height and width in the frame header
    stream[at : at + 4] = b"\x20\x00\x20\x00"  # 8,192 x 8,192
    with pytest.raises(DataFileError, match="image 0"):
        decode_jpegs(*joined([bytes(stream)]))


def test_decoded_images_are_kept_and_used_again(tmp_path, cache, monkeypatch):
    path = stored(tmp_path / "train.npz", [jpeg(0), jpeg(1)])
    first, y = cifar10_training_images(path)
    monkeypatch.setattr(images, "_decode", None)
    second, _ = cifar10_training_images(path)
    np.testing.assert_array_equal(first, second)
    assert y.tolist() == [0, 1]
    assert len(list(cache.iterdir())) == 1


def test_another_file_of_the_same_size_has_its_own_images(tmp_path, cache):
    one, other = jpeg(0), jpeg(1)
    padded = [stream.ljust(max(len(one), len(other)), b"\0") for stream in (one, other)]
    first, second = (
        cifar10_training_images(stored(tmp_path / f"{k}.npz", [stream]))[0]
        for k, stream in enumerate(padded)
    )
    assert (first != second).any()


def test_a_damaged_cache_is_decoded_again(tmp_path, cache):
    path = stored(tmp_path / "train.npz", [jpeg(0), jpeg(1)])
    first, _ = cifar10_training_images(path)
    (kept,) = cache.iterdir()
    content = kept.read_bytes()
    for damaged in (b"", content[:50], content[:-100], b"\x80\x04N."):
        kept.write_bytes(damaged)
        np.testing.assert_array_equal(cifar10_training_images(path)[0], first)
        assert kept.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, cache):
    cache.parent.write_text("a file in the way")
    decoded, _ = cifar10_training_images(stored(tmp_path / "train.npz", [jpeg(0)]))
    assert decoded.shape == (1, 32, 32, 3)


@pytest.mark.parametrize(
    "changed",
    [
        {"offsets": np.array([0, 10**9])},
        {"offsets": np.array([-5, 100])},
        {"offsets": np.array([0])},
        {"offsets": np.array([0.0, 100.0])},
        {"offsets": np.zeros((2, 2), int)},
        {"data": np.zeros(100)},
    ],
)
def test_offsets_that_do_not_cut_the_data_are_our_error(tmp_path, cache, changed):
    path = stored(tmp_path / "train.npz", [jpeg(0)], **changed)
    with pytest.raises(DataFileError, match=r"`offsets` of train\.npz"):
        cifar10_training_images(path)


def test_images_larger_than_memory_say_how_much_they_need(tmp_path, cache, monkeypatch):
    path = stored(tmp_path / "train.npz", [jpeg(0)] * 100)
    free = psutil.virtual_memory()._replace(available=2 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(MemoryLimitError, match=r"decoding train\.npz needs 4 MiB and 2 MiB"):
        cifar10_training_images(path)
