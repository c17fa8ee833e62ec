"""Faults that the long attack (scripts/fuzz.py) found, each by the least input that shows it."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
from problems import random_problem
from user_arrays import some_arrays

from softwidth import cli, kernels, labels, lessons
from softwidth._checks import ArgumentError, DataFileError, MemoryLimitError, SoftwidthError
from softwidth.bounds import bounds
from softwidth.certificates import theorem_a
from softwidth.data import load
from softwidth.files import read_arrays
from softwidth.label_checks import check_soft_labels
from softwidth.margins import margin
from softwidth.network import initialise
from softwidth.plan_spec import PlanSpec
from softwidth.report import write_page
from softwidth.teachers import KernelTeacher, WideTeacher
from softwidth.theorems import check_error

X, y, TARGETS = random_problem(0, N=12, D=3)
ENDLESS = np.broadcast_to(
    np.float32(1), (10**12, 3)
)  # declared, and no more there than in a sparse file
SPAN_OF_TIME = np.timedelta64(3, "D")  # numpy counts it among the whole numbers
GARBLED = "a\x1b[31m\u202eb\n"


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive_of(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, array in members:
            out.writestr(name, npy(array))
    return path


def test_a_member_without_suffix_is_not_read_for_one_whose_size_was_asked_for(tmp_path):
    """`np.load` gives X where X.npy was measured: a bomb that no check had seen."""
    bomb = ("X", np.zeros((10**6, 2)))
    path = archive_of(
        tmp_path / "d.npz", ("X.npy", np.ones((4, 2))), ("y.npy", np.arange(4) % 2), bomb
    )
    assert read_arrays(path)[0]["X"].shape == (4, 2)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path):
    path = archive_of(
        tmp_path / "d.npz", ("X.npy", np.ones(4)), ("y.npy", np.ones(4)), ("X.npy", np.zeros(4))
    )
    with pytest.raises(DataFileError, match="two arrays of the archive have one name"):
        read_arrays(path)


def test_thousands_of_members_are_refused_by_the_directory(tmp_path):
    path = archive_of(tmp_path / "d.npz", *((f"a{i}.npy", np.ones(1)) for i in range(1001)))
    with pytest.raises(DataFileError, match="holds 1,001 arrays"):
        read_arrays(path)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: load({"X": ENDLESS, "y": np.arange(9) % 2}),
        lambda: load({"X": X, "y": y, "soft": ENDLESS}),
        lambda: load({"X": X, "y": ENDLESS[:, 0]}),
        lambda: theorem_a(
            initialise(2, 3), np.ones((2, 3)), ENDLESS, y, step_size=1, n_steps=1, radius=1
        ),
        lambda: kernels.limiting_kernel(ENDLESS),
        lambda: labels.as_probabilities(ENDLESS),
        lambda: labels.make_targets("hard", y=[0, 1], n_classes=10**15),
        lambda: lessons.cross_fit(KernelTeacher, X, y, folds=2, n_classes=10**15),
    ],
)
def test_what_no_memory_holds_is_refused_with_its_need(refused):
    with pytest.raises(MemoryLimitError, match=r"needs [\d,]+ MiB and [\d,]+ MiB are free"):
        refused()


def test_classes_take_memory_once_a_row_and_not_once_a_class():
    """`np.eye(K)[y]` held K² numbers: 80 GB for two rows of a hundred thousand classes."""
    assert labels.make_targets("hard", y=[0, 1], n_classes=10**5).P.shape == (2, 10**5)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("C", lambda: KernelTeacher(C="ten").fit(X, y)),
        ("folds", lambda: KernelTeacher(folds=[]).fit(X, y)),
        ("batch_size", lambda: WideTeacher(4, batch_size=[2], step_size=1.0).fit(X, y)),
        ("y", lambda: KernelTeacher().fit(X, [1, [2]])),
        ("seed", lambda: lessons.cross_fit(KernelTeacher, X, y, folds=2, n_classes=2, seed={})),
        ("n_classes", lambda: lessons.cross_fit(KernelTeacher, X, y, folds=2, n_classes=[2])),
        ("make", lambda: lessons.cross_fit("wide", X, y, folds=2, n_classes=2)),
        ("dtype", lambda: kernels.limiting_kernel(X, dtype=[0.5, 0.5])),
        ("n_samples", lambda: bounds(0.1, 0.1, SPAN_OF_TIME)),
        ("error", lambda: check_error(SPAN_OF_TIME)),
        ("in_sample", lambda: check_soft_labels(y, TARGETS["soft"], in_sample=np.ones(2))),
        ("n_classes", lambda: check_soft_labels(y, TARGETS["soft"], n_classes=np.ones(0))),
        ("widths", lambda: PlanSpec.of({"widths": np.asarray(1.5)})),
        ("y", lambda: margin(X, ENDLESS[:, 0])),
        ("soft", lambda: labels.as_probabilities(np.full((2, 2), 1.7e308))),
    ],
)
def test_arguments_that_made_another_error(name, refused):
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        refused()


@pytest.mark.parametrize("columns", [7, [7], "p0"])
def test_soft_columns_are_a_list_of_names(columns, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,label,p0\n1,0,1\n2,1,0\n")
    with pytest.raises(ArgumentError, match=r"`soft_columns` .* must be a list of names"):
        load(path, target="label", soft_columns=columns)


def test_labels_that_are_infinite_are_named(tmp_path):
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": [1.0, 2, 3], "label": [0, 1, np.inf]}).to_csv(path, index=False)
    with pytest.raises(ArgumentError, match="whole numbers or text"):
        load(path, target="label")


@pytest.mark.parametrize("name", ["9" * 5000 + ".npz", "a\0b.csv", "x" * 300])
def test_names_that_no_file_can_have(name):
    with pytest.raises(SoftwidthError):
        load(name)


def test_messages_are_one_printable_line(tmp_path):
    """Names of files and columns come from strangers: none may steer the reader's terminal."""
    error = ArgumentError("target", GARBLED, "is\nunknown")
    assert str(error) == "`target` (=a\\x1b[31m\\u202eb) is unknown"
    path = tmp_path / f"{GARBLED.strip()}.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(DataFileError) as caught:
        load(path)
    assert str(caught.value).isprintable()


def test_the_command_line_prints_none_of_it(capsys):
    assert cli.main(["margin", "digits", "--kind", GARBLED]) == 2
    assert capsys.readouterr().err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "error", [ArgumentError("width", 3, "must be even."), DataFileError("broken")]
)
def test_errors_come_back_from_a_worker_process_as_they_were(error):
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_a_stored_plan_with_half_a_character_has_a_page(tmp_path):
    row = {"labels": "soft", "width": 4, "test_error": 0.2}
    plan = {"recommendation": {"labels": "soft"}, "curve": [row], "data": {"name": "half \ud800"}}
    assert "half ?" in write_page(plan, tmp_path / "r.html").read_text()


def test_arrays_of_a_user_are_still_read(tmp_path):
    path = tmp_path / "d.npz"
    np.savez_compressed(path, **some_arrays())
    np.testing.assert_array_equal(read_arrays(path)[0]["soft"], some_arrays()["soft"])
