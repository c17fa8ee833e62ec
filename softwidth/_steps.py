"""The compiled inner loop of a bank: forward, loss, backward, update, projection.

One worker owns the students of one `Share` and runs it without Python and without talking to the
other workers: students are independent, so the bank is cut by students and never by rows.

Neurons are rows: ``H = W Xᵀ`` is (H, N), so that every loop of the head runs over consecutive
samples of one neuron, whatever the widths of the students side by side. Pieces of `CHUNK` samples
keep a student's logits in the first-level cache between the forward and the backward pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from softwidth._blas import activations, add_outer
from softwidth._losses import REORDER, binary_loss, clear, multiclass_loss
from softwidth._passes import (
    add_bias_step,
    add_output_step,
    equal_twins,
    student_gradient,
    student_logits,
)
from softwidth._types import Array
from softwidth._weighted import weighted_loss

CHUNK = 256

TRAINING, CONVERGED, DIVERGED = 0, 1, 2
DIVERGED_ABOVE = 1e3  # nats; ln K at the start, and a useful student never comes near


BETA2, EPSILON = 0.999, 1e-8  # of Adam (Kingma and Ba 2015), as published


class Moments(NamedTuple):
    """Adam's running means; all of no rows where steps are the gradient's."""

    W_mean: Array  # (H, D) of the gradient
    W_square: Array  # (H, D) of its square
    A_mean: Array  # (H, C)
    A_square: Array  # (H, C)
    b_mean: Array  # (S, C)
    b_square: Array  # (S, C)


class Share(NamedTuple):
    """The students that one worker trains; C is 1 for a binary task and K otherwise."""

    W: Array  # (H, D) hidden weights
    W_start: Array  # (H, D) where they started; (0, 0) when no ball is to be kept
    W_velocity: Array  # (H, D) running sum of steps; (0, 0) when a step is one product
    A: Array  # (H, C) output weights
    A_step: Array  # (H, C) their gradient step; (0, C) when they are fixed
    A_velocity: Array  # (H, C)
    b: Array  # (S, C) output biases
    b_step: Array  # (S, C)
    b_velocity: Array  # (S, C)
    moments: Moments
    scale: Array  # (S,) factor before the sum over neurons
    first: np.ndarray[Any, Any]  # (S,) a student's first neuron
    width: np.ndarray[Any, Any]  # (S,)
    kind: np.ndarray[Any, Any]  # (S,) which targets
    paired: np.ndarray[Any, Any]  # (S,) whether neurons start as twins, side by side
    step_size: Array  # (S,)
    ball: Array  # (S,) radius / sqrt(width), inf for none
    status: np.ndarray[Any, Any]  # (S,) TRAINING, CONVERGED or DIVERGED
    stopped: np.ndarray[Any, Any]  # (S,) epochs trained when it left TRAINING
    slot: np.ndarray[Any, Any]  # (S,) a student's column in the two histories
    ce: Array  # (steps, students of the bank) cross-entropy before each step, nats
    error: Array  # (steps, students of the bank) share of mistakes before each step


class Rows(NamedTuple):
    """Samples with their targets, as the data or as the gathered rows of one block."""

    X: Array  # (N, D)
    T: Array  # (kinds, C, N) probability of class 1, or of each class
    y: np.ndarray[Any, Any]  # (N,) class ids
    weight: Array  # (N,) of mean 1; (0,) where every row weighs the same


class Buffers(NamedTuple):
    """What a worker writes over and over."""

    H: Array  # (H, block) activations, then their gradient
    rows: Rows  # one block of shuffled rows
    F: Array  # (C, CHUNK) logits, then the gradient with respect to them
    g: Array  # (CHUNK,)


class Course(NamedTuple):
    """How the steps of one round are taken."""

    batch: int  # rows a step
    block: int  # rows a product
    momentum: float
    tolerance: float
    train_output: bool
    bias: bool
    adam: bool


@njit(nogil=True, cache=True, error_model="numpy")
def head(share, buffers, block, offset, n, rows, factor, course, step) -> None:  # type: ignore[no-untyped-def]
    """Losses of all students on one block; ``buffers.H`` becomes the gradient step.

    `offset` is where the block's rows stand in its arrays; `rows` are those of the whole step,
    over which the loss is a mean; `factor` is the schedule's.
    """
    H, F = buffers.H, buffers.F
    weighted = len(block.weight) > 0
    for s in range(len(share.width)):
        first = share.first[s]
        last = first + share.width[s]
        if share.status[s] != TRAINING:
            for r in range(first, last):
                clear(H[r, :n])
            continue
        h, A = H[first:last], share.A[first:last]
        if step == 0 and share.paired[s]:
            equal_twins(h, n)
        scale = share.scale[s]
        size = 1.0 if course.adam else share.step_size[s] * factor  # Adam's comes after the sum
        gain = F.dtype.type(size / rows)
        for c0 in range(0, n, CHUNK):
            c1 = min(c0 + CHUNK, n)
            t = block.T[share.kind[s], :, offset + c0 : offset + c1]
            labels = block.y[offset + c0 : offset + c1]
            piece = F[:, : c1 - c0]
            student_logits(h, c0, c1, A, scale, share.b[s], F)
            if weighted:
                w = block.weight[offset + c0 : offset + c1]
                loss, mistakes = weighted_loss(piece, t, labels, w, gain, buffers.g)
            elif F.shape[0] == 1:
                loss, mistakes = binary_loss(piece[0], t[0], labels, gain)
            else:
                loss, mistakes = multiclass_loss(piece, t, labels, gain, buffers.g)
            share.ce[step, share.slot[s]] += loss / rows
            share.error[step, share.slot[s]] += mistakes / rows
            if course.train_output:
                add_output_step(h, c0, c1, scale, F, share.A_step[first:last])
            if course.bias:
                add_bias_step(piece, share.b_step[s])
            student_gradient(h, c0, c1, A, scale, F, buffers.g)


@njit(nogil=True, cache=True)
def gather(rows, order, out) -> None:  # type: ignore[no-untyped-def]
    """Copy the rows named by `order` into the block `out`."""
    for i in range(len(order)):
        x, copy = rows.X[order[i]], out.X[i]
        for j in range(len(x)):
            copy[j] = x[j]
        out.y[i] = rows.y[order[i]]
    for i in range(len(order) if len(rows.weight) else 0):
        out.weight[i] = rows.weight[order[i]]
    kinds, C, _ = rows.T.shape
    for kind in range(kinds):
        for k in range(C):
            for i in range(len(order)):
                out.T[kind, k, i] = rows.T[kind, k, order[i]]


@njit(nogil=True, cache=True, fastmath=REORDER, error_model="numpy")
def project(share) -> None:  # type: ignore[no-untyped-def]
    """Scale every neuron that left its ball back onto it (THEORY.md section 1)."""
    D = share.W.shape[1]
    for s in range(len(share.width)):
        ball = share.ball[s]
        if np.isinf(ball):
            continue
        for r in range(share.first[s], share.first[s] + share.width[s]):
            w, start = share.W[r], share.W_start[r]
            square = w.dtype.type(0)
            for j in range(D):
                square += (w[j] - start[j]) ** 2
            if np.isinf(square):  # a length of 1e20 has a square beyond single precision
                project_far(w, start, ball)
            elif square > ball * ball:
                shrink = w.dtype.type(ball / np.sqrt(square))
                for j in range(D):
                    w[j] = start[j] + shrink * (w[j] - start[j])


@njit(nogil=True, cache=True, error_model="numpy")
def project_far(w, start, ball) -> None:  # type: ignore[no-untyped-def]
    """The same for one neuron whose squared distance overflows: in units of its largest entry."""
    largest = 0.0
    for j in range(len(w)):
        largest = max(largest, abs(np.float64(w[j]) - start[j]))
    square = 0.0
    for j in range(len(w)):
        square += ((np.float64(w[j]) - start[j]) / largest) ** 2
    for j in range(len(w)):  # an infinite entry becomes NaN, and the student has diverged
        w[j] = start[j] + (np.float64(w[j]) - start[j]) / largest * (ball / np.sqrt(square))


@njit(nogil=True, cache=True)
def move_output(weights, step, velocity, momentum) -> None:  # type: ignore[no-untyped-def]
    """One step of the output layer: ``v <- momentum v - step``, ``weights <- weights + v``."""
    for r in range(weights.shape[0]):
        for k in range(weights.shape[1]):
            velocity[r, k] = momentum * velocity[r, k] - step[r, k]
            weights[r, k] += velocity[r, k]
            step[r, k] = 0


@njit(nogil=True, cache=True)
def move_by_velocity(share, straight, course) -> None:  # type: ignore[no-untyped-def]
    """One step of gradient descent with momentum; a `straight` one has moved the neurons already."""
    if not straight:
        for r in range(share.W.shape[0]):
            for j in range(share.W.shape[1]):
                share.W[r, j] += share.W_velocity[r, j]
    if course.train_output:
        move_output(share.A, share.A_step, share.A_velocity, course.momentum)
    if course.bias:
        move_output(share.b, share.b_step, share.b_velocity, course.momentum)


@njit(nogil=True, cache=True, error_model="numpy")
def move_by_moments(share, factor, step, course) -> None:  # type: ignore[no-untyped-def]
    """One step of Adam (Kingma and Ba 2015, algorithm 1) from the gradients just summed.

    ``m <- beta m + (1 - beta) g``, ``s <- beta2 s + (1 - beta2) g²``, ``w <- w - step_size m̂/(√ŝ + ε)``;
    `beta` is the course's momentum, hats are divisions by ``1 - betaᵗ`` and ``1 - beta2ᵗ``.
    """
    t = step + 1.0
    fresh, fresh2 = 1.0 - course.momentum**t, 1.0 - BETA2**t
    moments = share.moments
    for s in range(len(share.width)):
        if share.status[s] != TRAINING:
            continue
        size = share.step_size[s] * factor / fresh
        for r in range(share.first[s], share.first[s] + share.width[s]):
            g = share.W_velocity[r]  # the gradient, downwards
            _adam(share.W[r], g, -1.0, moments.W_mean[r], moments.W_square[r], size, fresh2, course.momentum)  # fmt: skip
            if course.train_output:
                _adam(share.A[r], share.A_step[r], 1.0, moments.A_mean[r], moments.A_square[r], size, fresh2, course.momentum)  # fmt: skip
                clear(share.A_step[r])
        if course.bias:
            _adam(share.b[s], share.b_step[s], 1.0, moments.b_mean[s], moments.b_square[s], size, fresh2, course.momentum)  # fmt: skip
            clear(share.b_step[s])


@njit(nogil=True, cache=True, error_model="numpy")
def _adam(w, g, sign, mean, square, size, fresh2, beta) -> None:  # type: ignore[no-untyped-def]
    for j in range(len(w)):
        down = sign * g[j]
        mean[j] = beta * mean[j] + (1 - beta) * down
        square[j] = BETA2 * square[j] + (1 - BETA2) * down * down
        w[j] -= size * mean[j] / (np.sqrt(square[j] / fresh2) + EPSILON)


@njit(nogil=True, cache=True, error_model="numpy")
def take_step(rows, order, b0, b1, factor, share, buffers, course, step) -> None:  # type: ignore[no-untyped-def]
    """One step of all students on rows ``b0:b1`` of the data, or of the shuffled `order`."""
    straight = share.W_velocity.shape[0] == 0  # one block, no momentum: the product moves W itself
    moved = share.W if straight else share.W_velocity
    keep = 1.0 if straight else course.momentum
    if course.adam:
        keep = 0.0  # the sum is this step's gradient
    for p0 in range(b0, b1, course.block):
        n = min(p0 + course.block, b1) - p0
        block, at = rows, np.int64(p0)
        if len(order):
            gather(rows, order[p0 : p0 + n], buffers.rows)
            block, at = buffers.rows, np.int64(0)
        X = block.X[at : at + n]
        activations(share.W, X, buffers.H)
        head(share, buffers, block, at, n, b1 - b0, factor, course, step)
        add_outer(buffers.H, X, -1.0, keep, moved)
        keep = 1.0
    if course.adam:
        move_by_moments(share, factor, step, course)
    else:
        move_by_velocity(share, straight, course)
    if share.W_start.shape[0]:
        project(share)


@njit(nogil=True, cache=True, error_model="numpy")
def settle(share, entropy, step0, n, epoch, course) -> None:  # type: ignore[no-untyped-def]
    """Mark students whose epoch says that they have converged or diverged, and freeze them there.

    Marked at once and not when the worker returns, so that a student's result depends neither on
    the length of a round nor on who shares the bank. `n` rows make the epoch; the mean is over
    rows, as a last mini-batch that is smaller counts for less.
    """
    for s in range(len(share.width)):
        if share.status[s] != TRAINING:
            continue
        mean_ce = 0.0
        for batch, b0 in enumerate(range(0, n, course.batch)):
            rows = min(course.batch, n - b0)
            mean_ce += share.ce[step0 + batch, share.slot[s]] * (rows / n)
        if not mean_ce < DIVERGED_ABOVE:
            share.status[s] = DIVERGED
        elif course.tolerance > 0 and mean_ce - entropy[share.kind[s]] < course.tolerance:
            share.status[s] = CONVERGED
        else:
            continue
        share.stopped[s] = epoch + 1
        for r in range(share.first[s], share.first[s] + share.width[s]):
            if share.W_velocity.shape[0]:
                clear(share.W_velocity[r])
            if share.A_velocity.shape[0]:
                clear(share.A_velocity[r])
        clear(share.b_velocity[s])


@njit(nogil=True, cache=True, error_model="numpy")
def run_epochs(rows, entropy, orders, factors, share, buffers, course, epoch, stop, done):  # type: ignore[no-untyped-def]
    """Train one share for ``len(orders)`` epochs, from `epoch` on.

    ``orders`` is (E, N), or (E, 0) for the data's own order; ``factors`` holds the schedule's
    factor of every step of the whole run, and the histories start at zero; ``stop[0]`` ends the
    work early, ``done[0]`` counts rows times neurons. Returns the number of the next step.
    """
    N = rows.X.shape[0]
    per_epoch = (N + course.batch - 1) // course.batch
    step = epoch * per_epoch
    for e in range(len(orders)):
        step0 = step
        for b0 in range(0, N, course.batch):
            if stop[0]:
                return step
            b1 = min(b0 + course.batch, N)
            take_step(rows, orders[e], b0, b1, factors[step], share, buffers, course, step)
            step += 1
            done[0] += (b1 - b0) * share.W.shape[0]
        settle(share, entropy, step0, N, epoch + e, course)
    return step


@njit(nogil=True, cache=True, error_model="numpy")
def bank_logits(X, W, A, b, scale, first, width, H, out) -> None:  # type: ignore[no-untyped-def]
    """``out (S, C, N)``: the logits of every student on every row of `X`, block by block."""
    block = H.shape[1]
    F = np.empty((A.shape[1], CHUNK), X.dtype)
    for p0 in range(0, X.shape[0], block):
        n = min(block, X.shape[0] - p0)
        activations(W, X[p0 : p0 + n], H)
        for s in range(len(width)):
            last = first[s] + width[s]
            for c0 in range(0, n, CHUNK):
                c1 = min(c0 + CHUNK, n)
                student_logits(H[first[s] : last], c0, c1, A[first[s] : last], scale[s], b[s], F)
                for k in range(F.shape[0]):
                    for i in range(c1 - c0):
                        out[s, k, p0 + c0 + i] = F[k, i]
