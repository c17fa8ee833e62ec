"""How light the page of a store is: its size, and how long a headless Chromium takes to open it.

Run: ``python scripts/page_speed.py [--rows 100000] [--page FILE]``. The browser is started once and asked
through the DevTools protocol, so its start is not counted: times are the page's own, by the navigation
timing of the page (https://www.w3.org/TR/navigation-timing-2/), the median of several openings, each
in a tab of its own without a cache. The result is in docs/LOG.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from softwidth.rows_page import store_page
from softwidth.store import Row, open_store

KINDS = ("hard", "soft", "argmax", "mixed(0.5, 2)", "smoothed(0.1)")
WIDTHS = (2, 4, 8, 16, 32, 64)
STEPS = (1.0, 3.16, 10.0, 31.6, 100.0)
# Milliseconds since the navigation began; `drawn` when no figure is left to be drawn.
TIMES = """
new Promise((resolve) => {
  const drawn = () => {
    if (document.readyState !== "complete" || document.querySelector(".chart:not([data-drawn])"))
      return setTimeout(drawn, 5);
    const [nav] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    resolve(JSON.stringify({
      painted: paint ? paint.startTime : null, interactive: nav.domInteractive,
      loaded: nav.loadEventEnd, drawn: performance.now(),
      figures: document.querySelectorAll(".chart svg, .drawn svg").length,
      elements: document.querySelectorAll("*").length,
    }));
  };
  drawn();
})
"""


def rows(n: int) -> Iterator[Row]:
    """Rows of a study's size: specs of 25 fields, 25 metrics, 600 cells."""
    rng = np.random.default_rng(0)
    cells = itertools.cycle(itertools.product(KINDS, WIDTHS, STEPS, (0.0, 0.2, 0.4, 0.6)))
    for number, (labels, width, step, noise) in zip(range(n), cells, strict=False):
        error = 0.02 + 0.2 / width + 0.1 * noise + 0.01 * float(rng.random())
        spec = {"source": "digits", "labels": labels, "width": width, "step_size": step}
        spec |= {"noise": noise, "seed": number, **{f"setting_{k}": k / 7 for k in range(19)}}
        metrics = {f"metric_{k}": float(value) for k, value in enumerate(rng.random(22))}
        metrics |= {"test_error": error, "val_error": error, "status": "trained"}
        yield Row.of(spec, "speed", metrics, seconds=0.1)


def page_of(n: int) -> str:
    """The page of a new store of so many rows."""
    with tempfile.TemporaryDirectory() as name, open_store(Path(name) / "rows.sqlite") as store:
        made = rows(n)
        while some := list(itertools.islice(made, 5_000)):
            store.put(some)
        began = time.process_time()
        page = store_page(store)
        print(f"made from {n:,} rows in {time.process_time() - began:.1f} s of one core")
        return page


class Browser:
    """A headless Chromium at the other end of two pipes: JSON messages, each ended by a NUL."""

    def __init__(self, directory: str) -> None:
        executable = shutil.which("chromium") or shutil.which("chromium-browser")
        if executable is None:
            raise SystemExit("chromium is not installed")
        their_input, self.to = os.pipe()
        self.back, their_output = os.pipe()
        options = "--headless --no-sandbox --disable-gpu --no-first-run --remote-debugging-pipe"
        options += " --disable-background-networking --disable-component-update"
        began = time.monotonic()
        self.process = subprocess.Popen(
            [
                "/bin/bash", "-c",
                f'exec "$0" {options} --user-data-dir="$1" 3<&{their_input} 4>&{their_output}',
                executable, directory,
            ],
            pass_fds=(their_input, their_output), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(their_input)
        os.close(their_output)
        self.numbers, self.read = itertools.count(1), b""
        self.ask("Browser.getVersion")
        self.start = time.monotonic() - began

    def ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """The result of a command."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        message |= {} if session is None else {"sessionId": session}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self.read:
            more = os.read(self.back, 2**16)
            if not more:
                raise RuntimeError("the browser has gone")
            self.read += more
        message, _, self.read = self.read.partition(b"\0")
        return dict(json.loads(message))

    def open(self, page: Path) -> dict[str, float]:
        """Times of one opening, in a tab of its own."""
        tab = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        self.ask("Page.bringToFront", session)  # what is not seen is not painted
        began = time.monotonic()
        self.ask("Page.navigate", session, url=page.as_uri())
        said = self.ask(
            "Runtime.evaluate", session, expression=TIMES, awaitPromise=True, returnByValue=True
        )
        found = {**json.loads(said["result"]["value"]), "outside": 1e3 * (time.monotonic() - began)}
        self.ask("Target.closeTarget", targetId=tab)
        return found

    def close(self) -> None:
        """End it."""
        self.ask("Browser.close")
        self.process.wait(timeout=30)


def main() -> None:
    """Make the page, open it, print the numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--page", type=Path, help="Open this page instead of making one.")
    parser.add_argument("--keep", type=Path, help="Keep the page here.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = options.page or options.keep or Path(name, "page.html")
        if options.page is None:
            path.write_text(page_of(options.rows))
        print(f"{path.stat().st_size / 1e6:.2f} MB; load of the machine {os.getloadavg()[0]:.1f}")
        browser = Browser(str(Path(name, "profile")))
        print(f"browser started in {browser.start:.2f} s (not counted)")
        found = [browser.open(path.resolve()) for _ in range(options.times)]
        browser.close()
    for key in found[0]:
        values = sorted(each[key] for each in found if each[key] is not None)
        if not values:
            continue
        told = f"{statistics.median(values):7.0f}, {values[0]:.0f} to {values[-1]:.0f}"
        print(f"{key:>12} {told}{'' if key in ('figures', 'elements') else ' ms'}")


if __name__ == "__main__":
    main()
