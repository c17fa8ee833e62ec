"""The benchmarks run at toy size, and their last line is one JSON object of numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
    assert found["memory.used_of_promised_4_0"] <= 1
    assert {"processor", "cores", "blas", "numpy"} <= set(found["machine"])


def test_written_figures_are_of_all_sections():
    found = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    for name in (
        "full_batch.ratio_to_torch_loop",
        "batch_128.ratio_to_better_jax",
        "sizes.per_neuron_at_630",
        "memory.used_of_promised_80_128",
        "startup.first_use_seconds",
    ):
        assert found[name] > 0
