"""A run of each way to fail, and one that does not: makes docs/failures.md and docs/failures.svg.

    python -m scripts.failures

Odd against even digits, 300 rows, soft labels of a cross-fitted kernel teacher, full batch, constant
steps: the algorithm that theorems speak of. Ten seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import altair as alt

from softwidth.bank import Bank
from softwidth.charts import save_figure
from softwidth.data import load
from softwidth.lessons import cross_fit
from softwidth.signatures import signatures
from softwidth.specs import Student
from softwidth.teachers import KernelTeacher
from softwidth.training import train_bank

ROWS, STEPS, TARGET = 200, 600, 0.15
DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True)
class Run:
    """A student, and what its run is to show."""

    title: str
    student: Student
    words: str


def _student(width: int, radius: float, step_size: float) -> Student:
    return Student(width, 0, "soft", step_size, radius=radius)


RUNS = (
    Run("as it should be", _student(256, 30.0, 3.0), "The loss falls at every step and below the target; few activations flip."),
    Run("width too small", _student(2, 10.0, 3.0), "One pair of neurons: the loss levels off, held by the balls, wide as they are for so few neurons. Longer training changes nothing."),
    Run("radius too large", _student(4, 100.0, 3.0), "Four neurons that may go anywhere: the loss falls as if all were well, but the network is another one than it started as. Theorems that hold its features fixed say nothing of it: what fails is the certificate, not the student."),
    Run("step too large", _student(256, 30.0, 100.0), "The first student again, with a step 33 times as long: it leaps over the valley and back."),
)  # fmt: skip


def main() -> None:
    """Train the runs, write page and figure."""
    data = load("digits", positive=[1, 3, 5, 7, 9], limit=ROWS)
    X, y = data.X_train, data.y_train
    soft, _ = cross_fit(KernelTeacher, X, y, folds=3, n_classes=2)
    bank = train_bank(
        X,
        y,
        {"soft": soft},
        [run.student for run in RUNS],
        epochs=STEPS,
        diagnostics_every=STEPS // 10,
        threads=1,
        tolerance=0.0,
        progress_label="failures",
    )
    save_figure(_figure(bank), DOCS / "failures.svg")
    (DOCS / "failures.md").write_text(_page(bank))


def _page(bank: Bank) -> str:
    parts = [
        "# How a run fails, and how one sees it\n",
        "A run of each failure, made by `python -m scripts.failures`: odd against even digits, "
        f"{ROWS} rows, soft labels of a cross-fitted kernel teacher, {STEPS:,} steps of projected "
        f"gradient descent, target {TARGET:g} nats of training KL. The words below are those of "
        "`softwidth.signatures.signatures`, which reads the histories of a bank (train it with "
        "`diagnostics_every`) and no held-out row.\n",
        "![Training KL, share of neurons on the edge of their ball and share of flipped activations "
        "by step, for four runs](failures.svg)\n",
        "| run | width | radius | step | KL at the end | training error | on the edge | flipped "
        "| farthest neuron |",
        "|---|---|---|---|---|---|---|---|---|",
        *[_row(run, bank, member) for member, run in enumerate(RUNS)],
        "",
    ]
    for member, run in enumerate(RUNS):
        seen = [str(sign) for sign in signatures(bank, member, target=TARGET)]
        said = "".join(f"\n> {sign[0].upper()}{sign[1:]}\n" for sign in seen)
        parts.append(f"## {run.title.capitalize()}\n{run.words}\n{said or chr(10) + '> Nothing to report.' + chr(10)}")  # fmt: skip
    parts.append(PLANS)
    return "\n".join(parts)


PLANS = """## In a plan
A plan chooses the step size on validation rows, by label kind and width, and its students have no ball, so that two of the three are seldom seen.
It says so where it sees them: a training loss that rises or swings at the step size that was chosen, or a student that diverged with it;
a best step size at the edge of the ones that were given; a label kind that meets the target at no width.
"""


def _row(run: Run, bank: Bank, member: int) -> str:
    student, seen = run.student, {k: v[member][-1] for k, v in bank.diagnostics.items() if k != "epoch"}  # fmt: skip
    cells = (
        run.title,
        student.width,
        f"{student.radius:g}",
        f"{student.step_size:g}",
        f"{bank.kl[member][-1]:.3f}",
        f"{bank.error[member][-1]:.1%}",
        f"{seen['edge']:.0%}",
        f"{seen['flipped']:.0%}",
        f"{seen['displacement']:.2f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


def _figure(bank: Bank) -> alt.VConcatChart:
    """Two panels, a colour a run: KL by step with the target; shares by step."""
    titles = [run.title for run in RUNS]
    every = max(1, STEPS // 200)
    losses = [
        {"run": run.title, "step": step + 1, "value": float(bank.kl[member][step])}
        for member, run in enumerate(RUNS)
        for step in range(0, STEPS, every)
    ]
    shares = [
        {"run": run.title, "step": int(epoch), "value": float(values[member][k]), "what": what}
        for what, values in (("on the edge", bank.diagnostics["edge"]), ("flipped", bank.diagnostics["flipped"]))
        for member, run in enumerate(RUNS)
        for k, epoch in enumerate(bank.diagnostics["epoch"])
    ]  # fmt: skip
    colour = alt.Color("run:N", sort=titles, title=None, legend=alt.Legend(orient="top"))
    x = alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, STEPS], nice=False))
    loss_axis = alt.Y("value:Q", title="training KL (nats)", scale=alt.Scale(type="log"))
    above = (
        alt.Chart(alt.Data(values=losses)).mark_line().encode(x=x, y=loss_axis, color=colour)
    ).properties(width=640, height=220)
    line = alt.Chart(alt.Data(values=[{"value": TARGET}])).mark_rule(strokeDash=[4, 3])
    panels = [
        alt.Chart(alt.Data(values=[row for row in shares if row["what"] == what]))
        .mark_line()
        .encode(x=x, y=alt.Y("value:Q", title=what, axis=alt.Axis(format="%")), color=colour)
        .properties(width=640, height=120)
        for what in ("on the edge", "flipped")
    ]
    return alt.vconcat(alt.layer(above, line.encode(y="value:Q")), *panels)


if __name__ == "__main__":
    main()
