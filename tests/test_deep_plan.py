"""Plans of deep students: the planner's decision, for families of the package and of the user's own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from plans import stored_plan
from sklearn.isotonic import IsotonicRegression
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

from softwidth import deep
from softwidth._checks import ArgumentError, MemoryLimitError
from softwidth.deep import plan_trainer
from softwidth.deep.families import seeded
from softwidth.deep.plan_data import read_data
from softwidth.deep.plan_spec import DeepPlanSpec
from softwidth.digests import digest
from softwidth.least_width import decide
from softwidth.report import page
from softwidth.search import wanted
from softwidth.store import open_store
from softwidth.trials import KINDS

SHORT = {
    "widths": [1 / 8, 1 / 2],
    "seeds": 2,
    "rounds": 0,
    "epochs": 3,
    "step_sizes": [0.003, 0.03],
}
IMAGES = deep.load_images("digits", classes=[3, 8])
NOISY = deep.add_noise(IMAGES, 0.2, seed=0)
ITEMS = TensorDataset(NOISY.X, NOISY.y)
SOFT = np.where(IMAGES.P.numpy() == 1, 0.8, 0.2)


class Small(nn.Module):
    """A family of a user's own."""

    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(64, round(16 * width))
        self.last = nn.Linear(round(16 * width), 2)

    def forward(self, x):
        return self.last(torch.relu(self.first(x.flatten(1))))


def same(plan):
    """A record without what the clock says."""
    told = {k: v for k, v in plan.as_dict().items() if k not in ("seconds", "spent")}
    rounds = [{k: v for k, v in r.items() if k != "seconds"} for r in told["search"]["rounds"]]
    return {**told, "search": {**told["search"], "rounds": rounds}}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A plan of the user's family, and the store that it is kept in."""
    store = tmp_path_factory.mktemp("deep") / "plan.sqlite"
    found = deep.plan(Small, NOISY, soft=SOFT, store=store, name="noisy digits", classes=["three", "eight"], **SHORT)  # fmt: skip
    return found, store


def test_a_family_of_the_users_own_has_the_planners_record_and_page(kept, tmp_path):
    found, _ = kept
    written = found.write(tmp_path / "out")
    stored, html = json.loads((tmp_path / "out" / "plan.json").read_text()), written.read_text()
    assert {k for k in stored if k != "family"} >= set(stored_plan()) - {"command"}
    assert stored["family"] == "Small"
    assert (stored["margin"], stored["theory"]) == (None, None)
    for row in stored["curve"]:
        units = round(16 * row["width"])
        assert (row["parameters"], row["operations"]) == (67 * units + 2, 66 * units)
        assert row["seeds"] == 2
    for words in ("×1/8", "×1/2", "softwidth.deep.plan(make_student, data, ", "with one hidden layer. All that is said here was measured"):  # fmt: skip
        assert words in html
    assert "number of neurons" not in html
    assert page(stored) == html
    assert stored["recommendation"]["reason"] == found.recommendation.reason


def test_a_second_call_reads_and_trains_nothing(kept, monkeypatch):
    found, store = kept
    monkeypatch.setattr(plan_trainer, "train", None)
    again = deep.plan(Small, NOISY, soft=SOFT, store=store, name="noisy digits", classes=["three", "eight"], **SHORT)  # fmt: skip
    assert same(again) == same(found)
    with open_store(store) as opened:
        rows = [row for row in opened.rows() if row.spec["kind"] == "deep student of a plan"]
    assert len(rows) == sum(entry.students for entry in found.search.rounds)
    assert {row.spec["width"] for row in rows} == {1 / 8, 1 / 2}


@pytest.mark.parametrize("asked", [{"loss": "hinton", "temperature": 3.0, "share": 0.25}, {"loss": "logit mse"}])  # fmt: skip
def test_soft_labels_are_learned_by_the_loss_that_is_asked_for(kept, asked, tmp_path):
    """Hard students are those of the usual loss; soft ones are `deep.train`'s of this loss."""
    usual, store = kept
    found = deep.plan(Small, NOISY, soft=SOFT, store=store, name="noisy digits", classes=["three", "eight"], **SHORT, **asked)  # fmt: skip
    assert asked["loss"] in found.warnings[0]
    key = ("hard", 1 / 2)
    for step, trials in usual.tuned.tried[key].items():
        for seed, trial in trials.items():
            assert found.tuned.tried[key][step][seed].seconds == trial.seconds  # it was read
    chosen = found.tuned.trials(("soft", 1 / 2))[0]
    data, images = found.soft_labels.dataset, found.trainer.data.images
    recipe = deep.Recipe(
        chosen.student.step_size, epochs=3, batch_size=found.tuned.setting.batch_size, **asked
    )
    own = deep.train(
        seeded(Small, 1 / 2, chosen.student.seed),
        images(data.X_train, data.y_train, found.trainer.task.soft),
        images(data.X_val, data.y_val), recipe, seed=chosen.student.seed,
    )  # fmt: skip
    logits = deep.predict_logits(own.model, images(data.X_test, data.y_test).X)
    error = float((logits.argmax(1).numpy() != data.y_test).mean())
    assert chosen.test.means["error"] == pytest.approx(error)
    curve = chosen.curve["cross_entropy"]
    assert np.isnan(curve[:-1]).all()
    assert np.isfinite(curve[-1])
    found.write(tmp_path)
    stored = json.loads((tmp_path / "plan.json").read_text(), parse_constant=pytest.fail)
    assert {k: stored["spec"][k] for k in asked} == asked


@pytest.mark.parametrize(("asked", "told"), [
    ({"loss": "hintn"}, "did you mean 'hinton'"),
    ({"loss": "hard cross-entropy"}, "nothing could be compared"),
    ({"temperature": 4.0}, r'`temperature` .* goes with loss="hinton"'),
    ({"share": 0.1, "loss": "logit mse"}, "`share` .* goes with"),
])  # fmt: skip
def test_losses_that_cannot_be_asked_for_are_named(asked, told):
    with pytest.raises(ArgumentError, match=told):
        deep.plan(Small, NOISY, soft=SOFT, **SHORT, **asked)


ENDLESS, ENDLESS_BYTES = (np.broadcast_to(one, (10**13, 1, 2, 2)) for one in (0.5, np.uint8(5)))


@pytest.mark.parametrize(("data", "soft", "error", "told"), [
    (NOISY, 0.5, ArgumentError, "`soft` .* a row an image and a column a class"),
    (NOISY, np.full(len(NOISY), 0.5), ArgumentError, "`soft` .* a row an image and a column a class"),
    ((ENDLESS, np.zeros(3, int)), None, MemoryLimitError, r"`X` of shape .* needs [\d,]+ MiB"),
    ((ENDLESS_BYTES, [0]), None, MemoryLimitError, r"`X` of shape .* needs [\d,]+ MiB"),
])  # fmt: skip
def test_arrays_that_generated_input_found_are_refused(data, soft, error, told):
    with pytest.raises(error, match=told):
        deep.plan(Small, data, soft=soft, **SHORT)


def test_another_network_of_the_same_name_is_trained_and_not_read(kept, monkeypatch):
    _, store = kept

    class Small(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.first = nn.Linear(64, round(16 * width))
            self.last = nn.Linear(round(16 * width), 2)

        def forward(self, x):
            return self.last(torch.tanh(self.first(x.flatten(1))))

    members = [plan_trainer.Members(make, (1, 8, 8), "s") for make in (globals()["Small"], Small)]
    assert members[0].known_by(0.5) != members[1].known_by(0.5)
    monkeypatch.setattr(plan_trainer, "train", None)
    with pytest.raises(TypeError, match="not callable"):
        deep.plan(Small, NOISY, soft=SOFT, store=store, **SHORT)


def test_the_decision_is_that_of_networks_trained_and_counted_by_hand(kept):
    """Least widths from `deep.train`, argmax, scikit-learn's isotonic regression, and the tolerance."""
    found, _ = kept
    data = found.soft_labels.dataset
    images = found.trainer.data.images
    train = images(data.X_train, data.y_train)
    P = {"hard": train.P.numpy(), "soft": data.soft_train, "argmax": np.eye(2)[data.soft_train.argmax(1)]}  # fmt: skip
    val = images(data.X_val, data.y_val)

    def errors(kind, width, step, seeds=2):
        recipe = deep.Recipe(step, epochs=3, batch_size=32)
        runs = [
            deep.train(seeded(Small, width, seed), train.with_soft(P[kind]), val, recipe, seed=seed)
            for seed in range(seeds)
        ]
        return [
            (deep.predict_logits(run.model, val.X).argmax(1) != val.y).float().mean().item()
            for run in runs
        ]

    curves = {
        kind: np.array(
            [
                np.mean(errors(kind, width, found.tuned.step_size((kind, width))))
                for width in found.decision.widths
            ]
        )
        for kind in KINDS
    }
    smooth = {
        kind: IsotonicRegression(increasing=False).fit_transform([0, 1], curve)
        for kind, curve in curves.items()
    }
    target = min(curve[-1] for curve in smooth.values()) + 0.01
    assert found.decision.target == pytest.approx(target)
    for kind in KINDS:
        assert found.decision.errors[kind] == pytest.approx(curves[kind])
        enough = [w for w, e in zip(found.decision.widths, smooth[kind], strict=True) if e <= target + 1e-9]  # fmt: skip
        assert found.decision.least[kind].width == (enough[0] if enough else None)
    step = found.tuned.step_size(("soft", 0.5))
    best = min(np.mean(errors("soft", 0.5, s)) for s in SHORT["step_sizes"])
    assert np.mean(errors("soft", 0.5, step)) == pytest.approx(best)


def test_a_plan_broken_off_within_a_student_goes_on_there(tmp_path):
    """Ctrl-C in the second epoch of the second student; then as if nothing had been."""
    settings = {**SHORT, "widths": [1 / 4], "step_sizes": [0.01]}
    whole = deep.plan(Small, NOISY, soft=SOFT, **settings)
    count = 0

    def stopping(width):
        model = Small(width)

        def stop(module, inputs):
            nonlocal count
            count += module.training
            if count == 32:  # six steps an epoch: one of the measured pace, three of the first
                raise KeyboardInterrupt

        model.register_forward_pre_hook(stop)
        return model

    places = {"store": tmp_path / "plan.sqlite", "checkpoints": tmp_path / "states"}
    with pytest.raises(KeyboardInterrupt, match="1 students are in"):
        deep.plan(stopping, NOISY, soft=SOFT, **places, **settings)
    (left,) = (tmp_path / "states").iterdir()
    assert len(torch.load(left, weights_only=True)["history"]["loss"]) == 1
    again = deep.plan(Small, NOISY, soft=SOFT, **places, **settings)
    assert not list((tmp_path / "states").iterdir())
    assert same(again) == same(whole)


@pytest.mark.parametrize("name", deep.FAMILIES)
def test_built_in_families_with_a_teacher(name):
    """The student to be used is the one that was measured; mixed precision; divergence as metric."""
    family = deep.make_family(name, channels=1, size=8)
    train, test = deep.split_images(NOISY, [0.7, 0.3], seed=0)
    teacher = seeded(deep.make_family("mlp", hidden=[64], channels=1, size=8), 1.0, 0)
    deep.train(teacher, train, test, deep.Recipe(0.003, epochs=4), seed=0)
    settings = {"widths": "1/16,1/8", "metric": "kl", "reference": "teacher", "mixed_precision": name == "mlp"}  # fmt: skip
    found = deep.plan(family, [train, test], teacher=teacher, **{**SHORT, **settings, "epochs": 2, "seeds": 1})  # fmt: skip
    labels = found.soft_labels
    assert (labels.source, labels.lesson.regime) == ("Sequential", "in-sample")
    assert found.as_dict()["versions"]["torch"]
    for width in found.decision.widths:
        cost = deep.model_cost(family(width), (1, 8, 8))
        size = found.size(width)
        assert (size.parameters, size.operations) == (cost.parameters, cost.multiply_adds)
    student = found.student()
    P = student.predict_proba(test.X)
    own = P[np.arange(len(P)), test.y.numpy()]
    assert student.measures["test_log_loss"] == pytest.approx(-np.log(own).mean(), rel=1e-4)
    assert student.measures["test_error"] == pytest.approx((P.argmax(1) != test.y.numpy()).mean())


def test_the_search_goes_between_and_beyond_multipliers():
    found = deep.plan(
        Small, NOISY, soft=SOFT, widths="1/4:1/2", seeds=2, rounds=2, epochs=2, step_sizes=[0.01]
    )
    steps = np.array(found.decision.widths) * 16  # of a sixteenth: a quarter of the narrowest
    assert np.array_equal(steps, steps.round())
    assert len(found.search.rounds) == 3 or found.search.ended != "rounds"
    assert {0.25, 0.5} <= set(found.decision.widths)
    assert page(found.as_dict())


def test_a_decision_does_not_depend_on_the_unit_of_widths():
    """Neurons in steps of 2, or the same widths as multipliers in steps of 1/16."""
    drawn = np.random.default_rng(0)
    losses = {
        kind: [drawn.random((1, 200)) < base / np.sqrt(w) for w in (2, 4, 8, 16)]
        for kind, base in (("hard", 0.9), ("soft", 0.5), ("argmax", 0.8))
    }
    neurons, parts = (
        decide(losses, [step * k for k in (1, 2, 4, 8)], tolerance=0.02, target_kinds=KINDS, between=True, step=step)
        for step in (2, 1 / 16)
    )  # fmt: skip
    assert parts.saving("hard", "soft") == neurons.saving("hard", "soft")
    for kind in KINDS:
        ends = (neurons.least[kind].width, *neurons.least[kind].interval)
        scaled = (parts.least[kind].width, *parts.least[kind].interval)
        assert scaled == tuple(None if end is None else end / 32 for end in ends)
    asked = [
        wanted(found, dict.fromkeys(found.widths, 5), fixed=False) for found in (neurons, parts)
    ]
    assert asked[0]
    assert [[w / 32 for w in part.widths] for part in asked[0]] == [[*part.widths] for part in asked[1]]  # fmt: skip


def test_data_are_the_same_however_they_come():
    train, test = deep.split_images(NOISY, [0.7, 0.3], seed=0)
    sets = [TensorDataset(part.X, part.y) for part in (train, test)]
    soft = SOFT[: len(train)]
    arrays = {"X": train.X.numpy(), "y": train.y.numpy(), "X_test": test.X, "y_test": test.y}
    ways = [
        arrays,
        [train, test],
        [(train.X, train.y), (test.X.numpy(), test.y.tolist())],
        sets,
        [DataLoader(part, 7, shuffle=True) for part in sets],
    ]
    found = {digest(read_data(way, soft, seed=0).dataset) for way in ways}
    assert len(found) == 1
    whole = read_data(train, soft, seed=1)
    parts = [len(whole.dataset.part(split)[1]) for split in ("train", "val", "test")]
    assert sum(parts) == len(train)
    assert whole.shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("text", "found"), [("1/16:1", (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)), ("0.1:0.9", (0.1, 0.2, 0.4, 0.8)), ("3/4, 2", (0.75, 2))]
)  # fmt: skip
def test_widths_are_ranges_or_lists(text, found):
    assert DeepPlanSpec.of({"widths": text}).first_widths == found


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"widths": "1:1/2"}, "such as 1/8"),
        ({"widths": "1/0"}, "such as 1/8"),
        ({"widths": [0.5, 0.5]}, "must rise"),
        ({"widths": [-1.0]}, "above 0"),
        ({"noise": 0.1}, "setting"),
        ({"bias": True}, "setting"),
        ({"optimizer": "adm"}, "adam"),
        ({"regime": "cross-fitted"}, "in-sample"),
        ({"soft": None}, "one of the two"),
        ({"soft": SOFT[:5]}, "as many rows"),
        ({"teacher": nn.Flatten()}, "not both"),
        ({"soft": None, "teacher": nn.Flatten()}, "logits of 2 classes"),
        ({"classes": ["a"]}, "must name 2 classes"),
        ({"device": "gpu"}, "device"),
        ({"checkpoints": 3}, "path"),
    ],
)
def test_what_cannot_be_used_is_named(given, says):
    with pytest.raises(ArgumentError, match=says):
        deep.plan(Small, NOISY, **{"soft": SOFT, **SHORT, **given})


def test_families_and_data_are_checked():
    for make, says in (
        (None, "function"),
        (lambda width: nn.Flatten(), "weights to train"),
        (lambda width: nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), "logits of shape"),
    ):
        with pytest.raises(ArgumentError, match=says):
            deep.plan(make, NOISY, soft=SOFT, **SHORT)
    for data, says in (
        (np.zeros((4, 1, 2, 2)), "up to three"),
        ({"X": np.zeros((4, 3)), "y": [0, 1, 0, 1]}, "images"),
        ({"X": np.zeros((4, 1, 1, 1)), "y": [0.5, 1, 0, 1]}, "class ids"),
        ({"x": 1}, "choices: X, y"),
        ([NOISY, deep.load_images("digits").rows(range(9)), NOISY, NOISY], "up to three"),
        (TensorDataset(NOISY.X), "an image and a class id"),
        (DataLoader(ITEMS, sampler=SubsetRandomSampler(range(9))), "sampler of its own"),
        (DataLoader(ITEMS, batch_sampler=[[0, 1], [2, 3]]), "sampler of its own"),
    ):
        with pytest.raises(ArgumentError, match=says):
            deep.plan(Small, data, soft=SOFT, **SHORT)
    with pytest.raises(ArgumentError, match="held-out rows"):
        deep.plan(Small, [NOISY] * 3, soft=SOFT, metric="kl", **SHORT)
