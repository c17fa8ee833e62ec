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
from typing import Any, NamedTuple

# Settings of somebody's environment must not decide: an old core type halves OpenBLAS's speed.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

SECTIONS = ("bank", "sizes", "startup")
RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).with_name("README.md")
SIGNS = {">=": "at least", "<=": "at most"}


class Section(NamedTuple):
    """What one module of this package found."""

    words: str  # its docstring: the heading and text of its part of the page
    bars: dict[str, tuple[str, float]]  # figure -> (">=" or "<=", limit)
    figures: dict[str, float]


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


def run_section(name: str, quick: bool) -> Section:
    """Figures of one section with its words and bars; the module's `BARS` are optional."""
    module = importlib.import_module(f"benchmarks.{name}")
    return Section(module.__doc__ or "", getattr(module, "BARS", {}), module.run(quick))


def verdict(value: float, bar: tuple[str, float] | None) -> tuple[str, str]:
    """The bar in words, and whether the value meets it; nothing where there is none."""
    if bar is None:
        return "", ""
    sign, limit = bar
    met = value >= limit if sign == ">=" else value <= limit
    return f"{SIGNS[sign]} {limit:g}", "yes" if met else "no"


def page(about: dict[str, Any], sections: list[Section]) -> str:
    """The figures as a page: what they are, what they were measured on, how to have one's own."""
    listed = ", ".join(f"{name} {_words(value)}" for name, value in about.items())
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m benchmarks --write`; `make bench` runs the same without writing, and",
        "`python -m benchmarks NAME ...` some sections only. Figures are of one run.",
        "",
        f"Measured on: {listed}.",
    ]
    for section in sections:
        title, _, words = section.words.partition("\n")
        lines += ["", f"## {title.rstrip('.')}", words.rstrip(), ""]
        lines += ["| figure | value | wanted | met |", "|---|---|---|---|"]
        for name, value in section.figures.items():
            lines.append(
                f"| {' | '.join((name, f'{value:g}', *verdict(value, section.bars.get(name))))} |"
            )
    return "\n".join(lines) + "\n"


def _words(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def missed(sections: list[Section]) -> list[str]:
    """A line for every bar that is not met."""
    return [
        f"{name} is {section.figures[name]:g}, wanted {' '.join(verdict(0, bar)[:1])}"
        for section in sections
        for name, bar in section.bars.items()
        if name in section.figures and verdict(section.figures[name], bar)[1] == "no"
    ]


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="toy size: does it run at all?")
    parser.add_argument("--write", action="store_true", help=f"keep all figures in {PAGE.name}")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown sections: {', '.join(sorted(unknown))}")
    if arguments.write and (arguments.sections or arguments.quick):
        parser.error(
            "--write keeps the figures of one whole run: name no sections, and not --quick"
        )
    about = machine()
    sections = [run_section(name, arguments.quick) for name in arguments.sections or SECTIONS]
    found = {"machine": about} | {k: v for section in sections for k, v in section.figures.items()}
    if arguments.write:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        PAGE.write_text(page(about, sections))
    print("\n" + "\n".join(["bars missed:", *(missed(sections) or ["none"])]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
