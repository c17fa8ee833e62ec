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

from softwidth._cores import blas_threads, usable_cores
from softwidth._interrupt import asked_to_stop
from softwidth._progress import Progress, progress
from softwidth._steps import CONVERGED, DIVERGED, TRAINING, Rows
from softwidth.bank import Bank
from softwidth.histories import Histories
from softwidth.inputs import TrainingData, check_data, check_students, going_on
from softwidth.memory import ORDER_BYTES, pieces_that_fit
from softwidth.network import Network
from softwidth.specs import Recipe, Student
from softwidth.workers import Worker, rows_a_step, share_out

ROUND_WORK = 1e11  # multiply-adds between two looks at who is finished: about a second
STATUS = ("trained", "converged", "diverged", "interrupted")  # those of `_steps`, then ours
INTERRUPTED, NOT_STARTED = 3, -1


def train_bank(
    X: Any,
    y: Any,
    targets: Mapping[str, Any],
    students: Sequence[Student],
    *,
    sample_weight: Any = None,
    networks: Sequence[Network] | None = None,
    progress_label: str | None = None,
    **recipe: Any,
) -> Bank:
    """Train many students at once, each to the result that it would reach alone.

    The order of rows is the bank's, everything else the student's own. Whoever shares the bank and
    however it is cut in pieces, a student's logits differ by rounding only: after 200 steps of a
    size up to 4, with momentum up to 0.9, by less than 1e-12 in float64 and 1e-2 in float32, of 1 +
    the largest logit (tested). In float32 it is 1e-6 as a rule; the rest comes from activations so
    near 0 that rounding decides whether they count, which moves a neuron by a whole sample's step.

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
    sample_weight : array_like, shape (N,), optional
        What a row counts for in the losses, in any unit: weight 2 is the row twice, weight 0 the
        row left out. Histories are weighted means too. Full batch this is exact; in mini-batches a
        row twice may also fall into two batches.
    networks : sequence of Network, optional
        What each student goes on from, such as `Bank.networks` of an earlier call; without it all
        begin. The ball of its radius stays around where its seed had begun, momentum starts anew.
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
    data = check_data(X, y, targets, settings, sample_weight)
    check_students(students, data)
    data = going_on(networks, students, data)
    run = _Run(students, data, settings)
    total = float(settings.epochs) * len(data.y) * sum(student.width for student in students)
    with progress(progress_label, total) as shown, asked_to_stop(run.interrupt):
        for piece in pieces_that_fit(students, data, settings):
            if not run.interrupted:
                run.train(piece, shown)
    return run.bank(time.monotonic() - began)


class _Run:
    """One call of `train_bank`: its histories, and the students that are done so far."""

    def __init__(self, students: Sequence[Student], data: TrainingData, recipe: Recipe) -> None:
        self.students, self.data, self.recipe = tuple(students), data, recipe
        N, S = len(data.y), len(students)
        self.histories = Histories(S, N, len(data.targets), rows_a_step(recipe, N), recipe)
        self.factors = recipe.factors(len(self.histories.ce))
        self.networks: dict[int, Network] = {}
        self.status = np.full(S, NOT_STARTED)
        self.epochs = np.zeros(S, np.int64)
        self.stop = np.zeros(1, np.int64)
        self.threads = recipe.threads or usable_cores()
        self.work_done = 0.0

    @property
    def interrupted(self) -> bool:
        """Whether somebody has asked to stop."""
        return bool(self.stop[0])

    def interrupt(self) -> None:
        """End the work after the steps that are being taken."""
        self.stop[0] = 1

    def train(self, piece: list[int], shown: Progress) -> None:
        """Train the students of one piece from their start to the end, or to an interruption."""
        workers = self._workers(piece)
        epoch = 0
        self._diagnose(workers, 0)
        with blas_threads(self.threads if len(workers) == 1 else 1):
            while epoch < self.recipe.epochs and workers and not self.interrupted:
                epoch = self._round(workers, epoch, shown)
                if epoch in self.histories.recorded:
                    self._diagnose(workers, epoch)
                workers = self._without_finished(workers, epoch)
        for worker in workers:
            if self.interrupted:
                self._break_off(worker)
            self._collect(worker.everybody())

    def _workers(self, piece: list[int]) -> list[Worker]:
        groups = share_out([self.students[m].neurons for m in piece], self.threads)
        ce, error = self.histories.ce, self.histories.error
        return [
            Worker([piece[p] for p in group], self.students, self.data, self.recipe, ce, error)
            for group in groups
        ]

    def _without_finished(self, workers: list[Worker], epoch: int) -> list[Worker]:
        """The workers that have students left, after those that are finished have gone."""
        for worker in workers:
            if worker.has_leaving():
                self._diagnose([worker], epoch)
                self._collect(worker.finished())
        return [worker for worker in workers if worker.members]

    def _round(self, workers: list[Worker], epoch: int, shown: Progress) -> int:
        """Some epochs on all workers side by side; returns the next epoch."""
        end = self._round_end(workers, epoch)
        orders = self._orders(epoch, end)
        T, entropy = self.data.stacked(epoch)
        self.histories.note_entropy(entropy, orders, epoch)
        rows, means = Rows(self.data.X, T, self.data.y, self.data.weight), entropy.mean(axis=1)
        done = np.zeros((len(workers), 1), np.int64)
        with ThreadPoolExecutor(len(workers)) as pool:
            jobs = [
                pool.submit(worker.run, rows, means, orders, self.factors, epoch, self.stop, count)
                for worker, count in zip(workers, done, strict=True)
            ]
            waiting = set(jobs)
            while waiting:
                try:
                    waiting = wait(waiting, timeout=0.1).not_done
                    shown.update(self.work_done + float(done.sum()))
                except KeyboardInterrupt:  # not by a signal, or by a second one
                    self.interrupt()
        self.work_done += float(done.sum())
        for job in jobs:
            job.result()  # raises what the worker raised
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
            for e, order in enumerate(orders, start=epoch):
                order[:] = np.random.default_rng([self.recipe.order_seed, e]).permutation(N)
        return orders

    def _diagnose(self, workers: list[Worker], epoch: int) -> None:
        """Write down how far the students have gone, where the recipe asks for it."""
        if self.recipe.diagnostics_every:
            for worker in workers:
                self.histories.note(worker.members, worker.diagnose(self.data.X), epoch)

    def _collect(self, leaving: Iterable[tuple[int, int, int, Network]]) -> None:
        for member, status, epochs, network in leaving:
            self.networks[member] = network
            if self.status[member] == NOT_STARTED:
                self.status[member], self.epochs[member] = status, epochs

    def _break_off(self, worker: Worker) -> None:
        """Note how far the members came that were still training when the work was stopped."""
        epochs = worker.step // self.histories.per_epoch
        for s, member in enumerate(worker.members):
            if worker.share.status[s] == TRAINING and epochs < self.recipe.epochs:
                self.status[member], self.epochs[member] = INTERRUPTED, epochs
                self.histories.cut(member, worker.step)

    def bank(self, seconds: float) -> Bank:
        """The result, histories filled after the end of students that left early."""
        for member, student in enumerate(self.students):
            if member not in self.networks:  # a piece that Ctrl-C left untouched
                self.networks[member] = self.data.present(member, student)
                self.status[member] = INTERRUPTED
                self.histories.cut(member, 0)
            elif self.status[member] in (CONVERGED, DIVERGED):
                self.histories.hold(member, int(self.epochs[member]))
        kinds = list(self.data.targets)
        return Bank(
            students=self.students,
            networks=[self.networks[member] for member in range(len(self.students))],
            status=[STATUS[status] for status in self.status],
            epochs=self.epochs,
            cross_entropy=self.histories.ce.T,
            kl=self.histories.kl([kinds.index(student.labels) for student in self.students]).T,
            error=self.histories.error.T,
            rows_per_step=self.histories.rows,
            n_classes=self.data.n_classes,
            diagnostics=self.histories.records(),
            seconds=seconds,
            interrupted=self.interrupted,
        )
