"""Studies of margins: their measures by another road, their rules on tables whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softwidth._checks import ArgumentError
from softwidth.bounds_paper import lemma6
from softwidth.network import initialise
from softwidth.studies import run_study, scaling, separability
from softwidth.studies._study import Scale
from softwidth.synthetic import circle_margin
from softwidth.trial_margins import MarginSpec, MarginTrials, comparisons, features_mean
from softwidth.trial_spec import TrialSpec

PARITY = TrialSpec.of(width=2, positive=(1, 3, 5, 7, 9), student_rows=60)
TRIALS = MarginTrials()


def test_the_features_mean_is_the_derivative_of_the_network_towards_lemma_6s_weights():
    """``U_j = a_j v(w_j)/√m``: the definition that Lemma 6 has, by finite differences."""
    prepared = TRIALS.prepare(MarginSpec(PARITY))
    X = prepared.dataset.X_train.astype(float)
    network = initialise(16, X.shape[1], seed=3)
    for v, _ in comparisons(prepared).values():
        V = v.at(network.W)
        U = network.A[:, :1] * V * network.scale
        t = 1e-7
        ends = [replace(network, W=network.W + sign * t * U).logits(X)[:, 0] for sign in (1, -1)]
        slope = (ends[0] - ends[1]) / (2 * t)
        np.testing.assert_allclose(features_mean(X, network.W, V), slope, atol=1e-6)


def test_starts_come_near_to_their_limit_as_they_get_wider():
    """Deviations fall as 1/√m, and a start of many neurons has nearly the limit's margin."""
    specs = [MarginSpec(PARITY, "deviation", m, seed) for m in (64, 16384) for seed in range(4)]
    rows = TRIALS.run(TRIALS.prepare(specs[0]), specs)
    off = np.array([[row.metrics[name] for name in separability.MAPS] for row in rows])
    fall = off[:4].mean(axis=0) / off[4:].mean(axis=0)
    assert np.all((fall > 16 / 2) & (fall < 16 * 2))
    for measured in separability.NORMS.values():
        pair = [MarginSpec(PARITY, measured, m) for m in (None, 16384)]
        limit, start = TRIALS.run(TRIALS.prepare(pair[0]), pair)
        assert start.metrics["lower"] > 0.9 * limit.metrics["lower"]


@pytest.mark.parametrize(
    "wrong",
    [{"measure": "margin"}, {"width": 3}, {"measure": "deviation"}, {"seed": -1}, {"gap": 2}],
)
def test_what_is_measured_is_checked(wrong):
    with pytest.raises(ArgumentError):
        MarginSpec(PARITY, **wrong)


def separable(passes, above=0):
    """A table of starts that have half the limit's margin from a width on."""
    widths = (64, 256, 1024, 4096)
    lines = [
        {"data": "digits", "noise": 0.0, "norm": norm, "rows": 500, "width": m, "margin_low": 0.03, "margin_high": 0.03,
         "ratio_least": 0.9 if m >= passes else 0.1, "passes_at": passes, "passes_first": passes, "passes_last": passes,
         "lemma6_width": separability.lemma6_width(0.2, 500), "printed": 0.1, "seeds": 10,
         "expansion_most": 0.01, "constant_most": 0.01, "above_corrected": above * (m == 64), "above_printed": 0}
        for norm in separability.NORMS for m in widths
    ]  # fmt: skip
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("passes", "above", "word"),
    [
        (256, 0, "supported"),
        (256, 1, "supported"),  # one of 40 starts where one of 100 may be: chance
        (256, 4, "refuted"),
        (np.inf, 0, "refuted"),  # starts as wide as Lemma 6 asks for, 4,605, are not tried
    ],
)
def test_separability_has_its_rule(passes, above, word):
    table = separable(passes, above)
    if np.isinf(passes):
        table.lemma6_width = 4000.0
    assert separability.judge(table).word == word


@given(seed=st.integers(0, 99), half=st.integers(1, 200))
@settings(max_examples=20, deadline=None)
def test_lemma_6_asks_for_the_width_at_which_its_bound_for_pairs_is_half_the_margin(seed, half):
    rows, width = 10 + 13 * seed, 2 * half
    bound = separability.corrected(width, rows)
    assert bound == pytest.approx(2**0.5 * lemma6(width, rows).value)
    assert separability.lemma6_width(2 * bound, rows) == pytest.approx(width)


def curves(exponent, height, rng):
    """Errors that halve with twice the width, alike where width and 1/γ to a power are."""
    widths = np.array(scaling.WIDTHS, float)
    return {
        n: np.minimum(0.5, height * (circle_margin(n) ** -exponent / widths))[:, None]
        * np.exp(rng.normal(scale=0.02, size=(len(widths), 10)))
        for n in scaling.POINTS
    }


def test_exponents_are_found():
    rng = np.random.default_rng(0)
    made = {"hard": curves(1.5, 0.1, rng), "soft": curves(0.5, 1.0, rng)}
    found = scaling.exponents(made, scaling.WIDTHS)
    for kind, truth in (("hard", 1.5), ("soft", 0.5)):
        own = found[kind]
        assert own["margin_exponent"] == pytest.approx(truth, abs=0.1)
        assert own["error_exponent"] == pytest.approx(1, abs=0.1)
        assert own["margin_exponent_low"] < own["margin_exponent"] < own["margin_exponent_high"]
    assert found["hard"]["excess"] == pytest.approx(1, abs=0.1)
    assert found["hard"]["excess_low"] > 0


def test_an_error_that_no_width_reaches_has_no_exponent():
    flat = {n: np.full((len(scaling.WIDTHS), 10), 0.5) for n in scaling.POINTS}
    own = scaling.exponents({"hard": flat, "soft": flat}, scaling.WIDTHS)["hard"]
    assert np.isnan(own["margin_exponent"])
    assert (own["excess_low"], own["excess_high"]) == (-np.inf, np.inf)


def test_scaling_has_data_of_its_own(tmp_path):
    with pytest.raises(ArgumentError, match="circles"):
        run_study("scaling", store=tmp_path / "s.sqlite", scale=Scale(("mnist",), smoke=True))
