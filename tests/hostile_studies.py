"""Stores, trials, sweeps, engines and studies, called with hostile input."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import hostile_stores
import numpy as np
from hostile_answers import FaultError
from hostile_models import SHORT
from hostile_values import INSIDE, NUMBERS, TEXTS, Hostile
from sklearn.exceptions import ConvergenceWarning
from stores import trial
from user_arrays import some_arrays

from softwidth import engine_dask
from softwidth._checks import SweepError
from softwidth.engines import open_engine
from softwidth.experiments import StudentTrials
from softwidth.rows_page import store_page
from softwidth.store import Row, Store, open_store, spec_id
from softwidth.store_address import address
from softwidth.store_curves import pack, unpack
from softwidth.studies import Scale, find_study, run_study
from softwidth.sweep import collect, sweep
from softwidth.trial_spec import TrialSpec


def store_files(h: Hostile, where: Path) -> Any:
    path = hostile_stores.store_file(h, where / "rows.sqlite")
    store = open_store(path, read_only=h.chance(0.7))
    ways = {
        "rows": lambda: list(store.rows(h.of([None, "demo", "'; drop table rows; --"]))),
        "curves": lambda: list(store.rows(curves=True)),
        "studies": store.studies,
        "known": lambda: (store.known([trial(2).id, "x"]), store.get([trial(2).id], curves=True)),
        "put": lambda: store.put([trial(99)]),
        "export": lambda: store.export(where / h.of(["rows.csv", "rows.parquet"])),
        "page": lambda: _harmless(store_page(store)),
    }
    with store:
        return h.of(list(ways.values()))()


def _harmless(page: str) -> str:
    body = page.split("<body", 1)[-1]
    if "<script>alert(1)" in body or "<img src=x" in body:
        raise FaultError("markup came through")
    return page


def store_addresses(h: Hostile, where: Path) -> Any:
    hosts = ["db.example", "", "[::1", "me:se@cret@db", "h:99999", "h:port", "%zz", "a b", "\u202e"]
    servers = [f"{h.of(['postgresql', 'postgres', 'mysql', 'POSTGRESQL'])}://{host}{end}" for host in hosts for end in ("/rows", "", "/rows?host=", "/a?port=x")]  # fmt: skip
    if h.chance(0.5):  # an address alone: nothing is looked up
        return address(h.scalar(h.of([*servers, *TEXTS])))
    files = ["rows.sqlite", "sqlite:///a", "sqlite://", "sqlite:///:memory:", "file:x?mode=memory", "a?mode=ro", "%2e%2e/x", "a#b", "", ".", "no/such/x.sqlite", *INSIDE]  # fmt: skip
    name = h.of(files)
    where.joinpath("a").write_bytes(h.of([b"", b"SQLite format 3\0", b"text"]))
    with contextlib.chdir(where), open_store(h.of([name, Path(name)]), read_only=h.scalar(h.chance(0.5))) as store:  # fmt: skip
        return store.studies()


@functools.cache
def _store() -> Store:
    return open_store(Path(tempfile.mkdtemp(prefix="softwidth-hostile-"), "rows.sqlite"))


def store_rows(h: Hostile, where: Path) -> Any:
    good = trial(h.whole(0, 10**6))
    row = Row(
        h.scalar(h.of([good.spec, {"a": h.anything()}, {h.anything_hashable(): 1}])), h.scalar("demo"),
        h.scalar({"test_error": h.scalar(0.1)}), h.scalar(hostile_stores.curves(h)), h.scalar(0.5), h.scalar({"softwidth": "1"}),
        h.scalar("here"), h.scalar(None), h.scalar("2026-01-01"),
    )  # fmt: skip
    ways = [
        lambda: _again(row), lambda: _store().put(h.scalar([row, good])), lambda: spec_id(h.scalar({"a": h.anything()})),
        lambda: _store().known(h.scalar([good.id])), lambda: _store().get(h.scalar([good.id]), curves=h.scalar(True)),
        lambda: _store().export(h.scalar(where / "t.csv"), "nobody"), lambda: list(_store().rows(h.scalar("nobody"))),
    ]  # fmt: skip
    return h.of([*ways, *ways[:1] * 3])()


def _again(row: Row) -> Row:
    """What was stored comes back as it was."""
    _store().put([row])
    found = _store().get([row.id], curves=True)[row.id]
    if found.study != row.study and found.id != trial(0).id:
        _store().studies()  # somebody stored this spec before
    return found


def stored_curves(h: Hostile, where: Path) -> Any:
    if h.chance(0.3):
        blob = pack(hostile_stores.curves(h))
        return blob and unpack(blob)
    return unpack(hostile_stores.packed(h, pack(hostile_stores.numbers()) or b""))


def _spec(h: Hostile, **more: Any) -> dict[str, Any]:
    teacher = h.of([None, None, *SHORT, "data", "annotators"])
    some: dict[str, Any] = {
        "only": ["0", "1"], "positive": ["1"], "pair": ["0", "1"], "noise": 0.1, "flip": 0.1, "draws": 2, "data_seed": 1,
        "student_rows": 12, "keep": "smallest", "keep_fraction": 0.5, "regime": h.of(["in-sample", "cross-fitted", "larger-data"]),
        "folds": 2, "teacher_seed": 1, "calibrated": False, "spoil": h.of(["tempered(0.5)", "biased(1)", "noisy(1)", "exchanged(0.5)"]),
        "votes": 3, "labels": h.of(["hard", "soft", "argmax", "mixed(0.5, 2)", "sampled", "multipass"]), "label_seed": 1, "seed": 1,
        "step_size": h.of([1.0, 1e30]), "radius": 1.0, "init": "he", "momentum": 0.9, "optimiser": "adam", "schedule": "cosine", "train_output": True,
        "bias": True, "order_seed": 1, "tolerance": 0.1, "dtype": "float64",
    }  # fmt: skip
    given = {name: h.scalar(value) for name, value in some.items() if h.chance(0.1)}
    if teacher is not None:
        settings = {"rate": 0.1} if teacher == "annotators" else SHORT.get(teacher)
        given |= {"teacher": h.scalar(teacher), "teacher_settings": h.scalar(settings)}
        given["labels"] = h.scalar("soft")
    return {"width": h.small(2), "epochs": h.small(1), "batch_size": h.small(8), **more, **given}


def trial_specs(h: Hostile, where: Path) -> Any:
    given = _spec(h)
    if h.chance(0.1):
        given[h.of([*TEXTS, "widht"])] = 1
    if h.chance(0.1):
        given["source"] = h.of([*TEXTS, str(where), where, h.anything()])
    if h.chance(0.1):
        given = {key: h.anything() for key in h.rng.permutation(list(TrialSpec.model_fields))[:5]}
    spec = TrialSpec.of(**given)
    if TrialSpec.of(**spec.as_dict()) != spec:
        raise FaultError(f"{spec} is another one when read again")
    axes = {h.of(["width", "seed", "labels", *TEXTS]): h.scalar([2, 4]) for _ in range(h.whole(0, 2))}  # fmt: skip
    return [one.as_dict() for one in spec.grid(**axes)]


def sweeps(h: Hostile, where: Path) -> Any:
    h.share /= 3
    path = where / "data.npz"
    bent = {
        str(k): a
        for k, a in h.arrays(some_arrays(n=40)).items()
        if isinstance(a, np.ndarray) and a.size < 10**5 and "\ud800" not in str(k)
    }
    np.savez(path, **h.of([some_arrays(n=40), bent]))
    trials = StudentTrials(curves=h.scalar(h.of([(), ("kl", "error")])), mistakes=h.scalar(True))
    spec = TrialSpec.of(**_spec(h, source=str(path)))
    specs = h.scalar([spec, *spec.grid(seed=[1, 2])])
    with open_store(where / "rows.sqlite") as store, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # true, of so few steps
        try:
            sweep(
                trials, specs, h.scalar(store), study=h.scalar("demo"), engine=h.of([None, None, "here", 0, "nowhere"]),
                bank_seconds=h.scalar(30.0), retries=h.of([0, 0, 0, 1, -1, 1.5, None, True]),
            )  # fmt: skip
        except SweepError as error:
            _check_cause(error)
            raise
        return collect(specs, store, curves=True)


def _check_cause(error: SweepError) -> None:
    """A bank that failed has failed by one of our errors too."""
    last = "".join(getattr(error, "__notes__", [])).strip().splitlines()[-1:]
    if last and not last[0].startswith("softwidth."):
        raise FaultError(f"{error}: {error.__notes__[0][-600:]}")


def engines(h: Hostile, where: Path) -> Any:
    words = ["local:0", "local:2", "local", "local:-1", "local:" + "9" * 12, "local:" + "9" * 5000, "local:²", "LOCAL:2", "tcp://", "tcp:// x",
             "udp://h:1", "here", "", 2, 0, 10**9, SimpleNamespace(submit=5), SimpleNamespace(get_executor=1)]  # fmt: skip
    if h.chance(0.01):
        words = ["tcp://127.0.0.1:1", "tcp://127.0.0.1:p", "tcp://[::1", "tls://127.0.0.1:1"]
    with mock.patch.object(engine_dask, "REACHED_WITHIN", 0.2):
        opened = open_engine(h.scalar(h.of(words)))
    try:
        return opened.places()
    finally:
        opened.close(now=False)


def studies(h: Hostile, where: Path) -> Any:
    scale = [
        lambda: Scale(h.scalar(("digits",)), h.scalar(True)),
        lambda: Scale(tuple(h.of([*TEXTS, "mnist"]) for _ in range(h.whole(0, 3)))),
    ]
    names = ["tabel1", "list", *TEXTS, *NUMBERS, h.anything()]
    if h.chance(0.5):
        return find_study(h.of(["radius", *names])), h.of(scale)()
    # One argument is no study's, or this would train for seconds.
    wrong: dict[str, Any] = h.of([
        {"name": h.of(names)}, {"scale": h.of([5, "digits", ("digits",), Path()])},
        {"engine": h.of(["nowhere", -1, 1.5, b"here", object()])}, {"store": h.of(["", where, "x://y", 3, None, "a\0", where / "no" / "\0"])},
    ])  # fmt: skip
    right = {"name": "radius", "store": where / "rows.sqlite", "scale": Scale(smoke=True)}
    return run_study(**{**right, **wrong})
