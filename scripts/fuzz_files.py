"""The readers of files under a coverage-guided fuzzer (atheris, which is libFuzzer's for Python).

    python scripts/fuzz_files.py all --seconds 120
    python scripts/fuzz_files.py npz crash-0123abcd        # one input again

It mutates bytes towards branches of our code, of zipfile, tomllib and numpy's format that no input has
reached before, from small valid files as its beginning. Whatever comes out must be a result or one of
our errors. An input that shows something else is left in ``--out`` and told by its name; ends with 1.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import json
import re
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

FREE = 2**28  # bytes that readers are told to be free
ROOM_MB = 2048  # of the whole process, beyond which an input counts as a fault
TIMEOUT = 30  # seconds for one input
LONGEST = 20_000  # bytes of an input
# Modules whose branches the fuzzer sees; compiled code (numpy, pandas, SQLite) is dark to it.
OURS = "archives files tables images sources data tasks labels distributions spec_file plan_spec plan_form report store store_codec store_curves store_rows"
LIT = (*(f"softwidth.{name}" for name in OURS.split()), "zipfile", "tomllib._parser", "json.decoder", "numpy.lib._format_impl")  # fmt: skip
READERS = ("npz", "npy", "csv", "parquet", "images", "plan.toml", "plan.json as a spec", "plan.json and its page", "store", "curves")  # fmt: skip


def _readers(where: Path) -> dict[str, tuple[Callable[[bytes], Any], Callable[[], list[bytes]]]]:
    """What is attacked by name: a function of bytes, and files to begin with."""
    import numpy as np

    from softwidth.data import load
    from softwidth.images import decode_jpegs
    from softwidth.report import page, read_stored
    from softwidth.spec_file import read_spec
    from softwidth.store import open_store
    from softwidth.store_curves import unpack

    def of_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
        def attack(data: bytes) -> Any:
            path = where / name
            path.write_bytes(data)
            return read(path)

        return attack

    def members(data: bytes) -> Any:
        """An archive, sound as such, whose arrays are three pieces of the data."""
        with zipfile.ZipFile(where / "m.npz", "w") as out:
            for name, content in zip(("X", "y", "soft"), data.split(b"\0|\0", 2), strict=False):
                out.writestr(f"{name}.npy", content)
        return load(where / "m.npz")

    def image(data: bytes) -> Any:
        return decode_jpegs(np.frombuffer(data, np.uint8), np.array([0, len(data)]))

    def rows(path: Path) -> Any:
        with open_store(path, read_only=True) as store:
            return store.studies(), list(store.rows(curves=True))

    return {
        "npz": (of_file("a.npz", load), _archives),
        "npy": (members, lambda: [b"\0|\0".join(_arrays())]),
        "csv": (of_file("a.csv", lambda p: load(p, target="label", soft_columns=["p0", "p1"])), _csv),
        "parquet": (of_file("a.parquet", lambda p: load(p, target="label")), _parquet),
        "images": (image, _images),
        "plan.toml": (of_file("plan.toml", read_spec), lambda: [_spec(".toml")]),
        "plan.json as a spec": (of_file("plan.json", read_spec), lambda: [_spec(".json")]),
        "plan.json and its page": (of_file("p.json", lambda p: page(read_stored(p))), _plans),
        "store": (of_file("a.sqlite", rows), _stores),
        "curves": (unpack, _curves),
    }  # fmt: skip


def _arrays() -> list[bytes]:
    from hostile_files import npy
    from user_arrays import some_arrays

    given = some_arrays(n=8, K=2)
    return [npy(given[name]) for name in ("X", "y", "soft")]


def _archives() -> list[bytes]:
    import io

    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as out:
            for name, content in zip(("X", "y", "soft"), _arrays(), strict=True):
                out.writestr(f"{name}.npy", content)
        found.append(file.getvalue())
    return found


def _csv() -> list[bytes]:
    rows = "".join(f"{i}.5,{i % 2},0.25,{3 - i}e-1\n" for i in range(4))
    return [f"x,label,p0,p1\n{rows}".encode(), b'x,"label",p0,p1\r\n"1",a,1,0\r\n2,b,0,1\r\n']


def _parquet() -> list[bytes]:
    import io

    import pandas as pd

    file = io.BytesIO()
    pd.DataFrame({"x": [1.0, 2, 3], "label": [0, 1, 0]}).to_parquet(file)
    return [file.getvalue()]


def _images() -> list[bytes]:
    from hostile_files import jpeg

    return [jpeg(32), jpeg(8)]


def _spec(ending: str) -> bytes:
    from softwidth.spec_file import Script, SpecFile, spec_text
    from softwidth.trials import Setting

    rounds = [{"why": ["x"], "banks": [[("hard", 2, 1.0, 0, 1)]]}]
    script = Script(Setting(30, 2, 8, 1), rounds, "rows")
    return spec_text(
        SpecFile("digits", {"noise": 0.4, "pair": ["3", "8"]}, script), ending
    ).encode()


def _plans() -> list[bytes]:
    from plans import stored_plan

    return [json.dumps(stored_plan()).encode(), b'{"recommendation": {}, "curve": []}']


def _stores() -> list[bytes]:
    from hostile_stores import whole

    return [whole()]


def _curves() -> list[bytes]:
    from hostile_stores import numbers

    from softwidth.store_curves import pack

    return [pack(numbers()) or b""]


def attack(reader: str, arguments: list[str], seconds: int, out: Path) -> None:
    """Fuzz one reader in this process, which libFuzzer ends; with arguments, only these inputs."""
    import atheris

    with tempfile.TemporaryDirectory() as directory:
        where, corpus = Path(directory), Path(directory, "corpus")
        read, seeds = _readers(where)[reader]
        from softwidth._checks import SoftwidthError

        def one(data: bytes) -> None:
            with contextlib.suppress(SoftwidthError), warnings.catch_warnings():
                warnings.simplefilter("error")
                read(data)

        corpus.mkdir()
        for number, content in enumerate(seeds()):
            (corpus / str(number)).write_bytes(content)
            one(content)  # what is loaded on first use is loaded before anything is lit
        psutil.virtual_memory = lambda: SimpleNamespace(available=FREE)
        for function in _functions():
            atheris.instrument_func(function)
        options = [
            f"-max_total_time={seconds}",
            f"-artifact_prefix={out}/{_plain(reader)}-",
            f"-rss_limit_mb={ROOM_MB}",
            f"-timeout={TIMEOUT}",
            f"-max_len={LONGEST}",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, *(arguments or [str(corpus)])], one)
        atheris.Fuzz()


def _functions() -> Iterator[Any]:
    """All functions and methods of the modules that are lit."""
    for name in LIT:
        module = importlib.import_module(name)
        for thing in vars(module).values():
            inside = vars(thing).values() if inspect.isclass(thing) else [thing]
            for function in inside:
                if inspect.isfunction(function) and function.__module__ == name:
                    yield function


def _plain(reader: str) -> str:
    return re.sub(r"\W+", "-", reader)


def attack_all(names: Sequence[str], seconds: int, out: Path) -> int:
    """Each reader in a process of its own; a line for each, and the number of those with faults."""
    faults = 0
    print(f"{'reader':24}{'inputs':>10}{'features':>10}{'seconds':>9}{'MiB':>6}  faults")
    for name in names:
        command = [sys.executable, __file__, name, "--seconds", str(seconds), "--out", str(out)]
        ended = subprocess.run([*command, "--here"], capture_output=True, text=True, check=False)
        told = ended.stderr + ended.stdout
        inputs, mebibytes = (_last(rf"stat::{word}:\s+(\d+)", told) for word in ("number_of_executed_units", "peak_rss_mb"))  # fmt: skip
        features = _last(r"ft: (\d+)", told)
        faults += ended.returncode != 0
        fault = " ".join(re.findall(r"^(?: === |==\d+== )(.*)|Test unit written to (.*)", told, re.M)[-1]) if ended.returncode else "none"  # fmt: skip
        print(f"{name:24}{inputs:10,}{features:10,}{seconds:9}{mebibytes:6}  {fault}", flush=True)
        if ended.returncode:
            (out / f"{_plain(name)}.log").write_text(told)
    return faults


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def main() -> int:
    """Attack one reader or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("reader", choices=[*READERS, "all"])
    parser.add_argument("inputs", nargs="*", help="files that are tried once, instead of fuzzing")
    parser.add_argument("--seconds", type=int, default=120, help="for each reader")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="for inputs with faults")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.here or given.inputs:
        attack(given.reader, given.inputs, given.seconds, given.out)
        return 0
    chosen = READERS if given.reader == "all" else (given.reader,)
    return 1 if attack_all(chosen, given.seconds, given.out) else 0


if __name__ == "__main__":
    sys.exit(main())
