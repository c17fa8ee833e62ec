"""Docs are run: README's commands and Python, the generated reference, the pages' links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.make_cli import PAGE, reference
from softwidth import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def transcripts():
    """README's `softwidth plan digits` commands, each with the line that ends what it printed."""
    text = "\n".join(blocks("console"))
    return re.findall(
        r"^\$ softwidth (plan digits .*?)\n.*?^((?:Use|Either) .*?)$", text, re.M | re.S
    )


def test_there_are_both_faces():
    assert len(transcripts()) == 2
    demo = (ROOT / "Makefile").read_text()
    for command, _ in transcripts():
        assert f"softwidth {command} --out" in demo


@pytest.mark.parametrize(("command", "ends"), transcripts())
def test_readme_transcripts_end_as_they_say(command, ends, tmp_path, capsys):
    assert cli.main([*command.split(), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    # Widths may shift by a step with another BLAS; what to do may not.
    assert ends.split(",")[0] in printed


def test_readme_python_runs(capsys):
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README
    assert capsys.readouterr().out


def test_deep_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(
        re.findall(r"```python\n(.*?)```", (ROOT / "docs/deep.md").read_text(), re.DOTALL)
    )
    exec(compile(code, "deep.md", "exec"), {})  # noqa: S102 - our own page
    assert "labels" in capsys.readouterr().out
    assert (tmp_path / "deep-plan" / "report.html").exists()


def test_readme_names_only_commands_that_exist():
    for command in re.findall(r"make (\w+)", README):
        assert f"\n{command}:" in (ROOT / "Makefile").read_text()


def test_command_line_reference_is_fresh():
    assert PAGE.read_text() == reference(), "run: python -m docs.make_cli"


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda p: p.name
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target
