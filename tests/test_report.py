"""The page of a plan: its numbers, its safety, its look in a real browser."""

from __future__ import annotations

import html
import json
import re
import subprocess

import pytest
from plans import stored_plan

from softwidth import charts, report
from softwidth._checks import ArgumentError, DataFileError, MissingDataError

HOSTILE = "<script>alert(1)</script><!--"


def element(page, identity):
    """The text of a script element by its id."""
    return re.search(rf'id="{identity}">(.*?)</script>', page, re.DOTALL)[1]


def test_numbers_on_the_page_are_the_stored_ones():
    plan = stored_plan()
    page = report.page(plan)
    assert json.loads(element(page, "plan")) == plan
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    for row in plan["curve"]:
        assert f"{100 * row['test_error']:.2f} % ± {100 * row['test_sd']:.2f}" in text
    drawn = json.loads(element(page, "spec-validation"))
    values = [layer["data"]["values"] for layer in drawn["layer"] if "data" in layer]
    values += list(drawn.get("datasets", {}).values())
    assert plan["target_error"] in [row.get("target") for rows in values for row in rows]


def test_page_is_one_file_of_bounded_size_without_network():
    page = report.page(stored_plan())
    assert len(page) < 3e6
    without_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", without_scripts)
    assert "default-src 'none'" in page


def test_hostile_names_are_shown_and_not_run():
    page = report.page(stored_plan(name=HOSTILE))
    assert HOSTILE not in page
    assert html.escape(HOSTILE) in page
    assert json.loads(element(page, "plan"))["data"]["name"] == HOSTILE


def test_margin_and_theory_are_shown_when_there():
    plan = stored_plan()
    assert "What theory says" not in report.page(plan)
    plan["margin"] = {"kind": "kernel", "lower": 0.0214, "upper": 0.0215}
    plan["theory"] = {"rows": [{"name": "derived", "soft": 1e9, "hard": 6e10}], "notes": ["Loose."]}
    page = report.page(plan)
    assert "0.0214" in page
    assert "60,000,000,000" in page


@pytest.mark.parametrize("missing", ["curve", "recommendation", "labels", "soft", "saving"])
def test_what_is_no_plan_is_our_error(missing, tmp_path):
    plan = stored_plan()
    del plan[missing]
    with pytest.raises(DataFileError, match="not a stored plan"):
        report.write_page(plan, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_stored_plans_are_read_or_refused(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(stored_plan()))
    assert report.read_stored(path) == stored_plan()
    for content in (b"", b"[1]", b"\xff\xfe", b"[" * 10**6):
        path.write_bytes(content)
        with pytest.raises(DataFileError):
            report.read_stored(path)
    with pytest.raises(MissingDataError):
        report.read_stored(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("suffix", "begins"), [(".svg", b"<svg"), (".png", b"\x89PNG")], ids=["svg", "png"]
)
def test_figures_are_saved_for_papers(suffix, begins, tmp_path):
    path = charts.save_figure(charts.validation_curve(stored_plan()), tmp_path / f"figure{suffix}")
    assert path.read_bytes().startswith(begins)


def test_other_figure_formats_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"\.svg or \.png"):
        charts.save_figure(charts.test_curve(stored_plan()), tmp_path / "figure.bmp")


def test_page_in_a_browser(chromium, tmp_path):
    path = report.write_page(stored_plan(name=HOSTILE), tmp_path / "page.html")
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=10000",
            "--enable-logging=stderr", "--dump-dom", f"file://{path}",
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count('data-drawn="yes"') == 4
    assert done.stdout.count("<svg") >= 4
