"""A plan of deep students: the planner's record and page, and the network to be used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from softwidth._checks import ArgumentError
from softwidth._output import check_directory, write_whole
from softwidth._types import Array, Width
from softwidth.deep.data import Images
from softwidth.deep.plan_trainer import DeepTrainer
from softwidth.deep.training import predict_logits
from softwidth.network import Size
from softwidth.plan_record import Plan
from softwidth.plan_student import choose
from softwidth.report import write_page
from softwidth.specs import Student


@dataclass(frozen=True, eq=False)
class DeepStudent:
    """A deep student to be used.

    Attributes
    ----------
    student : Student
        Labels, width, seed and step size.
    model : nn.Module
    classes_ : ndarray, shape (K,)
        Names of the classes, in the order of the probabilities' columns.
    measures : dict of str to float
        ``validation_`` and ``test_`` ``error`` and ``log_loss``.
    """

    student: Student
    model: nn.Module
    classes_: np.ndarray[Any, Any]
    measures: dict[str, float]
    device: torch.device

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities (N, K) of images (N, C, H, W) as `Images` has them."""
        tensor = torch.as_tensor(X)
        ids = torch.zeros(len(tensor), dtype=torch.int64)
        pixels = Images(tensor if tensor.dtype == torch.uint8 else tensor.float(), ids).X
        logits = predict_logits(self.model, pixels, device=self.device)
        return torch.softmax(logits.double(), dim=1).numpy()


@dataclass(frozen=True, eq=False)
class DeepPlan(Plan):
    """A `plan_record.Plan` whose students are deep: the same decision, record and page.

    The theorems and the margin do not speak of them: ``theory`` and ``margin`` are empty.
    """

    @property
    def trainer(self) -> DeepTrainer:
        """Who has trained the students."""
        return cast(DeepTrainer, self.search.trainer)

    @property
    def family(self) -> str:
        """What the family is called."""
        return self.trainer.members.name

    @property
    def libraries(self) -> tuple[str, ...]:
        """Whose versions stand in the record."""
        return (*super().libraries, "torch")

    def size(self, width: Width) -> Size:
        """Parameters, and multiply-adds per prediction, of a member of the family."""
        return self.trainer.members.size(width)

    def spec_text(self, ending: str = ".toml") -> str:
        """Refused: the family is a function of the user's, which stands in no file.

        Raises
        ------
        ArgumentError
        """
        wish = (
            "is a function, and cannot be written to a file: give a `store`, and call `plan` again."
        )
        raise ArgumentError("make_student", self.family, wish)

    def student(self) -> DeepStudent:  # type: ignore[override]
        """The student to be used: of the recommended labels and width, and of the seed that does best
        on the validation images. It is trained again the first time that it is asked for.
        """
        return self._network

    @cached_property
    def _network(self) -> DeepStudent:
        advice, trainer = self.recommendation, self.trainer
        student = choose(self.tuned, advice.labels, advice.width)
        trial = self.tuned.tried[student.labels, student.width][student.step_size][student.seed]
        measures = {
            f"{part}_{measure}": float(getattr(trial, part).means[measure])
            for part in ("validation", "test")
            for measure in ("error", "log_loss")
        }
        model = trainer.trained(student).model
        names = np.array(self.soft_labels.dataset.classes)
        return DeepStudent(student, model, names, measures, torch.device(trainer.device))

    def write(self, directory: str | Path) -> Path:
        """Write ``plan.json`` and ``report.html``; the page's path.

        Raises
        ------
        ArgumentError
            A directory that cannot be written.
        """
        where, told = check_directory("directory", directory), self.as_dict()
        write_whole("directory", where / "plan.json", json.dumps(told, indent=1, allow_nan=False))
        return write_page(told, where / "report.html")
