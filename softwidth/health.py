"""What soft labels are worth: measured, and what is wrong with them said in plain words."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from softwidth._types import Array, Labels
from softwidth.calibration import (
    accuracy,
    calibration_by_chance,
    expected_calibration_error,
    mean_distance,
)

MEMORISED_GAP = 0.03  # accuracy on its own rows above that on held-out rows
MEMORISED_SHARE = 0.6  # mean |p - y| on its own rows as a share of that on held-out rows
ALMOST_HARD = 0.03  # mean |p - y| on the students' rows below which little is soft
MISCALIBRATED = 0.05  # expected calibration error


@dataclass(frozen=True)
class Health:
    """What a teacher's soft labels are worth.

    Attributes
    ----------
    train_accuracy : float or None
        On the rows that it was trained on.
    held_out_accuracy : float or None
        On validation rows.
    accuracy : float
        Of the soft labels' top class on the students' rows.
    distance : float
        Mean ``|p - y|`` on the students' rows.
    held_out_distance : float or None
        The same on validation rows.
    calibration_error : float or None
        Expected calibration error on validation rows.
    temperature : float
        By which the logits were divided.
    calibration_by_chance : float or None
        The calibration error that so few rows may show of a teacher that is as sure as it should
        be.
    """

    train_accuracy: float | None
    held_out_accuracy: float | None
    accuracy: float
    distance: float
    held_out_distance: float | None
    calibration_error: float | None
    temperature: float = 1.0
    calibration_by_chance: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """Plain numbers for JSON."""
        return asdict(self)

    def warnings(self, regime: str) -> list[str]:
        """What is wrong with these soft labels, in plain words with the cure."""
        found = []
        if regime == "in-sample" and self._memorised():
            found.append(
                f"The teacher has memorised its rows (accuracy {self.train_accuracy:.1%} there and "
                f"{self.held_out_accuracy:.1%} on held-out rows, mean |p - y| {self.distance:.3f} "
                f"there and {self.held_out_distance:.3f} on held-out rows): its soft labels repeat "
                "the hard ones. Cross-fit it (--regime cross-fitted) or let it learn from other "
                "rows (--student-rows)."
            )
        elif self.distance < ALMOST_HARD:
            found.append(
                f"The soft labels are almost hard (mean |p - y| = {self.distance:.3f}): "
                "on data this clean there is little for softness to add."
            )
        chance = max(MISCALIBRATED, self.calibration_by_chance or 0)
        if (self.calibration_error or 0) > chance and not self._made_the_labels():
            found.append(
                f"The teacher is miscalibrated (expected calibration error "
                f"{self.calibration_error:.3f} on held-out rows): try another teacher or more "
                "validation rows for its temperature."
            )
        return found

    def _made_the_labels(self) -> bool:
        """The labels are these soft labels' top classes, as of a majority of votes: no chances."""
        return self.accuracy == self.held_out_accuracy == 1

    def _memorised(self) -> bool:
        """Far surer, and far more often right, on its own rows than on others."""
        if self.train_accuracy is None or self.held_out_accuracy is None:
            return False
        surer = self.distance < MEMORISED_SHARE * (self.held_out_distance or 0)
        return surer and self.train_accuracy - self.held_out_accuracy > MEMORISED_GAP


def measure_health(
    soft: Array,
    y: Labels,
    held_out: Array | None = None,
    y_held: Labels | None = None,
    *,
    repeats: int = 1,
    train_accuracy: float | None = None,
    temperature: float = 1.0,
    weight: Array | None = None,
    held_weight: Array | None = None,
) -> Health:
    """The health of soft labels (N, K) of rows with class ids `y`.

    Parameters
    ----------
    soft, y : ndarray
        Of the students' rows.
    held_out, y_held : ndarray, optional
        Predictions (V, K) and class ids of validation rows.
    repeats : int
        Every validation row comes so many times, its repeats next to each other.
    train_accuracy, temperature : float, optional
        As in `Health`.
    weight, held_weight : ndarray, optional
        What each of the students' and of the validation rows counts for.
    """
    own = {"accuracy": accuracy(soft, y, weight), "distance": mean_distance(soft, y, weight)}
    if held_out is None or y_held is None:
        return Health(train_accuracy, None, held_out_distance=None, calibration_error=None, **own)
    by_row = held_out.reshape(-1, repeats, held_out.shape[1])
    one_each = None if held_weight is None else held_weight[::repeats]
    return Health(
        train_accuracy,
        accuracy(held_out, y_held, held_weight),
        held_out_distance=mean_distance(held_out, y_held, held_weight),
        calibration_error=expected_calibration_error(held_out, y_held, weight=held_weight),
        temperature=temperature,
        calibration_by_chance=calibration_by_chance(
            by_row, np.random.default_rng(0), weight=one_each
        ),
        **own,
    )
