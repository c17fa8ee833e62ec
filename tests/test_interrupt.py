"""Ctrl-C leaves the results so far, whenever it comes and by whatever way."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from problems import random_problem

from softwidth import training
from softwidth._interrupt import asked_to_stop
from softwidth.inputs import check_data
from softwidth.memory import bytes_needed
from softwidth.specs import Recipe, Student
from softwidth.training import train_bank
from softwidth.workers import Worker


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def assert_results_so_far(bank, X, students, epochs):
    assert bank.interrupted
    for s in range(len(students)):
        assert np.isfinite(bank.networks[s].W).all()
        done = bank.epochs[s] * len(bank.rows_per_step)
        for history in (bank.cross_entropy, bank.kl, bank.error):
            assert np.isfinite(history[s, :done]).all()
            if bank.status[s] == "interrupted":
                assert bank.epochs[s] < epochs
                assert np.isnan(history[s, done + len(bank.rows_per_step) :]).all()
    f = bank.logits(X)
    for network, logits in zip(bank.networks, f, strict=True):
        np.testing.assert_allclose(network.logits(X), logits, atol=1e-4)


@pytest.mark.parametrize("where", ["_orders", "_diagnose", "_without_finished", "_collect"])
@pytest.mark.parametrize("threads", [1, 2])
def test_between_two_rounds(monkeypatch, where, threads):
    """Python code runs there, into which a KeyboardInterrupt used to break."""
    X, y, targets = random_problem(0, N=60)
    students = [Student(4, seed=s) for s in range(4)]
    original, calls = getattr(training._Run, where), []

    def pressed(self, *arguments):
        calls.append(where)
        if len(calls) == (1 if where == "_collect" else 3):
            press_ctrl_c()
        return original(self, *arguments)

    monkeypatch.setattr(training._Run, where, pressed)
    monkeypatch.setattr(training, "ROUND_WORK", 1)
    epochs = 5 if where == "_collect" else 1000
    bank = train_bank(
        X, y, targets, students, epochs=epochs, batch_size=7, diagnostics_every=1, threads=threads
    )
    assert_results_so_far(bank, X, students, epochs)
    if where != "_collect":
        assert set(bank.status) == {"interrupted"}
        assert (bank.epochs < 5).all()
        recorded = bank.diagnostics["epoch"] <= bank.epochs[0]
        for values in (bank.diagnostics[name] for name in ("edge", "flipped", "displacement")):
            assert np.isfinite(values[:, recorded]).all()
            assert np.isnan(values[:, ~recorded]).all()


def test_who_was_through_before_is_trained(monkeypatch):
    """All epochs done when it comes: there is nothing that was left out."""
    X, y, targets = random_problem(0)
    data = check_data(X, y, targets, Recipe())
    run = training._Run([Student(4)], data, Recipe(epochs=3))
    original = Worker.run

    def interrupted(*arguments):
        original(*arguments)
        run.interrupt()

    monkeypatch.setattr(Worker, "run", interrupted)
    run.train([0], training.Progress(None, 1))
    bank = run.bank(0)
    assert bank.interrupted
    assert bank.status == ["trained"]
    assert np.isfinite(bank.cross_entropy).all()


def test_pieces_left_untouched_are_at_their_start(monkeypatch):
    """Their networks have the type of the others: predicting takes all together."""
    X, y, targets = random_problem(0)
    students = [Student(4, seed=s) for s in range(6)]
    data = check_data(X, y, targets, Recipe(threads=1))
    limit = bytes_needed(students[:2], data, Recipe(threads=1))
    original = training._Run.train

    def pressed(self, piece, shown):
        if piece[0] == 2:
            press_ctrl_c()
        original(self, piece, shown)

    monkeypatch.setattr(training._Run, "train", pressed)
    bank = train_bank(X, y, targets, students, memory=limit, threads=1)
    assert bank.status == ["trained"] * 2 + ["interrupted"] * 4
    assert bank.epochs.tolist() == [10, 10, 0, 0, 0, 0]
    assert {network.W.dtype for network in bank.networks} == {np.dtype(np.float32)}
    assert np.isnan(bank.cross_entropy[2:]).all()
    assert_results_so_far(bank, X, students, 10)


def test_converged_students_keep_their_result_when_others_are_broken_off(monkeypatch):
    X, y, targets = random_problem(0, N=20, D=8)
    students = [Student(64, step_size=50), Student(4, step_size=0.01), Student(4, step_size=1e30)]
    original = training._Run._round_end

    def pressed(self, workers, epoch):
        if epoch >= 300:
            press_ctrl_c()
        return original(self, workers, epoch)

    monkeypatch.setattr(training._Run, "_round_end", pressed)
    monkeypatch.setattr(training, "ROUND_WORK", 1)
    bank = train_bank(X, y, targets, students, epochs=10_000, tolerance=0.05)
    assert bank.status == ["converged", "interrupted", "diverged"]
    assert np.isfinite(bank.cross_entropy[0]).all()
    assert_results_so_far(bank, X, students, 10_000)


def test_a_keyboard_interrupt_that_is_no_signal(monkeypatch):
    """As a notebook or a debugger raises it, while the main thread waits for its workers."""
    X, y, targets = random_problem(0)
    original, calls = training.wait, []

    def interrupted(*arguments, **settings):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return original(*arguments, **settings)

    monkeypatch.setattr(training, "wait", interrupted)
    bank = train_bank(X, y, targets, [Student(64)], epochs=10**6)
    assert bank.status == ["interrupted"]
    assert bank.seconds < 30
    assert_results_so_far(bank, X, [Student(64)], 10**6)


SCRIPT = """
import numpy as np, softwidth
rng = np.random.default_rng(0)
X = rng.standard_normal((500, 20)); y = (X[:, 0] > 0).astype(int)
students = [softwidth.Student(32, seed=s) for s in range(4)]
softwidth.train_bank(X, y, {"hard": np.eye(2)[y]}, students, epochs=1)
print("ready", flush=True)
bank = softwidth.train_bank(
    X, y, {"hard": np.eye(2)[y]}, students, epochs=10**5, progress_label="training"
)
print(bank.status, bank.epochs.max() > 0, bank.epochs.max() < 10**5)
print(np.isnan(bank.cross_entropy[:, -1]).all(), np.isfinite(bank.cross_entropy[:, 0]).all())
"""


def test_a_user_presses_ctrl_c():
    """A process of its own, in the middle of its compiled loops; progress is on stderr alone."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert out.splitlines() == [f"{['interrupted'] * 4} True True", "True True"]


def test_the_second_one_breaks_in():
    """Whoever presses again means it; and afterwards all is as before."""
    asked = []
    with pytest.raises(KeyboardInterrupt), asked_to_stop(lambda: asked.append(1)):  # noqa: PT012
        press_ctrl_c()
        assert asked == [1]
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_stay():
    def theirs(*_):
        asked.append("theirs")

    asked = []
    signal.signal(signal.SIGINT, theirs)
    try:
        with asked_to_stop(lambda: asked.append("ours")):
            press_ctrl_c()
        assert asked == ["theirs"]
        assert signal.getsignal(signal.SIGINT) is theirs
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_training_in_another_thread_needs_no_signals():
    X, y, targets = random_problem(0)
    banks = []
    thread = threading.Thread(
        target=lambda: banks.append(train_bank(X, y, targets, [Student(4)], epochs=3))
    )
    thread.start()
    thread.join()
    here = train_bank(X, y, targets, [Student(4)], epochs=3)
    np.testing.assert_array_equal(banks[0].networks[0].W, here.networks[0].W)
