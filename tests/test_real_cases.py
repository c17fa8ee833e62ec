"""The real cases: halves that do not touch, features by the book, a script that goes on, a fresh page."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from docs import make_cases
from scripts import case_check, case_data, real_cases
from softwidth import patch_features as patches
from softwidth.least_width import Gain, Saving
from softwidth.tasks import Part


def test_halves_share_no_row_and_features_are_learned_from_the_first():
    learned = []

    def learn(X):
        learned.append(X)
        return lambda rows: rows + 1000

    y = np.arange(200) % 3
    halves = case_data.halved(Part(np.arange(200.0)[:, None], y), seed=0, learn=learn)
    parts = [halves.train, halves.val, halves.test, halves.held]
    assert [len(part.y) for part in parts] == [60, 30, 10, 100]
    rows = [set(part.X[:, 0] - 1000) for part in parts]
    assert set.union(*rows) == set(range(200))
    assert sum(map(len, rows)) == 200
    assert set(learned[0][:, 0]) == rows[0] | rows[1] | rows[2]
    for part in parts:
        assert (y[(part.X[:, 0] - 1000).astype(int)] == part.y).all()


def test_patch_features_are_those_of_a_slow_loop():
    rng = np.random.default_rng(0)
    images = rng.random((30, 12, 12, 3)).astype(np.float32)
    made = patches.PatchFeatures(features=5, clusters=7, sampled=300).fit(images)
    centres = made.kmeans.cluster_centers_
    sums = np.zeros((2, 2, 7))
    for row in range(4):
        for column in range(4):
            at = (slice(2 * row, 2 * row + 6), slice(2 * column, 2 * column + 6))
            patch = np.moveaxis(images[3][at], -1, 0).reshape(-1)
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + patches.CONTRAST)
            white = made.pca.components_ @ (patch - made.pca.mean_)
            white /= np.sqrt(made.pca.explained_variance_ + patches.WHITENING)
            far = np.linalg.norm(centres - white, axis=1)
            sums[row // 2, column // 2] += np.maximum(far.mean() - far, 0)
    slow = made.last.transform(sums.reshape(1, -1))
    assert made(images[3:4]) == pytest.approx(slow, rel=1e-3, abs=1e-3)


def test_classes_go_by_their_names():
    part = Part(np.ones((40, 1)), np.arange(40) % 2)
    halves = replace(case_data.halved(part, seed=0), classes=("no", "yes"))
    arrays = halves.arrays()
    assert set(arrays) == {"X", "y", "X_val", "y_val", "X_test", "y_test"}
    assert [("no", "yes")[k] for k in halves.val.y] == arrays["y_val"].tolist()


@pytest.mark.parametrize(
    ("said", "seen", "word"),
    [
        ((2, 8), (1.5, 3), "confirmed"),
        ((2, 8), (0.5, 3), "not confirmed"),
        ((2, 8), (0.2, 0.9), "contradicted"),
        ((0.5, 2), (0.9, 1), "confirmed"),
        ((0.5, 2), (1.1, 4), "missed"),
    ],
)
def test_advice_is_judged_by_both_intervals(said, seen, word):
    assert case_check.verdict(Saving(1, said, False), Saving(1, seen, False)) == word


@pytest.mark.parametrize(
    ("said", "seen", "word"),
    [
        ((0.03, (0.01, 0.05), True), (0.02, (0.01, 0.03), True), "confirmed"),
        ((0.03, (0.01, 0.05), True), (0.005, (0.001, 0.009), False), "not confirmed"),
        ((0.03, (0.01, 0.05), True), (-0.02, (-0.03, -0.01), True), "contradicted"),
        ((0.005, (0.001, 0.009), False), (-0.004, (-0.02, 0.01), False), "confirmed"),
        ((0.005, (-0.001, 0.02), False), (-0.02, (-0.03, -0.01), True), "missed"),
    ],
)
def test_gains_are_judged_by_whether_they_matter(said, seen, word):
    assert case_check.verdict(Gain(*said), Gain(*seen)) == word


def test_a_guess_holds_where_the_measured_saving_lies_in_its_interval():
    guess = {"saving": 1.0, "interval": [0.25, 4.0], "unlike": ["margin", "rows_per_feature"]}
    near = case_check.prior_fields(guess, Saving(4.0, (1.0, 9.0), False))
    far = case_check.prior_fields(guess, Saving(4.1, (1.0, 9.0), False))
    assert (near["prior_inside"], far["prior_inside"]) == (True, False)
    assert make_cases._prior(near) == (
        "1 (0.25 to 4): holds; beyond what it was fitted to in margin and rows per feature"
    )
    assert make_cases._prior(far).startswith("1 (0.25 to 4): does not hold")
    none = case_check.prior_fields(None, Saving(4.0, (1.0, 9.0), False))
    assert set(none) == set(near)
    assert make_cases._prior(none) == "no guess by divergence"


@pytest.mark.parametrize(
    ("advice", "gain", "matters", "words"),
    [
        ("soft", 0.03, True, "soft labels pay"),
        ("either", 0.03, False, "no measurable difference"),
        ("either", 0.03, True, "no saving, soft labels better at equal width"),
        ("either", -0.03, True, "no saving, hard labels better at equal width"),
    ],
)
def test_the_page_tells_a_gain_where_no_width_is_saved(advice, gain, matters, words):
    row = {"recommended": advice, "gain": gain, "gain_matters": matters}
    assert make_cases._says(row) == words


def test_the_page_counts_outcomes():
    outcomes = pd.Series(["confirmed", "missed", "confirmed", "contradicted"])
    assert make_cases._told(outcomes, pd.Series([True, False, False, True])) == (
        "2 confirmed (1 that there is a difference, 1 that none is seen), "
        "1 missed a difference, 0 not confirmed, 1 contradicted"
    )


def test_a_width_beyond_all_is_wider_than_all():
    assert case_check.inside(None, (8, None))
    assert not case_check.inside(None, (8, 64))
    assert case_check.inside(8, (8, None))
    assert not case_check.inside(6, (8, None))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    out = tmp_path_factory.mktemp("cases")
    assert real_cases.main(["--smoke", "--out", str(out), "--pages", str(out / "pages")]) == 0
    return out


def test_every_case_is_a_row_with_its_curves_its_page_and_a_figure(smoke):
    table = pd.read_csv(smoke / "real_cases.csv")
    curves = pd.read_csv(smoke / "real_cases_curves.csv")
    assert list(table["case"]) == list(real_cases.TOYS)
    assert (table["cpu_seconds"] > 0).all()
    assert "<svg" in (smoke / "real_cases.svg").read_text()
    for _, row in table.iterrows():
        assert (smoke / "pages" / row["case"] / "report.html").exists()
        own = curves[(curves["case"] == row["case"]) & (curves["half"] == "held out")]
        loss = own.set_index(["labels", "width"])["loss"]
        width = row["compared_at"]
        difference = loss["hard", width] - loss["soft", width]
        assert row["held_difference"] == pytest.approx(difference, abs=1e-5)
        assert row["held_gain_low"] <= row["held_gain"] <= row["held_gain_high"]
        gain = (loss["hard"] - loss["soft"]).mean()
        assert row["held_gain"] == pytest.approx(gain, abs=1e-5)
        assert row["gain_inside"] == (row["gain_low"] <= row["held_gain"] <= row["gain_high"])
        assert row["prior_inside"] == (row["prior_low"] <= row["saving"] <= row["prior_high"])
        plan = json.loads((smoke / "pages" / row["case"] / "plan.json").read_text())
        assert row["gain"] == pytest.approx(plan["gain"]["value"], rel=1e-5)
        assert row["prior"] == pytest.approx(plan["prior"]["saving"], rel=1e-5)
        at = row["soft_width"] if row["soft_width"] > 0 else row["widest"]
        assert row["held_soft_loss"] == pytest.approx(loss["soft", at], rel=1e-5)
        assert row["held_soft_loss"] == pytest.approx(row["held_soft_error"], rel=1e-5)


def test_cases_that_have_a_row_are_skipped(smoke, capsys):
    before = (smoke / "real_cases.csv").read_text()
    assert real_cases.main(["--smoke", "--out", str(smoke)]) == 0
    assert capsys.readouterr().err.count("done before") == len(real_cases.TOYS)
    assert (smoke / "real_cases.csv").read_text() == before


def test_toys_have_no_place_in_results(capsys):
    with pytest.raises(SystemExit):
        real_cases.main(["--smoke"])
    assert "--smoke needs --out" in capsys.readouterr().err


def test_the_page_is_the_tables():
    table = pd.read_csv(make_cases.TABLE)
    assert list(table["case"]) == list(real_cases.CASES)
    assert make_cases.PAGE.read_text(encoding="utf-8") == make_cases.page(), (
        "run: python -m docs.make_cases"
    )
