"""A bank of students trained together by projected gradient descent (THEORY.md section 1).

Any mix of widths, seeds, label kinds, step sizes, radii and initialisations shares every pass over
the data. Who works where is `workers.py`, the compiled loop `_steps.py`, the result `bank.Bank`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import psutil

from softwidth._checks import MemoryLimitError
from softwidth._progress import Progress, progress
from softwidth._steps import CONVERGED, DIVERGED, TRAINING, Rows
from softwidth._types import Array
from softwidth.bank import Bank
from softwidth.inputs import TrainingData, check_data, check_students
from softwidth.network import Network
from softwidth.specs import Recipe, Student
from softwidth.workers import (
    BLOCK,
    Worker,
    blas_threads,
    rows_a_step,
    share_out,
    usable_cores,
    weight_copies,
)

ROUND_WORK = 1e11  # multiply-adds between two looks at who is finished: about a second
ORDER_BYTES = 2**26  # of the shuffled row numbers of one round
MEMORY_SHARE = 0.5  # of what is free now, where the caller names no limit
STATUS = ("trained", "converged", "diverged", "interrupted")  # those of `_steps`, then ours
INTERRUPTED, NOT_STARTED = 3, -1


def train_bank(
    X: Any,
    y: Any,
    targets: Mapping[str, Any],
    students: Sequence[Student],
    *,
    progress_label: str | None = None,
    **recipe: Any,
) -> Bank:
    """Train many students at once, each to the result that it would reach alone.

    The order of rows is the bank's, everything else the student's own. Whoever shares the bank and
    however it is cut in pieces, a student's logits differ by rounding only: by less than 1e-4 in
    float32 and 1e-10 in float64 after 200 steps (tested).

    Parameters
    ----------
    X : array_like, shape (N, D)
        Inputs; the theory wants rows of at most unit norm.
    y : array_like, shape (N,)
        Class ids, against which mistakes are counted.
    targets : mapping of str to array_like of shape (N, K), or to `labels.Targets`
        What each label kind trains on: probabilities or vote counts.
    students : sequence of Student
        ``student.labels`` names an entry of `targets`.
    progress_label : str, optional
        Shows progress under this name on stderr once it takes more than two seconds.
    **recipe
        Fields of `specs.Recipe`: epochs, batch_size, momentum, schedule, ...

    Returns
    -------
    Bank
        After Ctrl-C with ``interrupted=True`` and the students as far as they got.

    Raises
    ------
    ArgumentError
        An input that cannot be used; the message names it, its value and the wish.
    MemoryLimitError
        Even one student does not fit; the message says how much is needed.

    Examples
    --------
    >>> X, y = np.eye(4), np.array([0, 1, 0, 1])
    >>> students = [Student(8, seed=0, step_size=3.0), Student(16, seed=1, step_size=3.0)]
    >>> bank = train_bank(X, y, {"hard": np.eye(2)[y]}, students, epochs=50)
    >>> bank.evaluate(X, y)["error"].tolist()
    [0.0, 0.0]
    """
    began = time.monotonic()
    settings = Recipe.of(recipe)
    data = check_data(X, y, targets, settings)
    check_students(students, data)
    run = _Run(students, data, settings)
    total = float(settings.epochs) * len(data.y) * sum(student.width for student in students)
    with progress(progress_label, total) as shown:
        for piece in pieces_that_fit(students, data, settings):
            if not run.interrupted:
                run.train(piece, shown)
    return run.bank(time.monotonic() - began)


def bytes_needed(students: Sequence[Student], data: TrainingData, recipe: Recipe) -> int:
    """Memory that training takes beyond the data: weights, one block of rows, histories.

    At most four arrays of the size of the weights (the weights, their start where a radius is
    finite, their velocity with momentum or several blocks a step, and a copy while students that
    are finished leave), one block of activations for all neurons, and one block of gathered rows
    per worker.
    """
    batch = rows_a_step(recipe, len(data.y))
    neurons, D = sum(student.width for student in students), data.X.shape[1]
    copies = 2 + sum(weight_copies(students, recipe, batch))
    block = min(BLOCK, batch)
    gathered = block * D * (recipe.threads or usable_cores()) if recipe.batch_size else 0
    numbers = neurons * (copies * D + block) + gathered
    steps = recipe.epochs * -(-len(data.y) // batch)
    return numbers * data.X.itemsize + 3 * 8 * steps * len(students)


def pieces_that_fit(
    students: Sequence[Student], data: TrainingData, recipe: Recipe
) -> list[list[int]]:
    """The students' numbers cut into pieces, each trained within the memory allowed."""
    limit = recipe.memory or int(MEMORY_SHARE * psutil.virtual_memory().available)
    pieces: list[list[int]] = [[]]
    for member in range(len(students)):
        alone = bytes_needed([students[member]], data, recipe)
        if alone > limit:
            raise MemoryLimitError(
                f"a student of width {students[member].width} needs {alone / 2**20:,.0f} MiB to "
                f"train, and `memory` allows {limit / 2**20:,.0f} MiB."
            )
        together = [students[m] for m in (*pieces[-1], member)]
        if pieces[-1] and bytes_needed(together, data, recipe) > limit:
            pieces.append([])
        pieces[-1].append(member)
    return pieces


class _Run:
    """One call of `train_bank`: its histories, and the students that are done so far."""

    def __init__(self, students: Sequence[Student], data: TrainingData, recipe: Recipe) -> None:
        self.students, self.data, self.recipe = tuple(students), data, recipe
        N, S = len(data.y), len(students)
        self.batch = rows_a_step(recipe, N)
        self.per_epoch = -(-N // self.batch)
        steps = recipe.epochs * self.per_epoch
        self.factors = recipe.factors(steps)
        self.ce, self.error = np.zeros((steps, S)), np.zeros((steps, S))
        self.entropy = np.zeros((steps, len(data.targets)))  # of the targets of each step
        self.networks: dict[int, Network] = {}
        self.status = np.full(S, NOT_STARTED)
        self.epochs = np.zeros(S, np.int64)
        self.records: dict[int, dict[str, Array]] = {}
        self.interrupted = False
        self.threads = recipe.threads or usable_cores()
        self.work_done = 0.0

    def train(self, piece: list[int], shown: Progress) -> None:
        """Train the students of one piece from their start to the end, or to an interruption."""
        groups = share_out([self.students[m].width for m in piece], self.threads)
        workers = [
            Worker([piece[p] for p in group], self.students, self.data, self.recipe, self.ce, self.error)
            for group in groups
        ]  # fmt: skip
        epoch = 0
        self._diagnose(workers, 0)
        with blas_threads(self.threads if len(workers) == 1 else 1):
            while epoch < self.recipe.epochs and workers and not self.interrupted:
                epoch = self._round(workers, epoch, shown)
                self._diagnose(workers, epoch)
                for worker in workers:
                    self._collect(worker.finished())
                workers = [worker for worker in workers if worker.members]
        for worker in workers:
            self._collect(worker.everybody())

    def _round(self, workers: list[Worker], epoch: int, shown: Progress) -> int:
        """Some epochs on all workers side by side; returns the next epoch."""
        end = self._round_end(workers, epoch)
        orders = self._orders(epoch, end)
        T, entropy = self.data.stacked(epoch)
        self._note_entropy(entropy, orders, epoch)
        rows, means = Rows(self.data.X, T, self.data.y), entropy.mean(axis=1)
        stop, done = np.zeros(1, np.int64), np.zeros((len(workers), 1), np.int64)
        with ThreadPoolExecutor(len(workers)) as pool:
            jobs = [
                pool.submit(worker.run, rows, means, orders, self.factors, epoch, stop, count)
                for worker, count in zip(workers, done, strict=True)
            ]
            waiting = set(jobs)
            while waiting:
                try:
                    waiting = wait(waiting, timeout=0.1).not_done
                    shown.update(self.work_done + float(done.sum()))
                except KeyboardInterrupt:
                    stop[0] = 1
                    self.interrupted = True
        self.work_done += float(done.sum())
        if self.interrupted:
            for worker, job in zip(workers, jobs, strict=True):
                self._break_off(worker, job.result())
        return end

    def _round_end(self, workers: list[Worker], epoch: int) -> int:
        """The epoch at which to look again: about a second on, or where targets change."""
        N, D = self.data.X.shape
        work = 2 * N * D * sum(int(worker.share.width.sum()) for worker in workers)
        length = max(1, min(int(ROUND_WORK // work), ORDER_BYTES // (4 * N)))
        every = self.recipe.diagnostics_every
        if every:
            length = min(length, every - epoch % every)
        return min(self.recipe.epochs, epoch + (length if self.data.fixed else 1))

    def _orders(self, epoch: int, end: int) -> np.ndarray[Any, Any]:
        """Row numbers of every epoch (E, N) in the order of the bank's seed; (E, 0) full batch."""
        N = len(self.data.y)
        orders = np.empty((end - epoch, N if self.recipe.batch_size else 0), np.int32)
        if self.recipe.batch_size:
            for e in range(epoch, end):
                orders[e - epoch] = np.random.default_rng([self.recipe.order_seed, e]).permutation(
                    N
                )
        return orders

    def _note_entropy(self, entropy: Array, orders: np.ndarray[Any, Any], epoch: int) -> None:
        """Mean entropy of the targets of every step of these epochs."""
        starts = np.arange(0, len(self.data.y), self.batch)
        rows = self._rows_per_step()
        for e, order in enumerate(orders):
            per_row = entropy[:, order] if len(order) else entropy
            first = (epoch + e) * self.per_epoch
            self.entropy[first : first + self.per_epoch] = (
                np.add.reduceat(per_row, starts, axis=1) / rows
            ).T

    def _rows_per_step(self) -> np.ndarray[Any, Any]:
        starts = np.arange(0, len(self.data.y), self.batch)
        return np.diff(np.append(starts, len(self.data.y)))

    def _diagnose(self, workers: list[Worker], epoch: int) -> None:
        """Record how far the students have gone, where this epoch asks for it."""
        every = self.recipe.diagnostics_every
        if not every or (epoch % every and epoch < self.recipe.epochs):
            return
        for worker in workers:
            for name, values in worker.diagnose(self.data.X).items():
                record = self.records.setdefault(epoch, {})
                record.setdefault(name, np.full(len(self.students), np.nan))
                record[name][worker.members] = values

    def _collect(self, leaving: Iterable[tuple[int, int, int, Network]]) -> None:
        for member, status, epochs, network in leaving:
            self.networks[member] = network
            if self.status[member] == NOT_STARTED:
                self.status[member], self.epochs[member] = status, epochs

    def _break_off(self, worker: Worker, step: int) -> None:
        """Note how far the members came that were still training when Ctrl-C came."""
        for s, member in enumerate(worker.members):
            if worker.share.status[s] == TRAINING:
                self.status[member], self.epochs[member] = INTERRUPTED, step // self.per_epoch
                self.ce[step:, member] = self.error[step:, member] = np.nan

    def bank(self, seconds: float) -> Bank:
        """The result, histories filled after the end of students that left early."""
        rows = self._rows_per_step()
        for member, student in enumerate(self.students):
            if member not in self.networks:  # a piece that Ctrl-C left untouched
                self.networks[member] = self.data.start(student)
                self.status[member] = INTERRUPTED
                self.ce[:, member] = self.error[:, member] = np.nan
            elif self.status[member] in (CONVERGED, DIVERGED):
                end = self.epochs[member] * self.per_epoch
                for history in (self.ce, self.error):
                    last = history[end - self.per_epoch : end, member]
                    history[end:, member] = np.average(last, weights=rows)
        kind = [list(self.data.targets).index(student.labels) for student in self.students]
        return Bank(
            students=self.students,
            networks=[self.networks[member] for member in range(len(self.students))],
            status=[STATUS[status] for status in self.status],
            epochs=self.epochs,
            cross_entropy=self.ce.T,
            kl=(self.ce - self.entropy[:, kind]).T,
            error=self.error.T,
            rows_per_step=rows,
            n_classes=self.data.n_classes,
            diagnostics=self._stacked_records(),
            seconds=seconds,
            interrupted=self.interrupted,
        )

    def _stacked_records(self) -> dict[str, np.ndarray[Any, Any]]:
        if not self.records:
            return {}
        epochs = sorted(self.records)
        names = self.records[epochs[0]]
        stacked = {
            name: np.stack([self.records[e][name] for e in epochs], axis=1) for name in names
        }
        return {"epoch": np.array(epochs), **stacked}
