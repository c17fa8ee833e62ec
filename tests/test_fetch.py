"""Downloads against a file server on this machine, and where data are looked for."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from softwidth import _progress, cli
from softwidth import fetch as fetching
from softwidth._checks import ArgumentError, DataFileError, MissingDataError
from softwidth.data import available, load
from softwidth.fetch import REMOTES, Remote, fetch, find_file

PAYLOAD = bytes(range(256)) * 2000  # half a MiB: several chunks


class FileServer(BaseHTTPRequestHandler):
    """Sends PAYLOAD, whole or, from the directory /truncated, half of it."""

    def do_GET(self):
        self.server.asked.append(self.path)
        directory = self.path.split("/")[1]
        if directory not in ("good", "truncated", "wrong"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAYLOAD)))
        self.end_headers()
        body = PAYLOAD[::-1] if directory == "wrong" else PAYLOAD
        self.wfile.write(body[: len(body) // 2] if directory == "truncated" else body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), FileServer) as served:
        served.asked = []
        thread = threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        served.address = f"http://127.0.0.1:{served.server_port}"
        yield served
        served.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty user cache, and our payload in the place of MNIST."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("SOFTWIDTH_DATA", raising=False)
    sha256 = hashlib.sha256(PAYLOAD).hexdigest()
    monkeypatch.setitem(REMOTES, "mnist", Remote("mnist.npz", "http://127.0.0.1:9/x", sha256))
    return tmp_path / "softwidth"


def left_behind(cache):
    return [path.name for path in cache.rglob("*") if path.is_file()] if cache.exists() else []


def test_good_file_is_kept_found_and_not_fetched_again(server, cache):
    path = fetch("mnist", base_url=f"{server.address}/good/")
    assert path == cache / "mnist.npz" == find_file("mnist.npz")
    assert path.read_bytes() == PAYLOAD
    assert fetch("mnist", base_url=f"{server.address}/good") == path
    assert server.asked == ["/good/mnist.npz"]
    assert left_behind(cache) == ["mnist.npz"]


def test_damaged_cache_is_fetched_again(server, cache):
    cache.mkdir()
    (cache / "mnist.npz").write_bytes(PAYLOAD[:100])
    assert fetch("mnist", base_url=f"{server.address}/good").read_bytes() == PAYLOAD


@pytest.mark.parametrize(
    ("directory", "error", "says"),
    [
        ("wrong", DataFileError, "expected sha256"),
        ("truncated", MissingDataError, "could not be downloaded"),
        ("absent", MissingDataError, "the server answers 404"),
    ],
)
def test_bad_download_leaves_nothing_behind(server, cache, directory, error, says):
    with pytest.raises(error, match=says):
        fetch("mnist", base_url=f"{server.address}/{directory}")
    assert left_behind(cache) == []
    assert find_file("mnist.npz") is None


def test_no_connection_is_said_plainly(cache):
    with pytest.raises(MissingDataError, match="could not be downloaded: connection error"):
        fetch("mnist")
    assert left_behind(cache) == []


def test_cache_that_cannot_be_written(server, cache):
    cache.parent.joinpath("softwidth").write_text("a file in the way")
    with pytest.raises(MissingDataError, match="cannot be written"):
        fetch("mnist", base_url=f"{server.address}/good")


def test_progress_goes_to_stderr_and_is_taken_away(server, cache, capsys, monkeypatch):
    monkeypatch.setattr(_progress, "APPEARS_AFTER", 0)
    monkeypatch.setattr(_progress, "LINE_EVERY", 0)
    assert cli.main(["data", "fetch", "mnist", "--base-url", f"{server.address}/good"]) == 0
    out, err = capsys.readouterr()
    assert out.split() == [str(cache / "mnist.npz")]
    assert "mnist.npz: 100 %" in err


def test_progress_is_taken_away_when_the_download_breaks(server, cache, monkeypatch):
    closed = []
    monkeypatch.setattr(_progress, "APPEARS_AFTER", 0)
    monkeypatch.setattr(_progress.Progress, "close", lambda self: closed.append(self.label))
    with pytest.raises(MissingDataError):
        fetch("mnist", base_url=f"{server.address}/truncated")
    assert closed == ["mnist.npz"]


@pytest.mark.parametrize(
    "address",
    [
        "http://mirror.example/data",
        "http://127.0.0.1.mirror.example/",
        "http://localhost@mirror.example/",
        "ftp://localhost/data",
        "file:///etc",
        "https://",
        "http://[::1",
        "mirror.example",
        "",
    ],
)
def test_mirrors_are_https_or_on_this_machine(cache, address):
    with pytest.raises(ArgumentError, match="`base_url`"):
        fetch("mnist", base_url=address)


def test_https_mirrors_are_taken():
    mirror = "https://mirror.example/data"
    assert fetching._check_mirror(f"{mirror}/") == mirror


@pytest.mark.parametrize("name", ["minst", "../mnist", "/etc/passwd", "mnist.npz", "", "digits"])
def test_unknown_names_reach_no_file_and_no_server(server, cache, name):
    with pytest.raises(ArgumentError, match="`name`"):
        fetch(name, base_url=f"{server.address}/good")
    assert server.asked == []
    assert left_behind(cache) == []


def test_what_cannot_be_fetched_says_where_to_put_it(cache):
    with pytest.raises(MissingDataError, match=r"put cifar10_train_jpeg\.npz"):
        fetch("cifar10")


def test_environment_goes_before_the_cache(cache, tmp_path, monkeypatch):
    own = tmp_path / "own"
    for directory in (own, cache):
        directory.mkdir()
        (directory / "mnist.npz").write_bytes(b"")
    assert find_file("mnist.npz") == cache / "mnist.npz"
    monkeypatch.setenv("SOFTWIDTH_DATA", str(own))
    assert find_file("mnist.npz") == own / "mnist.npz"
    (own / "mnist.npz").unlink()
    assert find_file("mnist.npz") == cache / "mnist.npz"


def test_data_that_are_absent_say_where_they_were_sought_and_how_to_get_them(
    cache, tmp_path, monkeypatch
):
    monkeypatch.setenv("SOFTWIDTH_DATA", str(tmp_path / "empty"))
    with pytest.raises(MissingDataError, match="softwidth data fetch mnist") as caught:
        load("mnist")
    assert str(tmp_path / "empty") in str(caught.value)
    assert str(cache) in str(caught.value)
    where = {row["name"]: row["where"] for row in available()}
    assert where["digits"] == "embedded"
    assert where["mnist"].startswith("not here")
    assert where["cifar10"].startswith("not here")
