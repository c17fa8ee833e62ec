"""What is looked at next, and when a search ends."""

from __future__ import annotations

import numpy as np

import softwidth
from softwidth.least_width import decide
from softwidth.search import MOST_SEEDS, Part, affordable, resolved, target_setters, wanted


def decision(errors, widths=(2, 4, 8, 16), *, rows=4000, seeds=5, between=True, noise=0.0):
    """From students of these errors per kind and width; rows alike for all, so that noise is low."""
    rng = np.random.default_rng(0)
    u = rng.random((1, 1, rows))
    shift = noise * rng.standard_normal((len(widths), seeds, 1))
    wrong = {kind: u < np.array(e)[:, None, None] + shift for kind, e in errors.items()}
    return decide(wrong, widths, tolerance=0.02, between=between), dict.fromkeys(widths, seeds)


def parts(errors, widths=(2, 4, 8, 16), *, fixed=False, **settings):
    found, seeds = decision(errors, widths, **settings)
    return wanted(found, seeds, fixed=fixed)


def new_widths(found):
    return [width for part in found for width in part.widths]


def test_a_gap_is_halved_until_no_width_is_left_in_it():
    steep = {"hard": [0.5, 0.5, 0.5, 0.1, 0.1], "soft": [0.5, 0.1, 0.1, 0.1, 0.1]}
    assert new_widths(parts(steep, (2, 4, 8, 16, 32))) == [12]
    closer = {"hard": [0.5, 0.5, 0.5, 0.1, 0.1], "soft": [0.5, 0.1, 0.1, 0.1, 0.1]}
    found, seeds = decision(closer, (2, 4, 6, 8, 16))
    assert found.least["hard"].interval == (8, 8)
    assert resolved(found, "hard")
    assert wanted(found, seeds, fixed=False) == []


def test_fixed_widths_stay():
    steep = {"hard": [0.5, 0.5, 0.1, 0.1], "soft": [0.5, 0.1, 0.1, 0.1]}
    assert new_widths(parts(steep, between=False, fixed=True)) == []


def test_answers_at_the_edges_are_followed():
    falling = {"hard": [0.5, 0.4, 0.3, 0.2], "soft": [0.4, 0.1, 0.1, 0.1]}
    assert 32 in new_widths(parts(falling))
    level = {"hard": [0.5, 0.4, 0.4, 0.4], "soft": [0.4, 0.1, 0.1, 0.1]}
    assert 32 not in new_widths(parts(level))
    enough = {"hard": [0.1, 0.1, 0.1], "soft": [0.1, 0.1, 0.1]}
    assert 4 in new_widths(parts(enough, (8, 16, 32)))
    assert new_widths(parts(enough, (2, 4, 8))) == []


def test_seeds_are_added_where_they_make_the_answer_unsure_and_nowhere_else():
    near = {"hard": [0.5, 0.5, 0.13, 0.1], "soft": [0.5, 0.5, 0.12, 0.1]}
    seeds = dict(parts(near, noise=0.02)[-1].seeds)
    assert seeds[8] == 10
    assert 2 not in seeds
    still = parts(near)  # no seed differs from another: what is unsure is the rows'
    assert not any(part.seeds for part in still)
    assert not any(part.seeds for part in parts(near, noise=0.02, seeds=MOST_SEEDS, rows=500))


def test_widths_that_set_the_target_are_the_level_end_of_the_best_curve():
    found, _ = decision({"hard": [0.5, 0.4, 0.4, 0.4], "soft": [0.4, 0.2, 0.1, 0.1]})
    assert target_setters(found) == [8, 16]


def test_what_is_taken_fits():
    cost = {"wide": 8.0, "near": 2.0}

    def seconds(part):
        return cost.get(part.why) or float(sum(max(0, seeds - 5) for _, seeds in part.seeds))

    wide, near = Part("wide", (32,)), Part("near", (6,))
    seeds = Part("seeds", seeds=((8, 10),))
    assert affordable([wide, near], seconds, 4.0, 8.0) == [near]
    assert affordable([wide], seconds, 4.0, 8.0) == [wide]
    assert affordable([wide], seconds, 4.0, 7.0) == []
    assert affordable([near, seeds], seconds, 4.0, 8.0) == [near, Part("seeds", seeds=((8, 7),))]
    assert affordable([seeds], seconds, 0.5, 0.5) == []


def noisy(n=1200):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 6))
    p = 1 / (1 + np.exp(-2 * np.sin(2 * X[:, 0]) - X[:, 1]))
    y = (rng.random(n) < p).astype(int)
    return {"X": X, "y": y, "soft": np.stack([1 - p, p], axis=1)}


def test_an_open_question_takes_its_budget_and_says_where_it_went():
    budget = 12.0
    softwidth.plan(noisy(), widths=[2, 4], seeds=2, rounds=0, epochs=2)  # compiles
    found = softwidth.plan(noisy(), widths="2:16", seeds=2, epochs=30, budget=budget)
    record = found.as_dict()
    assert record["search"]["ended"] in ("budget", "rows", "decided")
    assert sum(record["spent"].values()) <= record["seconds"] + 0.1
    seeds = {row["width"]: row["seeds"] for row in record["curve"]}
    assert len(record["search"]["rounds"]) == 1 or max(seeds.values()) > 2
    for kind in ("hard", "soft", "argmax"):
        assert {r["width"]: r["seeds"] for r in record["curve"] if r["labels"] == kind} == seeds
    told = {}
    for entry in record["search"]["rounds"]:
        told |= {int(width): count for width, count in entry["seeds"].items()}
    assert told == seeds


def test_rounds_end_where_asked():
    found = softwidth.plan(noisy(600), widths="2:8", seeds=2, rounds=1, epochs=5)
    assert len(found.search.rounds) <= 2
    assert found.search.ended in ("rounds", "rows", "decided", "budget")
