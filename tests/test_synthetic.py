"""Synthetic sources: what is said to be known of them is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth import load, margin
from softwidth._checks import ArgumentError, SoftwidthError
from softwidth.experiments import StudentTrials
from softwidth.synthetic import circle_margin, synthetic
from softwidth.trial_spec import TrialSpec


@pytest.mark.parametrize("points", [4, 8, 12, 40])
def test_the_circles_margin_is_the_one_that_is_computed(points):
    """The closed form against the hard-margin SVM of the kernel, which knows nothing of circles."""
    data = load(f"circle({points})")
    found = margin(data.X_train, data.y_train, n_classes=2, gap=1e-6)
    assert found.lower * (1 - 1e-5) <= circle_margin(points) <= found.upper * (1 + 1e-5)
    assert found.upper - found.lower < 1e-4 * found.upper


def test_sup_norm_and_kernel_margin_of_the_circle_are_one():
    """At a width of 4,096 the sup norm's margin is the limit's up to the draw of the neurons."""
    data = load("circle(8)")
    found = margin(data.X_train, data.y_train, kind="sup", width=4096, n_classes=2)
    assert found.upper == pytest.approx(circle_margin(8), rel=0.1)
    assert found.lower == pytest.approx(circle_margin(8), rel=0.1)


def test_a_number_of_points_that_nothing_separates_is_refused():
    with pytest.raises(ArgumentError, match="multiple of 4"):
        load("circle(6)")


def test_the_circles_soft_labels_are_the_theorys():
    """The map teacher finds them from the rows alone, up to its draw of neurons."""
    spec = TrialSpec.of(source="circle(8)", teacher="map", regime="in-sample", width=2)
    exact = load("circle(8)").soft_train
    found = StudentTrials().prepare(spec).soft["train"]
    assert np.abs(found - exact).max() < 0.01


def test_classes_of_a_net_are_drawn_from_its_probabilities():
    data = load("net(8, 5, 4)")
    p, y = data.soft_test[:, 1], data.y_test
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (low <= p) & (p < low + 0.25)
        deviation = np.sqrt((p * (1 - p))[inside].sum())
        assert inside.sum() > 200
        assert abs((y - p)[inside].sum()) < 4 * deviation
    assert abs(np.median(p[:2000]) - 0.5) < 0.1


def test_more_rows_of_a_net_are_more_of_the_same():
    few, many = load("net(8, 5, 4, 100)"), load("net(8, 5, 4, 300)")
    assert (few.X_test == many.X_test).all()
    assert (few.soft_val == many.soft_val).all()
    assert len(many.y_train) == 300
    other = load("net(8, 5, 4, 100, 1)")
    assert (few.X_test != other.X_test).any()


def test_students_of_exact_labels_come_near_the_best_error_there_is():
    """Theirs lies above the Bayes error, and below what they would have with labels at random."""
    base = TrialSpec.of(
        source="net(4, 5, 6, 2000)", teacher="data", labels="soft", width=16,
        epochs=30, batch_size=64, momentum=0.9, step_size=3.0, schedule="cosine",
    )  # fmt: skip
    prepared = StudentTrials().prepare(base)
    (row,) = StudentTrials().run(prepared, [base])
    P = prepared.soft["test"]
    best = P.min(axis=1).mean()
    deviation = np.sqrt((P[:, 0] * P[:, 1]).mean() / len(P))
    assert best - 4 * deviation < row.metrics["test_error"] < best + 0.05
    y = prepared.dataset.y_train
    assert row.metrics["soft_distance"] == pytest.approx(
        1 - prepared.soft["train"][np.arange(len(y)), y].mean()
    )


@pytest.mark.parametrize(
    "text", ["net(1e300, 1e300)", "net(2, 2, 1e308)", "circle(4e300)", "circle()", "net(1,2,3,4,5,6)"]
)  # fmt: skip
def test_numbers_beyond_all_use_are_one_of_our_errors(text):
    with pytest.raises(SoftwidthError):
        synthetic(text)


@given(st.from_regex(r"\s*(circle|net|nte|x)\s*\([-0-9., e]*\)\s*", fullmatch=True))
def test_any_text_is_a_source_or_one_of_our_errors(text):
    try:
        found = synthetic(text)
    except SoftwidthError:
        return
    assert len(found.train.y) == len(found.train.X)
    assert found.test is not None
