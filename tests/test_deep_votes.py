"""People's votes as soft labels of deep students: whose they are, how far from them, the study's rule."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import rel_entr

from softwidth import deep
from softwidth._checks import ArgumentError
from softwidth.deep.data import cifar10h_votes, cifar10n_labels
from softwidth.deep.trials import DeepSpec, DeepTrials, images_of
from softwidth.deep.votes import divergences, held_divergences, with_votes
from softwidth.labels import make_targets
from softwidth.store import Row
from softwidth.studies import Scale
from softwidth.studies import human_votes as study
from softwidth.studies._cells import cell_name

PEOPLE = {"people": 3, "rate": 0.2}
SPEC = DeepSpec(
    votes=PEOPLE, limit=300, family="plain_cnn", width=0.1, step_size=0.02, epochs=3, batch_size=32
)


def test_specs_with_teachers_have_the_names_that_they_had():
    kept = Path(__file__).parents[1] / "results" / "vgg-cifar10.specs.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert all(cell_name(DeepSpec(**line["settings"]).as_dict()) == line["spec"] for line in lines)


def test_simulated_people_are_wrong_at_their_rate_and_towards_all_alike():
    images = deep.Images(torch.zeros(20_000, 1, 2, 2), torch.arange(20_000) % 4, n_classes=4)
    P = with_votes(images, PEOPLE, seed=0).P.numpy()
    wrong = 1 - P[np.arange(len(P)), images.y]
    assert abs(wrong.mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / (3 * len(P)))
    assert np.allclose(3 * P, np.rint(3 * P), atol=1e-6)
    away = [P[images.y.numpy() == c][:, other].mean() for c in range(4) for other in range(4) if other != c]  # fmt: skip
    assert np.allclose(away, 0.2 / 3, atol=4 * np.sqrt(0.07 / (3 * 5000)))


def test_one_person_is_one_of_those_who_voted():
    counts = np.array([[2, 1, 0]] * 4000)
    first, second = (make_targets("drawn", P=counts, n_classes=3, seed=seed) for seed in (0, 1))
    assert first.fixed
    assert set(first.P.sum(axis=1)) == {1.0}
    assert abs(first.P[:, 0].mean() - 2 / 3) < 4 * np.sqrt(2 / 9 / 4000)
    assert first.P[:, 2].sum() == 0
    assert (first.P != second.P).any()


def test_students_are_held_against_the_votes_of_held_out_images():
    kind = DeepTrials()
    bench = kind.prepare(SPEC)
    assert len(bench.train) + len(bench.val) + len(bench.spare) == 300
    assert torch.equal(bench.test.y, deep.load_images("digits", "test").y)
    specs = [replace(SPEC, labels=labels) for labels in ("soft", "argmax", "drawn")]
    rows = kind.run(bench, specs)
    for row, again in zip(rows, kind.run(kind.prepare(SPEC), specs), strict=True):
        assert (row.id, row.metrics) == (again.id, again.metrics)
        for name in ("test_kl", "test_kl_tempered"):
            assert row.curves[name].shape == (len(bench.test),)
            assert row.metrics[name] == pytest.approx(row.curves[name].mean(), rel=1e-5)
    assert len({row.id for row in rows}) == 3
    assert len({kind.together(spec) for spec in (*specs, replace(SPEC, step_size=0.1))}) == 1
    assert kind.together(replace(SPEC, votes={**PEOPLE, "people": 5})) != kind.together(SPEC)


def test_divergences_are_sums_of_relative_entropies():
    rng = np.random.default_rng(0)
    P, Q = rng.dirichlet([0.3] * 5, 100), rng.dirichlet([1.0] * 5, 100)
    assert np.allclose(divergences(P, Q), rel_entr(P, Q).sum(axis=1))
    P[0] = [1, 0, 0, 0, 0]
    assert divergences(P, Q)[0] == pytest.approx(-np.log(Q[0, 0]))
    assert np.isfinite(divergences(P, np.full_like(Q, np.nan))).all()


def test_a_temperature_undoes_what_was_only_too_sure():
    rng = np.random.default_rng(0)
    P = rng.dirichlet([1.0] * 4, 5000)
    y = torch.from_numpy((rng.random((5000, 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1))
    images = deep.Images(torch.zeros(5000, 1, 1, 1), y, n_classes=4).with_soft(P)
    sure = P**2 / (P**2).sum(axis=1, keepdims=True)
    found = held_divergences(sure, images, sure, images)
    assert found["temperature"] == pytest.approx(2, rel=0.05)
    assert found["test_kl_tempered"].mean() < 0.01 < found["test_kl"].mean()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"votes": {"people": 3}}, "`votes`"),
        ({"votes": 3}, "`votes`"),
        ({"votes": {"people": 0, "rate": 0.1}}, "`people`"),
        ({"votes": {"people": 3, "rate": 2}}, "`rate`"),
        ({"votes": None}, "`teacher`"),
        ({"teacher": {"family": "mlp", "width": 1.0, "step_size": 0.1}}, "must be empty"),
        ({"limit": 0}, "`limit`"),
    ],
)
def test_specs_are_checked(wrong, says):
    with pytest.raises(ArgumentError, match=says):
        replace(SPEC, **wrong)


def test_images_on_which_nobody_voted_need_simulated_people():
    with pytest.raises(ArgumentError, match="nobody has voted on images of digits"):
        DeepTrials().prepare(replace(SPEC, votes={}))


def test_votes_on_cifar10h_are_split_between_training_and_test(real_data):
    votes, whole = cifar10h_votes(), deep.load_images("cifar10", "test")
    parts = [deep.load_images("cifar10h", part) for part in ("train", "test")]
    assert [len(part) for part in parts] == [7000, 3000]
    for part, own in zip(parts, (slice(7000), slice(7000, None)), strict=True):
        assert torch.equal(part.X, whole.X[own])
        assert np.allclose(
            part.P.numpy() * votes[own].sum(axis=1, keepdims=True), votes[own], atol=1e-4
        )
    with pytest.raises(ArgumentError, match="soft labels"):
        deep.load_images("cifar10h", classes=[3, 5])


def test_the_majority_on_cifar10n_is_its_own_label_where_there_is_one(real_data):
    parts = images_of(DeepSpec(source="cifar10n", votes={}, limit=2000))
    assert sum(len(parts[name]) for name in ("train", "val", "spare")) == 2000
    assert parts["test"].soft is None
    found, images = cifar10n_labels(), deep.load_images("cifar10n")
    majority = make_targets("argmax", P=images.P.double().numpy(), n_classes=10).P.argmax(axis=1)
    agreed = images.P.numpy().max(axis=1) > 0.5
    assert agreed.mean() > 0.9
    assert np.array_equal(majority[agreed], found["aggre_label"][agreed])


# --- the study's rule, on students whose errors and divergences are known


def _answers(error, far):
    """`Ask` for students that are wrong at these rates, and so far from held-out votes."""

    def ask(specs, experiment=None):
        return [_row(spec, error(spec), far(spec)) for spec in specs]

    return ask


def _row(spec, rate, kl):
    rng = np.random.default_rng([spec.seed, *map(ord, spec.labels)])
    wrong = rng.random(2000) < rate + rng.normal(scale=0.003)
    metrics = dict.fromkeys(("val_error", "spare_error"), rate)
    metrics |= {"test_rows": 2000, "best_epoch": 9, "parameters": 1, "multiply_adds": 1}
    metrics |= {"soft_accuracy": 0.9, "soft_distance": 0.3, "temperature": 1.0, "pixels": "copies"}
    metrics["test_log_loss"] = 1.0
    drawn = (kl + rng.normal(scale=0.1, size=2000)).astype(np.float32)
    curves = {"test_wrong": np.packbits(wrong), "test_kl": drawn, "test_kl_tempered": drawn}
    return Row(spec.as_dict(), "test", metrics, curves)


@pytest.mark.parametrize(
    ("many", "few", "one", "nearer", "word"),
    [
        (0.05, 0.05, 0.08, 0.05, "supported"),
        (0.0, 0.05, 0.08, 0.05, "undecided"),
        (0.05, 0.05, 0.08, 0.0, "undecided"),
        (0.05, 0.05, 0.0, 0.05, "undecided"),
        (0.05, -0.05, 0.08, 0.05, "refuted"),
        (0.05, 0.05, 0.08, -0.05, "refuted"),
        (0.05, 0.05, -0.05, 0.05, "refuted"),
    ],
)
def test_all_four_differences_count(many, few, one, nearer, word):
    """What shares gain over the majority on either set, over one person, and in nats."""

    def error(spec):
        if spec.labels == "drawn":
            return 0.3 + one
        gain = many if spec.source == "cifar10h" else few
        return 0.3 + (gain if spec.labels == "argmax" else 0)

    ask = _answers(error, lambda spec: 1.0 + (nearer if spec.labels == "argmax" else 0))
    table = study.measure(ask, Scale(("cifar10",)))
    assert study.judge(table).word == word
    soft = table[table.labels == "soft"].set_index("people")
    assert abs(soft.over_majority["many"] - 100 * many) < 1
    assert abs(soft.over_one["few"] - 100 * one) < 1
    assert abs(soft.nearer["many"] - nearer) < 0.01
    assert np.isnan(soft.nearer["few"])


def test_digits_decide_only_where_nothing_else_was_run():
    def error(spec):
        gain = -0.05 if spec.source == "digits" else 0.05
        return 0.3 + (gain if spec.labels != "soft" else 0)

    ask = _answers(error, lambda spec: 1.0 if spec.labels == "soft" else 1.1)
    both = study.measure(ask, Scale(("digits", "cifar10")))
    verdict = study.judge(both)
    assert verdict.word == "supported"
    assert study.judge(both[both.data == "digits"]).word == "refuted"
    assert any(said.text.startswith("3 simulated people") for said in verdict.said)


def test_every_kind_has_a_step_size_of_its_own():
    best = {"soft": -3, "argmax": -2, "drawn": -3}
    error = lambda spec: 0.3 + 0.01 * abs(np.log10(spec.step_size) - best[spec.labels])  # noqa: E731
    table = study.measure(_answers(error, lambda spec: 1.0), Scale(("cifar10",)))
    assert all(line.step_size == pytest.approx(10.0 ** best[line.labels]) for line in table.itertuples())  # fmt: skip
    assert set(table.seeds) == {10}
