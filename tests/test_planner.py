"""The main job from data to decision."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import softwidth
from softwidth._checks import ArgumentError
from softwidth.calibration import expected_calibration_error
from softwidth.labels import make_targets
from softwidth.network import probabilities
from softwidth.training import train_bank
from softwidth.trials import KINDS, MOMENTUM, SCHEDULE

QUICK = {"widths": [2, 8], "seeds": 2, "rounds": 0, "epochs": 8, "step_sizes": [3.0, 30.0]}


def arrays(n=240, seed=0, votes=False):
    """A user's arrays: noisy linear classes, with the true probabilities or ten votes a row."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 8))
    p = 1 / (1 + np.exp(-2 * X[:, 0]))
    y = (rng.random(n) < p).astype(int)
    yes = rng.binomial(10, p) if votes else p
    return {"X": X, "y": y, "soft": np.stack([(10 if votes else 1) - yes, yes], axis=1)}


@pytest.fixture(scope="module")
def noisy_digits():
    return softwidth.plan(
        "digits", positive=[1, 3, 5, 7, 9], noise=0.4, student_rows=200, budget=60, **QUICK
    )


def test_record_holds_what_the_contract_names(noisy_digits):
    record = json.loads(json.dumps(noisy_digits.as_dict(), allow_nan=False))
    assert set(record["recommendation"]) == {"labels", "width", "reason"}
    for kind in ("soft", "hard", "argmax"):
        assert {"width", "interval"} <= set(record[kind])
        if record[kind]["reached"]:
            assert {"test_error", "log_loss", "ece", "parameters"} <= set(record[kind])
    assert {"ratio", "interval"} <= set(record["saving"])
    for name in ("target_error", "margin", "theory", "curve", "warnings", "seconds"):
        assert name in record
    assert len(record["curve"]) == 3 * 2
    assert record["data"]["students_rows"] == 200
    assert record["data"]["teacher_rows"] == 950


def test_test_numbers_are_those_of_the_chosen_students(noisy_digits):
    record, data = noisy_digits.as_dict(), noisy_digits.soft_labels.dataset
    tuned, soft = noisy_digits.tuned, noisy_digits.soft_labels.lesson.soft
    for row in record["curve"]:
        students = [trial.student for trial in tuned.trials((row["labels"], row["width"]))]
        bank = train_bank(
            data.X_train,
            data.y_train,
            {kind: make_targets(kind, data.y_train, soft, n_classes=2) for kind in KINDS},
            students,
            epochs=8,
            batch_size=tuned.setting.batch_size,
            momentum=MOMENTUM,
            schedule=SCHEDULE,
        )
        P = [probabilities(logits) for logits in bank.logits(data.X_test)]
        errors = [np.mean(p.argmax(axis=1) != data.y_test) for p in P]
        assert row["test_error"] == pytest.approx(np.mean(errors), abs=1e-3)
        assert row["test_sd"] == pytest.approx(np.std(errors, ddof=1), abs=1e-3)
        ece = np.mean([expected_calibration_error(p, data.y_test) for p in P])
        assert row["ece"] == pytest.approx(ece, abs=2e-3)
        low, high = row["test_interval"]
        assert low <= row["test_error"] <= high


def test_held_out_rows_are_seen_under_several_draws(noisy_digits):
    data = noisy_digits.soft_labels.dataset
    assert data.draws == 8
    assert noisy_digits.as_dict()["data"]["validation_rows"] == 288
    assert len(data.y_val) == 8 * 288


def test_same_spec_same_plan():
    first, second = (
        softwidth.plan("digits", pair=[3, 8], teacher=LogisticRegression(), **QUICK).as_dict()
        for _ in range(2)
    )
    assert timeless(first) == timeless(second)


def timeless(record):
    """A record without the seconds that it took."""
    rounds = [{**entry, "seconds": None} for entry in record["search"]["rounds"]]
    search = {**record["search"], "rounds": rounds}
    return {**record, "seconds": None, "spent": None, "search": search}


def test_a_spec_file_remakes_the_plan_whatever_the_speed(tmp_path):
    data = arrays(n=400)
    asked = {"widths": "2:8", "seeds": 2, "epochs": 5, "step_sizes": [3.0, 30.0], "rounds": 2}
    found = softwidth.plan(data, **asked)
    for ending in (".toml", ".json"):
        path = tmp_path / f"plan{ending}"
        path.write_text(found.spec_text(ending))
        again = softwidth.plan(data, spec=path)
        assert timeless(again.as_dict()) == timeless(found.as_dict())
        assert again.spec_text() == found.spec_text()
    # With another setting it is another question: its own rounds are searched for.
    other = softwidth.plan(data, spec=path, rounds=0)
    assert len(other.search.rounds) == 1


def test_divergence_as_metric_and_what_it_needs():
    data = arrays(n=400)
    record = softwidth.plan(data, metric="kl", tolerance=0.05, **QUICK).as_dict()
    assert record["target_error"] is None
    best = min(row["validation_kl"] for row in record["curve"])
    assert record["target"] == pytest.approx(best + 0.05, abs=0.02)
    assert {"test_kl", "manhattan", "entropy_correlation"} <= set(record["curve"][0])
    held = {"X_test": data["X"][:50], "y_test": data["y"][:50]}
    dataset = softwidth.load({**data, **held})
    no_soft = dataclasses.replace(dataset, soft_val=None)
    for asked in ({"metric": "kl"}, {"reference": "teacher"}):
        with pytest.raises(ArgumentError, match="needs soft labels of the held-out rows"):
            softwidth.plan(no_soft, **asked, **QUICK)


def test_a_teacher_may_be_the_reference():
    record = softwidth.plan(arrays(n=400), reference="teacher", **QUICK).as_dict()
    assert record["recommendation"]["labels"] in ("soft", "hard", "either")


def test_recommendation_counts_what_is_saved(noisy_digits):
    record = noisy_digits.as_dict()
    wide, narrow = (record[kind]["width"] or 8 for kind in ("hard", "soft"))
    assert record["saving"]["saved"] == {
        "parameters": (wide - narrow) * 65,
        "operations": (wide - narrow) * 65,
    }


@pytest.mark.parametrize("votes", [False, True])
def test_soft_labels_from_the_data(votes):
    found = softwidth.plan(arrays(votes=votes), **QUICK)
    record = found.as_dict()
    assert record["labels"]["source"] == "file"
    assert record["labels"]["health"]["distance"] > 0.2
    assert any(row["who"] == "teacher" for row in record["calibration"])
    assert any("less than one mistake on 38 validation" in text for text in found.warnings)


def test_shuffled_soft_labels_are_found_out():
    data = arrays(n=600)
    data["soft"] = np.random.default_rng(0).permutation(data["soft"])
    found = softwidth.plan(data, **QUICK)
    assert any("another row order" in warning for warning in found.warnings)


def test_any_classifier_is_a_teacher():
    data = arrays()
    del data["soft"]
    record = softwidth.plan(data, teacher=LogisticRegression(), **QUICK).as_dict()
    assert record["labels"]["source"] == "LogisticRegression"
    assert record["labels"]["regime"] == "cross-fitted"


def test_memorised_teacher_is_named_with_the_cure():
    data = arrays(n=400)
    del data["soft"]
    teacher = RandomForestClassifier(50, random_state=0)
    found = softwidth.plan(data, teacher=teacher, regime="in-sample", **QUICK)
    assert any("memorised" in w and "cross-fitted" in w for w in found.warnings)
    honest = softwidth.plan(data, teacher=teacher, **QUICK)
    assert not any("memorised" in w for w in honest.warnings)


def test_poor_teacher_is_the_reason_where_hard_labels_win():
    found = softwidth.plan("digits", positive=[1, 3, 5, 7, 9], teacher=DummyClassifier(), **QUICK)
    assert "better teacher" in found.recommendation.reason


def test_multiclass_plan():
    record = softwidth.plan("digits", teacher=LogisticRegression(), **QUICK).as_dict()
    assert len(record["data"]["classes"]) == 10


@pytest.mark.parametrize(
    ("source", "settings", "says"),
    [
        ("digitz", {}, "did you mean 'digits'"),
        ("digits", {"positive": [11]}, "`positive`"),
        ("digits", {"student_rows": 10**6}, "`student_rows`"),
        ("digits", {"teacher": object()}, "`teacher`"),
        ({"X": np.full((9, 2), np.nan), "y": np.arange(9) % 2}, {}, "NaN"),
        ({"X": np.zeros((9, 2)), "y": np.arange(9) % 2}, {}, "zeros"),
        ({"X": np.ones((9, 2)), "y": np.zeros(9)}, {}, "one class"),
        ({"X": np.ones((1, 2)), "y": np.zeros(1)}, {}, "one class"),
        ({"X": np.ones((0, 2)), "y": np.zeros(0)}, {}, "`"),
        ({"X": np.ones((4, 2)), "y": np.arange(3) % 2}, {}, "`y`"),
        ({"X": np.array([[object()]] * 4), "y": np.arange(4) % 2}, {}, "`X`"),
        ({**arrays(), "soft": -arrays()["soft"]}, {}, "negative"),
        ({**arrays(), "soft": 0.4 * arrays()["soft"]}, {}, "sums to neither 1"),
    ],
)
def test_bad_input_is_our_error(source, settings, says):
    with pytest.raises(softwidth._checks.SoftwidthError, match=says):
        softwidth.plan(source, **{**QUICK, **settings})


def test_dataset_brings_its_own_task():
    dataset = softwidth.load("digits", pair=[3, 8])
    assert (
        softwidth.plan(dataset, teacher=LogisticRegression(), **QUICK).soft_labels.dataset.name
        == "digits"
    )
    with pytest.raises(ArgumentError, match="`noise`"):
        softwidth.plan(dataset, noise=0.1, **QUICK)


def test_equal_inputs_with_other_labels_are_noted():
    data = arrays()
    data["X"][:100] = data["X"][0]
    found = softwidth.plan(data, **QUICK)
    assert any("no width tells them apart" in note for note in found.as_dict()["data"]["notes"])
