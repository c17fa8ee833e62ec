"""Write docs/findings.md from results/, and each study's last verdict: ``python -m docs.make_findings``."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from softwidth.prior import FILE, fit_prior, written
from softwidth.studies._gains import groups
from softwidth.studies._study import NAMES, Said, Study, Verdict, find_study

PAGE = Path(__file__).with_name("findings.md")
RESULTS = Path(__file__).parents[1] / "results"
HEAD = """# Findings

What the studies of the paper and of its open questions have found, by the [protocol](protocol.md), whatever it is. Generated from `results/` by
`python -m docs.make_findings`. Behind every sentence stand the lines of the table that it is about; each names in its column `spec` the spec of its students (a line of
`results/NAME.specs.jsonl`: settings and seeds; `softwidth.studies.stored_ids` gives the ids of their rows in the store) and the function that made the sentence
of the table. Intervals of effects are 95 % for all comparisons of a verdict together; those of least widths and savings are 95 % each. Worker minutes are as they were beside
other work on the machine.
"""


@dataclass(frozen=True)
class Kept:
    """The results of a study, as committed."""

    name: str

    @property
    def exists(self) -> bool:
        """Whether it has been run."""
        return self.path(".json").exists()

    def path(self, suffix: str) -> Path:
        """Of its table, figure, record or specs."""
        return RESULTS / f"{self.name}{suffix}"

    @cached_property
    def record(self) -> dict[str, Any]:
        """How it was made."""
        found: dict[str, Any] = json.loads(self.path(".json").read_text())
        return found

    @cached_property
    def table(self) -> pd.DataFrame:
        """Its table."""
        return pd.read_csv(self.path(".csv"))

    @cached_property
    def study(self) -> Study:
        """Its module."""
        return find_study(self.name)

    @cached_property
    def verdict(self) -> Verdict:
        """What its rule says of the table."""
        return self.study.judge(self.table)

    @cached_property
    def spec_lines(self) -> dict[str, int]:
        """Line of every spec in the file of specs, from 1."""
        lines = self.path(".specs.jsonl").read_text().splitlines()
        return {json.loads(line)["spec"]: number for number, line in enumerate(lines, 1)}


def findings() -> str:
    """The page: verdicts in a table, then a section a study."""
    kept = [Kept(name) for name in NAMES]
    done = [each for each in kept if each.exists]
    left = [f"`{each.name}`" for each in kept if not each.exists]
    tail = f"\nNot run yet: {', '.join(left)}.\n" if left else ""
    summary = "\n".join(
        ["| study | claim | verdict | effect |", "|---|---|---|---|", *map(_line, done)]
    )
    return "\n".join([HEAD, summary, tail, *map(_section, done)])


def _line(kept: Kept) -> str:
    verdict = kept.verdict
    claim, effect = (text.replace("|", r"\|") for text in (kept.study.CLAIM, _effect(verdict)))
    return f"| [{kept.name}](#{kept.name}) | {claim} | **{verdict.word}** | {effect} |"


def _effect(verdict: Verdict) -> str:
    return verdict.told.partition(": ")[2]


def _section(kept: Kept) -> str:
    verdict, record, base = kept.verdict, kept.record, f"../results/{kept.name}"
    said = [Said(verdict.sentence, verdict.rows), *verdict.said]
    versions = ", ".join(f"{name} {v}" for name, v in record["versions"][-1].items())
    commits = sorted({commit.removesuffix("-dirty")[:12] for commit in record["commits"]})
    return "\n".join(
        [
            f"## {kept.name}",
            f"**Claim.** {kept.study.CLAIM}  ",
            f"**Verdict.** {verdict.word}, {_effect(verdict)}",
            "",
            *(f"- {each.text} {_evidence(kept, each)}" for each in said),
            "",
            f"![{kept.study.CLAIM}]({base}.svg)",
            "",
            f"[Table]({base}.csv), [specs]({base}.specs.jsonl), [record]({base}.json). `{record['command']}`: {record['students']:,} students, "
            f"{record['worker_seconds'] / 60:.1f} worker minutes, seeds {_spans(record['seeds'])}, {record['written']}; {versions}; {'; '.join(record['machines'])}; source {', '.join(commits)}.",
            "",
        ]
    )


def _evidence(kept: Kept, said: Said) -> str:
    """Links to the first lines of the table, to their specs, and to the function."""
    base, shown = f"../results/{kept.name}", list(said.rows[:SHOWN])
    # The first line of the file is its heading, and lines are numbered from 1.
    rows = [f"[{row}]({base}.csv#L{row + 2})" for row in shown]
    specs = {kept.table["spec"][row]: kept.spec_lines[kept.table["spec"][row]] for row in shown}
    named = [f"[`{spec}`]({base}.specs.jsonl#L{line})" for spec, line in specs.items()]
    more = f" and {len(said.rows) - SHOWN} more" if len(said.rows) > SHOWN else ""
    module = Path(inspect.getfile(kept.study)).name  # type: ignore[arg-type]
    return f"(rows {', '.join(rows)}{more}; specs {', '.join(named)}; [`judge`](../softwidth/studies/{module}))"


SHOWN = 4  # rows a sentence links to, the others are counted


def _spans(numbers: list[int]) -> str:
    """Whole numbers, runs of them as their ends.

    >>> _spans([0, 1, 2, 5])
    '0–2, 5'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def _tell(kept: Kept) -> None:
    """Write verdict and cost of the last run into the study's own file."""
    record, path = kept.record, Path(inspect.getfile(kept.study))  # type: ignore[arg-type]
    cost = f"{record['worker_seconds'] / 60:.0f} worker min, {record['students']:,} students of {_listed(record['data'])}"
    text = path.read_text()
    for name, value in (("LAST", kept.verdict.told), ("COST", cost)):
        text = re.sub(rf"^{name} = .*$", lambda _, n=name, v=value: f"{n} = {json.dumps(v)}", text, flags=re.M)  # fmt: skip
    path.write_text(text)


def _listed(names: list[str]) -> str:
    """Names in a sentence.

    >>> _listed(["digits", "wine", "mnist"]), _listed(["digits"])
    ('digits, wine and mnist', 'digits')
    """
    *firsts, last = names
    return f"{', '.join(firsts)} and {last}" if firsts else last


def prior_text() -> str:
    """The guess that plans show before training, fitted to the sheet of study ``robustness``."""
    kept = Kept("robustness")
    return written(fit_prior(groups(kept.table, ("data", "task"))))


if __name__ == "__main__":
    for name in NAMES:
        if Kept(name).exists:
            _tell(Kept(name))
    PAGE.write_text(findings())
    if Kept("robustness").exists:
        (Path(inspect.getfile(fit_prior)).parent / FILE).write_text(prior_text())
