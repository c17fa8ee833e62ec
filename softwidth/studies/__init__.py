"""The studies: one file is one claim, one table and one figure, with a verdict.

A study is a module of this package with

- ``CLAIM``, ``COST`` and ``LAST``: what is claimed, what a full run costs, what the last one found;
- ``measure(ask, scale)``: the table, from the rows of the trials that it asks for;
- ``judge(table)``: the verdict on the claim;
- ``draw(table)``: the figure.
"""

from __future__ import annotations

from softwidth.studies._run import Finding, listing, run_study
from softwidth.studies._study import NAMES, Scale, Verdict, find_study

__all__ = ["NAMES", "Finding", "Scale", "Verdict", "find_study", "listing", "run_study"]
