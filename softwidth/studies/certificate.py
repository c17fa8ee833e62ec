"""What students of the theory's kind lose, beside the bounds on it, over their whole range.

Parity, all ten classes, and points on a circle, whose margin is large; students trained as the theorems want (`trial_certificates`) on the soft
labels of the margin's map and on the given labels, over radii, widths, starts and steps. Beside what
they lost on average over the steps: the certificate of the very start (Theorem A of THEORY.md section
5, for K classes of section 7, its form for hard labels of section 6), the sharper one of
docs/theory.md, and the bounds before any draw (Theorem B, `bounds_hard.hard_loss`). Beside their
mistakes: what the corollary makes of the certificate.

The rule: *supported* if nothing that was measured is above a certificate, of loss or of mistakes,
and no more losses are above a bound of probability 0.99 than chance allows (binomial, 5 %);
*refuted* otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from softwidth.bounds_soft import constant_step
from softwidth.studies._cells import cell_name
from softwidth.studies._compare import more_than_chance
from softwidth.studies._scenes import PARITY
from softwidth.studies._study import Ask, Said, Scale, Verdict
from softwidth.studies._table import records
from softwidth.trial_certificates import CertificateSpec, CertificateTrials, averaged_steps
from softwidth.trial_spec import TrialSpec

if TYPE_CHECKING:
    import altair
    import pandas

    from softwidth.store import Row

CLAIM = "No student of the theory's kind loses more than its certificate says before it is trained."
COST = "56 worker min, 1,020 students of digits and mnist"
LAST = "supported: +0.75 (+0.00 to +0.75) of its certificate, the closest; least and largest"

CLASSES: dict[int, dict[str, Any]] = {2: {"positive": PARITY}, 10: {}}
CIRCLE = "circle(8)"
RADII = {"soft": (1.0, 4.0, 16.0), "hard": (1.0, 10.0, 100.0)}
ROWS = 300
WIDTHS = {"digits": (64, 256, 1024, 4096), "mnist": (64, 256, 1024), CIRCLE: (64, 1024, 16384)}
STEPS = {"digits": 1000, "mnist": 300, CIRCLE: 3000}
CONFIDENCE = 0.99
BOUNDS = ("certificate", "sharper", "prior")


def measure(ask: Ask, scale: Scale) -> pandas.DataFrame:
    """A row for every data set, number of classes, label kind, radius, width and number of steps."""
    import pandas as pd

    rows = scale(ROWS, 60)
    tasks = [
        TrialSpec.of(width=2, source=source, student_rows=rows, **task)
        for source in scale.data
        for task in CLASSES.values()
    ]
    tasks.append(TrialSpec.of(width=2, source=CIRCLE))
    return pd.DataFrame([line for task in tasks for line in _of_task(ask, scale, task)])


def _of_task(ask: Ask, scale: Scale, data: TrialSpec) -> list[dict[str, Any]]:
    source, classes = data.source, 2 if data.positive or data.source == CIRCLE else 10
    steps = scale(STEPS.get(source, STEPS["digits"]), 100)
    widths = scale(WIDTHS.get(source, WIDTHS["digits"]), (16, 64))
    seeds = range(scale(10, 2))
    cells = [(labels, radius, m) for labels, radii in RADII.items() for radius in radii for m in widths]  # fmt: skip
    specs = [
        CertificateSpec(data, labels, radius, m, seed, constant_step(classes), steps)
        for labels, radius, m in cells
        for seed in seeds
    ]
    rows = ask(specs, CertificateTrials())
    lines = []
    for i, (labels, radius, m) in enumerate(cells):
        own = rows[i * len(seeds) : (i + 1) * len(seeds)]
        group = {"data": source, "classes": classes, "labels": labels, "radius": radius, "width": m}
        lines += [_line(group, own, T) for T in averaged_steps(steps)]
    return lines


def _line(group: dict[str, Any], rows: list[Row], steps: int) -> dict[str, Any]:
    """Means over starts; the largest share of a bound that any of them reached; how many passed it."""

    def of(name: str) -> Any:
        values = [row.metrics[f"{name}_{steps}"] for row in rows]
        return np.array([np.inf if value is None else value for value in values])

    loss, error, mistakes = of("loss"), of("error"), of("mistakes")
    line = {**group, "steps": steps, "loss": loss.mean(), "error": 100 * error.mean()}
    for name in BOUNDS:
        bounds = of(name)
        line |= {
            name: bounds.mean(),
            f"{name}_share": (loss / bounds).max(),
            f"above_{name}": int((loss > bounds).sum()),
        }
    return {
        **line,
        "least_share": (loss / of("certificate")).min(),
        "steps_term": of("steps").mean(),
        "mistakes": 100 * mistakes.mean(),
        "above_mistakes": int((error > mistakes).sum()),
        "drift": float(np.mean([row.metrics["drift"] for row in rows])),
        "margin": rows[0].metrics["margin"],
        "vacuous": bool(mistakes.mean() >= 1),
        "step_size": rows[0].spec["step_size"],
        "seeds": len(rows),
        "spec": cell_name(rows[0].spec),
    }


def judge(table: pandas.DataFrame) -> Verdict:
    """See the head of this module."""
    sure = int(table[["above_certificate", "above_sharper", "above_mistakes"]].to_numpy().sum())
    known = table[np.isfinite(table.prior)]
    above, runs = int(known.above_prior.sum()), int(known.seeds.sum())
    word = "refuted" if sure or more_than_chance(above, runs, 1 - CONFIDENCE) else "supported"
    closest = max(records(table), key=lambda line: float(line["certificate_share"]))
    return Verdict(
        word,
        f"Of {int(table.seeds.sum()):,} averages {sure} are above a certificate of their start, and {above} of {runs:,} "
        f"above the bound before any draw; the closest reached {closest['certificate_share']:.2f} of its certificate "
        f"({_named(closest)}).",
        float(closest["certificate_share"]),
        (float(table.least_share.min()), float(table.certificate_share.max())),
        "of its certificate, the closest; least and largest",
        (closest["row"],),
        tuple(_said(table, *group) for group in _groups(table)),
    )


def _groups(table: pandas.DataFrame) -> list[tuple[str, int, str]]:
    firsts = table.drop_duplicates(["data", "classes", "labels"])
    return [(line["data"], line["classes"], line["labels"]) for line in records(firsts)]


def _said(table: pandas.DataFrame, data: str, classes: int, labels: str) -> Said:
    """How tight, what the largest part is, and where it says anything of mistakes."""
    own = table[(table.data == data) & (table.classes == classes) & (table.labels == labels)]
    shares = {name: own.loss / own[name] for name in BOUNDS}
    medians = {name: float(np.median(share[np.isfinite(own[name])])) for name, share in shares.items() if np.isfinite(own[name]).any()}  # fmt: skip
    fit = own[own.steps_term < own.certificate / 2]
    says = own[~own.vacuous]
    told = "nowhere"
    if len(says):
        best = min(records(says), key=lambda line: float(line["mistakes"]))
        told = (
            f"for {len(says)} of {len(own)} settings, at best {best['mistakes']:.1f} % where {best['error']:.1f} % were made "
            f"({_named(best)})"
        )
    prior = f", {medians['prior']:.2g} of the bound before any draw" if "prior" in medians else ""
    return Said(
        f"{data}, {classes} classes, {labels} labels: in the middle of the settings the loss is {medians['certificate']:.2g} "
        f"of the certificate, {medians['sharper']:.2g} of the sharper one{prior}. What more steps do not "
        f"lessen is most of the certificate in {len(fit)} of {len(own)} settings. Below 100 % of mistakes it says "
        f"something {told}.",
        tuple(int(i) for i in own.index),
    )


def _named(line: Any) -> str:
    return (
        f"{line['data']}, {line['classes']} classes, {line['labels']} labels, B = {line['radius']:g}, "
        f"{line['width']:,} neurons, {line['steps']:,} steps"
    )


def draw(table: pandas.DataFrame) -> altair.TopLevelMixin:
    """Measured loss against its certificate, on log scales, with the line where both are equal."""
    import altair as alt

    from softwidth.charts import label_colours

    shown = table[np.isfinite(table.certificate) & (table.loss > 0)].assign(
        task=[f"{d}, {c} classes" for d, c in zip(table.data, table.classes, strict=True)]
    )
    ends = [float(shown.loss.min()), float(shown.certificate.max())]
    scale = alt.Scale(type="log", domain=ends)
    few = alt.Axis(tickCount=6, format="~e", labelOverlap=True)
    x = alt.X("certificate:Q", scale=scale, title="certificate before training (nats)", axis=few)
    y = alt.Y("loss:Q", scale=scale, title="average loss (nats)", axis=few)
    base = alt.Chart(shown)
    marks = base.mark_point().encode(x=x, y=y, color=label_colours(), shape=alt.Shape("radius:N", title="radius B"))  # fmt: skip
    diagonal = base.mark_line(strokeDash=[4, 3], color="#6c7275").encode(
        x=alt.X("certificate:Q", scale=scale), y=alt.Y("certificate:Q", scale=scale)
    )
    panel = alt.layer(diagonal, marks).properties(width=240, height=240)
    return panel.facet(facet=alt.Facet("task:N", title=None), columns=2)
