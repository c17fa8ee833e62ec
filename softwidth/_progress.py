"""Progress on stderr for whatever takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

APPEARS_AFTER = 2.0  # seconds
LINE_EVERY = 10.0  # seconds between lines where stderr is not a terminal

_silent: ContextVar[bool] = ContextVar("_silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """Nothing inside shows progress: it is a part of something that does."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def tell(sentence: str) -> None:
    """A sentence on stderr that people want before the work goes on."""
    if not _silent.get():
        print(sentence, file=sys.stderr)


class Progress:
    """A bar that appears once the work has taken two seconds; plain lines outside a terminal.

    Parameters
    ----------
    label : str or None
        What is being done; ``None`` shows nothing.
    total : float
        Amount of work.
    """

    def __init__(self, label: str | None, total: float) -> None:
        self.label, self.total = None if _silent.get() else label, max(total, 1)
        self.started = time.monotonic()
        self._bar: Any = None
        self._last_line = self.started

    def update(self, done: float, note: str = "") -> None:
        """Show that `done` of the total is done, with a short `note` beside it."""
        now = time.monotonic()
        if self.label is None or now - self.started < APPEARS_AFTER:
            return
        if self._bar is None:
            self._bar = _open_bar(self.label, self.total)
        self._bar.update(0, completed=done, description=f"{self.label} {note}".rstrip())
        if not self._bar.console.is_terminal and now - self._last_line > LINE_EVERY:
            self._last_line = now
            self._bar.console.print(
                f"{self.label}: {100 * done / self.total:.0f} % {note}".rstrip()
            )

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


def _open_bar(label: str, total: float) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    bar = RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        redirect_stdout=False,  # it would send what others print to stderr
        transient=True,
        disable=not console.is_terminal,
    )
    bar.add_task(label, total=total)
    bar.start()
    return bar


@contextmanager
def progress(label: str | None, total: float) -> Iterator[Progress]:
    """A `Progress` that is taken away at the end, whatever happens."""
    shown = Progress(label, total)
    try:
        yield shown
    finally:
        shown.close()
