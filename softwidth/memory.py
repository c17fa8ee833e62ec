"""What training takes of memory, and how a bank is cut to fit what is allowed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from softwidth._checks import MemoryLimitError
from softwidth._cores import usable_cores
from softwidth._memory import free_memory
from softwidth.histories import record_epochs
from softwidth.inputs import TrainingData
from softwidth.span import BLOCK as SPAN_BLOCK
from softwidth.specs import Recipe, Student
from softwidth.workers import BLOCK, rows_a_step, weight_copies

ORDER_BYTES = 2**22  # of the shuffled row numbers of one round, where an epoch's are not more
ROOM = 2**20  # bytes for what grows neither with the bank nor with the data
SHARE_OF_FREE = 0.5  # where the caller names no limit


def bytes_needed(students: Sequence[Student], data: TrainingData, recipe: Recipe) -> int:
    """Memory that training takes beyond the data, in bytes: an upper bound, tested.

    At most four arrays of the size of the weights (the weights, their start where a radius is
    finite, their velocity with momentum or several blocks a step, and a copy while students are
    drawn or leave) and with Adam two more, one block of activations for all neurons, one block of gathered rows per
    worker, the targets of a round and the histories.
    """
    batch = rows_a_step(recipe, len(data.y))
    neurons, D = sum(student.width for student in students), data.X.shape[1]
    copies = 2 + sum(weight_copies(students, recipe, batch))
    block = min(BLOCK, batch)
    gathered = block * D * (recipe.threads or usable_cores()) if recipe.batch_size else 0
    numbers = neurons * (copies * D + block) + gathered
    return (
        numbers * data.X.itemsize
        + _span_bytes(students, data)
        + _target_bytes(data, recipe)
        + _history_bytes(len(students), len(data.y), recipe)
        + ROOM
    )


def _span_bytes(students: Sequence[Student], data: TrainingData) -> int:
    """Of the weights in all features, made at the end of training in the span of the data."""
    if data.span is None:
        return 0
    widths = [student.neurons for student in students]
    one_block = 4 * 8 * min(SPAN_BLOCK, max(widths))  # in double precision
    return (data.n_features + 1) * ((sum(widths) + max(widths)) * data.X.itemsize + one_block)


def _target_bytes(data: TrainingData, recipe: Recipe) -> int:
    """Of the targets of a round, a table of probabilities on the way to them, and row orders."""
    kinds, K, N = len(data.targets), data.n_classes, len(data.y)
    one_round = min(4 * N * recipe.epochs, max(4 * N, ORDER_BYTES))
    orders = one_round + 8 * N if recipe.batch_size else 0
    weighted = 8 * N * kinds * bool(len(data.weight))
    return kinds * N * (K * data.X.itemsize + 3 * 8) + 2 * 8 * N * K + orders + weighted


def _history_bytes(n_students: int, n_samples: int, recipe: Recipe) -> int:
    """Of three histories and three diagnostics, in double precision."""
    steps = recipe.epochs * -(-n_samples // rows_a_step(recipe, n_samples))
    return 3 * 8 * n_students * (steps + len(record_epochs(recipe)))


def pieces_that_fit(
    students: Sequence[Student], data: TrainingData, recipe: Recipe
) -> list[list[int]]:
    """The students' numbers cut into pieces, each trained within the memory allowed.

    Raises
    ------
    MemoryLimitError
        Some student needs more even alone; the message says how much.
    """
    limit = recipe.memory or int(SHARE_OF_FREE * free_memory())
    pieces: list[list[int]] = []
    start = 0
    while start < len(students):
        left = students[start:]
        count = bisect_right(
            range(1, len(left) + 1), limit, key=lambda n: bytes_needed(left[:n], data, recipe)
        )
        if count == 0:
            raise MemoryLimitError(
                f"a student of width {left[0].width} needs "
                f"{bytes_needed(left[:1], data, recipe) / 2**20:,.1f} MiB to train, and `memory` "
                f"allows {limit / 2**20:,.1f} MiB."
            )
        pieces.append(list(range(start, start + count)))
        start += count
    return pieces
