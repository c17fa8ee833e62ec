"""What is written down of every student of a study: numbers, and who was wrong where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from softwidth._checks import check_choice
from softwidth._types import SPLITS, Array
from softwidth.bank import Bank, measures, stacked_logits
from softwidth.calibration import expected_calibration_error
from softwidth.distributions import as_probabilities
from softwidth.network import Network, initialise, probabilities, with_bias_column
from softwidth.store import Row
from softwidth.trial_data import Prepared

HELD = ("val", "test")
CHUNK_BYTES = 2**25  # of the logits of students measured at a time, in double precision
LOOKED_AT = 1000  # training rows, on which activations are compared with their start

Metrics = dict[str, Any]
Curves = dict[str, np.ndarray[Any, Any]]


def measured(
    bank: Bank, prepared: Prepared, *, curves: Sequence[str] = (), mistakes: bool = True
) -> list[tuple[Metrics, Curves]]:
    """Metrics and curves of every student of a bank; see `experiments.StudentTrials`."""
    histories = {name: bank.epoch_means(name).astype(np.float32) for name in curves}
    average = {f"mean_{name}": bank.epoch_means(name).mean(axis=1) for name in ("error", "kl")}
    found: list[tuple[Metrics, Curves]] = []
    for chunk in _chunks(bank, prepared):
        networks = [bank.networks[m] for m in chunk]
        columns, wrong = _by_split(networks, prepared)
        columns |= _travel(bank, chunk, prepared.dataset.X_train)
        columns |= {name: values[chunk.start : chunk.stop] for name, values in average.items()}
        packed = {f"{s}_wrong": np.packbits(w, axis=1) for s, w in wrong.items() if mistakes}
        for place, member in enumerate(chunk):
            metrics: Metrics = {n: _number(values[place]) for n, values in columns.items()}
            gone = bank.status[member] == "diverged" or metrics["test_log_loss"] is None
            metrics["status"] = "diverged" if gone else bank.status[member]
            metrics["epochs"] = int(bank.epochs[member])
            kept = {name: history[member] for name, history in histories.items()}
            kept |= {name: bits[place] for name, bits in packed.items()}
            found.append((metrics | prepared.facts | _held_rows(prepared), kept))
    return found


def mistakes(row: Row, split: str = "test") -> np.ndarray[Any, Any]:
    """Who is wrong on which held-out row, shape (N,) of bool, from a stored student.

    Parameters
    ----------
    row : Row
        Read with its curves.
    split : {"val", "test"}
    """
    check_choice("split", split, HELD)
    bits = np.asarray(row.curves[f"{split}_wrong"])
    return np.unpackbits(bits, count=int(row.metrics[f"{split}_rows"])).astype(bool)


def _held_rows(prepared: Prepared) -> Metrics:
    return {f"{split}_rows": len(prepared.dataset.part(split)[1]) for split in HELD}


def _chunks(bank: Bank, prepared: Prepared) -> Iterator[range]:
    """Students in pieces whose logits and probabilities fit into `CHUNK_BYTES`."""
    rows = max(len(prepared.dataset.part(split)[1]) for split in SPLITS)
    size = max(1, CHUNK_BYTES // (8 * rows * bank.n_classes))
    for start in range(0, len(bank), size):
        yield range(start, min(start + size, len(bank)))


def _by_split(
    networks: Sequence[Network], prepared: Prepared
) -> tuple[dict[str, Array], dict[str, np.ndarray[Any, Any]]]:
    """Measures of students on all splits, each (S,); and their mistakes on held-out rows (S, N)."""
    columns: dict[str, Array] = {}
    wrong: dict[str, np.ndarray[Any, Any]] = {}
    for split in SPLITS:
        X, y, _ = prepared.dataset.part(split)
        P = None if split not in prepared.soft else as_probabilities(prepared.soft[split])
        X = with_bias_column(np.asarray(X, networks[0].W.dtype), networks[0].bias)
        with np.errstate(over="ignore", invalid="ignore"):  # students that diverged
            logits = stacked_logits(networks, X).astype(np.float64)
            found = measures(logits, y, P)
            Q = np.nan_to_num(probabilities(logits))
        found["ece"] = np.array([expected_calibration_error(q, y) for q in Q])
        columns |= {f"{split}_{name}": values for name, values in found.items()}
        if split in HELD:
            lost = ~np.isfinite(logits).all(axis=2)
            wrong[split] = (Q.argmax(axis=2) != y) | lost
    return columns, wrong


def _travel(bank: Bank, chunk: range, X: Array) -> dict[str, Array]:
    """How far students went from their start, each (S,): see `bank.Bank.diagnostics`."""
    networks, students = [bank.networks[m] for m in chunk], [bank.students[m] for m in chunk]
    W = np.concatenate([network.W for network in networks])
    W_start = np.concatenate([_start(bank, m, X.shape[1]).W for m in chunk])
    widths = np.array([network.width for network in networks])
    first = widths.cumsum() - widths
    balls = np.repeat([s.radius / np.sqrt(s.width) for s in students], widths)
    X = with_bias_column(np.asarray(X[:LOOKED_AT], W.dtype), networks[0].bias)
    with np.errstate(over="ignore", invalid="ignore"):
        distance = np.linalg.norm(W.astype(np.float64) - W_start, axis=1)
        flips = ((W @ X.T > 0) != (W_start @ X.T > 0)).sum(axis=1)
    return {
        "displacement": np.maximum.reduceat(distance, first),
        "edge": np.add.reduceat(distance >= balls * (1 - 1e-5), first) / widths,
        "flipped": np.add.reduceat(flips, first) / (widths * len(X)),
    }


def _start(bank: Bank, member: int, n_features: int) -> Network:
    student, end = bank.students[member], bank.networks[member]
    return initialise(
        student.neurons,
        n_features,
        bank.n_classes,
        init=student.init,
        seed=student.seed,
        bias=end.bias,
        dtype=end.W.dtype,
    )


def _number(value: Any) -> float | None:
    """A finite number, or None: JSON has no others."""
    return float(value) if np.isfinite(value) else None
