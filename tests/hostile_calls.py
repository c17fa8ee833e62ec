"""Every reader and public entry point, called with hostile input; and what counts as an answer.

A call is a name and a seed: ``attack("load npz", 17, directory)`` is the same input every time.
"""

from __future__ import annotations

import contextlib
import functools
import io
import signal
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hostile_files
import numpy as np
import psutil
from hostile_values import NUMBERS, TEXTS, Hostile
from plans import stored_plan
from problems import random_problem
from user_arrays import some_arrays

from softwidth import bounds as bounds_module
from softwidth import bounds_paper, certificates, cli, data, kernels, labels, lessons, report, tasks
from softwidth._checks import SoftwidthError
from softwidth.bank import Bank
from softwidth.fetch import fetch
from softwidth.label_checks import check_soft_labels
from softwidth.margins import margin
from softwidth.network import initialise, size
from softwidth.plan_spec import PlanSpec
from softwidth.planner import plan
from softwidth.specs import Student
from softwidth.teachers import KernelTeacher, WideTeacher
from softwidth.training import train_bank

SECONDS = 60  # for one input; the slowest honest one takes about one
FREE = 2**28  # bytes that inputs are told to be free
ROOM = (
    2**26
)  # bytes beyond them: of modules loaded on first use, and what work takes that is not data
KINDS = {"hard", "soft", "argmax"}


class FaultError(AssertionError):
    """Neither a result nor one of our errors."""


def _load_settings(h: Hostile) -> dict[str, Any]:
    some: dict[str, Any] = {
        "positive": ["1"], "pair": [0, 1], "noise": 0.1, "flip": 0.1, "normalise": False, "soft_key": "soft",
        "val_fraction": 0.3, "test_fraction": 0.3, "seed": 1,
    }  # fmt: skip
    given = {name: h.scalar(value) for name, value in some.items() if h.chance(0.15)}
    if h.chance(0.15):
        given["limit"] = h.scalar(5)
    if h.chance(0.1):
        given["draws"] = h.small(2)
    return given


def _as_path(h: Hostile, path: Path) -> Any:
    return h.of([path, str(path)])


def load_npz(h: Hostile, where: Path) -> Any:
    path = hostile_files.archive(
        h, where / h.of(["data.npz", "d\u202ea.npz", "<script>.NPZ", "a b.npz", "\udcff.npz"])
    )
    return data.load(_as_path(h, path), **_load_settings(h))


def load_csv(h: Hostile, where: Path) -> Any:
    path = hostile_files.comma_separated(h, where / "data.csv")
    return data.load(_as_path(h, path), **_table_settings(h), **_load_settings(h))


def load_parquet(h: Hostile, where: Path) -> Any:
    path = hostile_files.parquet(h, where / "data.parquet")
    return data.load(_as_path(h, path), **_table_settings(h), **_load_settings(h))


def _table_settings(h: Hostile) -> dict[str, Any]:
    columns = h.scalar(["p0", "p1", "p2"]) if h.chance(0.5) else None
    return {"target": h.scalar("label"), "soft_columns": columns}


def load_arrays(h: Hostile, where: Path) -> Any:
    given = some_arrays(n=h.whole(2, 30), K=h.whole(2, 4))
    if h.chance(0.3):
        test = some_arrays(n=5, K=2)
        given |= {"X_test": test["X"], "y_test": test["y"]}
    return data.load(h.arrays(given), **_load_settings(h))


def load_name(h: Hostile, where: Path) -> Any:
    names = [
        h.anything(),
        *TEXTS,
        str(where),
        f"{where}/none.npz",
        "digits\0",
        "../digits",
        "a" * 300 + ".npz",
        b"digits",
    ]
    return data.load(h.of(names), **_load_settings(h))


def rows_for_margins(h: Hostile, where: Path) -> Any:
    given = h.arrays(some_arrays(n=h.whole(2, 30)))
    return data.training_rows(
        given, positive=h.scalar(None), pair=h.scalar(None), noise=h.scalar(0.0), seed=h.scalar(0)
    )


def make_targets(h: Hostile, where: Path) -> Any:
    n, K = h.whole(1, 20), h.whole(2, 4)
    text = h.of(
        [
            *labels.SCHEMES,
            "smoothed(0.1)",
            "mixed(0.5,2)",
            "tempered(0.5)",
            "flipped(0.2)",
            h.of(TEXTS),
        ]
    )
    if h.chance(0.2):
        text = f"{h.of(list(labels.SCHEMES))}({h.of(NUMBERS)}{h.of([')', ',1)', ''])}"
    P = h.of(
        [
            h.rng.dirichlet(np.ones(K), n),
            h.rng.integers(0, 5, (n, K)),
            h.rng.integers(0, 5, (n, K)) * 10**11,
        ]
    )
    y = h.array(np.arange(n) % K)
    made = labels.make_targets(
        h.scalar(text), y, h.array(P), n_classes=h.small(K), seed=h.scalar(0)
    )
    return [made.at(epoch) for epoch in (0, 1, 2**40)]


def votes_and_shares(h: Hostile, where: Path) -> Any:
    n, K = h.whole(1, 20), h.whole(2, 4)
    table = h.array(
        h.of([h.rng.dirichlet(np.ones(K), n), h.rng.integers(0, 5, (n, K)), h.rng.random(n)])
    )
    if h.chance(0.5):
        return labels.as_probabilities(table, n_classes=h.scalar(None))
    return labels.repeat_votes(np.ones((n, 2)), table)


def soft_label_checks(h: Hostile, where: Path) -> Any:
    given = some_arrays(n=h.whole(1, 60), K=h.whole(2, 4))
    soft = h.of(
        [given["soft"], np.rint(9 * given["soft"]), np.eye(given["soft"].shape[1])[given["y"]]]
    )
    return check_soft_labels(
        h.array(given["y"]), h.array(soft), n_classes=h.scalar(None), in_sample=h.scalar(None)
    )


def _student(h: Hostile) -> Any:
    return Student(
        width=h.small(h.of([2, 4, 6])), seed=h.scalar(h.whole(0, 9)), labels=h.scalar(h.of(["hard", "soft"])),
        step_size=h.scalar(h.of([0.1, 1.0, 1e30, 1e-320, 1e300])), radius=h.scalar(h.of([np.inf, 1.0, 1e-30])),
        init=h.scalar(h.of(["symmetric", "gaussian", "he", "glorot"])),
    )  # fmt: skip


def _recipe(h: Hostile) -> dict[str, Any]:
    some: dict[str, Any] = {
        "momentum": 0.9, "schedule": "cosine", "train_output": True, "bias": True, "order_seed": 3, "tolerance": 0.1,
        "diagnostics_every": 1, "dtype": h.of(["float32", "float64"]), "threads": 1,
    }  # fmt: skip
    given = {name: h.scalar(value) for name, value in some.items() if h.chance(0.3)}
    if given.get("threads", 1) is not None and given.get("threads") != 1:
        given["threads"] = h.of([0, -1, 2, "two", 1.0])  # a thousand threads are what was asked for
    for name, value in {"epochs": h.whole(1, 4), "batch_size": 5, "memory": 2**24}.items():
        if h.chance(0.5):
            given[name] = h.small(value)
    if h.chance(0.03):
        given[h.of(["", "epoch", "lr", "\x1b[31m"])] = 1
    return given


def train(h: Hostile, where: Path) -> Any:
    problem = random_problem(h.whole(0, 99), N=h.whole(1, 30), D=h.whole(1, 8), K=h.whole(2, 4))
    h.share /= 2
    targets = h.scalar(h.arrays(dict(problem.targets)))
    bank = train_bank(
        h.array(problem.X),
        h.array(problem.y),
        targets,
        h.scalar([_student(h) for _ in range(h.whole(1, 3))]),
        **_recipe(h),
    )
    bank.epoch_means(h.scalar("kl"))
    return bank


@functools.cache
def _bank() -> Bank:
    problem = random_problem(1)
    return train_bank(
        *problem[:2], problem.targets, [Student(2), Student(6, labels="soft")], epochs=2
    )


def use_bank(h: Hostile, where: Path) -> Any:
    problem, bank = random_problem(h.whole(0, 99), N=h.whole(1, 30)), _bank()
    way = h.of(["logits", "evaluate", "network", "means"])
    X = h.array(problem.X)
    if way == "logits":
        return bank.logits(X, h.scalar([0, 1]))
    if way == "evaluate":
        return bank.evaluate(X, h.array(problem.y), h.array(problem.targets["soft"]))
    if way == "network":
        return bank.networks[0].predict_proba(X)
    return bank.epoch_means(h.anything())


def networks(h: Hostile, where: Path) -> Any:
    width, D, K = h.small(4), h.small(3), h.small(2)
    if h.chance(0.5):
        return size(width, D, K, bias=h.scalar(True))
    return initialise(
        width,
        D,
        K,
        init=h.scalar("he"),
        seed=h.scalar(0),
        bias=h.scalar(False),
        dtype=h.scalar(np.float32),
    )


def margins(h: Hostile, where: Path) -> Any:
    problem = random_problem(h.whole(0, 99), N=h.whole(2, 20), D=h.whole(1, 6), K=h.of([2, 2, 3]))
    h.share /= 2
    found = margin(
        h.array(problem.X), h.array(problem.y), h.scalar(h.of(["kernel", "sup"])), h.small(h.of([None, 4, 16])), gap=h.scalar(1e-3),
        confidence=h.scalar(0.9), limit=h.scalar(None), n_classes=h.small(None), seed=h.scalar(0), init=h.scalar("symmetric"),
        neurons=h.of([16, 2, 0, -1, "a", 2.0]) if h.chance(h.share) else 16, fresh=h.of([64, 4, 0, None]) if h.chance(h.share) else 64,
    )  # fmt: skip
    found.verify()
    return found.as_dict()


def theorems(h: Hostile, where: Path) -> Any:
    m, e, n, K, c = h.scalar(0.1), h.scalar(0.05), h.scalar(100), h.scalar(2), h.scalar(0.9)
    B, width, steps, norm = h.scalar(1.0), h.scalar(64), h.scalar(100), h.scalar(1.0)
    ways: list[Callable[[], Any]] = [
        lambda: bounds_module.bounds(m, e, n, K, c, norm).as_dict(),
        lambda: bounds_module.crossover(e, n, n_classes=K, confidence=c),
        lambda: bounds_module.hard_loss(m, B, width, steps, n, n_classes=K, confidence=c),
        lambda: bounds_module.hard_requirement(m, e, n, n_classes=K, confidence=c),
        lambda: bounds_module.soft_requirement(m, e, n, n_classes=K, confidence=c),
        lambda: bounds_module.soft_error(m, width, steps, n, radius=B, n_classes=K, confidence=c),
        lambda: bounds_module.drift(B, width, n, n_classes=K, confidence=c),
        lambda: bounds_module.theorem_b(B, width, steps, n, n_classes=K, confidence=c, step_size=h.scalar(None)),
        lambda: bounds_module.classification(e, m, n_classes=K),
        lambda: bounds_module.kappa(m),
        lambda: bounds_paper.lemma3(e, m),
        lambda: bounds_paper.corollary4(m, e, n, confidence=c, norm=norm),
        lambda: bounds_paper.proposition5(m, e, n, confidence=c, norm=norm),
        lambda: bounds_paper.lemma6(width, n, confidence=c),
        lambda: bounds_paper.crossover(e, n, confidence=c, norm=norm),
    ]  # fmt: skip
    return h.of(ways)()


def certificate(h: Hostile, where: Path) -> Any:
    K, D, m, N = h.of([2, 3]), h.whole(1, 5), h.of([2, 8]), h.whole(1, 12)
    problem = random_problem(h.whole(0, 99), N=N, D=D, K=K)
    start = initialise(m, D, K, seed=h.whole(0, 9))
    C = 1 if K == 2 else K
    v = h.array(h.rng.standard_normal((m, D) if K == 2 else (m, K, D)) / 9)
    run: dict[str, Any] = {
        "step_size": h.scalar(0.5),
        "n_steps": h.scalar(5),
        "radius": h.scalar(2.0),
    }
    X, F = h.array(problem.X), h.array(h.rng.standard_normal((N, C)))
    way = h.of(["a", "hard", "sharp"])
    if way == "a":
        return certificates.theorem_a(start, v, X, F, **run).as_dict()
    if way == "hard":
        return certificates.hard_certificate(start, v, X, h.array(problem.y), F, **run)
    return certificates.sharp_certificate(
        start, v, X, h.array(problem.targets["soft"]), displacement=h.scalar(None), **run
    )


def ntk(h: Hostile, where: Path) -> Any:
    X, Z, W = (h.array(h.rng.standard_normal((h.whole(1, 20), 3))) for _ in range(3))
    Z, dtype = h.of([None, Z]), h.scalar(h.of(["float32", "float64"]))
    if h.chance(0.5):
        return kernels.limiting_kernel(X, Z, dtype=dtype)
    return kernels.finite_kernel(
        X, W, Z, weights=h.array(np.ones(5)) if h.chance(0.3) else None, dtype=dtype
    )


def teachers(h: Hostile, where: Path) -> Any:
    problem = random_problem(h.whole(0, 99), N=h.whole(4, 30), K=h.whole(2, 3))
    X, y = h.array(problem.X), h.array(problem.y)
    teacher = h.of([lambda: KernelTeacher(C=h.scalar(10.0), folds=h.scalar(2)), lambda: WideTeacher(
        width=h.small(4), epochs=h.small(1), batch_size=h.scalar(None), step_size=h.scalar(1.0), momentum=h.scalar(0.9), seed=h.scalar(0))])()  # fmt: skip
    return teacher.fit(X, y).predict_proba(h.array(problem.X))


class _Odd:
    """A classifier whose probabilities are somebody's own."""

    def __init__(self, h: Hostile) -> None:
        self.h = h

    def fit(self, X: Any, y: Any) -> None:
        self.K = int(y.max()) + 1

    def predict_proba(self, X: Any) -> Any:
        return self.h.array(np.full((len(X), self.K), 1 / self.K))


def teaching(h: Hostile, where: Path) -> Any:
    problem, K = random_problem(h.whole(0, 99), N=h.whole(6, 30), K=2), h.small(2)
    X, y = h.array(problem.X), h.array(problem.y)
    make = h.scalar(lambda: _Odd(h))
    way = h.of(["teach", "cross", "margins", "thin"])
    if way == "teach":
        others = (h.array(problem.X), h.array(problem.y)) if h.chance(0.3) else None
        return lessons.teach(make, X, y, X_val=h.array(problem.X), y_val=h.array(problem.y), n_classes=K, others=others,
                             folds=h.small(2), in_sample=h.scalar(False), seed=h.scalar(0), draws=h.scalar(1))  # fmt: skip
    if way == "cross":
        return lessons.cross_fit(make, X, y, folds=h.small(2), n_classes=K, seed=h.scalar(0))
    if way == "margins":
        return lessons.row_margins(X, y, folds=h.small(2), n_classes=K)
    dataset = _dataset()
    return tasks.keep_by_margin(
        dataset,
        h.array(h.rng.random(len(dataset.y_train))),
        h.scalar(0.5),
        keep=h.scalar("largest"),
    )


@functools.cache
def _dataset() -> Any:
    return data.load(some_arrays(n=40, K=2))


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


def plans(h: Hostile, where: Path) -> Any:
    source = h.arrays(some_arrays(n=h.whole(12, 40), K=h.of([2, 3])))
    some: dict[str, Any] = {
        "positive": ["1"], "noise": 0.1, "flip": 0.1, "tolerance": 0.05, "step_sizes": [0.3, 1.0], "regime": "in-sample",
        "teacher": h.of(["wide", "kernel", _Odd(h)]), "seed": 1, "student_rows": 12,
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


COMMANDS = (
    ["data", "list"], ["data", "list", "--json"], ["data", "fetch", "mnst"], ["bounds", "--margin", "0.1", "--error", "0.1", "--samples", "9"],
    ["margin", "FILE", "--width", "8"], ["margin", "FILE", "--json"], ["report", "PLAN", "--out", "OUT/r.html"], ["--help"], [],
    ["report", "PLAN", "--out", "OUT/r.html", "--figure", "OUT/a.gif"], ["plan", "FILE", "--soft-key", "nothing", "--out", "OUT"],
    ["plan", "FILE", "--widths", "2,3", "--out", "OUT"], ["margin", "TABLE", "--target", "label"], ["margin", "TABLE", "--target", "labl"],
)  # fmt: skip
OPTIONS = ("--json", "--margin", "--error", "--samples", "--classes", "--confidence", "--positive", "--pair", "--gap", "--limit", "--kind", "--nose", "--seed", "--target")  # fmt: skip


def command_line(h: Hostile, where: Path) -> Any:
    files = {
        "FILE": lambda: str(hostile_files.archive(h, where / "data.npz")), "TABLE": lambda: str(hostile_files.comma_separated(h, where / "t.csv")),
        "PLAN": lambda: str(hostile_files.stored_plan(h, stored_plan(), where / "plan.json")),
    }  # fmt: skip
    words = [
        files[w]() if w in files else w.replace("OUT", str(where / "out")) for w in h.of(COMMANDS)
    ]
    for _ in range(h.whole(0, 2) if h.chance(0.6) else 0):
        h.of([words.append, lambda word: words.insert(h.whole(0, len(words)), word)])(
            str(h.of([*OPTIONS, *NUMBERS, *TEXTS]))
        )
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(words)
    told = err.getvalue()
    if code not in {0, 2} or (
        code == 2 and (len(told.splitlines()) > 1 or (not out.getvalue() and not told))
    ):
        raise FaultError(f"{words}: code {code}, {told[:300]!r}")
    if code == 2 and told and not told.rstrip("\n").isprintable():
        raise FaultError(f"{words}: not printable: {told[:300]!r}")
    if left := [path.name for path in where.rglob("*.tmp")]:
        raise FaultError(f"{words} left {left}")
    return SimpleNamespace(code=code) if code == 0 else SoftwidthError(told)


# Every entry point, and how often it is called beside the others: what reads files most, a whole plan rarely.
CALLS: dict[str, tuple[Callable[[Hostile, Path], Any], float]] = {
    "load npz": (load_npz, 20), "load csv": (load_csv, 8), "load parquet": (load_parquet, 6), "load arrays": (load_arrays, 12),
    "load name": (load_name, 3), "training rows": (rows_for_margins, 4), "make_targets": (make_targets, 8),
    "probabilities and votes": (votes_and_shares, 5), "check_soft_labels": (soft_label_checks, 5), "train_bank": (train, 10),
    "bank": (use_bank, 5), "networks": (networks, 3), "margin": (margins, 5), "theorems": (theorems, 8), "certificates": (certificate, 5),
    "kernels": (ntk, 4), "teachers": (teachers, 2), "lessons": (teaching, 4), "plan specs": (plan_specs, 4), "plan": (plans, 0.1),
    "stored plans": (pages, 1.5), "pages": (pages_of_anything, 1), "fetch": (downloads, 1), "command line": (command_line, 4),
}  # fmt: skip


def answer(make: Callable[[Hostile, Path], Any], h: Hostile, where: Path) -> bool:
    """Whether a call has a result (True) or is refused by one of our errors (False).

    Raises
    ------
    FaultError
        Anything else: another exception, a warning, no end, more memory than is said to be free.
    """
    with _limits() as peak:
        h.made = peak.begin
        try:
            found = make(h, where)
        except SoftwidthError as error:
            found = error
        except FaultError:
            raise
        except BaseException as error:
            raise FaultError(f"{type(error).__name__}: {error}"[:500]) from error
    if peak.grown() > FREE + ROOM:
        raise FaultError(f"took {peak.grown() / 2**20:.0f} MiB where {FREE / 2**20:.0f} are free")
    if isinstance(found, SoftwidthError) and not str(found).rstrip("\n").isprintable():
        raise FaultError(f"not one printable line: {found!r}"[:500])
    return not isinstance(found, SoftwidthError)


def attack(name: str, seed: int, where: Path) -> bool:
    """`answer` of one input, told by its name and seed."""
    return answer(CALLS[name][0], Hostile([zlib.crc32(name.encode()), seed]), where)


class _Peak:
    """The process's largest resident size since `begin`, beside what it was then, in bytes."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Count from now on: the input is made, and what follows is ours."""
        Path("/proc/self/clear_refs").write_text("5")
        self.before = psutil.Process().memory_info().rss

    def grown(self) -> int:
        """By so much at most."""
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM")).split()[1]
        return 1024 * int(peak) - self.before


@contextlib.contextmanager
def _limits() -> Iterator[_Peak]:
    """Warnings are errors, time is limited, and little memory is said to be free."""
    free = psutil.virtual_memory()._replace(available=FREE)
    before_memory, psutil.virtual_memory = psutil.virtual_memory, lambda: free
    before_signal = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield _Peak()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before_signal)
        psutil.virtual_memory = before_memory


class Endless(BaseException):
    """The time is over; nothing may catch it by accident."""


def _too_long(*_: Any) -> None:
    raise Endless(f"no answer in {SECONDS} s")
