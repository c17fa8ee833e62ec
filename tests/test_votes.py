"""Fewer votes: drawn as from an urn, the same plan with all of them, and a user's path."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plans import stored_plan
from scipy.stats import chisquare, multivariate_hypergeom
from test_page import DARK, HOSTILE, Browser
from test_planner import arrays, timeless

import softwidth
from softwidth import cli, report
from softwidth._checks import ArgumentError
from softwidth.plan_votes import ALL, SHARE
from softwidth.trainer import unpack
from softwidth.votes import drawn_votes, ladder

QUICK = {
    "widths": [2, 4],
    "seeds": 2,
    "budget": 600,
    "rounds": 0,
    "epochs": 6,
    "step_sizes": [3.0, 30.0],
}
COUNTS = hnp.arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(2, 4)), elements=st.integers(0, 9))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(COUNTS, st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True))
def test_votes_are_drawn_from_those_that_are_there(counts, steps):
    before = np.zeros_like(counts)
    for votes, drawn in drawn_votes(counts, sorted(steps), np.random.default_rng(0)):
        assert (before <= drawn).all()
        assert (drawn <= counts).all()
        assert drawn.sum(axis=1).tolist() == np.minimum(votes, counts.sum(axis=1)).tolist()
        before = drawn


def test_every_hand_of_votes_is_as_likely_as_from_an_urn():
    row, n = np.array([3, 2, 1]), 20_000
    steps = dict(drawn_votes(np.tile(row, (n, 1)), [1, 3], np.random.default_rng(1)))
    hands, found = np.unique(steps[3], axis=0, return_counts=True)
    expected = n * multivariate_hypergeom.pmf(hands, row, 3)
    assert expected.sum() == pytest.approx(n)
    assert chisquare(found, expected).pvalue > 0.001


def test_few_rows_may_have_fewer_votes():
    assert ladder(np.array([1] + [12] * 99)) == [1, 2, 3, 5, 10]
    assert ladder(np.ones(5)) == []


@pytest.fixture(scope="module")
def voted():
    asked = {"widths": [2, 4, 8], "seeds": 5, "rounds": 0, "epochs": 4, "budget": 600}
    return softwidth.plan(arrays(votes=True), step_sizes=[3.0, 10.0, 30.0], **asked)


def test_all_votes_are_the_plans_own_soft_labels(voted):
    """Students of all shares are those that the plan itself has trained, to the last bit."""
    same = 0
    for (kind, votes, width), trials in voted.votes.trials.items():
        assert len(trials) == voted.votes.design.seeds
        own = voted.tuned.tried["soft", width].get(trials[0].student.step_size, {})
        for seed, trial in enumerate(trials):
            if kind == "soft" and votes == ALL and seed in own:
                np.testing.assert_array_equal(
                    trial.validation.losses["error"], own[seed].validation.losses["error"]
                )
                same += 1
    assert same >= 2


def test_one_vote_is_soft_and_hard_alike(voted):
    first = voted.as_dict()["votes"]["steps"][0]
    assert first["votes"] == 1
    if first["soft"]["step_size"] == first["hard"]["step_size"]:
        assert first["more"]["difference"] == 0


def test_votes_take_their_share_of_the_work(voted):
    students = [s for banks in voted.tuned.rounds for bank in banks for s in unpack(bank)]
    n, neurons = voted.votes.design.work
    assert voted.votes.design.fits
    assert n <= SHARE / (1 - SHARE) * len(students)
    assert neurons <= SHARE / (1 - SHARE) * sum(s.width for s in students)


def test_more_votes_help_where_one_vote_says_little():
    """A vote is a coin that comes up right in two of three: twenty of them tell the class."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1200, 4))
    y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)
    yes = rng.binomial(21, np.where(y == 1, 0.62, 0.38))
    data = {"X": X, "y": y, "soft": np.stack([21 - yes, yes], axis=1)}
    found = softwidth.plan(data, **{**QUICK, "epochs": 20, "seeds": 3, "votes": True}).as_dict()[
        "votes"
    ]
    first, last = found["steps"][0], found["steps"][-1]
    assert (last["votes"], last["all"]) == (21, True)
    for kind in ("soft", "hard"):
        assert last[kind]["validation"] < first[kind]["validation"]
        assert found["enough"][kind]["votes"] is None or found["enough"][kind]["votes"] > 1


def test_a_plan_remade_asks_about_votes_alike(voted, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(voted.spec_text())
    again = softwidth.plan(arrays(votes=True), spec=path).as_dict()
    assert timeless(again) == timeless(voted.as_dict())


def test_votes_of_rows_that_weigh_are_kept_in_a_store(tmp_path):
    data = arrays(n=400, votes=True) | {"weight": np.linspace(1, 2, 400)}
    asked = {**QUICK, "votes": True, "metric": "balanced", "store": tmp_path / "rows.sqlite"}
    first = softwidth.plan(data, **asked).as_dict()
    assert first["votes"]["said"].startswith("Votes a row for a balanced error within 0.01")
    assert timeless(softwidth.plan(data, **asked).as_dict()) == timeless(first)


def test_when_votes_are_asked_about():
    assert (
        softwidth.plan(arrays(n=400, votes=True), votes=False, **QUICK).as_dict()["votes"] is None
    )
    for data, teacher in ((arrays(n=400), None), (arrays(n=400, votes=True), "kernel")):
        with pytest.raises(ArgumentError, match="`votes`"):
            softwidth.plan(data, votes=True, teacher=teacher, **QUICK)


def test_votes_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "votes.npz"
    np.savez(path, **arrays(n=400, votes=True))
    quick = ["--widths", "2,4", "--seeds", "2", "--rounds", "0", "--epochs", "5"]
    asked = ["plan", str(path), *quick, "--out", str(tmp_path)]
    assert cli.main([*asked, "--votes"]) == 0
    assert "Votes a row for an error" in " ".join(capsys.readouterr().out.split())
    stored = json.loads((tmp_path / "plan.json").read_text())
    page = (tmp_path / "report.html").read_text()
    assert "How many votes a row are worth paying for" in page
    assert stored["votes"]["said"] in page
    assert cli.main([*asked, "--no-votes"]) == 0
    assert "worth paying" not in (tmp_path / "report.html").read_text()


def stored_votes(**more):
    """A stored plan with votes, two steps of them."""
    looked = {"validation": 0.2, "interval": [0.1, 0.3], "test": 0.2}
    step = {
        "votes": 1,
        "soft": looked,
        "hard": looked,
        "more": {"difference": 0.01, "interval": [-0.01, 0.03]},
        "least": {"soft": {"width": 4, "interval": [2, 8]}, "hard": {"width": None, "interval": [4, None]}},
        "saving": {"ratio": 2.0, "interval": [1.0, 4.0], "at_least": True},
        "labels": "either",
    }  # fmt: skip
    steps = [step, {**step, "votes": 50, "all": True}]
    votes = {"width": 4, "widths": [2, 4, 8], "seeds": 3, "steps": steps, "said": HOSTILE}
    return {**stored_plan(), "votes": votes | more}


@pytest.mark.parametrize("options", [(), (DARK,)], ids=["light", "dark"])
def test_the_page_with_votes_is_drawn_in_silence(chromium, tmp_path, options):
    found = Browser(chromium, tmp_path).probe(stored_votes(), *options, width=360)
    assert len(found["labels"]) == 5
    assert found["content"] <= 360


def test_votes_that_are_hardly_there_make_a_page_too():
    for steps in ([], [{"votes": 1}], [{"votes": 2, "soft": {"validation": 0.1}}]):
        assert "<html" in report.page(stored_votes(steps=steps))
    divergence = stored_votes() | {"metric": "kl", "target": 0.1}
    assert "KL, nats" in report.page(divergence)
