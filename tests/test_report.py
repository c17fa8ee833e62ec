"""The page of a plan: its numbers, its safety, and what it makes of less or more than a plan."""

from __future__ import annotations

import base64
import copy
import csv
import html
import json
import re
from collections import defaultdict
from html.parser import HTMLParser
from itertools import chain
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import divergence_plan, least_plan, stored_plan, theory

from softwidth import charts, page_text, report
from softwidth._checks import ArgumentError, DataFileError, MissingDataError
from softwidth.plan_form import complete
from softwidth.plan_tables import write_rows

HOSTILE = "\"'><script>alert(1)</script></title></style><!--{{ 7 * 7 }}"


class Outline(HTMLParser):
    """Tags with the names of their attributes in order, and the cells of tables by row."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.rows, self.cell = [], [], None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag != "code":  # marks options within sentences
            self.tags.append((tag, *(name for name, _ in attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self.rows[-1].append(" ".join(self.cell.split()))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


def bare_page(plan):
    """The page without figures and the megabyte of Vega, for tests that make many."""
    with (
        mock.patch.object(report, "_figures", return_value={}),
        mock.patch.object(report, "_vega", return_value="0"),
    ):
        return report.page(plan)


def element(page, identity):
    """The text of a script element by its id."""
    return re.search(rf'id="{identity}">(.*?)</script>', page, re.DOTALL)[1]


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", "", page))


def test_every_number_drawn_stands_in_a_table():
    plan = stored_plan()
    page = report.page(plan)
    assert json.loads(element(page, "plan")) == plan
    rows = [tuple(row) for row in Outline(page).rows]
    for row in plan["curve"]:
        low, high = row["validation_interval"]
        shares = [f"{100 * row['validation_error']:.2f}", f"{100 * low:.2f}–{100 * high:.2f}"]
        (found,) = [r for r in rows if r[:2] == (row["labels"], str(row["width"])) and len(r) == 12]
        assert list(found[3:5]) == shares
        assert found[5] == f"{100 * row['test_error']:.2f}"
    for point in plan["calibration"]:
        assert (point["who"], *(f"{100 * point[k]:.2f}" for k in ("confidence", "accuracy"))) in [
            row[:3] for row in rows
        ]
    epochs = [row for row in rows if len(row) == 6 and row[2] != "epoch"]
    assert len(epochs) == len(plan["training_curves"])


def test_rows_can_be_taken_from_the_page_as_they_are_stored(tmp_path):
    plan = stored_plan(name=HOSTILE)
    links = re.findall(r'download="([^"]+)" href="data:text/csv;charset=utf-8;base64,([^"]+)"', bare_page(plan))  # fmt: skip
    read = {name: list(csv.DictReader(base64.b64decode(text).decode().splitlines())) for name, text in links}  # fmt: skip
    assert all(re.fullmatch(r"[A-Za-z0-9-]+\.csv", name) for name in read)
    (curve,) = (rows for name, rows in read.items() if name.endswith("-curve.csv"))
    assert write_rows(plan, tmp_path / "rows.csv").exists()
    with open(tmp_path / "rows.csv", newline="") as file:
        assert list(csv.DictReader(file)) == curve
    for row, stored in zip(curve, plan["curve"], strict=True):
        assert float(row["test_error"]) == stored["test_error"]
        assert [float(row["test_low"]), float(row["test_high"])] == stored["test_interval"]
        assert (row["labels"], int(row["width"])) == (stored["labels"], stored["width"])
    assert {name.rpartition("-")[2] for name in read} >= {"curve.csv", "calibration.csv"}


def test_a_page_says_how_its_plan_is_made_again():
    assert "softwidth plan --spec plan.toml" in text_of(bare_page(stored_plan()))
    in_python = {**stored_plan(), "command": None, "spec": {"pair": ["3", "<b>"], "seeds": 5}}
    assert "softwidth.plan(data, pair=['3', '<b>'])" in text_of(bare_page(in_python))


def test_rounds_and_seconds_stand_on_the_page():
    plan = stored_plan()
    rows = Outline(bare_page(plan)).rows
    for number, entry in enumerate(plan["search"]["rounds"], 1):
        seeds = ", ".join(f"{width}: {n}" for width, n in entry["seeds"].items())
        row = [str(number), *entry["why"], seeds, "90", "1.2", "2 to 8", "16 to over 16", "2 to 8"]
        assert row in rows
    assert ["teacher", "3"] in rows
    assert plan["search"]["said"] in text_of(bare_page(plan))


def test_calibration_of_the_students_is_that_of_their_least_or_widest_width():
    plan = stored_plan()
    rows = Outline(bare_page(plan)).rows
    shown = {(row["labels"], row["width"]): row for row in plan["curve"]}
    soft, hard = shown["soft", 4], shown["hard", 16]  # hard labels reach the target nowhere
    (found,) = [row for row in rows if row[0] == "entropy correlation"]
    assert found[1:3] == [f"{row['entropy_correlation']:.3g}" for row in (soft, hard)]


def test_a_plan_by_divergence_draws_it_and_falls_back_where_test_rows_have_none():
    plan = complete(divergence_plan())
    curve = charts.validation_curve(plan).to_dict(validate=False)
    drawn = [row["error"] for row in max((layer["data"]["values"] for layer in curve["layer"]), key=len)]  # fmt: skip
    assert sorted(drawn) == sorted(row["validation_kl"] for row in plan["curve"])
    assert "0.095 nats" in text_of(bare_page(divergence_plan()))
    test = charts.test_curve(plan).to_dict(validate=False)
    assert "test error" in json.dumps(test)


def test_errors_and_spreads_stand_under_their_kind():
    plan = stored_plan()
    rows = Outline(report.page(plan)).rows
    start = rows.index(["width", "soft", "hard", "control"])
    for row in rows[start + 1 : start + 5]:
        for kind, cell in zip(("soft", "hard", "argmax"), row[1:], strict=True):
            (of,) = [r for r in plan["curve"] if r["labels"] == kind and str(r["width"]) == row[0]]
            assert cell == f"{100 * of['test_error']:.2f} ± {100 * of['test_sd']:.2f}"


def test_page_is_one_file_of_bounded_size_without_network():
    page = report.page(stored_plan())
    assert len(page.encode()) < 3e6
    without_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", without_scripts)
    assert "url(" not in without_scripts
    assert "default-src 'none'" in page
    assert "unsafe-eval" not in page


@given(st.text(max_size=20) | st.sampled_from([HOSTILE, "</script>", "<!--", "--seeds", "]]>"]))
def test_data_never_become_markup(name):
    """The outline of the page is the same whatever the data are called."""
    assert Outline(bare_page(stored_plan(name=name))).tags == BENIGN


BENIGN = Outline(bare_page(stored_plan(name="digits"))).tags


def test_hostile_names_are_shown_as_they_are():
    page = report.page(stored_plan(name=HOSTILE))
    assert HOSTILE not in page
    assert html.escape(HOSTILE, quote=False) in html.escape(html.unescape(page), quote=False)
    assert json.loads(element(page, "plan"))["data"]["name"] == HOSTILE


def paths(value, root=()):
    """Every place in a plan, by its keys."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in entries:
        yield (*root, key)
        if isinstance(entry, (dict, list)):
            yield from paths(entry, (*root, key))


def changed(plan, path, value, *, drop=False):
    """A copy of `plan` with another value at a place, or without it."""
    plan = copy.deepcopy(plan)
    place = plan
    for key in path[:-1]:
        place = place[key]
    if drop and isinstance(place, dict):
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return plan


LISTS = ("curve", "step_sizes", "training_curves", "calibration")
FULL = {
    **stored_plan(),
    **{part: stored_plan()[part][:2] for part in LISTS},
    "margin": {"kind": "kernel", "lower": 0.0214, "upper": 0.0215},
    "theory": theory(),
}
PLACES = list(paths(FULL))
NEEDED = {
    "": {"recommendation", "curve"},
    "recommendation": {"labels"},
    "curve": {"labels", "width"},
    "step_sizes": {"labels", "width", "step_size"},
    "training_curves": {"labels", "width", "epoch"},
    "calibration": {"who", "confidence", "accuracy"},
    "labels": {"message"},
}


def by_part(places):
    """Optional places by the part of the plan in which they are."""
    found = defaultdict(list)
    for path in places:
        part = path[0] if path[1:] else ""
        if isinstance(path[-1], str) and path[-1] not in NEEDED.get(part, set()):
            found[part].append(path)
    return found


@pytest.mark.parametrize(("part", "places"), list(by_part(PLACES).items()))
def test_what_is_optional_may_be_missing_or_null(part, places):
    for path in places:
        for drop in (False, True):
            assert "</html>" in bare_page(changed(FULL, path, None, drop=drop)), path


@given(st.sets(st.sampled_from([*chain(*by_part(PLACES).values())]), max_size=20))
@settings(max_examples=10)
def test_figures_cope_with_what_is_missing(places):
    plan = FULL
    for path in sorted(places, key=len, reverse=True):
        plan = changed(plan, path, None)
    assert "</html>" in report.page(plan)


@given(
    st.sampled_from(PLACES),
    st.sampled_from(
        [None, "", "x", -1, 0, 1e308, 2**70, True, [], {}, [None], [1, 2, 3], {"a": []}]
    ),
)
def test_wrong_values_are_shown_or_refused_by_name(path, value):
    try:
        assert "</html>" in report.page(changed(FULL, path, value))
    except DataFileError as error:
        assert str(path[0]) in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}], ids=str)
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(DataFileError, match="not a stored plan"):
        report.page(changed(FULL, ("spec", "seeds"), value))


@pytest.mark.parametrize(
    ("labels", "width", "soft", "hard", "matters", "says"),
    [
        ("soft", 4, 4, None, True, "Use soft labels, width 4"),
        ("either", 8, 4, 8, False, "Either kind of labels will do, width 8"),
        ("either", 8, 4, 8, True, "width 8; at equal width hard ones are better"),
        ("either", 4, 4, None, True, "Use soft labels, width 4: hard ones may do as well, but no"),
        ("either", 8, None, 8, True, "Use hard labels, width 8: soft ones may do as well, but no"),
        ("either", None, None, None, True, "No width that was tried is enough with either kind"),
    ],
)
def test_the_headline_says_what_to_do(labels, width, soft, hard, matters, says):
    plan = complete(
        {
            **FULL,
            "recommendation": {"labels": labels, "width": width, "reason": ""},
            "soft": {"width": soft},
            "hard": {"width": hard},
            "gain": {"value": -0.1, "interval": [-0.2, -0.05], "matters": matters},
        }
    )
    assert says in page_text.headline(plan)
    assert f"<h1>{page_text.headline(plan)}</h1>" in report.page(plan)


def test_the_least_plan_has_a_page():
    page = report.page(least_plan())
    assert "Either kind of labels will do" in page
    assert 'class="chart"' not in page


def test_margin_and_theory_are_shown_when_there():
    assert "What theory says" not in report.page(stored_plan())
    page = report.page(FULL)
    assert "0.0214" in text_of(page)
    rows = Outline(page).rows
    assert ["soft", "6e10", "1.23e6", "0.5", "–"] in rows
    assert ["hard", "12,345", "1.23e6", "0.5", "–"] in rows
    assert ["hard, measured", "over 4", "", "", ""] in rows
    assert ["two classes", "yes"] in rows
    assert ["kl", "0.25"] in rows
    assert "Sufficient." in text_of(page)


def test_a_margin_of_nothing_is_said_in_words():
    page = report.page({**FULL, "margin": {"lower": 0.0, "upper": 0.0}, "theory": None})
    assert "no network of this kind, however wide" in text_of(page)


@pytest.mark.parametrize("missing", ["curve", "recommendation"])
def test_what_is_no_plan_is_our_error(missing, tmp_path):
    plan = stored_plan()
    del plan[missing]
    with pytest.raises(DataFileError, match=f"not a stored plan: at {missing}"):
        report.write_page(plan, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_our_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="cannot be written"):
        report.write_page(stored_plan(), tmp_path / "file" / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


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
    ("interval", "says"),
    [([2.0, 8.0], "more throughout"), ([0.25, 0.5], "less throughout"), ([0.5, 2.0], "includes 1")],
)
def test_sureness_follows_the_interval(interval, says):
    plan = changed(FULL, ("saving", "interval"), interval)
    assert says in text_of(report.page(plan))


def test_upper_ends_that_were_not_reached_are_lower_bounds():
    reached = changed(FULL, ("hard",), {"width": 16, "interval": [8, 16]})
    assert "2 to at least 8" in page_text.how_sure(FULL)
    assert "2 to 8" in page_text.how_sure(reached)
