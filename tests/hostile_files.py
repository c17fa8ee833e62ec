"""Files as accidents and attackers make them: valid ones, bent by structure or bit by bit."""

from __future__ import annotations

import csv
import functools
import io
import json
import struct
import zipfile
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hostile_values import TEXTS, Hostile
from PIL import Image
from user_arrays import some_arrays

MEMBERS = (
    "X.npy", "y.npy", "soft.npy", "X", "x_train.npy", "../X.npy", "/etc/passwd", "X.npy/y.npy", "\u202eX.npy",
    "a\0b.npy", "X_test.npy", "y_test.npy", "__import__('os').npy", "Y.npy", "a" * 1000 + ".npy", ".npy", "",
)  # fmt: skip
HUGE = 10**6  # rows and columns of a matrix that no machine holds


def damaged(h: Hostile, content: bytes) -> bytes:
    """Bytes flipped, cut out, doubled, or put in."""
    data = bytearray(content)
    for _ in range(h.whole(1, 4)):
        at = h.whole(0, max(len(data) - 1, 0))
        way = h.of(["flip", "flip", "set", "cut", "end", "insert", "double"])
        if way == "flip" and data:
            data[at] ^= 1 << h.whole(0, 7)
        elif way == "set":
            data[at : at + 4] = h.of(
                [b"\0\0\0\0", b"\xff\xff\xff\xff", b"PK\3\4", struct.pack("<I", h.whole(0, 2**31))]
            )
        elif way == "cut":
            del data[at : at + h.whole(1, 40)]
        elif way == "end":
            del data[at:]
        elif way == "insert":
            data[at:at] = h.rng.bytes(h.whole(1, 20))
        else:
            data += data[at : at + 500]
    return bytes(data)


def _perhaps_damaged(h: Hostile, content: bytes, p: float = 0.4) -> bytes:
    return damaged(h, content) if h.chance(p) else content


def npy(array: Any) -> bytes:
    """An array as numpy stores it, objects as pickles."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def header(shape: Any, descr: Any = "<f4", fortran: Any = False, version: int = 1) -> bytes:
    """An array's header with nothing behind it, whatever it declares."""
    text = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode(
        "latin1", "replace"
    )
    length = struct.pack("<H" if version == 1 else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + b"\n"


@functools.cache
def zeros(mebibytes: int) -> bytes:
    """A matrix of zeros, of which a zip makes a thousandth."""
    return npy(np.zeros((mebibytes * 2**10, 256), np.float32))


def _odd_member(h: Hostile) -> bytes:
    shape = h.of(
        [
            (HUGE, HUGE),
            (2**40,),
            (-1, 4),
            (0, 5),
            (3, "4"),
            (2**63, 2),
            (5,),
            [4, 4],
            (4.0, 4),
            (True, 4),
            "(4,4)",
        ]
    )
    descr = h.of(
        [
            "<f4",
            "|O",
            "<M8[s]",
            "|V2000000000",
            "<U99999999",
            "<f16",
            [("a", "<f4")],
            "zz",
            "|S0",
            7,
            "<f4,<f4",
        ]
    )
    return h.of(
        [
            header(shape, descr, h.of([False, True, 1, "no"]), h.of([1, 2, 3])) + bytes(h.whole(0, 64)),
            npy(np.array([{"a": object}, None], object)),
            npy(np.arange(6).reshape(2, 3)),
            h.rng.bytes(h.whole(0, 80)),
            b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
            b"cos\nsystem\n(S'touch sprung'\ntR.",
        ]
    )  # fmt: skip


def archive(h: Hostile, path: Path) -> Path:
    """An .npz of hostile arrays and members, then perhaps damaged."""
    arrays = h.arrays(some_arrays(n=h.whole(6, 30)))
    members = [(f"{key}.npy", _as_npy(value)) for key, value in arrays.items()]
    if h.chance(0.2):
        members.insert(h.whole(0, len(members)), (h.of(MEMBERS), _odd_member(h)))
    if h.chance(0.1):
        members.append((h.of(MEMBERS), h.of([m for _, m in members] or [b""])))
    if h.chance(0.001):
        members[0] = (h.of(["X.npy", "X"]), zeros(h.of([300, 600])))
    if h.chance(0.01):
        members += [(f"a{i}.npy", b"") for i in range(h.of([300, 5000]))]
    file, method = (
        io.BytesIO(),
        h.of(
            [zipfile.ZIP_STORED] * 9
            + [zipfile.ZIP_DEFLATED] * 9
            + [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
        ),
    )
    method = zipfile.ZIP_DEFLATED if sum(len(m) for _, m in members) > 2**20 else method
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as out:
        for name, content in members:
            _add(out, name, content)
    content = file.getvalue()
    if h.chance(0.1):  # an archive in an archive
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w") as out:
            _add(out, "X.npy", content)
            _add(out, "y.npy", npy(np.arange(4) % 2))
        content = outer.getvalue()
    return _written(h, path, _perhaps_damaged(h, content))


def _written(h: Hostile, path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    h.made()
    return path


def _add(out: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo("x")
    name = name.encode(errors="replace").decode()
    member.filename, member.compress_type = name, out.compression  # as it is, not made harmless
    out.NameToInfo.pop(name, None)  # or two of one name are warned of
    out.writestr(member, content, compresslevel=1)


def _as_npy(value: Any) -> bytes:
    try:
        array = np.asarray(value)
        return npy(array) if array.nbytes < 2**22 else header(array.shape, array.dtype.str)
    except Exception:
        return b""


def _table(h: Hostile) -> pd.DataFrame:
    n, K = h.whole(6, 20), 3
    given = some_arrays(n=n, K=K)
    columns: dict[str, Any] = {f"x{j}": given["X"][:, j] for j in range(3)}
    columns["label"] = h.of(
        [given["y"], given["y"].astype(str), given["y"].astype(float), given["y"] > 0]
    )
    columns |= {f"p{k}": given["soft"][:, k] for k in range(K)}
    table = pd.DataFrame(columns)
    for _ in range(h.whole(0, 2)):
        name = h.of(list(table.columns))
        table[name] = h.of(
            [
                lambda: np.nan, lambda: "text", lambda: np.inf, lambda: 10**30, lambda: pd.Timestamp("2026-01-01"), lambda: True,
                lambda: 1e-320, lambda: pd.array([None] * n, "Int64"), lambda: pd.Categorical(["a", "b"] * (n // 2) + ["a"] * (n % 2)),
                lambda: [[1, 2]] * n, lambda: 1 + 2j, lambda: "<script>", lambda: b"\xff\xfe", lambda: -1.0, lambda: "=cmd()",
            ]
        )()  # fmt: skip
    if h.chance(0.2):
        table = table.rename(
            columns={h.of(list(table.columns)): h.of([*TEXTS[:20], "label", "x0", 7])}
        )
    if h.chance(0.1):
        table = table.iloc[: h.whole(0, 2)]
    return table


def comma_separated(h: Hostile, path: Path) -> Path:
    """A .csv: odd columns, quoting, encodings, ragged or endless lines, then perhaps damaged."""
    text = _table(h).to_csv(
        index=h.chance(0.1),
        sep=h.of(",,,;\t"),
        quoting=h.of([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        errors="replace",
    )
    if h.chance(0.1):
        text += h.of(
            [
                "1,2\n",
                "1," * 5000 + "\n",
                '"open',
                "\0\0\0",
                "\r\n\r\n",
                "1" * 10**5,
                "nan,nan\n",
                ",\n" * 50,
            ]
        )
    if h.chance(0.005):
        text = h.of(
            [",".join(map(str, range(5000))) + "\n", "x\n" * 200_000, "a,label\n" + "," * 10**5]
        )
    content = text.encode(
        h.of(["utf-8", "utf-8", "utf-8", "utf-16", "latin1", "utf-8-sig"]), "replace"
    )
    return _written(h, path, _perhaps_damaged(h, content, 0.25))


def parquet(h: Hostile, path: Path) -> Path:
    """A .parquet: odd columns and types, a bomb of one repeated value, then perhaps damaged."""
    if h.chance(0.002):
        ones = pa.array(np.ones(3 * 10**6))
        table = pa.table({**{f"x{j}": ones for j in range(20)}, "label": ones})
        pq.write_table(table, path, use_dictionary=True, compression="zstd")
        del ones, table
        return _written(h, path, path.read_bytes())
    try:
        _table(h).to_parquet(
            path,
            compression=h.of(["snappy", "gzip", "zstd", None]),
            index=h.of([None, True, False]),
        )
    except Exception:
        pd.DataFrame({"x": [1.0, 2.0], "label": [0, 1]}).to_parquet(path)
    return _written(h, path, _perhaps_damaged(h, path.read_bytes()))


@functools.cache
def jpeg(side: int) -> bytes:
    """A JPEG image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (200, 30, 90)).save(file, "JPEG")
    return file.getvalue()


def built_in(h: Hostile, where: Path) -> None:
    """The files of MNIST and CIFAR-10 as they may lie in a directory, in small."""
    n, y = h.whole(4, 12), np.arange(12) % 10
    images = h.rng.integers(0, 256, (n, 3, 3)).astype(np.uint8)
    mnist = {"x_train": images, "y_train": y[:n], "x_test": images, "y_test": y[:n]}
    streams = [h.of([jpeg(32)] * 20 + [jpeg(31), b"", damaged(h, jpeg(32))]) for _ in range(12)]
    offsets = np.cumsum([0, *map(len, streams)])
    data = np.frombuffer(b"".join(streams), np.uint8)
    files = {
        "mnist.npz": mnist, "cifar10_train_jpeg.npz": {"data": data, "offsets": offsets, "y": y},
        "cifar10_test.npz": {"x": np.zeros((10, 32, 32, 3), np.uint8), "y": y[:10]},
    }  # fmt: skip
    for name, arrays in files.items():
        if h.chance(0.95):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
                for key, value in h.arrays(arrays).items():
                    _add(out, f"{key}.npy", _as_npy(value))
            (where / name).write_bytes(_perhaps_damaged(h, file.getvalue(), 0.15))
    if h.chance(0.1):  # images decoded before, by whoever writes to the cache
        cache = where / "softwidth"
        cache.mkdir()
        digest = blake2b(data.tobytes() + offsets.tobytes(), digest_size=8).hexdigest()
        cached = _as_npy(h.array(np.zeros((12, 32, 32, 3), np.uint8)))
        (cache / f"cifar10_train_{digest}.npy").write_bytes(_perhaps_damaged(h, cached))
    h.made()


def spec_file(h: Hostile, path: Path) -> Path:
    """A plan.toml or plan.json whose values, lines or bytes are changed."""
    setting = {"rows": 30, "epochs": 2, "batch_size": 8, "tuning_seeds": 1}
    bank = [["hard", 2, 1.0, 0, 1], ["soft", 4, 0.5, 1, 2]]
    search = {**setting, "ended": "rows", "rounds": [{"why": ["first"], "banks": [bank, bank]}]}
    content = {"form": 1, "source": "digits", "plan": {"pair": ["3", "8"], "noise": 0.4, "widths": "2:8"}, "search": search}  # fmt: skip
    changed = bent(h, content, 0.05)
    text = json.dumps(changed)
    if path.suffix == ".toml":
        text = _as_toml(h, changed) if h.chance(0.9) else h.of(["a = [" * 3000, "a.b" * 5000 + "=1", "[[x]]\n" * 5000, 'a = """', "a=" + "9" * 5000, "a = 1e999\nb = nan", "\ufeffform = 1", "d = 1979-05-27"])  # fmt: skip
    return _written(h, path, _perhaps_damaged(h, text.encode("utf-8", "surrogatepass"), 0.3))


def _as_toml(h: Hostile, content: Any) -> str:
    if not isinstance(content, dict):
        return json.dumps(content)
    lines = [f"{key} = {_inline(value)}" for key, value in content.items() if value is not None]
    if h.chance(0.1):
        lines.insert(h.whole(0, len(lines)), h.of(["[plan]", "[[search]]", "form = 2", "x", "#", "\0", "plan.seeds = 3", "a = 07:32:00"]))  # fmt: skip
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k)} = {_inline(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(v) for v in value if v is not None) + "]"
    return json.dumps(value)


def stored_plan(h: Hostile, plan: dict[str, Any], path: Path) -> Path:
    """A plan.json in which values, keys or bytes are changed."""
    text = (
        json.dumps(bent(h, plan))
        if h.chance(0.8)
        else h.of(["[" * 10**5, "", "null", '{"a":' * 5000, "1e999", '"\\ud800"'])
    )
    return _written(h, path, _perhaps_damaged(h, text.encode(), 0.2))


JSON_VALUES = (
    None, True, -1, 0, 2**31, 2**70, 1e308, -1e-308, 0.5, "", "soft", "<script>alert(1)</script>", "\ud800", "\0", "\u202e",
    [], {}, [[]], {"a": None}, "x" * 3000, float("nan"), float("inf"), "</script><!--", [1, 2], "{{ 7*7 }}", "javascript:alert(1)",
)  # fmt: skip


def bent(h: Hostile, value: Any, p: float = 0.02) -> Any:
    """A value of JSON with some of its parts exchanged, gone, or doubled."""
    if h.chance(p):
        return h.of(JSON_VALUES)
    if isinstance(value, dict):
        return {
            (h.of(TEXTS) if h.chance(p / 4) else k): bent(h, v, p)
            for k, v in value.items()
            if not h.chance(p / 2)
        }
    if isinstance(value, list):
        return [bent(h, v, p) for v in value] * (2 if h.chance(p) else 1)
    return value
