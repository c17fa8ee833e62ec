"""Why soft labels do not help, and what makes a plan's least widths unsure, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from softwidth._types import Array, Dataset, width_text
from softwidth.least_width import Gain
from softwidth.plan_labels import SoftLabels
from softwidth.rounds import Search
from softwidth.signatures import step_too_large
from softwidth.trainer import Tuned
from softwidth.trials import LOSS_OF, Rows, look

LITTLE = 0.1  # of the mistakes of a constant guess: whoever avoids fewer has hardly learned
BLOCKS = 10  # of the epochs of a training curve that is judged
STEPS = "More epochs (--epochs) let smaller steps do as well."
TINY = 1e-12  # a class without any soft label
CHANCE = 2.0  # standard errors by which two shares of mistakes must differ to be called different
HARDLY = {
    "error": "The best students are wrong on {:.1%} of validation rows, a constant answer ({}) on {:.1%}",
    "balanced": "The best students' balanced error is {:.1%}, that of a constant answer ({}) {:.1%}",
    "kl": "The best students are {:.3f} nats from held-out soft labels, the students' mean soft label "
    "(most of it {}) as a constant answer {:.3f}",
}
NO_BIAS = "; and students have no bias: --bias lets them say how frequent classes are, whatever the inputs"
WIDER = {
    "fixed": "try wider ones (--widths)",
    "budget": "wider ones did not fit into the budget (--budget)",
    "rounds": "more rounds would try wider ones",
    "rows": "its error no longer falls, so wider ones were not tried",
    "decided": "its error no longer falls, so wider ones were not tried",
}


def why_not(labels: SoftLabels, tuned: Tuned, gain: Gain, *, worse: bool = False) -> list[str]:
    """Why soft labels save no width, as far as it can be seen.

    `gain` is that of soft labels over hard ones at equal width; `worse` where soft ones surely cost
    width.
    """
    found = list(labels.warnings)
    data = labels.dataset
    rows = len(data.y_val) // data.draws
    mistakes = 1 - labels.lesson.health.accuracy
    errors = {kind: errors_by_width(tuned, kind) for kind in ("hard", "soft")}
    best = float(errors["hard"].min())
    chance = np.hypot(_error(mistakes, len(data.y_train)), _error(best, rows))
    if mistakes > best + (0 if worse else CHANCE * chance):
        found.append(
            f"The soft labels' top class is wrong on {mistakes:.1%} of the students' rows, the best "
            f"students of hard labels on {best:.1%} of held-out rows: a better teacher, or more "
            "votes, is what to try."
        )
    if not found and not (gain.matters and not worse):
        if worse:
            return [
                "Nothing that is seen of the soft labels says why: another teacher, or more rows for "
                "it, is what to try."
            ]
        told = f"Nothing is wrong with the soft labels: at equal width {_told(gain, tuned.metric)} on average, "
        if gain.interval[0] <= 0 <= gain.interval[1]:
            told += f"which {rows:,} validation rows are too few to tell from chance; more validation rows narrow the intervals."
        else:
            told += "which is less than the tolerance."
        found.append(told)
    return found


def _told(gain: Gain, metric: str) -> str:
    """What soft labels do at equal width.

    >>> _told(Gain(0.0051, (0.0012, 0.0093), False), "kl")
    'they are 0.0051 nats nearer to held-out ones'
    """
    size, better = abs(gain.value), gain.value > 0
    if metric == "kl":
        return f"they are {size:.2g} nats {'nearer to' if better else 'farther from'} held-out ones"
    if metric == "balanced":
        return f"their balanced error is {size:.1%} {'lower' if better else 'higher'}"
    return f"they make {size:.1%} {'fewer' if better else 'more'} mistakes"


def doubts(search: Search, data: Dataset) -> list[str]:
    """What makes the least widths unsure, with what to try."""
    return [*_of_rows(search, data), *_of_widths(search), *_of_steps(search)]


def _of_rows(search: Search, data: Dataset) -> Iterator[str]:
    """Validation rows that cannot tell, and inputs that do not."""
    rows, spec = len(data.y_val) // data.draws, search.spec
    if spec.metric == "error" and spec.tolerance * rows < 1:
        yield (
            f"The tolerance of {spec.tolerance:.1%} is less than one mistake on {rows} validation "
            "rows: more of them, or a larger --tolerance, would make least widths mean something."
        )
    best = min(float(losses.min()) for losses in search.decision.errors.values())
    answer = search.trainer.task.soft.mean(axis=0)
    constant = _loss_of(answer, search.trainer.task.validation, spec.metric)
    if best > (1 - LITTLE) * constant:
        compared = HARDLY[spec.metric].format(best, data.classes[answer.argmax()], constant)
        yield (
            f"{compared}: these inputs tell little of the labels, at any width. Better features, or "
            f"more rows, come first{NO_BIAS if not spec.bias else ''}."
        )


def _loss_of(answer: Array, rows: Rows, metric: str) -> float:
    """Mean loss of the same probabilities (K,) for every row."""
    log_q = np.tile(np.log(answer + TINY), (len(rows.y), 1))
    losses, shares = look(log_q, rows).losses[LOSS_OF[metric]], rows.shares(metric)
    return float(losses.mean()) if shares is None else shares.mean(losses)


def _of_widths(search: Search) -> Iterator[str]:
    decision = search.decision
    for kind in ("hard", "soft"):
        least, widest = decision.least[kind], decision.widths[-1]
        if least.width is None:
            why = WIDER["fixed" if search.spec.fixed else search.ended]
            yield f"No width up to {width_text(widest)} meets the target with {kind} labels: {why}."
        elif least.width == decision.widths[0]:
            narrower = "" if least.width == decision.step else "narrower ones (--widths), "
            yield (
                f"The narrowest width tried, {width_text(least.width)}, already meets the target with {kind} "
                f"labels: try {narrower}a smaller --tolerance or a harder task."
            )


def _of_steps(search: Search) -> Iterator[str]:
    """Steps that are too large (signatures.py), or the largest or smallest of those allowed."""
    tuned, grid = search.trainer.tuned, search.spec.step_sizes or ()
    for kind in ("hard", "soft"):
        width = search.decision.least[kind].width or tuned.widths[-1]
        trials, step = tuned.trials((kind, width)), tuned.step_size((kind, width))
        where = f"with {kind} labels at width {width_text(width)}, at the step size that was chosen, {step:g}"
        gone = sum(trial.diverged for trial in trials)
        signs = [step_too_large(_in_blocks(trial.curve["kl"])) for trial in trials]
        seen = [sign for sign in signs if sign is not None]
        if gone:
            yield f"Step too large: {gone} of {len(trials)} students diverged {where}. {STEPS}"
        elif 2 * len(seen) > len(trials):
            yield f"Step too large: {where}, {seen[0].evidence}. {STEPS}"
        if len(grid) > 1 and step in (min(grid), max(grid)):
            other = "larger" if step == max(grid) else "smaller"
            yield (
                f"The best step size with {kind} labels at width {width_text(width)}, {step:g}, stands at the edge "
                f"of those given (step_sizes): a {other} one may be better."
            )


def _in_blocks(loss: Array) -> Array:
    """Means over tenths of the epochs: the noise of mini-batches is no swing."""
    parts = np.array_split(loss[np.isfinite(loss)], min(len(loss), BLOCKS))
    return np.array([part.mean() for part in parts if len(part)])


def errors_by_width(tuned: Tuned, kind: str) -> Array:
    """Share of mistakes on validation rows by width."""
    return np.array(
        [
            np.mean([trial.validation.means["error"] for trial in tuned.trials((kind, width))])
            for width in tuned.widths
        ]
    )


def _error(share: float, rows: int) -> float:
    """Standard error of a share of so many rows."""
    return float(np.sqrt(share * (1 - share) / rows))
