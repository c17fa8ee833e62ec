"""Run sections of the benchmarks; the last line of the output is one JSON object.

A section is a module here with ``run(quick) -> {figure: value}``, a docstring that explains its
figures and, where they have one, `BARS`: what a figure should be, as ``{figure: (">=", 0.85)}``.
"""

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

from benchmarks.quiet import Quiet

# Settings of somebody's environment must not decide: an old core type halves OpenBLAS's speed.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

SECTIONS = ("bank", "deep", "kernels", "margins", "sizes", "startup")
RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).with_name("README.md")
SIGNS = {">=": "at least", "<=": "at most"}
HEADING = "| figure | value | wanted | met |"
Figures = dict[str, float]


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


def run_section(name: str, quick: bool) -> Figures:
    """Figures of a section, and how far the machine was its own where it does not say so itself."""
    module, since = importlib.import_module(f"benchmarks.{name}"), Quiet()
    found = module.run(quick)
    return {f"{name}.busy_elsewhere": round(since.busy_elsewhere(), 3), **found}


def verdict(value: float, bar: tuple[str, float] | None) -> tuple[str, str]:
    """The bar in words, and whether the value meets it; nothing where there is none."""
    if bar is None:
        return "", ""
    sign, limit = bar
    met = value >= limit if sign == ">=" else value <= limit
    return f"{SIGNS[sign]} {limit:g}", "yes" if met else "no"


def bars(section: str) -> dict[str, tuple[str, float]]:
    """What figures of a section should be."""
    own = getattr(importlib.import_module(f"benchmarks.{section}"), "BARS", {})
    return own | {f"{section}.busy_elsewhere": ("<=", 0.05)}


def missed(found: dict[str, Figures]) -> list[str]:
    """A line for every bar that is not met."""
    return [
        f"{name} is {figures[name]:g}, wanted {verdict(figures[name], bar)[0]}"
        for section, figures in found.items()
        for name, bar in bars(section).items()
        if name in figures and verdict(figures[name], bar)[1] == "no"
    ]


def page(about: dict[str, Any], found: dict[str, Figures]) -> str:
    """The figures as a page: what they are, what they were measured on, how to have one's own."""
    listed = ", ".join(f"{name} {_words(value)}" for name, value in about.items())
    lines = [
        "# Benchmarks",
        "",
        "`make bench` runs all sections; `python -m benchmarks NAME ... --write` runs some and renews",
        "their part of this page. The figures of a section are of one run; `busy_elsewhere` is the part",
        "of the machine that other processes took meanwhile: timings mean little where it is not near 0.",
        "",
        f"Measured on: {listed}.",
    ]
    for section, figures in found.items():
        words = importlib.import_module(f"benchmarks.{section}").__doc__ or section
        title, _, text = words.partition("\n")
        lines += ["", f"## {title.rstrip('.')}", text.rstrip(), "", HEADING, "|---|---|---|---|"]
        for name, value in figures.items():
            cells = (name, f"{value:g}", *verdict(value, bars(section).get(name)))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _words(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def keep(about: dict[str, Any], found: dict[str, Figures]) -> None:
    """Renew these sections among the figures kept; those of another machine are dropped."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    old = kept.get("sections", {}) if kept.get("machine") == about else {}
    sections = {name: (old | found)[name] for name in SECTIONS if name in old | found}
    RESULTS.write_text(json.dumps({"machine": about, "sections": sections}, indent=1) + "\n")
    PAGE.write_text(page(about, sections))


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="toy size: does it run at all?")
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {PAGE.name}")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown sections: {', '.join(sorted(unknown))}")
    if arguments.write and arguments.quick:
        parser.error("--quick figures mean nothing and are not kept: leave --quick or --write out")
    about = machine()
    names = arguments.sections or SECTIONS
    found = {name: run_section(name, arguments.quick) for name in names}
    if arguments.write:
        keep(about, found)
    print("\n" + "\n".join(["bars missed:", *(missed(found) or ["none"])]))
    flat = {name: value for figures in found.values() for name, value in figures.items()}
    print(json.dumps({"machine": about, **flat}))


if __name__ == "__main__":
    main()
