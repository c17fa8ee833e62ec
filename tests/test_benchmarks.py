"""The benchmarks run at toy size, their last line is one JSON object, and peers are checked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks.alike import check_alike, losses
from benchmarks.peers import OURS, BareProducts, OurBank, SklearnLoop
from benchmarks.problem import make_problem

ROOT = Path(__file__).parents[1]


def test_quick_form_ends_with_json():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["full_batch.ratio_to_bare_products"] > 0
    assert found["batch_128.ratio_to_scikit_learn_loop"] > 0
    if sys.platform == "linux":
        assert 0 < found["memory.used_of_promised_20_0"] <= 1
    assert {"processor", "cores", "blas", "numpy"} <= set(found["machine"])


def test_written_figures_are_of_all_sections_and_on_the_page():
    kept = json.loads((ROOT / "benchmarks" / "results.json").read_text())["sections"]
    found = {name: value for figures in kept.values() for name, value in figures.items()}
    text = (ROOT / "benchmarks" / "README.md").read_text()
    for name in (
        "full_batch.ratio_to_torch_loop",
        "batch_128.ratio_to_better_jax",
        "sizes.per_neuron_at_630",
        "memory.used_of_promised_80_128",
        "startup.first_use_seconds",
    ):
        assert found[name] > 0
        assert f"| {name} | {found[name]:g} |" in text


@pytest.mark.parametrize("batch", [None, 128])
def test_a_peer_that_computes_something_else_is_not_timed(batch):
    class TwiceAsFar(OurBank):
        def weights(self):
            starts = self.problem.starts
            return [2 * W - W0 for W, (W0, _) in zip(super().weights(), starts, strict=True)]

    problem = make_problem(300, 20, batch, widths=(2, 6))
    honest = {
        OURS: OurBank(problem),
        "bare": BareProducts(problem),
        "sklearn": SklearnLoop(problem),
    }
    assert check_alike(problem, honest, OURS) == {"loss_differs_by": 0, "step_differs_by": 0}
    with pytest.raises(AssertionError, match="hasty computes something else"):
        check_alike(problem, {OURS: OurBank(problem), "hasty": TwiceAsFar(problem)}, OURS)


def test_losses_are_those_of_the_bank():
    problem = make_problem(200, 15, None, widths=(2, 6))
    peer = OurBank(problem)
    peer.run(3)
    reached = losses(problem, peer.weights())
    peer.run(4)  # its last loss is the one before the last step
    np.testing.assert_allclose(reached, peer.bank.cross_entropy[:, -1], atol=1e-6)


def test_bars_are_judged_and_missed_ones_named():
    found = {"startup": {"startup.import_seconds": 1.5, "startup.first_use_seconds": 15.0}}
    assert command.missed(found) == ["startup.import_seconds is 1.5, wanted at most 1"]
    text = command.page({"cores": 2}, found)
    assert "| startup.import_seconds | 1.5 | at most 1 | no |" in text
    assert "| startup.first_use_seconds | 15 | at most 15 | yes |" in text
    assert command.verdict(3.0, (">=", 3.5)) == ("at least 3.5", "no")


def test_kept_sections_are_renewed_one_by_one_on_one_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(command, "PAGE", tmp_path / "README.md")
    for machine, section, value in (("a", "sizes", 1), ("a", "startup", 2), ("a", "sizes", 3)):
        command.keep({"processor": machine}, {section: {f"{section}.x": value}})
    kept = json.loads(command.RESULTS.read_text())["sections"]
    assert kept == {"sizes": {"sizes.x": 3}, "startup": {"startup.x": 2}}
    command.keep({"processor": "b"}, {"sizes": {"sizes.x": 4}})
    assert json.loads(command.RESULTS.read_text())["sections"] == {"sizes": {"sizes.x": 4}}
