"""Plans, pages, downloads and the command line, called with hostile input."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hostile_files
import hostile_stores
from hostile_answers import FaultError
from hostile_data import Odd
from hostile_values import INSIDE, NUMBERS, TEXTS, Hostile
from plans import stored_plan
from user_arrays import some_arrays

from softwidth import cli, report
from softwidth._checks import SoftwidthError
from softwidth.fetch import fetch
from softwidth.plan_spec import PlanSpec
from softwidth.planner import plan
from softwidth.spec_file import read_spec, spec_text


def plan_specs(h: Hostile, where: Path) -> Any:
    fields = list(PlanSpec.model_fields)
    values: dict[str, Any] = {
        "widths": h.of(["2:8", "2,4", [2, 4]]),
        "seeds": 2,
        "positive": ["1"],
        "budget": 5,
    }
    given = {name: h.scalar(values.get(name, h.anything())) for name in fields if h.chance(0.3)}
    if h.chance(0.1):
        given[h.of([*TEXTS, "width", "sed"])] = 1
    return PlanSpec.of(given)


def spec_files(h: Hostile, where: Path) -> Any:
    path = hostile_files.spec_file(h, where / f"plan{h.of(['.toml', '.toml', '.json', '.yaml'])}")
    found = read_spec(path if h.chance(0.95) else h.of([where, where / "none.toml", "", *TEXTS]))
    again = where / f"again{h.of(['.toml', '.json'])}"
    again.write_text(spec_text(found, again.suffix), encoding="utf-8")
    if read_spec(again) != found:
        raise FaultError(f"{found} is another one when read again")
    return found


def plans(h: Hostile, where: Path) -> Any:
    source = h.arrays(some_arrays(n=h.whole(12, 40), K=h.of([2, 3])))
    some: dict[str, Any] = {
        "positive": ["1"], "noise": 0.1, "flip": 0.1, "tolerance": 0.05, "step_sizes": [0.3, 1.0], "regime": "in-sample",
        "teacher": h.of(["wide", "kernel", Odd(h)]), "seed": 1, "student_rows": 12, "bias": True,
    }  # fmt: skip
    settings = {name: h.scalar(value) for name, value in some.items() if h.chance(0.2)}
    return report.page(
        plan(
            source,
            widths=h.small([2, 4]),
            seeds=h.of([1, 2]),
            epochs=h.of([1, 2]),
            budget=h.of([2, 30]),
            **settings,
        ).as_dict()
    )


def pages(h: Hostile, where: Path) -> Any:
    path = hostile_files.stored_plan(h, stored_plan(name=h.of(TEXTS[:30])), where / "plan.json")
    stored = report.read_stored(path)
    written = report.write_page(stored, where / "report.html")
    text = written.read_text()
    if (
        "<script>alert(1)" in text
        or "</script><!--" in text.split("vegaEmbed = vegaEmbed", 1)[-1].split("</script>", 1)[-1]
    ):
        raise FaultError("markup came through")
    return written


def pages_of_anything(h: Hostile, where: Path) -> Any:
    return report.page(h.of([h.anything(), hostile_files.bent(h, stored_plan(), p=0.05)]))


def downloads(h: Hostile, where: Path) -> Any:
    bases = ["http://example.org", "ftp://localhost", "https://", "http://[::1", "file:///etc", "//x", "http://localhost@evil.example",
             "http://127.0.0.1.evil.example/", "javascript:1", "HTTP://user:pw@host", "http://localhost:port", "http://localhost:99999", *TEXTS]  # fmt: skip
    return fetch(h.scalar(h.of(["mnist", "cifar10"])), base_url=h.of(bases), progress=False)


# Words that make a whole command, so that it is known how long it takes; FILE and so on are made.
COMMANDS = (
    ["data", "list"], ["data", "fetch", "mnst"], ["data", "fetch", "mnist", "--base-url", "http://example.org"],
    ["bounds", "--margin", "0.1", "--error", "0.1", "--samples", "9"], ["margin", "FILE", "--width", "8"], ["margin", "FILE"],
    ["margin", "TABLE", "--target", "label"], ["report", "PLAN", "--out", "OUT/r.html"], ["report", "STORE", "--out", "OUT/r.html"],
    ["report", "STORE", "--out", "OUT/r.html", "--export", "OUT/rows.csv"], ["report", "PLAN", "--out", "OUT/r.html", "--figure", "OUT/a.gif"],
    ["plan", "FILE", "--soft-key", "nothing", "--out", "OUT"], ["plan", "FILE", "--widths", "2,3", "--out", "OUT"],
    ["plan", "--spec", "SPEC", "--widths", "3", "--budget", "-1", "--out", "OUT"], ["study", "list"], ["study", "tabel1", "--out", "OUT"],
    ["study", "radius", "--data", "nothing", "--store", "OUT/s", "--out", "OUT"], ["study", "radius", "--smoke", "--engine", "nowhere", "--store", "STORE", "--out", "OUT"],
    ["--help"], [],
)  # fmt: skip
OPTIONS = (
    "--json", "--margin", "--error", "--samples", "--classes", "--confidence", "--positive", "--pair", "--gap", "--limit", "--kind", "--nose",
    "--seed", "--target", "--soft-columns", "--soft-key", "--tolerance", "--metric", "--reference", "--export", "--study", "--help", "--",
)  # fmt: skip


def command_line(h: Hostile, where: Path) -> Any:
    made = {
        "FILE": lambda: hostile_files.archive(h, where / "data.npz"), "TABLE": lambda: hostile_files.comma_separated(h, where / "t.csv"),
        "PLAN": lambda: hostile_files.stored_plan(h, stored_plan(), where / "plan.json"), "SPEC": lambda: where / "none.toml",
        "STORE": lambda: hostile_stores.store_file(h, where / "rows.sqlite"),
    }  # fmt: skip
    words = [str(made[w]()) if w in made else w.replace("OUT", str(where / "out")) for w in h.of(COMMANDS)]  # fmt: skip
    for _ in range(h.whole(0, 2) if h.chance(0.6) else 0):
        h.of([words.append, lambda word: words.insert(h.whole(0, len(words)), word)])(
            str(h.of([*OPTIONS, *NUMBERS, *INSIDE]))
        )
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(where), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(words)
    return _answered(words, code, out.getvalue(), err.getvalue(), where)


def _answered(words: list[str], code: int, out: str, err: str, where: Path) -> Any:
    """Exit code 0, or 2 with one printable line; with --json an object; nothing half written."""
    if code not in {0, 2} or (code == 2 and (len(err.splitlines()) > 1 or not (out or err))):
        raise FaultError(f"{words}: code {code}, {err[:300]!r}")
    if code == 2 and not err.rstrip("\n").isprintable():
        raise FaultError(f"{words}: not printable: {err[:300]!r}")
    if left := [path.name for path in where.rglob("*.tmp")]:
        raise FaultError(f"{words} left {left}")
    if code == 0 and "--json" in words and "--help" not in words:
        json.loads(out)
    return SimpleNamespace(code=code) if code == 0 else SoftwidthError(err)
