"""The guess before training: fitted as another library fits, judged on sources left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plans import stored_plan
from sklearn.linear_model import Ridge

from docs import make_findings
from softwidth import planner, prior, report
from softwidth._checks import ArgumentError
from softwidth.health import Health
from softwidth.prior import FACTORS, PENALTY, errors_left_out, fit_prior, on_scale, quality
from softwidth.studies import robustness

HERE = Path(prior.__file__).with_name(prior.FILE)
FACTS = {"margin": 0.03, "distance": 0.2, "quality": 0.8, "rows_per_feature": 5.0}


def cases(slope, noise, *, sources=8, each=4, seed=0):
    """Savings of eight sources that go with the distance, and with nothing else."""
    rng = np.random.default_rng(seed)
    found = []
    for source in range(sources):
        for _ in range(each):
            distance = rng.uniform(0, 0.5)
            log = slope * distance + noise * rng.standard_normal()
            found.append(
                {"data": f"source {source}", "margin": 10 ** rng.uniform(-3, -1), "distance": distance,
                 "quality": rng.uniform(0.2, 1), "rows_per_feature": 10 ** rng.uniform(-1, 2), "saving": 2**log}
            )  # fmt: skip
    return found


def test_sources_left_out_are_guessed_as_another_library_guesses():
    given = cases(4.0, 0.3)
    X, y = np.stack([on_scale(case) for case in given]), np.log2([c["saving"] for c in given])
    sources = np.array([case["data"] for case in given])
    found = errors_left_out(X, y, sources)
    for name in set(sources):
        own = sources == name
        centre, scale = X[~own].mean(axis=0), X[~own].std(axis=0)
        theirs = Ridge(alpha=PENALTY).fit((X[~own] - centre) / scale, y[~own])
        np.testing.assert_allclose(
            found[own, 0], y[own] - theirs.predict((X[own] - centre) / scale)
        )
        np.testing.assert_allclose(found[own, 1], y[own] - y[~own].mean())


def test_factors_that_tell_are_used_and_others_are_not():
    telling = fit_prior(cases(6.0, 0.2))
    assert telling.skill > 0.8
    assert np.argmax(np.abs(telling.slopes)) == FACTORS.index("distance")
    factors = {"margin": 0.01, "distance": 0.4, "quality": 0.6, "rows_per_feature": 3.0}
    guess = telling.guess(factors)
    assert guess["by_factors"]
    assert guess["saving"] == pytest.approx(2 ** (6 * 0.4), rel=0.3)
    mute = fit_prior(cases(0.0, 1.0))
    assert mute.skill < 0
    assert not mute.guess(factors)["by_factors"]
    assert mute.guess(factors)["saving"] == pytest.approx(2**mute.mean)


def test_guesses_cover_new_sources():
    """95 % stated: of new savings of 200 fits at least 90 % are inside, and not by width alone."""
    inside, widths = [], []
    for seed in range(200):
        *known, new = cases(4.0, 0.5, sources=9, each=3, seed=seed)
        known = [case for case in known if case["data"] != new["data"]]
        guess = fit_prior(known).guess(new)
        low, high = guess["interval"]
        inside.append(low <= new["saving"] <= high)
        widths.append(np.log2(high / low))
    assert np.mean(inside) >= 0.9
    assert np.median(widths) < 2 * 2.5 * 0.5 * 1.5  # t of 7, and half as much again for the fit


def test_data_unlike_all_others_are_told():
    found = fit_prior(cases(4.0, 0.3))
    far = {"margin": 0.4, "distance": 0.2, "quality": 0.6, "rows_per_feature": 1e5}
    assert found.guess(far)["unlike"] == ["margin", "rows_per_feature"]
    farther = {**far, "margin": 0.5, "rows_per_feature": 1e9}
    assert found.guess(farther)["saving"] == found.guess(far)["saving"]
    with pytest.raises(ArgumentError, match="distance"):
        found.guess({**far, "distance": None})
    with pytest.raises(ArgumentError, match="cases"):
        fit_prior(cases(1.0, 0.1, sources=2))


def test_a_margin_of_nothing_has_a_logarithm():
    case = {"margin": 0.0, "distance": 0.1, "quality": 0.5, "rows_per_feature": 1.0}
    assert np.isfinite(on_scale(case)).all()
    assert quality(0.1, 10) == pytest.approx(0)


def sheet(slope, noise, seed=0):
    """A study's table of such cases."""
    rng = np.random.default_rng(seed)
    lines = [
        {**case, "task": str(i), "labels": "soft", "width": 2, "rows": 100, "regime": "given", "mean_gain": rng.normal(),
         "mean_gain_low": -1.0, "mean_gain_high": 1.0, "beyond": 0.0, "beyond_low": -1.0, "beyond_high": 1.0,
         "least_width": 4.0, "saving_low": 1.0, "saving_high": 2.0, "saving_at_least": False}
        for i, case in enumerate(cases(slope, noise, seed=seed))
    ]  # fmt: skip
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("table", "word"),
    [
        (sheet(6.0, 0.2), "supported"),
        (sheet(0.0, 1.0, seed=0), "undecided"),
        (sheet(0.0, 1.0, seed=5), "refuted"),
    ],
)
def test_the_sheet_has_its_rule(table, word):
    verdict = robustness.judge(table)
    assert verdict.word == word
    assert verdict.effect == pytest.approx(fit_prior(table.to_dict("records")).skill)


def test_two_sources_say_nothing_of_a_third():
    table = sheet(6.0, 0.2)
    few = table[table.data.isin(["source 0", "source 1"])]
    assert robustness.judge(few).word == "undecided"


def test_the_sheet_knows_its_sources():
    with pytest.raises(ArgumentError, match="cifar10h"):
        robustness.cases_of("cifar10")
    assert all(robustness.cases_of(source) for source in robustness.SHEET)


def test_the_packages_prior_is_that_of_the_results():
    """Otherwise: ``python -m docs.make_findings``."""
    assert HERE.read_text() == make_findings.prior_text()
    stored = prior.known_prior()
    again = fit_prior(
        make_findings.groups(make_findings.Kept("robustness").table, ("data", "task"))
    )
    assert stored == again


def test_a_plan_tells_its_guess_before_it_trains(capsys, monkeypatch):
    """What is told is what the factors of the very plan give, and nothing has been trained by then."""
    fitted = fit_prior(cases(4.0, 0.5))
    monkeypatch.setattr(prior, "known_prior", lambda: fitted)
    search, trained_before = planner.search_widths, []

    def searched(*given, **settings):
        trained_before.append(capsys.readouterr().err)
        return search(*given, **settings)

    monkeypatch.setattr(planner, "search_widths", searched)
    small = {"pair": [3, 8], "widths": [2, 4], "seeds": 2, "rounds": 0, "epochs": 5}
    found = planner.plan("digits", **small).as_dict()
    labels, margin, data = found["labels"]["health"], found["margin"], found["data"]
    factors = {
        "margin": margin["upper"],
        "distance": labels["distance"],
        "quality": quality(labels["held_out_accuracy"], 2),
        "rows_per_feature": data["students_rows"] / data["n_features"],
    }
    assert found["prior"]["saving"] == pytest.approx(fitted.guess(factors)["saving"], rel=1e-4)
    assert found["prior"]["said"] in trained_before[0]
    assert planner.plan("digits", **small, metric="kl").as_dict()["prior"] is None


def test_labels_that_came_with_the_data_count_by_their_own_rows(monkeypatch):
    monkeypatch.setattr(prior, "known_prior", lambda: fit_prior(cases(4.0, 0.5)))
    health = Health(None, None, accuracy=0.9, distance=0.2, held_out_distance=None, calibration_error=None)  # fmt: skip
    sizes = {"n_classes": 2, "rows": 100, "features": 20, "margin": 0.03}
    found = prior.prior_of(health, **sizes)
    assert found["factors"] == pytest.approx(FACTS)
    monkeypatch.setattr(prior, "known_prior", lambda: None)
    assert prior.prior_of(health, **sizes) is None


def test_the_page_holds_the_guess_beside_what_was_measured():
    guess = fit_prior(cases(4.0, 0.5)).guess(FACTS)
    given = {**stored_plan(), "prior": {**guess, "said": prior.told(guess)}}
    shown = report.page(given)
    assert "What was to be expected" in shown
    low, high = guess["interval"]
    assert f"about {guess['saving']:.2g} times as many neurons" in shown
    assert f"({low:.2g} to {high:.2g}, 95 %)" in shown
    assert "What was to be expected" not in report.page({**given, "prior": None})
