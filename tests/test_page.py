"""The page of a plan in a real browser: drawn, quiet, alone, and readable in every setting.

A copy of the page is opened with a probe in it: a script that waits until all figures are drawn,
measures, and leaves what it measured in the document. Only the copy lets a further script run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import zlib

import pytest
from plans import least_plan, stored_plan, theory
from test_charts import contrast

from softwidth import report

HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(1)</script></title></style><!--"
DARK = "--blink-settings=preferredColorScheme=0"
FULL = {
    **stored_plan(name=HOSTILE),
    "margin": {"kind": "kernel", "lower": 0.0214, "upper": 0.0215},
    "theory": theory(),
}
FIGURES = 4

PROBE = """
const measure = () => {
  const style = (node) => getComputedStyle(node);
  window.dispatchEvent(new Event("beforeprint"));
  const printed = [...document.querySelectorAll("details")].map((part) => part.open);
  window.dispatchEvent(new Event("afterprint"));
  const folded = [...document.querySelectorAll("details")].map((part) => part.open);
  const inks = (wanted) => [...new Set([...document.querySelectorAll(wanted)].map(
    (node) => node.closest("svg") ? style(node).fill : style(node).color))];
  return {
    inner: window.innerWidth, content: document.documentElement.scrollWidth,
    fetched: performance.getEntriesByType("resource").length, title: document.title, printed, folded,
    inks: inks(".chart text, h1, p:not(.warn), figcaption, th, td, summary"),
    background: style(document.body).backgroundColor,
    labels: [...document.querySelectorAll(".chart")].map((c) => c.getAttribute("aria-label")),
    plots: [...document.querySelectorAll(".chart svg")].map((s) => s.getBoundingClientRect().width),
  };
};
const wait = () => {
  if (document.querySelectorAll(".chart:not([data-drawn])").length) return setTimeout(wait, 50);
  const found = document.createElement("pre");
  found.id = "probe";
  found.textContent = JSON.stringify(measure());
  window.parent.document.body.append(found);
};
wait();
"""


class Browser:
    """A headless Chromium: what it prints of a page, and what the page says on its console."""

    def __init__(self, executable, directory):
        self.executable, self.directory = executable, directory

    def run(self, page, *options):
        path = self.directory / "page.html"
        path.write_text(page)
        return subprocess.run(
            [
                self.executable, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--user-data-dir={self.directory / 'profile'}", "--virtual-time-budget=10000",
                "--enable-logging=stderr", *options, f"file://{path}",
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip

    def probe(self, plan, *options, width=None, probe=PROBE):
        """What the probe measured, in a frame of some width where windows cannot be as narrow."""
        page = with_probe(report.page(plan), probe)
        if width is not None:
            page = f'<iframe width="{width}" height="800" frameborder="0" srcdoc="{html.escape(page)}">'
        done = self.run(page, "--dump-dom", *options)
        assert "CONSOLE" not in done.stderr, done.stderr[-2000:]
        found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)[1]
        return json.loads(html.unescape(found))


def with_probe(page, probe=PROBE):
    digest = base64.b64encode(hashlib.sha256(probe.encode()).digest()).decode()
    allowed = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    return allowed.removesuffix("</body>\n</html>") + f"<script>{probe}</script></body></html>"


SAVING = """
const saved = [];
let picture = null;
URL.createObjectURL = (blob) => { picture = blob; return "blob:picture"; };
HTMLAnchorElement.prototype.click = function () { saved.push([this.download, this.href, picture]); };
const press = async () => {
  if (document.querySelectorAll(".chart:not([data-drawn])").length) return setTimeout(press, 50);
  const buttons = [...document.querySelectorAll(".save button")];
  buttons.forEach((button) => button.click());
  const wait = async () => {
    if (saved.length < buttons.length) return setTimeout(wait, 50);
    const found = [];
    for (const [name, href, blob] of saved)
      found.push([name, href.startsWith("blob:") ? await blob.text() : href]);
    const told = document.createElement("pre");
    told.id = "probe";
    told.textContent = JSON.stringify(found);
    document.body.append(told);
  };
  wait();
};
press();
"""


@pytest.fixture
def browser(chromium, tmp_path):
    return Browser(chromium, tmp_path)


def test_page_is_drawn_silent_and_alone(browser):
    found = browser.probe(FULL)
    assert found["fetched"] == 0
    assert len(found["labels"]) == FIGURES
    assert all(len(label) > 50 for label in found["labels"])
    assert found["title"].endswith(f"{HOSTILE} – softwidth")  # shown, and nothing of it was run
    assert sum(found["folded"]) == 0
    assert sum(found["printed"]) == 2  # curve and calibration points


def test_the_page_runs_no_script_but_its_own(browser):
    """What would happen if the escaping failed: the page's policy forbids it, and says so."""
    page = report.page(stored_plan()).replace(
        "</h1>", "</h1><script>document.title = 'ran'</script>"
    )
    done = browser.run(page, "--dump-dom")
    assert "<title>ran</title>" not in done.stdout
    assert "Content Security Policy" in done.stderr


POINT = {**FULL["curve"][0], "validation_interval": None, "test_interval": None}


@pytest.mark.parametrize("plan", [least_plan(), {**FULL, "curve": [POINT]}], ids=["least", "point"])
def test_smaller_plans_are_silent_too(browser, plan):
    assert browser.probe(plan)["fetched"] == 0


def test_every_figure_is_saved_on_white_as_svg_and_png(browser):
    found = dict(browser.probe(FULL, DARK, probe=SAVING))
    assert len(found) == 2 * FIGURES
    for name, content in found.items():
        assert re.fullmatch(r"[A-Za-z0-9-]+-(curve|curves|calibration)\.(svg|png)", name)
        if name.endswith(".svg"):
            assert content.startswith("<svg")
            assert 'fill="white"' in content
        else:
            assert content.startswith("data:image/png;base64,iVBOR")


@pytest.mark.parametrize("options", [(), (DARK,)], ids=["light", "dark"])
def test_all_text_stands_out_from_its_background(browser, options):
    """WCAG 2, level AA: a contrast of 4.5, in figures and around them."""
    found = browser.probe(FULL, *options)
    inks = [rgb(ink) for ink in found["inks"]]
    background = rgb(found["background"])
    assert background == ("#14171a" if options else "#ffffff")
    assert len(inks) >= 2
    assert min(contrast(ink, background) for ink in inks) >= 4.5


def rgb(style):
    """``rgb(1, 2, 3)`` as ``#010203``."""
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", style)[:3])


def test_nothing_is_wider_than_a_phone(browser):
    found = browser.probe(FULL, width=360)
    assert found["inner"] == 360
    assert found["content"] <= 360
    assert max(found["plots"]) <= 360
    assert min(found["plots"]) >= 300


@pytest.mark.parametrize("options", [(), (DARK,)], ids=["light", "dark"])
def test_pages_are_printed_black_on_white(browser, options):
    """No ink of the dark theme, and no more sheets than a reader can hold."""
    path = browser.directory / "page.pdf"
    browser.run(report.page(stored_plan()), f"--print-to-pdf={path}", *options)
    printed = path.read_bytes()
    light = [ink for ink in inks_of(printed) if min(ink) > 0.85]
    assert (0.0, 0.0, 0.0) in inks_of(printed)
    assert set(light) <= {(1.0, 1.0, 1.0)}
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8


def inks_of(pdf):
    """The colours that a PDF's streams fill with, as shares of red, green and blue."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    text = b"\n".join(inflated(stream) for stream in streams)
    return {tuple(map(float, ink)) for ink in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) rg\b", text)}


def inflated(stream):
    try:
        return zlib.decompress(stream)
    except zlib.error:  # fonts and pictures may be stored in other ways
        return b""
