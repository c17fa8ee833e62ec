"""Write docs/real-cases.md from results/real_cases.csv: ``python -m docs.make_cases``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from docs.case_words import HEAD, MEANS, SOURCES
from scripts.real_cases import CASES
from softwidth.prior import NAMES as FACTORS

PAGE = Path(__file__).with_name("real-cases.md")
TABLE = Path(__file__).parents[1] / "results" / "real_cases.csv"
SAID = {
    "soft": "soft labels pay",
    "hard": "hard labels do better",
    "either": "no measurable difference",
}
OUTCOMES = ("confirmed", "missed", "not confirmed", "contradicted")


def page() -> str:
    """The whole page: what was done, all cases in a table, a section a case."""
    table = pd.read_csv(TABLE)
    rows = table.to_dict("records")
    return "\n".join(
        [HEAD, _summary(rows), _counts(table), *map(_section, rows), _made(table), SOURCES]
    )


def _summary(rows: list[dict[str, Any]]) -> str:
    head = [
        "| case | mean \\|p - y\\| | the plan says | saving (95 %) | on the other half | the advice is "
        "| gain at equal width (95 %) | on the other half | the gain is |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines = [
        f"| [{row['case']}](#{row['case']}) | {row['softness']:.3f} | {_says(row)} | "
        f"{_saving(row, '')} | {_saving(row, 'held_')} | {row['advice']} | "
        f"{_interval(row, 'gain')} | {_interval(row, 'held_gain')} | {row['gain_verdict']} |"
        for row in rows
    ]
    left = [f"`{name}`" for name in CASES if name not in {row["case"] for row in rows}]
    tail = [f"Not run yet: {', '.join(left)}.\n"] if left else []
    return "\n".join([*head, *lines, "", *tail])


def _says(row: dict[str, Any]) -> str:
    """What the plan advises; a gain is told where no width is saved."""
    if row["recommended"] != "either" or not row["gain_matters"]:
        return SAID[row["recommended"]]
    return f"no saving, {'soft' if row['gain'] > 0 else 'hard'} labels better at equal width"


def _counts(table: pd.DataFrame) -> str:
    n = len(table)
    inside = {
        name: f"{int(table[f'{name}_inside'].astype(bool).sum())} of {n}"
        for name in ("soft", "hard", "saving", "gain")
    }
    guessed = table[table["prior"].notna()]
    reach = (guessed["prior_high"] / guessed["prior_low"]).pow(0.5).median()
    return (
        f"Of {n} pieces of advice: {_told(table['advice'], table['recommended'] != 'either')}; "
        f"of {n} gains: {_told(table['gain_verdict'], table['gain_matters'].astype(bool))}. "
        "The other half's estimate lay in the plan's 95 % interval for "
        f"{inside['soft']} least widths with soft labels, {inside['hard']} "
        f"with hard ones, {inside['saving']} savings and {inside['gain']} gains; these estimates have errors of "
        "their own, so that fewer than 95 % are to be expected of right intervals. "
        f"Of {len(guessed)} guesses before training {int(guessed['prior_inside'].astype(bool).sum())} had the measured saving in their interval, "
        f"which reaches a factor of {reach:.0f} either way.\n\n"
        "![Loss on the other half by width, for every case](../results/real_cases.svg)\n"
    )


def _told(outcomes: pd.Series[Any], differ: pd.Series[Any]) -> str:
    """How often each outcome came; `differ` where the plan sees a difference."""
    confirmed, missed, unsure, contradicted = (int((outcomes == word).sum()) for word in OUTCOMES)
    sure = int(((outcomes == "confirmed") & differ).sum())
    return (
        f"{confirmed} confirmed ({sure} that there is a difference, {confirmed - sure} that none is seen), "
        f"{missed} missed a difference, {unsure} not confirmed, {contradicted} contradicted"
    )


def _section(row: dict[str, Any]) -> str:
    noise = f", input noise {row['noise']:g}" if row["noise"] else ""
    bias = "; students with trained biases" if row["bias"] else ""
    metric = {
        "error": "share of mistakes",
        "kl": "divergence from the held-out soft labels, in nats",
    }
    said = f"> {row['said']}"
    warnings = "" if pd.isna(row["warnings"]) else f">\n> {row['warnings']}\n"
    return f"""## {row["case"]}
{row["data"]}{noise}; {row["features"]}{bias}; {row["students_rows"]:,} rows for students, {row["validation_rows"]:,} to choose by,
{row["held_rows"]:,} in the other half. Soft labels: {row["labels_from"]}, {row["regime"]}, mean |p - y| {row["softness"]:.3f}, top class right on
{row["labels_accuracy"]:.1%}. Judged by: {metric[row["metric"]]}, tolerance {_loss(row, "tolerance")}.

{said}
{warnings}
| | the plan, from its half | the other half |
|---|---|---|
| least width, soft labels | {_width(row, "soft")} | {_width(row, "held_soft")} |
| least width, hard labels | {_width(row, "hard")} | {_width(row, "held_hard")} |
| least width, soft labels' top class | {_width(row, "argmax")} | {_width(row, "held_argmax")} |
| saving | {_saving(row, "")} | {_saving(row, "held_")} |
| of it, by better labels | {_saving(row, "", "better_labels")} | {_saving(row, "held_", "better_labels")} |
| of it, by softness | {_saving(row, "", "softness_saving")} | {_saving(row, "held_", "softness_saving")} |
| gain at equal width, over all widths | {_interval(row, "gain")} | {_interval(row, "held_gain")} |
| hard minus soft at width {row["compared_at"]} | {_interval(row, "difference")} | {_interval(row, "held_difference")} |
| saving, guessed before any training | {_prior(row)} | |
| soft labels at their width: above the best | | {_interval(row, "held_soft_excess")} |
| hard labels at theirs: above the best | | {_interval(row, "held_hard_excess")} |
| soft: error, log loss, calibration error | | {_measures(row, "soft")} |
| hard: error, log loss, calibration error | | {_measures(row, "hard")} |

{MEANS.get(row["case"], "")}
"""


def _width(row: dict[str, Any], name: str) -> str:
    least, low, high = (row[f"{name}_width{end}"] for end in ("", "_low", "_high"))
    over = f"over {row['widest']}"
    texts = [over if pd.isna(end) else f"{end:.0f}" for end in (least, low, high)]
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


def _saving(row: dict[str, Any], where: str, name: str = "saving") -> str:
    ratio, low, high = (row[f"{where}{name}{end}"] for end in ("", "_low", "_high"))
    least = "at least " if row[f"{where}{name}_at_least"] else ""
    return f"{least}{ratio:.3g} ({low:.3g} to {high:.3g})"


def _prior(row: dict[str, Any]) -> str:
    """The guess, whether the plan's saving lies in it, and in what the data are unlike all it knows."""
    if pd.isna(row["prior"]):
        return "no guess by divergence"
    holds = "holds" if row["prior_inside"] else "does not hold"
    unlike = [] if pd.isna(row["prior_unlike"]) else row["prior_unlike"].split()
    beyond = (
        f"; beyond what it was fitted to in {' and '.join(FACTORS[k] for k in unlike)}"
        if unlike
        else ""
    )
    return (
        f"{row['prior']:.2g} ({row['prior_low']:.2g} to {row['prior_high']:.2g}): {holds}{beyond}"
    )


def _loss(row: dict[str, Any], name: str) -> str:
    return f"{100 * row[name]:.2f} %" if row["metric"] == "error" else f"{row[name]:.4f}"


def _interval(row: dict[str, Any], name: str) -> str:
    value, low, high = (_loss(row, f"{name}{end}") for end in ("", "_low", "_high"))
    return f"{value} ({low} to {high})"


def _measures(row: dict[str, Any], kind: str) -> str:
    error, log_loss, ece = (row[f"held_{kind}_{name}"] for name in ("error", "log_loss", "ece"))
    return f"{error:.2%}, {log_loss:.3f}, {ece:.3f}"


def _made(table: pd.DataFrame) -> str:
    last = table.iloc[-1]
    return f"""## Made by
`{last["command"].split(" --")[0]}`, then `python -m docs.make_cases`; seed {last["seed"]}, {last["fresh_seeds"]} new students per label kind and width, {table["cpu_seconds"].sum():.0f} s of one core in all;
{last["versions"]}. All columns: [real_cases.csv](../results/real_cases.csv), the figure's points: [real_cases_curves.csv](../results/real_cases_curves.csv).
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
