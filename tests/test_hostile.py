"""Faults that the long attack (scripts/fuzz.py) found, each by the least input that shows it."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hostile_files import jpeg
from problems import random_problem
from stores import trial
from user_arrays import some_arrays

from softwidth import SoftLabelClassifier, cli, images, kernels, labels, lessons
from softwidth._checks import (
    ArgumentError,
    DataFileError,
    MemoryLimitError,
    SoftwidthError,
    check_choice,
)
from softwidth._worst_case import worst_kl
from softwidth.bounds import bounds, classification, drift, hard_loss, theorem_b
from softwidth.certificates import theorem_a
from softwidth.classifiers import classifier
from softwidth.cutting import cut
from softwidth.data import load
from softwidth.engines import open_engine
from softwidth.experiments import StudentTrials
from softwidth.export import to_numpy
from softwidth.files import read_arrays
from softwidth.images import decode_jpegs
from softwidth.label_checks import check_soft_labels
from softwidth.margins import margin
from softwidth.network import initialise, size
from softwidth.plan_spec import PlanSpec
from softwidth.report import read_stored, write_page
from softwidth.spec_file import read_spec
from softwidth.specs import Student
from softwidth.spoils import parse_spoil
from softwidth.store import open_store
from softwidth.store_curves import pack
from softwidth.store_tables import check_suffix
from softwidth.studies import Scale, run_study
from softwidth.teachers import KernelTeacher, WideTeacher
from softwidth.theorems import check_error
from softwidth.training import train_bank
from softwidth.trial_spec import TrialSpec

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
        lambda: initialise(10**15, 3),
        lambda: margin(ENDLESS, y),
        lambda: train_bank(X, y, TARGETS, [Student(2)], epochs=10**12),
        lambda: WideTeacher(4, epochs=10**15, step_size=1.0).fit(X, y),
        lambda: SoftLabelClassifier(4, step_size=1.0).fit(ENDLESS, y),
        lambda: SoftLabelClassifier(4, step_size=1.0).fit(X, ENDLESS),
        lambda: labels.as_probabilities(ENDLESS),
        lambda: labels.make_targets("hard", y=[0, 1], n_classes=10**15),
        lambda: labels.make_targets("hard", y=[0, 1], n_classes=np.int64(2**62)),
        lambda: lessons.cross_fit(KernelTeacher, X, y, folds=2, n_classes=10**15),
    ],
)
def test_what_no_memory_holds_is_refused_with_its_need(refused):
    told = r"needs [\d,]+ MiB (of disk, .*)?and [\d,]+ MiB are free"
    with pytest.raises(MemoryLimitError, match=told):
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
        ("n", lambda: check_choice("n", 5, ["", "a"])),
        ("X", lambda: kernels.limiting_kernel([[1e300, 0.0]])),
        ("Z", lambda: kernels.limiting_kernel(X, np.full((1, 3), 1e30), dtype="float32")),
        ("X", lambda: certified(1e300)),
        ("width", lambda: drift(1.0, 10**400, 9)),
        ("n_steps", lambda: theorem_b(1.0, 4, 10**400, 9)),
        ("n_classes", lambda: bounds(0.1, 0.1, 9, 10**400)),
        ("width", lambda: initialise(10**400, 3)),
        ("v", lambda: certified(1.0, start=1e300)),
        ("logits", lambda: certified(1.0, logits=1e300)),
        ("hidden_layer_sizes", lambda: classifier("network", {"hidden_layer_sizes": [[4]]})),
        ("hidden_layer_sizes", lambda: classifier("network", {"hidden_layer_sizes": [0, 1]})),
        ("curves", lambda: StudentTrials(curves=0.5)),
        ("curves", lambda: StudentTrials(curves=("kll",))),
        ("engine", lambda: open_engine("tls://127.0.0.1:9")),
        ("X", lambda: margin(1e200 * X, y)),
        ("radius", lambda: classifier("map", {"radius": 1e300})().fit(X, y)),
        ("seed", lambda: train_bank(X, y, TARGETS, [Student(2, SPAN_OF_TIME)])),
        (
            "teacher_settings",
            lambda: TrialSpec.of(width=2, teacher="data", teacher_settings={"a": 1}),
        ),
        ("weights", lambda: kernels.finite_kernel(X, X, weights=1.0)),
        ("y", lambda: KernelTeacher().fit(X, ENDLESS[:, 0])),
        ("teacher_settings", lambda: classifier("logistic", {"C": SPAN_OF_TIME})),
        ("W", lambda: kernels.finite_kernel(X, [[1e300, 0, 0]])),
        ("y", lambda: SoftLabelClassifier(4, step_size=1.0).fit(X, [[0.5, 0.5], [1.0]] * 6)),
        ("specs", lambda: cut(StudentTrials(), 5, seconds=1.0)),
        ("spec", lambda: cut(StudentTrials(), [5], seconds=1.0)),
        ("width", lambda: TrialSpec.of(width=2).grid(width=5)),
        ("spoil", lambda: parse_spoil(5)),
        ("curves", lambda: pack({"kl": ENDLESS[:, 0]})),
        ("curves", lambda: pack([1.0])),
        ("engine", lambda: open_engine(10**9)),
        ("engine", lambda: open_engine(f"local:{'9' * 12}")),
        ("engine", lambda: open_engine(10**5000)),
        ("engine", lambda: open_engine(np.ones(2))),
        ("engine", lambda: open_engine(SimpleNamespace(get_executor=1))),
        ("scale", lambda: run_study("radius", scale=5)),
        ("data", lambda: Scale(data=5)),
        ("smoke", lambda: Scale(smoke="yes")),
        ("store", lambda: open_store(None)),
        ("store", lambda: open_store("half a \ud800")),
        ("width", lambda: SoftLabelClassifier(np.ones(2), step_size=1.0).fit(X, y)),
        ("scheme", lambda: SoftLabelClassifier(4, labels=np.ones(2)).fit(X, y)),
        ("path", lambda: to_numpy(initialise(4, 3), True)),
        ("path", lambda: to_numpy(initialise(4, 3), "a\0b")),
        ("export", lambda: check_suffix([])),
        ("stored", lambda: read_stored(7)),
        ("spec", lambda: read_spec(None)),
        ("teacher_settings", lambda: classifier("network", {"max_iter": [1.0]})),
        ("teacher_settings", lambda: classifier("forest", 5)),
        ("seed", lambda: classifier("forest", {}, seed="one")),
        ("in_sample", lambda: taught(in_sample=np.ones(2))),
        ("positive", lambda: load({"X": X, "y": y}, positive=np.array(7.5))),
        ("noise", lambda: TrialSpec.of(width=2, noise=10**400)),
        ("tolerance", lambda: PlanSpec.of({"tolerance": 10**400})),
        ("widths", lambda: PlanSpec.of({"widths": f"2:{'9' * 5000}"})),
        ("soft", lambda: labels.as_probabilities(np.full((2, 2), 1.7e308))),
    ],
)
def test_arguments_that_made_another_error(name, refused):
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        refused()


def test_whole_numbers_of_numpy_are_whole_numbers():
    """One of 64 bits without a sign met a negative one."""
    teacher = WideTeacher(4, epochs=np.uint64(1), batch_size=np.uint64(5), step_size=1.0)
    assert teacher.fit(X, y).predict_proba(X).shape == (len(X), 2)


def test_small_whole_numbers_of_numpy_do_not_overflow():
    found = margin(X, y, width=np.int8(8), kind="sup")
    assert found.upper == margin(X, y, width=8, kind="sup").upper
    students = [Student(np.int8(100), seed) for seed in range(2)]
    train_bank(X, y, TARGETS, students, epochs=1, batch_size=np.int8(5))
    assert load({"X": X, "y": y}, noise=0.1, draws=np.int8(2), seed=np.int8(127)).draws == 2
    assert lessons.cross_fit(KernelTeacher, X, y, folds=2, n_classes=2, seed=np.int8(1))
    assert size(np.int8(127), 3).parameters == 508
    with pytest.raises(MemoryLimitError):
        initialise(np.uint64(2**63), 3)


def test_a_student_that_diverged_in_the_span_of_the_rows_warns_of_nothing():
    few = np.eye(20)[:2].repeat(6, axis=0)  # 2 directions in 20 dimensions
    bank = train_bank(few, y, TARGETS, [Student(2, step_size=1e300)], epochs=4)
    assert bank.status == ["diverged"]


def test_as_many_constraints_as_memory_holds():
    with pytest.raises(MemoryLimitError, match="constraints"):
        margin(X, y, n_classes=10**6)


def test_as_many_draws_of_the_noise_as_memory_holds():
    with pytest.raises(MemoryLimitError, match="draws of the noise"):
        load({"X": X, "y": y}, noise=0.1, draws=10**12)


def test_a_seed_beyond_32_bits_cuts_folds():
    soft, _ = lessons.cross_fit(KernelTeacher, X, y, folds=2, n_classes=2, seed=2**32 + 5)
    assert soft.shape == (12, 2)


def test_what_sqlite_quotes_of_a_damaged_file(tmp_path):
    """Its message holds bytes that are no text."""
    path = tmp_path / "rows.sqlite"
    open_store(path).close()
    path.write_bytes(path.read_bytes().replace(b"TABLE rows", b"TABLE r\xf7ws"))
    with pytest.raises(SoftwidthError):
        open_store(path, read_only=True)


def test_ids_that_no_row_can_have_are_not_stored(tmp_path):
    with open_store(tmp_path / "rows.sqlite") as store:
        assert store.known(["\ud800"]) == set()
        with pytest.raises(ArgumentError, match="study"):
            list(store.rows("\ud800"))


def test_labels_that_are_only_read_train():
    """Those of a mapped file: compiled code took them for another type."""
    fixed = y.copy()
    fixed.flags.writeable = False
    bank = train_bank(X, fixed, TARGETS, [Student(2)], epochs=1, batch_size=5)
    usual = train_bank(X, y, TARGETS, [Student(2)], epochs=1, batch_size=5)
    np.testing.assert_array_equal(bank.networks[0].W, usual.networks[0].W)


def test_a_spec_with_half_a_character_is_not_readable(tmp_path):
    (tmp_path / "plan.json").write_text('{"source": "\\ud800"}')
    with pytest.raises(DataFileError, match="not readable"):
        read_spec(tmp_path / "plan.json")


def test_a_radius_is_any_real_number():
    train_bank(X, y, TARGETS, [Student(2, radius=Fraction(1, 3))], epochs=1)


def test_a_weight_column_that_is_no_name(tmp_path):
    pd.DataFrame({"a": [1.0, 2.0], "y": [0, 1]}).to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(ArgumentError, match="weight_column"):
        load(tmp_path / "d.csv", target="y", weight_column=np.ones(2))


def test_more_classes_than_any_floating_point_number():
    with pytest.raises(MemoryLimitError, match="a table"):
        labels.make_targets("hard", y, n_classes=10**400)


def test_a_bound_that_overflows_is_not_the_lesser():
    assert drift(1e300, 64, 100).value == np.inf
    assert classification(0.05, logit_margin=1e-320).value == np.inf
    found = worst_kl(np.full((1, 3), 1 / 3), np.zeros((1, 3)), np.full((1, 3), 1e200))
    assert np.isfinite(found).all()


def certified(size, start=1.0, logits=1.0):
    run = {"step_size": 1.0, "n_steps": 1, "radius": 1.0}
    v, F = np.full((2, 3), start), np.full((len(X), 1), logits)
    return theorem_a(initialise(2, 3), v, size * X, F, **run)


def taught(**settings):
    return lessons.teach(KernelTeacher, X, y, X_val=X, y_val=y, n_classes=2, **settings)


def test_seeds_are_not_bounded_by_what_scikit_learn_takes():
    assert classifier("forest", {}, seed=2**32 + 5)().random_state == 5


def test_ids_and_rows_of_a_store_are_checked(tmp_path):
    with open_store(tmp_path / "rows.sqlite") as store:
        store.put([replace(trial(), commit=np.ones(2))])  # a text, whatever it was
        for act in (lambda: store.known(np.array(1.5)), lambda: store.put([1]), lambda: store.put(np.array(1.5)), lambda: store.get(5), lambda: store.get(["x"], curves=np.ones(2)), lambda: next(store.rows(curves="no"))):  # fmt: skip
            with pytest.raises(ArgumentError):
                act()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_whose_name_no_file_can_have(tmp_path, read_only):
    with pytest.raises(SoftwidthError):
        open_store(tmp_path / ("9" * 5000), read_only=read_only)


def test_a_store_in_a_file_whose_name_is_no_text(tmp_path):
    """Names are bytes: one that is no UTF-8 comes as half a character, which a URI cannot hold."""
    path = tmp_path / os.fsdecode(b"\xff.sqlite")
    with open_store(path) as store:
        store.put([trial()])
    assert path.exists()
    with open_store(path, read_only=True) as store:
        assert store.known([trial().id])


def test_a_table_with_a_longer_first_row_is_refused(tmp_path):
    """pandas made row names of the first fields, and every column was labelled with its neighbour."""
    path = tmp_path / "t.csv"
    path.write_text("x,label\n7,1,0\n8,2,1\n")
    with pytest.raises(DataFileError, match="not a readable"):
        load(path, target="label")
    path.write_text("x,label\n" + "".join(f"{i}.5,{i % 2},\n" for i in range(20)))  # a comma more
    assert load(path, target="label", normalise=False).classes == ("0", "1")


@pytest.mark.parametrize("text", ["x,label\n" + "," * 10**5, ",".join("ab" * 50_000) + "\n1"])
def test_a_table_of_very_many_columns_asks_for_their_memory(tmp_path, monkeypatch, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**28))
    with pytest.raises(MemoryLimitError, match=r"needs [\d,]+ MiB"):
        load(path, target="label")


@pytest.mark.parametrize("labels", [[b"a", b"\xff"], [[1, 2], [1, 2]]])
def test_labels_that_are_no_text_are_named(tmp_path, labels):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": [1.0, 2.0], "label": labels}).to_parquet(path)
    with pytest.raises(ArgumentError, match="neither whole numbers nor text"):
        load(path, target="label")


def test_a_soft_key_for_a_table_is_refused_whatever_it_is(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,label\n1,0\n2,1\n")
    with pytest.raises(ArgumentError, match="`soft_key`"):
        load(path, target="label", soft_key=np.ones(2))


@pytest.mark.parametrize("columns", [7, [7], "p0"])
def test_soft_columns_are_a_list_of_names(columns, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,label,p0\n1,0,1\n2,1,0\n")
    with pytest.raises(ArgumentError, match=r"`soft_columns` .* must be a list of names"):
        load(path, target="label", soft_columns=columns)


def test_an_image_of_a_hundred_million_pixels_is_refused_in_one_line():
    """Pillow warns from 90 million on: pages of warnings, in front of our error."""
    stream = bytearray(jpeg(32))
    place = stream.index(b"\xff\xc0")
    stream[place + 5 : place + 9] = (12_000).to_bytes(2) + (10_000).to_bytes(2)
    with pytest.raises(DataFileError, match="image 0 is not a readable JPEG"):
        decode_jpegs(np.frombuffer(stream, np.uint8), np.array([0, len(stream)]))


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
    assert cli.main(["bounds", "half a \ud800", "--margin", "0.1"]) == 2
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


@pytest.mark.parametrize("entry", [{}, ["3"], None])
def test_classes_that_are_tables_are_no_names(entry, tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"plan": {"pair": [entry, "8"]}}))
    with pytest.raises(ArgumentError, match="`pair`"):
        read_spec(tmp_path / "plan.json")
    with pytest.raises(ArgumentError, match="`pair`"):
        TrialSpec.of(width=2, pair=[entry, "8"])


def test_labels_of_forty_dimensions():
    with pytest.raises(ArgumentError, match="`y`"):
        load({"X": np.eye(2), "y": np.full((1,) * 40, "a", object)})


def test_one_infinite_number_in_place_of_weights():
    with pytest.raises(ArgumentError, match=r"`weights`.*infinite"):
        kernels.finite_kernel(np.eye(2), np.eye(2), weights=np.array(np.inf))


@pytest.mark.parametrize("setting", [{"n_estimators": 10**15}, {"max_depth": np.uint64(2**63)}])
def test_teachers_without_an_end_are_refused(setting):
    with pytest.raises(ArgumentError, match="would not end"):
        classifier("forest", setting)


@pytest.mark.parametrize("shape", [(10**12, 32, 32, 3), (2**70, 3), (9, 32, 32, 3)])
def test_decoded_images_that_are_only_declared_are_none(tmp_path, shape):
    path = tmp_path / "images.npy"
    with open(path, "wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(100))
    assert images._cached(path, shape[0]) is None


@pytest.mark.parametrize("classes", [[[1], 2], [Decimal("sNaN"), 1], "ab", 3])
@pytest.mark.parametrize("y", [[0, 1, 0, 1], np.eye(2)[[0, 1, 0, 1]]], ids=["labels", "matrix"])
def test_classes_that_are_none(classes, y):
    model = SoftLabelClassifier(2, step_size=1.0)
    with pytest.raises(ArgumentError, match="`classes`"):
        model.partial_fit(np.eye(4), y, classes=classes)


def test_rows_that_a_student_cannot_tell_are_named():
    X = np.eye(4, dtype=np.float32)
    model = SoftLabelClassifier(64, step_size=9.0, epochs=9, normalise=False).fit(X, [0, 1, 1, 1])
    with pytest.raises(ArgumentError, match="too long for this student"):
        model.predict(3e38 * X)
    with pytest.raises(ArgumentError, match="diverged"):
        model.set_params(step_size=1e38, epochs=2).fit(100 * X, [0, 1, 0, 1])
    with pytest.raises(ArgumentError, match="numbers"):
        model.predict([[10**400, 0, 0, 0]])


def test_a_radius_beyond_double_precision_is_none():
    student = Student(2, step_size=1.0, radius=np.longdouble("1e4000"))
    targets = {"hard": np.eye(2)}
    bank = train_bank(np.eye(2), [0, 1], targets, [student], epochs=1)
    plain = train_bank(np.eye(2), [0, 1], targets, [replace(student, radius=np.inf)], epochs=1)
    assert np.array_equal(bank.networks[0].W, plain.networks[0].W)


def test_fractions_are_numbers_of_noise_and_of_flipped_labels():
    whole = load("digits", pair=[3, 8], noise=0.25, flip=0.5)
    fractions = load("digits", pair=[3, 8], noise=Fraction(1, 4), flip=Fraction(1, 2))
    assert np.array_equal(fractions.X_train, whole.X_train)
    assert fractions.notes == whole.notes


def test_numbers_of_few_bits_are_counted_like_others():
    asked = {"radius": 1.0, "width": 8, "n_steps": 10, "n_samples": 10**300, "confidence": 0.999}
    few, many = (hard_loss(1e-3, n_classes=k(200), **asked) for k in (np.uint8, int))
    assert few == many
    assert theorem_b(np.float64(1e200), 8, 10, 10) == theorem_b(1e200, 8, 10, 10)
