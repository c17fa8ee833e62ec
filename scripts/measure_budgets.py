"""How well plans keep to their budgets: seconds from the command's start to its end, and where they went.

Run: ``SOFTWIDTH_DATA=... python scripts/measure_budgets.py [--budgets 15,30,60,120] [--out FILE.csv]``. The
result is in docs/LOG.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASKS = {
    "digits": ["digits", "--positive", "1,3,5,7,9", "--noise", "0.6", "--student-rows", "200"],
    "mnist": ["mnist", "--positive", "1,3,5,7,9"],
}


def measured(task: str, budget: float) -> dict[str, object]:
    """One plan in a process and a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        asked = ["plan", *TASKS[task], "--budget", str(budget), "--out", folder]
        began, load = time.monotonic(), os.getloadavg()[0]
        subprocess.run(
            [sys.executable, "-m", "softwidth.cli", *asked], check=True, capture_output=True
        )
        seconds = time.monotonic() - began
        plan = json.loads((Path(folder) / "plan.json").read_text())
        size = (Path(folder) / "plan.sqlite").stat().st_size
    return {
        "task": task,
        "budget": budget,
        "seconds": round(seconds, 1),
        "share": round(seconds / budget, 3),
        "ended": plan["search"]["ended"],
        "rounds": len(plan["search"]["rounds"]),
        "students": sum(entry["students"] for entry in plan["search"]["rounds"]),
        "epochs": plan["training"]["epochs"],
        "store_mb": round(size / 1e6, 1),
        "load": round(load, 1),
        "spent": json.dumps({what: round(s, 1) for what, s in plan["spent"].items()}),
    }


def main() -> None:
    """Measure every task at every budget, a line each as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budgets", default="15,30,60,120")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows = []
    for task in asked.tasks.split(","):
        for budget in map(float, asked.budgets.split(",")):
            rows.append(measured(task, budget))
            print(rows[-1], flush=True)
    if asked.out:
        with asked.out.open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
