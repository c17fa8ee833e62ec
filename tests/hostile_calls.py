"""Every reader and public entry point by name, and how often it is called beside the others.

A call is a name and a seed: ``attack("load npz", 17, directory)`` is the same input every time.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_data as of_data
import hostile_deep as of_deep
import hostile_faces as of_faces
import hostile_models as of_models
import hostile_studies as of_studies
import hostile_theory as of_theory
from hostile_answers import Answer, FaultError, answer
from hostile_values import Hostile

__all__ = ["CALLS", "Answer", "FaultError", "attack"]

# What reads files is called most; what trains, in small, as often as its milliseconds allow.
CALLS: dict[str, tuple[Callable[[Hostile, Path], Any], float]] = {
    "load npz": (of_data.load_npz, 16),
    "load csv": (of_data.load_csv, 8),
    "load parquet": (of_data.load_parquet, 4),
    "load arrays": (of_data.load_arrays, 10),
    "load name": (of_data.load_name, 2),
    "load built-in": (of_data.load_built_in, 3),
    "training rows": (of_data.rows_for_margins, 3),
    "make_targets": (of_data.make_targets, 6),
    "probabilities and votes": (of_data.votes_and_shares, 4),
    "check_soft_labels": (of_data.soft_label_checks, 4),
    "lessons": (of_data.teaching, 1.5),
    "teachers": (of_models.teachers, 1),
    "classifiers by name": (of_models.named_classifiers, 0.5),
    "spoils": (of_models.spoils, 2),
    "train_bank": (of_theory.train, 2),
    "bank": (of_theory.use_bank, 3),
    "networks": (of_theory.networks, 2),
    "margin": (of_theory.margins, 3),
    "bounds": (of_theory.theorems, 6),
    "certificates": (of_theory.certificate, 4),
    "kernels": (of_theory.ntk, 3),
    "estimator": (of_models.estimators, 1),
    "export": (of_models.exports, 2),
    "store files": (of_studies.store_files, 2),
    "store addresses": (of_studies.store_addresses, 2),
    "store rows": (of_studies.store_rows, 3),
    "stored curves": (of_studies.stored_curves, 3),
    "trial specs": (of_studies.trial_specs, 5),
    "sweep": (of_studies.sweeps, 0.4),
    "engines": (of_studies.engines, 1),
    "studies": (of_studies.studies, 1),
    "plan specs": (of_faces.plan_specs, 4),
    "spec files": (of_faces.spec_files, 5),
    "plan": (of_faces.plans, 0.01),
    "deep plan": (of_deep.plans, 0.3),
    "stored plans": (of_faces.pages, 1),
    "pages": (of_faces.pages_of_anything, 1),
    "fetch": (of_faces.downloads, 1),
    "command line": (of_faces.command_line, 3),
}


def attack(name: str, seed: int, where: Path) -> Answer:
    """The answer to one input, told by its name and seed."""
    return answer(CALLS[name][0], Hostile([zlib.crc32(name.encode()), seed]), where)
