"""The page of a store: sums that are right, light for many rows, and quiet in a browser."""

from __future__ import annotations

import functools
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from stores import trial
from test_page import Browser

from softwidth import cli, rows_page
from softwidth.rows_page import store_page
from softwidth.rows_summary import curve, studies_of
from softwidth.store import Row, open_store

HOSTILE = "<script>document.title='ran'</script>"


def student(labels, width, seed, step_size=1.0, study="demo", **metrics):
    rng = np.random.default_rng([width, seed, len(labels)])
    error = float(0.1 + 0.3 / width + 0.02 * rng.random())
    spec = {"labels": labels, "width": width, "seed": seed, "step_size": step_size}
    metrics = {"test_error": error, "val_error": error, "status": "fine", **metrics}
    return Row.of(spec, study, metrics, seconds=0.1)


def test_means_and_intervals_are_those_of_the_rows():
    rows = [student("soft", 4, seed) for seed in range(6)]
    worse = [student("soft", 4, seed, 9.0, test_error=0.0, val_error=0.9) for seed in range(6)]
    gone = student("soft", 4, 7, test_error=None, val_error=None, status="diverged")
    (study,) = studies_of([*rows, *worse, gone])
    (point,) = curve(study)
    errors = [row.metrics["test_error"] for row in rows]
    low, high = stats.t.interval(0.95, 5, np.mean(errors), stats.sem(errors))
    assert (point["step_size"], point["n"], study.diverged) == (1.0, 6, 1)
    assert point["error"] == pytest.approx(np.mean(errors))
    assert [point["low"], point["high"]] == pytest.approx([low, high])


def test_rows_that_are_no_students_have_no_figure():
    odd = {"labels": 3, "width": "wide"}
    (study,) = studies_of([Row.of(odd, "odd", {"test_error": "much"}), trial(study="odd")])
    assert (study.rows, curve(study)) == (2, [])


def test_report_of_a_store_from_the_command_line(tmp_path, capsys):
    path, page, table = tmp_path / "rows.sqlite", tmp_path / "page.html", tmp_path / "rows.csv"
    with open_store(path) as store:
        store.put([student("soft", 4, seed) for seed in range(3)])
        store.put([trial(study="other")])
    asked = ["report", path, "--out", page, "--export", table, "--study", "demo", "--json"]
    assert cli.main([str(word) for word in asked]) == 0
    assert json.loads(capsys.readouterr().out) == {"written": [str(page), str(table)]}
    assert "4 rows of 2 studies" in page.read_text()
    assert len(table.read_text().splitlines()) == 4


def test_what_goes_with_the_other_kind_is_refused(tmp_path, capsys):
    path = tmp_path / "rows.sqlite"
    open_store(path).close()
    assert cli.main(["report", str(path), "--figure", "curve.svg"]) == 2
    assert "`figure`" in capsys.readouterr().err
    assert cli.main(["report", str(tmp_path / "plan.json"), "--study", "demo"]) == 2
    assert "`study`" in capsys.readouterr().err
    assert list(tmp_path.glob("*.html")) == []


def test_report_of_no_store_is_one_line(tmp_path, capsys):
    (tmp_path / "cut.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 1000)
    for place in (tmp_path / "cut.sqlite", "mysql://h/d", "postgresql://me:secret@127.0.0.1:1/d"):
        assert cli.main(["report", str(place), "--out", str(tmp_path / "page.html")]) == 2
        err = capsys.readouterr().err
        assert err.splitlines()[-1].startswith("softwidth: ")
        assert "secret" not in err
        assert "Traceback" not in err
    assert not (tmp_path / "page.html").exists()


def test_the_page_is_drawn_and_runs_nothing_of_its_rows(chromium, tmp_path):
    with open_store(tmp_path / "rows.sqlite") as store:
        rows = [student(kind, w, s) for kind in ("soft", "hard") for w in (2, 8) for s in range(9)]
        store.put(rows)
        store.put([Row.of({"labels": HOSTILE, "width": 2}, HOSTILE, {"test_error": 0.1})])
        page = store_page(store)
    assert "<script>document.title" not in page
    done = Browser(chromium, tmp_path).run(page, "--dump-dom")
    assert "CONSOLE" not in done.stderr, done.stderr[-2000:]
    assert "<title>37 rows of" in done.stdout
    assert done.stdout.count("<svg") == 4  # a broad one and a narrow one of each study
    assert HOSTILE not in done.stdout
    assert "<title>ran" not in done.stdout
    assert "1 to 20 of 36" in done.stdout


def test_a_page_of_many_rows_is_light(chromium, tmp_path):
    kinds, widths = ("hard", "soft", "argmax"), [2**k for k in range(1, 8)]
    rows = [
        Row({"labels": k, "width": w, "seed": s, "step_size": 1.0}, "demo", {"test_error": 0.2})
        for k in kinds for w in widths for s in range(1000)
    ]  # fmt: skip
    with open_store(tmp_path / "rows.sqlite") as store:
        store.put(rows)
        page = store_page(store)
    assert len(page) < 3e5  # scripts/page_speed.py measures how fast it opens
    done = Browser(chromium, tmp_path).run(page, "--dump-dom")
    assert re.search("Rows: 200 of 21,000", done.stdout)


def test_a_page_of_many_studies_kinds_and_widths_is_light_too(monkeypatch):
    """Far more of everything than fits: what is left out is told, study by study."""
    drawn = rows_page._figures
    once = functools.cache(lambda n: drawn(points))
    points = []

    def figures(given):  # all studies are of one size: drawing the first is enough
        points[:] = points or given
        return once(len(given))

    monkeypatch.setattr(rows_page, "_figures", figures)
    metrics = {f"metric {k}": k / 7 for k in range(20)}
    rows = [
        student(f"kind {kind}", 2 * width, seed, study=f"study {study:02}", **metrics)
        for study in range(25) for kind in range(10) for width in range(1, 31) for seed in range(2)
    ]  # fmt: skip
    page = store_page(SimpleNamespace(where="rows.sqlite", rows=lambda: iter(rows)))
    assert len(page.encode()) < 3e6
    assert "15,000 rows of 25 studies" in page
    assert "Figures and rows of the first 20 studies follow." in page
    assert page.count("72 of 300 points are drawn.") == 20
    assert page.count("Points (125 of 300)") == 20
    assert page.count("Rows: 100 of 600") == 20
