"""The studies: one file is one claim, one table and one figure, with a verdict.

A study is a module of this package with

- ``CLAIM``, ``COST`` and ``LAST``: what is claimed, what a full run costs, what the last one found;
- ``measure(ask, scale)``: the table, from the rows of the trials that it asks for;
- ``judge(table)``: the verdict on the claim;
- ``draw(table)``: the figure.

Beside them: `_tuned` chooses step sizes, `_compare` has paired differences, `_least` least widths,
`_table` lines of a table, `_cells` the way from a line back to the stored rows, `_scenes` the data.
"""

from __future__ import annotations

from softwidth.studies._cells import stored_ids
from softwidth.studies._run import Finding, listing, run_study
from softwidth.studies._study import NAMES, Said, Scale, Verdict, find_study

__all__ = [
    "NAMES",
    "Finding",
    "Said",
    "Scale",
    "Verdict",
    "find_study",
    "listing",
    "run_study",
    "stored_ids",
]
