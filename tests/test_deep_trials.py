"""Deep students as trials: equal specs, equal rows; teachers in sample and cross-fitted; the rule."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from softwidth import deep
from softwidth._checks import ArgumentError, DataFileError, MissingDataError
from softwidth.cli import main
from softwidth.deep import trials
from softwidth.deep.trials import DeepSpec, DeepTrials
from softwidth.store import Row
from softwidth.studies import Scale, run_study, vgg_teachers
from softwidth.studies import vgg_cifar10 as study
from softwidth.studies._deep import read_settings, resized

TEACHER = {"family": "mlp", "hidden": (64,), "width": 1.0, "step_size": 0.01}
SPEC = DeepSpec(
    classes=(3, 8), variance=0.1, teacher=TEACHER, family="plain_cnn", width=0.1, step_size=0.02,
    epochs=3, batch_size=32,
)  # fmt: skip


def test_equal_specs_give_equal_rows_whatever_shares_their_bank():
    kind = DeepTrials()
    specs = [replace(SPEC, seed=seed, labels=labels) for seed in (0, 1) for labels in ("soft", "hard")]  # fmt: skip
    rows = kind.run(kind.prepare(SPEC), specs)
    torch.rand(3)  # what others draw meanwhile does not matter
    again = kind.run(kind.prepare(SPEC), specs[::-1])[::-1]
    for row, same in zip(rows, again, strict=True):
        same_but_for_time = {**same.metrics, "teacher_seconds": row.metrics["teacher_seconds"]}
        assert (row.id, row.metrics) == (same.id, same_but_for_time)
        assert np.array_equal(row.curves["test_wrong"], same.curves["test_wrong"])
    assert len({row.id for row in rows}) == 4
    assert {kind.together(spec) for spec in specs} == {kind.together(SPEC)}
    assert kind.together(replace(SPEC, variance=0.2)) != kind.together(SPEC)


def test_rows_count_the_mistakes_that_they_keep():
    kind = DeepTrials()
    (row,) = kind.run(kind.prepare(SPEC), [SPEC])
    for split in ("val", "test"):
        n = row.metrics[f"{split}_rows"]
        wrong = np.unpackbits(row.curves[f"{split}_wrong"], count=n)
        assert row.metrics[f"{split}_error"] == pytest.approx(wrong.mean())
    assert row.metrics["val_error"] == pytest.approx(min(row.curves["val_error"]))


def test_a_cross_fitted_teacher_has_not_seen_what_it_tells(monkeypatch):
    """Class ids drawn by lot can be remembered and not be guessed."""
    generator = np.random.default_rng(0)

    def drawn(source, part="train", *, classes=None):
        X = torch.tensor(generator.random((300, 1, 4, 4)), dtype=torch.float32)
        return deep.Images(X, torch.tensor(generator.integers(2, size=300)))

    monkeypatch.setattr(trials, "load_images", drawn)
    teacher = {**TEACHER, "hidden": (256,), "epochs": 60, "patience": 60}
    # with no validation image to go by, the last and best-fitting epoch would not be the one kept
    monkeypatch.setattr(
        trials, "train", lambda model, data, val, recipe, **kw: deep.train(model, data, data, recipe, **kw)
    )  # fmt: skip
    spec = replace(SPEC, classes=None, variance=0.0, teacher=teacher)
    remembered = trials.prepare(spec).facts["soft_accuracy"]
    guessed = trials.prepare(replace(spec, regime="cross-fitted")).facts["soft_accuracy"]
    assert remembered > 0.9
    assert 0.38 < guessed < 0.62


def test_teachers_have_a_recipe_of_their_own_where_they_say_so():
    spec = replace(SPEC, loss="hinton", temperature=3.0, teacher={**TEACHER, "augment": True})
    recipe = spec.teacher_recipe()
    assert (recipe.loss, recipe.step_size, recipe.augment) == ("hard cross-entropy", 0.01, True)
    assert (recipe.epochs, recipe.batch_size) == (spec.epochs, spec.batch_size)


@pytest.mark.parametrize(
    "wrong",
    [{"labels": "sft"}, {"regime": "exact"}, {"teacher": {}}, {"step_size": -1}, {"seed": -1}],
)
def test_specs_are_checked(wrong):
    with pytest.raises(ArgumentError):
        replace(SPEC, **wrong)


def test_labels_that_change_with_the_epoch_are_refused():
    kind = DeepTrials()
    with pytest.raises(ArgumentError, match="the same each epoch"):
        kind.run(kind.prepare(SPEC), [replace(SPEC, labels="sampled")])


# --- the study's rule, on students whose errors are known


def _answers(error):
    """`Ask` for students that are wrong at these rates: by kind and variance."""

    def ask(specs, experiment=None):
        return [_row(spec, error(spec)) for spec in specs]

    return ask


def _row(spec, rate):
    rng = np.random.default_rng([spec.seed, *map(ord, spec.labels + spec.loss)])
    wrong = rng.random(2000) < rate + rng.normal(scale=0.003)
    metrics = dict.fromkeys(("val_error", "spare_error"), rate)
    metrics |= {"test_rows": 2000, "best_epoch": 9, "parameters": 1, "multiply_adds": 1}
    metrics |= {"soft_accuracy": 0.9, "soft_distance": 0.3, "teacher_held_out_accuracy": 0.7}
    metrics["pixels"] = "copies" if spec.source == "cifar10" else ""
    return Row(spec.as_dict(), "test", metrics, {"test_wrong": np.packbits(wrong)})


@pytest.mark.parametrize(
    ("gain", "word"),
    [
        (lambda variance: 0.02 + 0.4 * variance, "supported"),
        (lambda variance: 0.05, "undecided"),  # a gain, but no larger where it is noisy
        (lambda variance: 0.0, "undecided"),
        (lambda variance: 0.06 - 0.3 * variance, "refuted"),
        (lambda variance: -0.05 - 0.1 * variance, "refuted"),
    ],
)
def test_the_rule_says_what_is_the_case(gain, word):
    def error(spec):
        return 0.3 - (gain(spec.variance) if spec.labels == "soft" else 0)

    table = study.measure(_answers(error), Scale(("cifar10",)))
    assert study.judge(table).word == word
    soft = table[(table.part == "noise") & (table.labels == "soft")]
    truth = 100 * np.mean([gain(v) for v in soft.variance if v > 0])
    assert abs(soft.mean_gain.iloc[0] - truth) < 1.5


def test_digits_decide_only_where_nothing_else_was_run():
    def error(spec):
        gain = {"digits": -0.05, "cifar10": 0.02 + 0.4 * spec.variance}[spec.source]
        return 0.3 - (gain if spec.labels == "soft" else 0)

    both = study.measure(_answers(error), Scale(("digits", "cifar10")))
    verdict = study.judge(both)
    assert verdict.word == "supported"
    assert study.judge(both[both.data == "digits"]).word == "refuted"
    texts = [said.text for said in verdict.said]
    assert any(text.startswith("digits, soft: -5.") for text in texts)
    assert "copies" in texts
    assert both[both.data == "digits"].paper.isna().all()
    (fall,) = [text for text in texts if "0.05 to 0.2" in text]
    assert re.search(
        r"lose -?0\.\d points of hard labels \(paper 11\.6\) and -[56]\.\d points", fall
    )


@pytest.mark.parametrize(
    ("gains", "word"),
    [((0.05, 0.05), "supported"), ((0.05, 0.0), "undecided"), ((0.05, -0.05), "refuted")],
)
def test_every_teacher_counts(gains, word):
    """Gains of teachers of the students' own images, and of the cross-fitted one."""

    def error(spec):
        gain = gains[spec.regime == "cross-fitted"]
        return 0.3 - (gain if spec.labels == "soft" else 0)

    table = vgg_teachers.measure(_answers(error), Scale(("cifar10",)))
    assert vgg_teachers.judge(table).word == word
    soft = table[table.labels == "soft"].set_index("teacher")
    assert set(soft.index) == set(vgg_teachers.TEACHERS)
    behind = 100 * (gains[1] - gains[0])
    assert abs(soft.than_first[vgg_teachers.OTHERS] - behind) < 1
    assert soft.than_first[vgg_teachers.TEACHERS[0]] == 0


def test_the_grid_of_step_sizes_grows_where_the_best_is_at_its_edge():
    """Validation error least at 1e-2 for hard and at 1e-3 for the others."""

    def error(spec):
        best = -2 if spec.labels == "hard" else -3
        return 0.3 + 0.01 * abs(np.log10(spec.step_size) - best)

    table = study.measure(_answers(error), Scale(("cifar10",)))
    steps = table.groupby("labels").step_size.unique()
    assert {kind: list(values) for kind, values in steps.items()} == {
        "hard": [0.01], "soft": [0.001], "argmax": [0.001], "hinton": [0.001],
    }  # fmt: skip


# --- settings


def test_the_full_size_is_one_that_the_study_takes():
    root = __import__("pathlib").Path(__file__).parents[1]
    settings = read_settings(root / "docs" / "vgg-cifar10-full.toml")
    size = resized(study.SIZES["cifar10"], settings)
    assert size.width == size.teacher["width"] == 1.0
    assert size.teacher["convolutional"] == 8


def test_settings_are_one_line_when_wrong(tmp_path, capsys):
    path = tmp_path / "size.toml"
    for text, says in (
        ("seed = 3", "did you mean 'seeds'"),
        ("seeds = 0", "`seeds`"),
        ("widths = 3", "`widths`"),
        ("widths = [2, 1]", "numbers that rise"),
        ("teacher = 3", "must be a table"),
        ("x = ", "not readable"),
    ):
        path.write_text(text)
        command = ["study", "vgg-cifar10", "--smoke", "--settings", str(path)]
        assert main([*command, "--store", str(tmp_path / "s.sqlite")]) == 2
        assert says in capsys.readouterr().err.strip().splitlines()[-1]
    with pytest.raises(MissingDataError):
        read_settings(tmp_path / "none.toml")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataFileError):
        read_settings(path)
    with pytest.raises(ArgumentError, match="deep students"):
        run_study("radius", scale=Scale(smoke=True, settings={"seeds": 3}))
    with pytest.raises(ArgumentError, match="device"):
        run_study("vgg-cifar10", store=tmp_path / "s.sqlite", scale=Scale(smoke=True, device="gpu"))


def test_the_figure_holds_what_the_table_says():
    table = study.measure(_answers(lambda spec: 0.3), Scale(("cifar10",)))
    drawn = study.draw(table).to_dict()
    shown = pd.DataFrame([row for rows in drawn["datasets"].values() for row in rows])
    ours = shown[(shown.source == "ours") & (shown.labels == "soft")]
    assert np.allclose(ours.accuracy, 100 - ours.test_error)
    assert set(shown[shown.source == "paper"].accuracy.dropna()) >= {82.5, 62.2}
