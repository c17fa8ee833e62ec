"""The page of findings: made of what is kept, and every link of it leads to what it says."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from docs import make_findings
from softwidth.studies import Said, find_study

KEPT = [name for name in make_findings.NAMES if make_findings.Kept(name).exists]


def test_findings_are_those_of_the_results():
    """Otherwise: ``python -m docs.make_findings``."""
    assert make_findings.PAGE.read_text() == make_findings.findings()


@pytest.mark.parametrize("name", KEPT)
def test_every_sentence_leads_to_its_rows_specs_and_function(name):
    kept = make_findings.Kept(name)
    table = kept.path(".csv").read_text().splitlines()
    specs = kept.path(".specs.jsonl").read_text().splitlines()
    assert set(kept.table["spec"]) == set(kept.spec_lines)
    for said in (Said(kept.verdict.sentence, kept.verdict.rows), *kept.verdict.said):
        evidence = make_findings._evidence(kept, said)
        rows = re.findall(r"\[(\d+)\]\(\.\./results/[\w-]+\.csv#L(\d+)\)", evidence)
        assert [int(row) for row, _ in rows] == list(said.rows[: make_findings.SHOWN])
        named = re.findall(r"\[`(\w+)`\]\(\.\./results/[\w-]+\.specs\.jsonl#L(\d+)\)", evidence)
        assert named
        for spec, line in named:
            assert f'"spec": "{spec}"' in specs[int(line) - 1]
        for row, line in rows:
            assert kept.table["spec"][int(row)] in table[int(line) - 1]
        (module,) = re.findall(r"`judge`\]\(\.\./(softwidth/studies/\w+\.py)\)", evidence)
        assert (make_findings.RESULTS.parent / module).is_file()


def test_a_study_that_has_not_been_run_is_told_as_such(monkeypatch, tmp_path):
    monkeypatch.setattr(make_findings, "RESULTS", tmp_path)
    page = make_findings.findings()
    assert "Not run yet: `table1`" in page
    assert "\n## " not in page


def test_a_changed_table_changes_the_page(monkeypatch):
    """The verdict is judged from the table, not copied from the record."""
    kept = make_findings.Kept("table1")
    table = pd.DataFrame(kept.table)
    soft = table.labels == "soft"
    table.loc[soft, ["gain", "gain_low", "gain_high"]] = [-3.0, -4.0, -2.0]
    assert find_study("table1").judge(table).word == "refuted"


def test_bars_of_a_claim_do_not_cut_the_table():
    """``|p - y|`` in a claim: every row has the four cells of the head."""
    head = make_findings.PAGE.read_text().split("\n## ")[0]
    rows = [line for line in head.splitlines() if line.startswith("| [")]
    assert any(r"\|p - y\|" in row for row in rows)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
