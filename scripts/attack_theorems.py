"""Nightly attack on the certificates: thousands of random and of selected networks, in double precision.

    python scripts/attack_theorems.py --networks 16384 --out attack.csv

Even blocks train random networks on eight data sets; odd blocks stay on one and breed the networks
that learned most of what they could and came closest to their certificate. Rows are appended block by block, so a run that was stopped
goes on where it was. Prints the tightness (bound / measured) by regime and ends with 1 if a
certificate was exceeded. 16,384 networks take about three minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the generator is the tests' own
from attacks import attack, mutated, random_rows, random_spec, violations

BANK, GENERATIONS, PARENTS = 64, 8, 8
BLOCK = BANK * GENERATIONS
CERTIFICATES = ("theorem_a", "sharp", "realised")


def random_task(rng: np.random.Generator) -> tuple[Any, int, int]:
    """Rows, number of classes and steps; sizes spread evenly in their logarithm."""
    N, D, T = (int(np.exp(rng.uniform(0, np.log(most)))) for most in (200, 64, 300))
    return random_rows(rng, N, D), int(rng.choice([2, 2, 2, 3, 5, 10])), T


def random_block(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """As many data sets as a selection has generations, and fresh networks on each."""
    for _ in range(GENERATIONS):
        X, K, T = random_task(rng)
        yield from attack(X, K, [random_spec(rng) for _ in range(BANK)], T)


def bred_block(rng: np.random.Generator, target: str) -> Iterator[dict[str, Any]]:
    """Generations on one data set, each from the networks nearest to the certificate `target`."""
    X, K, T = random_task(rng)
    specs = [random_spec(rng) for _ in range(BANK)]
    for _ in range(GENERATIONS):
        rows = attack(X, K, specs, T)
        yield from rows
        order = np.argsort([-closeness(row, target) for row in rows])
        parents = [specs[k] for k in order[:PARENTS]]
        children = BANK // PARENTS - 1
        specs = parents + [mutated(parent, rng) for parent in parents for _ in range(children)]


def closeness(row: dict[str, Any], target: str) -> float:
    """Measured over certified; 1 is a certificate without slack, more a violation.

    A network that cannot move (no neuron sees the data, or next to no step) is certified to the
    digit and teaches nothing: only those count that lost half of their KL.
    """
    return row["measured"] / row[target] if row["progress"] > 0.5 and row[target] > 0 else 0.0


def block_rows(number: int) -> pd.DataFrame:
    """All rows of one block; the block's number is its seed."""
    rng = np.random.default_rng(number)
    bred = number % 2 == 1
    rows = bred_block(rng, CERTIFICATES[number // 2 % 3]) if bred else random_block(rng)
    return pd.DataFrame({"block": number, "bred": bred, **row} for row in rows)


def attack_all(networks: int, out: Path) -> pd.DataFrame:
    """Every row, of stored blocks and of those trained now."""
    stored = pd.read_csv(out) if out.exists() else pd.DataFrame({"block": []})
    blocks = range(-(-networks // BLOCK))
    for number in sorted(set(blocks) - set(stored["block"])):
        block_rows(number).to_csv(out, mode="a", header=not out.exists(), index=False)
        print(f"block {number + 1} of {len(blocks)}", file=sys.stderr)
    everything = pd.read_csv(out)
    return everything[everything["block"].isin(blocks)]


def regimes(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with their regime's names, and bound over measured per certificate."""
    named = rows.assign(
        logits=np.where(rows["n_classes"] == 2, "one", "K"),
        teacher=pd.cut(rows["logit"], [0, 0.3, 3, np.inf], labels=["<0.3", "0.3-3", ">3"]),
        steps=pd.cut(rows["n_steps"], [0, 5, 50, np.inf], labels=["1-5", "6-50", ">50"]),
        eta=np.where(rows["step"] < 0.5, "small", "large"),
        learned=rows["progress"] > 0.5,
    )
    for name in CERTIFICATES:
        certified = rows["measured"].gt(1e-12) & np.isfinite(rows[name])
        named[name] = (rows[name] / rows["measured"]).where(certified)
    return named


def tightness(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Least and median of bound over measured, by regime, as text."""
    groups = regimes(rows).groupby(by, observed=True)
    least, middle = (groups[list(CERTIFICATES)].agg(how) for how in ("min", "median"))
    table = least.map("{:.3f}".format) + " / " + middle.map("{:.3g}".format)
    return table.assign(networks=groups.size())


def main() -> int:
    """Attack, print the tables, and say whether anything broke."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", type=int, default=16_384)
    parser.add_argument("--out", type=Path, default=Path("attack.csv"))
    arguments = parser.parse_args()
    rows = attack_all(arguments.networks, arguments.out)
    broken = [row for row in rows.to_dict("records") if violations(row)]
    print("bound / measured, least / median")
    for by in (
        ["logits", "labels", "teacher"],
        ["logits", "steps", "eta"],
        ["learned", "logits", "labels", "bred"],
    ):
        print(tightness(rows, by).to_string(), end="\n\n")
    print(f"{len(rows)} networks, {len(broken)} violations")
    for row in broken:
        print(violations(row), row)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
