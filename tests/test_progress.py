"""Progress appears on stderr, after two seconds, and nowhere else."""

import io

import pytest
from problems import random_problem

from softwidth import _progress
from softwidth._progress import APPEARS_AFTER, LINE_EVERY, progress
from softwidth.specs import Student
from softwidth.training import train_bank


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


def terminal_for(monkeypatch):
    """A stderr that says it is a terminal; to be called in the test: pytest sets its own before."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return terminal


def test_work_of_less_than_two_seconds_shows_nothing(clock, monkeypatch, capsys):
    terminal = terminal_for(monkeypatch)
    with progress("training", 10) as shown:
        for done in range(10):
            clock.now += 0.99 * APPEARS_AFTER / 10
            shown.update(done)
    assert terminal.getvalue() == ""
    assert capsys.readouterr().out == ""


def test_longer_work_shows_a_bar_on_stderr(clock, monkeypatch, capsys):
    terminal = terminal_for(monkeypatch)
    with progress("training", 10) as shown:
        clock.now += 1.01 * APPEARS_AFTER
        shown.update(5)
        shown._bar.refresh()
    assert "training" in terminal.getvalue()
    assert "50%" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_what_others_print_stays_on_stdout(clock, monkeypatch, capsys):
    terminal = terminal_for(monkeypatch)
    with progress("training", 10) as shown:
        clock.now += 3
        shown.update(5)
        print("a result")
    assert "a result" not in terminal.getvalue()
    assert capsys.readouterr().out == "a result\n"


def test_outside_a_terminal_a_line_now_and_then(clock, monkeypatch, capsys):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    with progress("training", 100) as shown:
        for done in range(100):
            clock.now += 3 * LINE_EVERY / 100
            shown.update(done)
    written = capsys.readouterr()
    lines = written.err.splitlines()
    assert written.out == ""
    assert len(lines) == 2
    assert lines[0].startswith("training: 3")
    assert lines[0].endswith(" %")
    assert "\x1b" not in written.err


def test_without_a_label_nothing(clock, monkeypatch):
    terminal = terminal_for(monkeypatch)
    with progress(None, 10) as shown:
        clock.now += 100
        shown.update(5)
    assert terminal.getvalue() == ""


def test_the_bar_goes_whatever_happens(clock, monkeypatch):
    terminal_for(monkeypatch)
    with pytest.raises(RuntimeError), progress("training", 10) as shown:  # noqa: PT012
        clock.now += 3
        shown.update(5)
        raise RuntimeError
    assert not shown._bar.live.is_started


def test_a_bank_counts_all_its_work(monkeypatch):
    """The last report of a bank that trains to the end is its total: rows, epochs and neurons."""
    X, y, targets = random_problem(0, N=33)
    seen = []
    monkeypatch.setattr(
        _progress.Progress, "update", lambda self, done: seen.append(done / self.total)
    )
    monkeypatch.setattr("softwidth.training.ROUND_WORK", 1)
    train_bank(
        X, y, targets, [Student(4), Student(8)], epochs=6, batch_size=10, progress_label="training"
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_quick_banks_are_silent(capsys):
    X, y, targets = random_problem(0)
    train_bank(X, y, targets, [Student(4)], progress_label="training")
    assert capsys.readouterr() == ("", "")
