"""Where data lie on this machine, and downloads with checksums into the user cache."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from softwidth._checks import ArgumentError, DataFileError, MissingDataError, check_choice


@dataclass(frozen=True)
class Remote:
    """A file that may be downloaded, with its sha256."""

    file: str
    url: str
    sha256: str


# Keras's copy; its arrays are those of the original IDX files.
REMOTES = {
    "mnist": Remote(
        "mnist.npz",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    )
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TIMEOUT, CHUNK = 30, 2**16  # seconds without a byte; bytes at a time
LOCAL_ONLY = {
    "cifar10": "CIFAR-10 is published as pickles, which are never opened here: put "
    "cifar10_train_jpeg.npz and cifar10_test.npz into the directory $SOFTWIDTH_DATA",
    "cifar10h": "the votes are published with the images' numbers only: put cifar10h-counts.npy and "
    "cifar10_test.npz into the directory $SOFTWIDTH_DATA",
    "chaosnli": "its licence is for non-commercial use: put chaosNLI_snli.jsonl and "
    "chaosNLI_mnli_m.jsonl into the directory $SOFTWIDTH_DATA",
}


def cache_directory() -> Path:
    """The user's cache for downloads and decoded images."""
    from platformdirs import user_cache_path

    return Path(user_cache_path("softwidth"))


def find_file(name: str) -> Path | None:
    """A data file in ``$SOFTWIDTH_DATA`` or else in the user cache; None where it is in neither."""
    directories = [Path(os.environ["SOFTWIDTH_DATA"])] if os.environ.get("SOFTWIDTH_DATA") else []
    for directory in (*directories, cache_directory()):
        if (directory / name).is_file():
            return directory / name
    return None


def need_file(dataset: str, name: str) -> Path:
    """`find_file`, or an error that says how to get the file."""
    path = find_file(name)
    if path is None:
        places = [os.environ.get("SOFTWIDTH_DATA"), cache_directory()]
        looked = " or ".join(str(place) for place in places if place)
        raise MissingDataError(f"{name} is not in {looked}: {how_to_get(dataset)}.")
    return path


def how_to_get(dataset: str) -> str:
    """What a user does to have this data set."""
    if dataset in REMOTES:
        return f"run `softwidth data fetch {dataset}`, or set SOFTWIDTH_DATA to its directory"
    return LOCAL_ONLY[dataset]


def fetch(name: str, *, base_url: str | None = None, progress: bool = True) -> Path:
    """Download a data set into the user cache, unless it is there already.

    Parameters
    ----------
    name : str
        ``"mnist"``.
    base_url : str, optional
        A mirror's directory, ``https`` or on this machine; the checksum stays the same.
    progress : bool
        A bar on stderr.

    Returns
    -------
    Path

    Raises
    ------
    ArgumentError
        Unknown name, or a mirror that is neither https nor on this machine.
    MissingDataError
        Data that cannot be downloaded, or no connection.
    DataFileError
        Another checksum than expected; nothing is left behind.
    """
    check_choice("name", name, [*REMOTES, *LOCAL_ONLY])
    if name in LOCAL_ONLY:
        raise MissingDataError(f"{name} cannot be downloaded: {LOCAL_ONLY[name]}.")
    remote = REMOTES[name]
    url = remote.url if base_url is None else f"{_check_mirror(base_url)}/{remote.file}"
    return download(url, remote, progress=progress)


def _check_mirror(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        host, here = parts.hostname, parts.hostname in LOOPBACK
    except ValueError:  # such as a bracket without its pair
        host, here = None, False
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
        wish = "must begin with https://, or with http:// for this machine."
        raise ArgumentError("base_url", base_url, wish)
    return base_url.rstrip("/")


def download(url: str, remote: Remote, *, progress: bool = True) -> Path:
    """A checked download of `remote` from `url` into the user cache.

    Raises
    ------
    MissingDataError
        No connection, no such file there, or a cache that cannot be written.
    DataFileError
        Another checksum than expected; nothing is left behind.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    bar = _Bar(remote.file) if progress else None
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT)
    path = cache_directory()
    try:
        path.mkdir(parents=True, exist_ok=True)
        known = f"sha256:{remote.sha256}"
        return Path(pooch.retrieve(url, known, remote.file, path, downloader=downloader))
    except requests.RequestException as error:  # some are also ValueErrors
        raise MissingDataError(f"{url} could not be downloaded: {_reason(error)}.") from None
    except ValueError:
        raise DataFileError(
            f"{url} does not have the expected sha256 {remote.sha256}; nothing was kept."
        ) from None
    except OSError as error:
        raise MissingDataError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        if bar is not None:
            bar.close()


def _reason(error: Any) -> str:
    """Why a download failed, in a few words."""
    if error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}".rstrip()
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__)
    return words.lower()


class _Bar:
    """The progress protocol of pooch (``total``, ``update``, ``reset``, ``close``) on our bar."""

    def __init__(self, label: str) -> None:
        self.label, self.total, self.done = label, 0.0, 0.0
        self._shown: object | None = None

    def update(self, amount: float) -> None:
        """`amount` more bytes have come."""
        from softwidth._progress import Progress

        if not isinstance(self._shown, Progress):
            self._shown = Progress(self.label, self.total)
        self.done += amount
        self._shown.update(self.done)

    def reset(self) -> None:
        """Begin again."""
        self.done = 0.0

    def close(self) -> None:
        """Take the bar away."""
        from softwidth._progress import Progress

        if isinstance(self._shown, Progress):
            self._shown.close()
