"""What to do, how sure it is and why, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from softwidth._types import Width, width_text
from softwidth.least_width import Decision, Gain, LeastWidth, Saving


@dataclass(frozen=True)
class Recommendation:
    """The labels and the width to use.

    Attributes
    ----------
    labels : {"soft", "hard", "either"}
    width : int, float or None
    reason : str
    """

    labels: str
    width: Width | None
    reason: str


def recommend(decision: Decision, why_not: Sequence[str], metric: str = "error") -> Recommendation:
    """Soft or hard where the interval of the saving leaves out 1, otherwise either.

    A difference at equal widths that matters saves none: it is told, and the labels stay ``either``.

    Parameters
    ----------
    decision : Decision
        With the label kinds ``hard``, ``soft`` and ``argmax``.
    why_not : sequence of str
        What was found that keeps soft labels from helping, in plain words.
    metric : str
        Of `plan_spec.METRICS`: the unit of the decision's losses.
    """
    saving = decision.saving("hard", "soft")
    low, high = saving.interval
    hard, soft = decision.least["hard"], decision.least["soft"]
    facts = f"{_width_text('soft labels', soft, decision)}, {_width_text('hard labels', hard, decision)}"
    sure = f"the saving is {_ratio_text(saving)} (95 % interval {low:.4g} to {high:.4g})"
    if low > 1:
        reason = f"Soft labels pay: {facts}; {sure}. {_source_of_gain(decision)}"
        return Recommendation("soft", soft.width, reason)
    if high < 1:
        reason = f"Hard labels do better: {facts}; {sure}."
        return Recommendation("hard", hard.width, " ".join([reason, *why_not]))
    gain = decision.gain("soft", "hard")
    nothing = "saving of width" if gain.matters else "difference"
    reason = f"No measurable {nothing}: {facts}; {sure}, which covers 1."
    if gain.matters:
        reason += f" {_gain_text(decision, metric)}"
        why_not = [] if gain.value > 0 else why_not
    widths = [least.width for least in (hard, soft) if least.width is not None]
    return Recommendation("either", max(widths, default=None), " ".join([reason, *why_not]))


def _gain_text(decision: Decision, metric: str) -> str:
    """What soft labels win at equal widths, and how much of it is softness, in plain words."""
    gain, softness = decision.gain("soft", "hard"), decision.gain("soft", "argmax")
    better, unit = ("soft", 1.0) if gain.value > 0 else ("hard", -1.0)
    amount = _amount(gain, unit, metric)
    text = f"At equal width, for the training rows given, {better} labels are better all the same: {amount}, on average over the widths tried"
    if better == "soft":
        text += f"; softness makes {_amount(softness, unit, metric)} of it"
    return f"{text}."


def _amount(gain: Gain, sign: float, metric: str) -> str:
    value, (low, high) = sign * gain.value, sorted(sign * end for end in gain.interval)
    if metric == "kl":
        return f"{value:.3g} nats ({low:.3g} to {high:.3g})"
    what = "points of error" if metric == "error" else "points of balanced error"
    return f"{100 * value:.2g} {what} ({100 * low:.2g} to {100 * high:.2g})"


def _width_text(labels: str, least: LeastWidth, decision: Decision) -> str:
    if least.width is None:
        return f"{labels} would need more than {width_text(decision.widths[-1])}"
    low, high = least.interval
    ends = f"{_end_text(low, decision)} to {_end_text(high, decision)}"
    return f"{labels} need width {width_text(least.width)} ({ends})"


def _end_text(width: Width | None, decision: Decision) -> str:
    return f"over {width_text(decision.widths[-1])}" if width is None else width_text(width)


def _ratio_text(saving: Saving) -> str:
    return f"at least {saving.ratio:.4g}-fold" if saving.at_least else f"{saving.ratio:.4g}-fold"


def _source_of_gain(decision: Decision) -> str:
    """Whether better labels or softness made the gain: the control `argmax` tells."""
    better, softness = decision.saving("hard", "argmax"), decision.saving("argmax", "soft")
    parts = f"better labels {_ratio_text(better)}, softness {_ratio_text(softness)}"
    return f"Of this, by the control with the soft labels' top class as hard label: {parts}."
