"""Worker threads of a bank: who owns which students, and when a student leaves.

The bank is cut by students, so workers never wait for one another inside a round. With one worker
BLAS gets the threads instead: a single wide student cannot be shared out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from softwidth import _steps
from softwidth._steps import Buffers, Course, Moments, Rows, Share
from softwidth._types import Array
from softwidth.inputs import TrainingData, logit_columns
from softwidth.network import Network
from softwidth.specs import Recipe, Student

BLOCK = 1024  # rows of one product: shorter repacks the weights too often, longer leaves the cache
UNEVEN = 0.7  # part of the neurons in one hand above which one worker with all cores is faster
LOOKED_AT = 256  # neurons, and rows, of one piece of the diagnostics: small beside the weights
COMPACT_AT = 0.25  # part of finished neurons that makes it worth moving the others together


def share_out(widths: Sequence[int], hands: int) -> list[list[int]]:
    """Positions by worker with nearly equal numbers of neurons; one list where that cannot be.

    >>> share_out([64, 32, 16, 16], 2)
    [[0], [1, 2, 3]]
    >>> share_out([64, 2], 2)
    [[0, 1]]
    """
    groups: list[list[int]] = [[] for _ in range(hands)]
    loads = [0] * hands
    for position in sorted(range(len(widths)), key=lambda p: -widths[p]):
        lightest = loads.index(min(loads))
        groups[lightest].append(position)
        loads[lightest] += widths[position]
    if max(loads) > UNEVEN * sum(loads):
        return [list(range(len(widths)))]
    return [sorted(group) for group in groups if group]


def rows_a_step(recipe: Recipe, n_samples: int) -> int:
    """Rows of one step: all of them, or the mini-batch."""
    return min(recipe.batch_size or n_samples, n_samples)


class Worker:
    """Some students of a bank, side by side in the arrays of one `Share`.

    Parameters
    ----------
    members : sequence of int
        Their numbers in the bank, which are their columns in the histories too.
    students : sequence of Student
        All students of the bank.
    data : TrainingData
    recipe : Recipe
    ce, error : ndarray, shape (steps, S)
        The bank's histories.

    Attributes
    ----------
    members : list of int
        Those that have not left.
    step : int
        The step that comes next.
    """

    def __init__(
        self,
        members: Sequence[int],
        students: Sequence[Student],
        data: TrainingData,
        recipe: Recipe,
        ce: Array,
        error: Array,
    ) -> None:
        self.members, self.students, self.data = list(members), students, data
        self.step = 0
        batch = rows_a_step(recipe, len(data.y))
        self.course = Course(
            batch,
            min(BLOCK, batch),
            float(recipe.momentum),  # of one type, or every step is compiled again
            float(recipe.tolerance),
            bool(recipe.train_output),
            bool(recipe.bias),
            recipe.optimiser == "adam",
        )
        self.share = _empty_share(
            [students[m] for m in members], data, recipe, self.course, ce, error
        )
        self.share.slot[:] = self.members
        for s, m in enumerate(self.members):
            network, neurons = data.present(m, students[m]), self._neurons(s)
            self._enter(network.W, self.share.W[neurons])
            self.share.A[neurons], self.share.b[s] = network.A, network.b
            self.share.scale[s] = network.scale
        self.share.W_start[:] = self.share.W[: len(self.share.W_start)]
        if data.networks and len(self.share.W_start):  # balls stay where the students began
            for s, m in enumerate(self.members):
                self._enter(data.start(students[m]).W, self.share.W_start[self._neurons(s)])
        self.buffers = _empty_buffers(len(self.share.W), data, recipe, self.course.block)

    def run(self, rows: Rows, entropy: Array, orders: Any, factors: Array, epoch: int, stop: Any, done: Any) -> None:  # fmt: skip
        """Train for ``len(orders)`` epochs without Python; see `_steps.run_epochs`."""
        self.step = _steps.run_epochs(
            rows, entropy, orders, factors, self.share, self.buffers, self.course,
            epoch, stop, done,
        )  # fmt: skip

    def _enter(self, W: Array, out: Array) -> None:
        """Write a student's weights (H, D) in the coordinates of training."""
        if self.data.span is None:
            out[:] = W
        else:
            self.data.span.enter(W, out=out)

    def _neurons(self, s: int) -> slice:
        first = int(self.share.first[s])
        return slice(first, first + int(self.share.width[s]))

    def has_leaving(self) -> bool:
        """Whether finished students are to be taken out.

        Not before they own a good part of the neurons: moving the others costs a pass over all
        weights, while a finished student costs only its part of the products.
        """
        out = self.share.status != _steps.TRAINING
        return bool(
            out.any() and self.share.width[out].sum() >= COMPACT_AT * self.share.width.sum()
        )

    def finished(self) -> Iterator[tuple[int, int, int, Network]]:
        """Take finished students out: their number, status, epochs and network."""
        out = self.share.status != _steps.TRAINING
        yield from self._leave(out, copy=True)
        self._keep(~out)

    def everybody(self) -> Iterator[tuple[int, int, int, Network]]:
        """The same for all, at the end; their networks are views of this worker's weights."""
        yield from self._leave(np.ones(len(self.members), bool), copy=False)

    def _leave(
        self, out: np.ndarray[Any, Any], *, copy: bool
    ) -> Iterator[tuple[int, int, int, Network]]:
        for s in np.flatnonzero(out).tolist():
            status, stopped = int(self.share.status[s]), int(self.share.stopped[s])
            network = self._network(s, copy=copy)
            if status == _steps.TRAINING and not _all_finite(network.W):
                status = _steps.DIVERGED  # in its very last step, which no loss has seen
            yield self.members[s], status, stopped, network

    def _network(self, s: int, *, copy: bool) -> Network:
        share, neurons = self.share, self._neurons(s)
        W, A, b = share.W[neurons], share.A[neurons], share.b[s]
        if self.data.span is not None:
            m = self.members[s]
            coordinates, W = W, self.data.present(m, self.students[m]).W
            self.data.span.leave(coordinates, W)
        elif copy:
            W = W.copy()
        if copy:
            A, b = A.copy(), b.copy()
        return Network(W, A, b, float(share.scale[s]), self.data.bias)

    def _keep(self, mask: np.ndarray[Any, Any]) -> None:
        """Move the students in `mask` to the front of every array, in place."""
        by_neuron = ("W", "W_start", "W_velocity", "A", "A_step", "A_velocity")
        others = ("ce", "error", "moments")
        neurons = np.repeat(mask, self.share.width)
        kept: dict[str, Any] = {
            name: _to_front(getattr(self.share, name), neurons if name in by_neuron else mask)
            for name in Share._fields
            if name not in others
        }
        moments = self.share.moments
        kept["moments"] = Moments(
            *(
                _to_front(a, mask if name[0] == "b" else neurons)
                for name, a in moments._asdict().items()
            )
        )
        kept["first"][:] = kept["width"].cumsum() - kept["width"]
        self.share = self.share._replace(**kept)
        self.buffers = self.buffers._replace(H=self.buffers.H[: len(self.share.W)])
        self.members = list(itertools.compress(self.members, mask))

    def diagnose(self, X: Array) -> dict[str, Array]:
        """How far the members have gone, each of shape (members,); see `Bank.diagnostics`."""
        share = self.share
        distance, flips = np.empty(len(share.W)), np.zeros(len(share.W))
        with np.errstate(over="ignore", invalid="ignore"):  # students that diverged
            for r0 in range(0, len(share.W), LOOKED_AT):
                rows = slice(r0, r0 + LOOKED_AT)
                W, start = share.W[rows], share.W_start[rows]
                distance[rows] = np.sqrt(_squares(W - start))
                for p0 in range(0, len(X), LOOKED_AT):
                    block = X[p0 : p0 + LOOKED_AT].T
                    flips[rows] += ((W @ block > 0) != (start @ block > 0)).sum(axis=1)
        on_edge = distance >= np.repeat(share.ball, share.width) * (1 - 1e-5)
        return {
            "edge": np.add.reduceat(on_edge, share.first) / share.width,
            "flipped": np.add.reduceat(flips, share.first) / (share.width * len(X)),
            "displacement": np.maximum.reduceat(distance, share.first),
        }


def _all_finite(W: Array) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(W.sum(dtype=np.float64)))


def _squares(rows: Array) -> Array:
    """Squared norms of the rows, in double precision."""
    return np.einsum("rd,rd->r", rows, rows, dtype=np.float64)


def _to_front(array: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The rows in `mask`, moved to the front of the same memory; an unused (0, D) array as it is."""
    if len(array) == 0:
        return array
    count = int(mask.sum())
    array[:count] = array[mask]
    return array[:count]


def weight_copies(students: Sequence[Student], recipe: Recipe, batch: int) -> tuple[int, int, int]:
    """How many (H, D) arrays training holds beside the weights: starts, velocities (0/1), moments (0/2)."""
    keeps_start = any(math.isfinite(student.radius) for student in students)
    adam = recipe.optimiser == "adam"
    in_pieces = batch > BLOCK or recipe.momentum > 0 or adam
    return int(keeps_start or recipe.diagnostics_every > 0), int(in_pieces), 2 * adam


def _empty_share(
    own: Sequence[Student],
    data: TrainingData,
    recipe: Recipe,
    course: Course,
    ce: Array,
    error: Array,
) -> Share:
    D, C, dtype, S = data.X.shape[1], logit_columns(data), data.X.dtype, len(own)
    width = np.array([student.width for student in own], np.int64)
    H = int(width.sum())
    starts, velocities, moments = weight_copies(own, recipe, course.batch)
    kinds = list(data.targets)
    return Share(
        W=np.empty((H, D), dtype),
        W_start=np.empty((H * starts, D), dtype),
        W_velocity=np.zeros((H * velocities, D), dtype),
        A=np.empty((H, C), dtype),
        A_step=np.zeros((H * recipe.train_output, C), dtype),
        A_velocity=np.zeros((H * recipe.train_output, C), dtype),
        b=np.zeros((S, C), dtype),
        b_step=np.zeros((S, C), dtype),
        b_velocity=np.zeros((S, C), dtype),
        moments=_empty_moments(H * bool(moments), S * bool(moments), D, C, recipe, dtype),
        scale=np.empty(S, dtype),
        first=width.cumsum() - width,
        width=width,
        kind=np.array([kinds.index(student.labels) for student in own], np.int64),
        paired=np.array([student.init == "symmetric" and not data.networks for student in own]),
        step_size=np.array([float(student.step_size) for student in own]),
        ball=np.array([float(student.radius) for student in own]) / np.sqrt(width),
        status=np.zeros(S, np.int8),
        stopped=np.full(S, recipe.epochs, np.int64),
        slot=np.empty(S, np.int64),
        ce=ce,
        error=error,
    )


def _empty_moments(H: int, S: int, D: int, C: int, recipe: Recipe, dtype: Any) -> Moments:
    A = H * recipe.train_output
    shapes = ((H, D), (H, D), (A, C), (A, C), (S, C), (S, C))
    return Moments(*(np.zeros(shape, dtype) for shape in shapes))


def _empty_buffers(H: int, data: TrainingData, recipe: Recipe, block: int) -> Buffers:
    D, C, dtype = data.X.shape[1], logit_columns(data), data.X.dtype
    gathered = block if recipe.batch_size else 0
    return Buffers(
        H=np.empty((H, block), dtype),
        rows=Rows(
            np.empty((gathered, D), dtype),
            np.empty((len(data.targets), C, gathered), dtype),
            np.empty(gathered, np.int64),
            np.empty(gathered if len(data.weight) else 0, dtype),
        ),
        F=np.empty((C, _steps.CHUNK), dtype),
        g=np.empty(_steps.CHUNK, dtype),
    )
