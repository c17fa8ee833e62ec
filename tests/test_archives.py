"""Archives as users make them, and as accidents and attackers do."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from user_arrays import some_arrays

from softwidth._checks import (
    DataFileError,
    MemoryLimitError,
    SoftwidthError,
)
from softwidth.archives import bytes_to_read, entries, load_npz
from softwidth.data import load
from softwidth.files import read_arrays


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, **some_arrays())
    return path


@given(st.lists(st.sampled_from("fiubU"), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_headers_tell_what_numpy_reads(kinds, seed):
    rng = np.random.default_rng(seed)
    arrays = {}
    for number, kind in enumerate(kinds):
        shape = tuple(rng.integers(0, 5, rng.integers(0, 4)))
        dtype = {"f": "f4", "i": "i8", "u": "u1", "b": "?", "U": "U7"}[kind]
        arrays[f"a{number}"] = np.ones(shape, dtype, order=rng.choice(["C", "F"]))
    file = io.BytesIO()
    np.savez(file, **arrays)
    declared = entries(file)
    assert set(declared) == set(arrays)
    for key, array in arrays.items():
        assert declared[key].shape == array.shape
        assert declared[key].dtype == array.dtype
        assert declared[key].size == array.nbytes


def test_only_known_arrays_are_read(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, **some_arrays(), notes=np.array([{"who": "me"}], object), junk=np.ones(9))
    arrays, notes = read_arrays(path)
    assert set(arrays) == {"X", "y", "soft"}
    assert notes == []


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
def test_truncated_archive_is_our_error(archive, kept):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataFileError, match=r"data\.npz is not a readable"):
        read_arrays(archive)


def test_a_damaged_byte_is_our_error_or_changes_nothing(tmp_path):
    path, whole = tmp_path / "data.npz", some_arrays()
    np.savez(path, **whole)
    content = path.read_bytes()
    refused = 0
    for position in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[position] ^= 0x51
        path.write_bytes(damaged)
        try:
            arrays = load_npz(path, whole)
        except SoftwidthError:
            refused += 1
            continue
        for key, array in whole.items():
            np.testing.assert_array_equal(arrays[key], array)
    assert 0.5 * len(content) / 5 < refused < len(content) / 5  # dates and modes do not matter


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x00" * 100, b"X,y\n1,2\n"])
def test_what_is_no_archive_is_our_error(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match="not a readable"):
        read_arrays(path)


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "data.npz"
    np.savez(path, X=np.ones((4, 2)), y=np.array([Trap()] * 4, object))
    with pytest.raises(DataFileError, match=r"`y`.* never unpickled"):
        read_arrays(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataFileError):
        read_arrays(path)
    plain = tmp_path / "plain.npz"
    with zipfile.ZipFile(plain, "w") as file:  # a member that is no array but a pickle
        file.writestr("X.npy", pickle.dumps(Trap()))
    with pytest.raises(DataFileError):
        read_arrays(plain)
    assert not (tmp_path / "sprung").exists()


def header_of(shape, dtype="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def test_zip_bomb_is_refused_by_its_declared_size(tmp_path):
    """A few kilobytes that say they are 8 TB, in the header and in the directory of the zip."""
    path, shape = tmp_path / "bomb.npz", (10**6, 10**6)
    header = header_of(shape)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("X.npy", header)
        file.writestr("y.npy", header_of((2,)) + bytes(16))
    _declare(path, "X.npy", len(header) + 8 * 10**12)
    began = psutil.Process().memory_info().rss
    with pytest.raises(MemoryLimitError, match=r"X\.npy of bomb\.npz needs 7,629,395 MiB of disk"):
        read_arrays(path)
    assert psutil.Process().memory_info().rss - began < 50 * 2**20


def _declare(path, member, size):
    """Write another unpacked size into the central directory, as zip64 where it takes that."""
    with zipfile.ZipFile(path, "a") as file:
        file.getinfo(member).file_size = size
        file.comment = b"so that the directory is written again"


def test_arrays_of_another_length_than_declared_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("X.npy", header_of((10**6, 10**6)) + bytes(64))
        file.writestr("y.npy", header_of((2,)) + bytes(16))
    with pytest.raises(DataFileError, match=r"X\.npy takes \d+ bytes where its header says"):
        read_arrays(path)


def test_memory_that_reading_takes_is_what_was_asked_for(tmp_path):
    path, rng = tmp_path / "data.npz", np.random.default_rng(0)
    for dtype in (np.uint8, np.float32, np.float64):
        X = rng.integers(1, 255, (3000, 400)).astype(dtype)
        np.savez(path, X=X, y=np.arange(3000) % 3)
        asked = bytes_to_read(entries(path))
        load(path, noise=0.1)  # modules that are loaded on first use
        tracemalloc.start()
        load(path, noise=0.1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 0.4 * asked < peak < 1.05 * asked, dtype


def test_archive_larger_than_memory_says_how_much_it_needs(archive, monkeypatch):
    free = psutil.virtual_memory()._replace(available=500)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(MemoryLimitError, match=r"data\.npz needs \d+ MiB"):
        read_arrays(archive)


def test_archive_that_numpy_cannot_allocate_is_our_error(tmp_path):
    """In a process that may map 200 MB, files too, and with an archive of 400."""
    path = tmp_path / "big.npz"
    np.savez_compressed(path, X=np.zeros((10**5, 10**3), np.float32), y=np.arange(10**5) % 2)
    code = (
        "import resource, sys, numpy\n"
        "from pathlib import Path\n"
        "from softwidth.files import read_arrays\n"
        "import softwidth._checks as checks, psutil\n"
        "now = psutil.Process().memory_info().vms\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 200 * 2**20,) * 2)\n"
        "try: read_arrays(Path(sys.argv[1]))\n"
        "except checks.MemoryLimitError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    told = "unpacking X.npy of big.npz: 381 MiB cannot be mapped: Cannot allocate memory."
    assert done.stdout.strip() == told, done.stderr
