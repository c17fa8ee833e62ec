"""Run sections of the benchmarks; the last line of the output is one JSON object."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Settings of somebody's environment must not decide: an old core type halves OpenBLAS's speed.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

SECTIONS = ("bank", "sizes", "startup")
RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).with_name("README.md")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    flags = next((x for x in lines if x.startswith("flags")), "").split()
    libraries = [lib for lib in ("torch", "jax") if importlib.util.find_spec(lib)]
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "vectors": [flag for flag in ("avx2", "avx512f") if flag in flags],
        "python": platform.python_version(),
        "blas": f"{blas['name']} {blas['version']}",
        **{lib: version(lib) for lib in ("numpy", "numba", "scikit-learn", *libraries)},
    }


def page(found: dict[str, Any]) -> str:
    """The figures as a page: what they are, what they were measured on, how to have one's own."""
    about = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    rows = [f"| {name} | {value} |" for name, value in found.items() if name != "machine"]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `python -m benchmarks --write` (`make bench` runs it without writing). A",
            "`ratio_to_X` is X's time divided by ours for the same work in the same run: above 1 we",
            "are faster. `bare_products` is the ceiling, the two matrix products of a step alone.",
            "",
            f"Measured on: {about}.",
            "",
            "| figure | value |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="toy size: does it run at all?")
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {RESULTS.name}")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown sections: {', '.join(sorted(unknown))}")
    found: dict[str, Any] = {"machine": machine()}
    for section in arguments.sections or SECTIONS:
        found |= importlib.import_module(f"benchmarks.{section}").run(arguments.quick)
    if arguments.write:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        PAGE.write_text(page(found))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
