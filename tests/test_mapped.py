"""Rows that do not fit into memory lie in files: the same data, the same plan, in bounded memory."""

import csv
import resource
import subprocess
import sys
import tempfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from test_planner import timeless

import softwidth._memory as memory
from softwidth import network
from softwidth._checks import ArgumentError, DataFileError, MemoryLimitError
from softwidth._mapped import changed_rows, in_file, is_mapped, scratch_directory, take_rows
from softwidth._memory import free_memory
from softwidth.data import load
from softwidth.files import read_arrays
from softwidth.lessons import teach
from softwidth.network import initialise, with_bias_column
from softwidth.planner import plan
from softwidth.tables import TABLES
from softwidth.teachers import WideTeacher
from softwidth.training import Student, train_bank

N, D = 3000, 96
PROBABILITIES = ["p_a", "p_b", "p_c"]


@pytest.fixture
def scarce(monkeypatch):
    """Little memory is free once it is called: rows of these data go into files."""
    monkeypatch.setattr("softwidth.tables.BLOCK_BYTES", 2**18)
    monkeypatch.setitem(TABLES, ".parquet", replace(TABLES[".parquet"], page=2**12))
    monkeypatch.setattr("softwidth.data.SMALL", 2**16)

    def make(available=2**21):
        free = psutil.virtual_memory()._replace(available=available)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: free)

    return make


def some_rows(N=N, D=D):
    """Rows of three classes that a linear map tells apart, their names, and soft labels."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D)).astype(np.float32)
    scores = X @ rng.standard_normal((D, 3)) / 4
    P = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return X, np.array(list("abc"))[(P.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1)], P


def as_archive(path, X, y, P):
    np.savez_compressed(path / "data.npz", X=X, y=y, soft=P)
    return path / "data.npz", {}


def by_columns(path, X, y, P):
    return as_archive(path, np.asfortranarray(X.astype(np.float64)), y, P)


def as_images(path, X, y, P):
    pixels = np.clip(100 * X + 128, 1, 255).astype(np.uint8).reshape(N, 8, -1)
    np.savez(path / "data.npz", x_train=pixels, y_train=y, x_test=pixels[:300], y_test=y[:300])
    return path / "data.npz", {}


def as_images_by_columns(path, X, y, P):
    np.savez(path / "data.npz", X=np.asfortranarray(X.reshape(N, 8, -1)), y=y, soft=P)
    return path / "data.npz", {}


def as_mapped(path, X, y, P):
    np.save(path / "X.npy", X.astype(np.float64))
    return {"X": np.load(path / "X.npy", mmap_mode="r"), "y": y, "soft": P}, {}


def as_arrays(path, X, y, P):
    return {"X": X, "y": y, "soft": P, "sample_weight": np.arange(N) % 4}, {}


def table_of(X, y, P):
    frame = pd.DataFrame(X, columns=[f"x{d}" for d in range(D)])
    votes = pd.DataFrame(P, columns=PROBABILITIES)
    return pd.concat([frame, votes], axis=1).assign(label=y, weight=1.0 + np.arange(N) % 3)


COLUMNS = {"target": "label", "soft_columns": PROBABILITIES[::-1], "weight_column": "weight"}


def as_csv(path, X, y, P):
    table_of(X, y, P).to_csv(path / "data.csv")  # with pandas' row numbers
    return path / "data.csv", COLUMNS


def as_csv_of_numbers(path, X, y, P):
    """Class ids of which only the last are text: a piece alone would be numbers."""
    ids = np.where(np.arange(N) < N - 40, (y == "a").astype(int).astype(str), "none")
    table_of(X, ids, P).to_csv(path / "data.csv", index=False, sep=";", decimal=",")
    return path / "data.csv", {"target": "label", "ignore_columns": [*PROBABILITIES, "weight"]}


def as_parquet(path, X, y, P):
    table_of(X, y, P).to_parquet(path / "data.parquet")
    return path / "data.parquet", COLUMNS


FORMS = [as_archive, by_columns, as_images, as_images_by_columns, as_mapped, as_arrays, as_csv, as_csv_of_numbers, as_parquet]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("settings", [{}, {"noise": 0.3, "limit": 1500}], ids=["plain", "noisy"])
def test_data_are_the_same_in_memory_and_in_files(tmp_path, scarce, form, settings):
    source, columns = form(tmp_path, *some_rows())
    whole = load(source, **columns, **settings)
    scarce()
    parts = load(source, **columns, **settings)
    assert not is_mapped(whole.X_train)
    assert is_mapped(parts.X_train)
    for field in fields(whole):
        mine, other = getattr(whole, field.name), getattr(parts, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, other, err_msg=field.name)
            assert mine.dtype == other.dtype
        else:
            assert mine == other, field.name


def test_a_plan_is_the_same_in_memory_and_in_files(tmp_path, scarce):
    source, _ = as_mapped(tmp_path, *some_rows(30_000, 300))
    teacher = WideTeacher(32, epochs=1, step_size=31.6)
    settings = {"positive": ["a"], "widths": [2, 4], "seeds": 2, "rounds": 0, "epochs": 1,
                "teacher": teacher, "student_rows": 15_000, "step_sizes": [10.0]}  # fmt: skip
    whole = plan(source, **settings)
    scarce(2**27)
    parts = plan(source, **settings)
    assert not is_mapped(whole.soft_labels.dataset.X_train)
    assert is_mapped(parts.soft_labels.dataset.X_train)
    assert timeless(whole.as_dict()) == timeless(parts.as_dict())


def test_bank_after_bank_has_the_same_bias_column(tmp_path, scarce):
    np.save(tmp_path / "X.npy", some_rows()[0])
    X, other = (np.asarray(np.load(tmp_path / "X.npy", mmap_mode="r")) for _ in range(2))
    scarce()
    assert with_bias_column(X, True) is with_bias_column(X, True)
    np.testing.assert_array_equal(with_bias_column(other, True)[:, :-1], X)
    assert (with_bias_column(other, True)[:, -1] == 1).all()
    assert with_bias_column(X, True) is with_bias_column(X, True)
    del other, X
    assert not network._biased  # gone with their rows


def test_a_bias_column_and_single_weights_of_zero_are_no_reason_to_copy_rows_into_memory(
    tmp_path, scarce
):
    X, y, P = some_rows()
    np.save(tmp_path / "X.npy", X)
    mapped, ids = np.load(tmp_path / "X.npy", mmap_mode="r"), np.unique(y, return_inverse=True)[1]
    weight = np.ones(N)
    weight[5] = 0
    banks = []
    for rows in (X, mapped):
        banks.append(
            train_bank(rows, ids, {"soft": P}, [Student(4, labels="soft", step_size=3.0)],
                       sample_weight=weight, bias=True, epochs=2, batch_size=64)
        )  # fmt: skip
        scarce(2**22)
    for mine, other in zip(*(bank.networks for bank in banks), strict=True):
        np.testing.assert_array_equal(mine.W, other.W)


def test_logits_of_many_rows_come_in_blocks(monkeypatch):
    student = initialise(64, D, 3, init="he", seed=0, bias=True, dtype=np.float64)
    X = some_rows()[0].astype(np.float64)
    whole = student.logits(X)
    monkeypatch.setattr("softwidth.network.ACTIVATIONS", 64 * 7)
    np.testing.assert_allclose(student.logits(X), whole, rtol=1e-12, atol=1e-12)


BOUNDED = """
import resource, sys
import numpy as np
from pathlib import Path
from softwidth.planner import plan

def data():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmData")).split()[1])

settings = {"widths": [2, 4], "seeds": 2, "rounds": 0, "epochs": 1, "step_sizes": [10.0]}
few = {name: numbers[:300] for name, numbers in np.load(sys.argv[1], mmap_mode="r").items()}
plan(few, **settings)  # modules, threads and compiled code are there from now on
resource.setrlimit(resource.RLIMIT_DATA, (data() + ROOM, resource.RLIM_INFINITY))
found = plan(sys.argv[1], **settings)
print(found.soft_labels.dataset.X_train.nbytes)
"""


def test_a_plan_on_rows_that_the_system_does_not_let_it_hold(tmp_path):
    """The process may take 320 MiB more: less than the rows of which it trains on two thirds."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((24_000, 4_000), dtype=np.float32)
    p = 1 / (1 + np.exp(-X[:, :5].sum(axis=1)))
    np.savez(tmp_path / "big.npz", X=X, y=(rng.random(len(p)) < p).astype(int), soft=p)
    room = 320 * 2**20
    assert X.nbytes > room
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED.replace("ROOM", str(room)), str(tmp_path / "big.npz")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) == 0.64 * X.nbytes


def test_a_classifier_must_hold_the_rows_it_learns_from(tmp_path, scarce):
    source, _ = as_mapped(tmp_path, *some_rows())
    del source["soft"]
    scarce(3 * 2**19)
    told = r"HistGradientBoostingClassifier of 1,536 rows needs 2 MiB .*; a wide teacher learns"
    with pytest.raises(MemoryLimitError, match=told):
        plan(source, teacher=HistGradientBoostingClassifier(), widths=[2], seeds=1, rounds=0)


def test_a_classifier_answers_for_many_rows_block_by_block(tmp_path, monkeypatch):
    """It may copy what it is given; how many rows it learned from does not matter."""
    X, y, _ = some_rows()
    np.save(tmp_path / "X.npy", X)
    mapped, ids = np.load(tmp_path / "X.npy", mmap_mode="r"), np.unique(y, return_inverse=True)[1]
    asked = []

    class Counting(LogisticRegression):
        def predict_proba(self, X):
            asked.append(len(X))
            return super().predict_proba(X)

    given = {"X_val": X[:99], "y_val": ids[:99], "n_classes": 3, "others": (X[:500], ids[:500])}
    whole = teach(Counting, X, ids, **given)
    assert max(asked) == N
    asked.clear()
    monkeypatch.setattr("softwidth._mapped.BLOCK_BYTES", 2**18)
    blocks = teach(Counting, mapped, ids, **given)
    assert max(asked) < N / 4
    np.testing.assert_allclose(blocks.soft, whole.soft, rtol=1e-6)


def test_few_rows_of_many_features_are_trained_on_where_they_lie(tmp_path, scarce):
    """Their span would take five copies in double precision."""
    X, _, P = some_rows(64, 20_000)
    np.save(tmp_path / "X.npy", X)
    mapped, ids = np.load(tmp_path / "X.npy", mmap_mode="r"), np.arange(64) % 3
    asked = {"epochs": 3, "batch_size": 16}
    student = [Student(4, labels="soft", step_size=1.0)]
    spanned = train_bank(X, ids, {"soft": P}, student, **asked)
    scarce(2**24)
    plain = train_bank(mapped, ids, {"soft": P}, student, **asked)
    np.testing.assert_allclose(plain.networks[0].W, spanned.networks[0].W, atol=1e-4)


def test_pieces_of_a_parquet_file_do_not_hold_its_groups_of_rows(tmp_path):
    """In a process of its own, whose pool of memory holds nothing else."""
    rows = np.random.default_rng(0).standard_normal((500_000, 50), dtype=np.float32)
    table = pd.DataFrame(rows, columns=[f"x{d}" for d in range(50)]).assign(label=rows[:, 0] > 0)
    table.to_parquet(tmp_path / "one.parquet", row_group_size=len(table))
    code = (
        "import sys, pyarrow, softwidth.tables as tables\nfrom softwidth.data import load\n"
        "tables.free_memory = lambda: 0\n"
        "load(sys.argv[1], target='label', normalise=False)\n"
        "print(pyarrow.default_memory_pool().max_memory())"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "one.parquet")]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1.2 * rows.nbytes


ODD = ["a", " a", " ", "a\rb", 'say "a"', "a,b", "a\nb", "01"]


def test_odd_labels_are_the_same_in_pieces(tmp_path, monkeypatch):
    table = pd.DataFrame({"x": np.arange(80.0) + 1, "label": ODD * 10})
    table.to_csv(tmp_path / "odd.csv", index=False, quoting=csv.QUOTE_NONNUMERIC)
    whole, _ = read_arrays(tmp_path / "odd.csv", target="label")
    monkeypatch.setattr("softwidth.tables.free_memory", lambda: 0)
    pieces, _ = read_arrays(tmp_path / "odd.csv", target="label")
    assert whole["y"].tolist() == pieces["y"].tolist() == ODD * 10


def test_long_labels_must_fit(tmp_path, scarce, monkeypatch):
    labels = np.where(np.arange(3000) % 2, "a" * 900, "b")
    table = pd.DataFrame({"x": 1.0 + np.arange(3000), "label": labels})
    table.to_csv(tmp_path / "long.csv", index=False)
    scarce()
    monkeypatch.setattr("softwidth.tables.free_memory", lambda: 0)
    with pytest.raises(MemoryLimitError, match=r"labels of long\.csv needs"):
        load(tmp_path / "long.csv", target="label")


def test_errors_in_later_pieces_of_a_table_name_the_row(tmp_path, scarce):
    table = table_of(*some_rows())
    table.loc[2500, "x3"] = np.nan
    table.to_csv(tmp_path / "missing.csv", index=False)
    words = table.astype({"x3": object})
    words.loc[2500, "x3"] = "seven"
    words.to_csv(tmp_path / "words.csv", index=False)
    scarce()
    with pytest.raises(ArgumentError, match=r"no value in rows from 2,500 on"):
        load(tmp_path / "missing.csv", **COLUMNS)
    with pytest.raises(ArgumentError, match=r"column of text \(row 2500: 'seven'\)"):
        load(tmp_path / "words.csv", **COLUMNS)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz"])
def test_files_without_rows_are_told(tmp_path, monkeypatch, suffix):
    """As where all of it is read at once; generated input found it."""
    for module in ("tables", "archives"):
        monkeypatch.setattr(f"softwidth.{module}.free_memory", lambda: 0)
    X, y, P = some_rows()
    path, table = tmp_path / f"data.{suffix}", table_of(X, y, P)[:0]
    if suffix == "npz":
        np.savez(path, X=X[:0], y=y[:0])
    else:
        (table.to_csv if suffix == "csv" else table.to_parquet)(path)
    with pytest.raises((DataFileError, ArgumentError), match=r"no rows|non-empty|at least one row"):
        load(path, **({} if suffix == "npz" else COLUMNS))


def test_row_numbers_that_break_off_are_no_row_numbers(tmp_path, scarce):
    table = table_of(*some_rows())
    table.index = [*range(2000), *range(1000)]
    table.to_csv(tmp_path / "data.csv")
    scarce()
    with pytest.raises(DataFileError, match="counts the rows up to row"):
        load(tmp_path / "data.csv", **COLUMNS)


def test_a_full_disk_is_told_and_nothing_is_left(tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(
            MemoryLimitError, match=r"copying: 1 MiB were written in .*scratch, then"
        ):
            in_file((np.zeros((100, 1000)) for _ in range(9)), "copying", 7.2e6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(scratch_directory().iterdir()) == []


def test_files_have_no_names(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    blocks = [np.arange(12.0).reshape(4, 3), np.ones((2, 3))]
    rows = in_file(iter(blocks), "copying", 144)
    np.testing.assert_array_equal(rows, np.concatenate(blocks))
    assert is_mapped(rows)
    assert is_mapped(rows[1:, ::2])
    assert not rows.flags.writeable
    assert list(tmp_path.iterdir()) == []


def test_few_rows_of_a_file_are_kept_in_memory(tmp_path, scarce):
    np.save(tmp_path / "X.npy", some_rows()[0])
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    scarce()
    few, many = np.arange(0, N, 100), np.arange(N) % 2 == 0
    for chosen, lies_in_file in ((few, False), (many, True)):
        taken = take_rows(X, chosen)
        assert is_mapped(taken) == lies_in_file
        np.testing.assert_array_equal(taken, np.asarray(X)[chosen])
    assert take_rows(X, np.zeros(N, bool)).shape == (0, D)
    np.testing.assert_array_equal(changed_rows(X, np.negative, "turning"), -np.asarray(X))


@pytest.mark.parametrize(
    ("limit", "used"), [("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")]
)  # fmt: skip
def test_a_control_group_bounds_what_is_free(tmp_path, monkeypatch, limit, used):
    """A job's own group has no limit here; the group that it is in has one."""
    controllers = "" if limit == "memory.max" else "memory"
    (tmp_path / "own").write_text(f"4:cpu:/other\n0:{controllers}:/jobs/7\n")
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    own = tmp_path / controllers / "jobs" / "7"
    own.mkdir(parents=True)
    before = free_memory()
    for group, most in ((own, "max"), (own.parent, "5000")):
        (group / "memory.stat").write_text("anon 5\ninactive_file 300\nactive_file 40\nfile 340\n")
        (group / used).write_text("1000\n")
        assert free_memory() == pytest.approx(before, rel=0.5)
        (group / limit).write_text(f"{most}\n")
    assert free_memory() == 5000 - 1000 + 340
    (tmp_path / "own").unlink()
    assert free_memory() == pytest.approx(before, rel=0.5)


@pytest.mark.parametrize("what", ["RLIMIT_DATA", "RLIMIT_AS"])
def test_ulimit_bounds_what_is_free(what):
    code = (
        "import resource\nfrom softwidth._memory import free_memory\n"
        f"resource.setrlimit(resource.{what}, (2**31, resource.RLIM_INFINITY))\n"
        "before = free_memory(); kept = bytearray(2**28); print(before, before - free_memory())"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    before, taken = map(float, done.stdout.split())
    assert 0 < before < 2**31
    assert taken == pytest.approx(2**28, rel=0.01)


def test_the_scratch_directory_is_not_the_systems(monkeypatch, tmp_path):
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert scratch_directory() == tmp_path / "softwidth"
    (tmp_path / "file").touch()
    for unusable in (tmp_path / "absent", tmp_path / "file"):
        monkeypatch.setenv("TMPDIR", str(unusable))
        assert scratch_directory() == tmp_path / "softwidth"
    assert not (tmp_path / "absent").exists()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert scratch_directory() == Path(tempfile.gettempdir())
