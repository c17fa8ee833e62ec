"""The rule of the extended table, on tables whose truth is known."""

from __future__ import annotations

import pandas as pd
import pytest

from softwidth.studies import table1_extended


def table(slope, height=0.5, spread=0.3):
    """Gains that rise by so many points for 0.1 of noise, known to within a spread."""
    lines = []
    for task, (_, regimes) in table1_extended.TASKS.items():
        for regime in regimes:
            for noise in (0.0, 0.2, 0.4, 0.8):
                gain = height + 10 * slope * noise
                for width in (2, 256):
                    known = {"mean_gain": gain, "mean_gain_low": gain - spread, "mean_gain_high": gain + spread}  # fmt: skip
                    lines.append(
                        {"data": "digits", "task": task, "regime": regime, "noise": noise, "width": width, "labels": "soft",
                         "gain": gain, "beyond": 0.0, "beyond_low": -1.0, "beyond_high": 1.0, "softness": 0.1,
                         "teacher_accuracy": 90.0, **known}
                    )  # fmt: skip
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (table(0.5), "supported"),
        (table(0.001), "undecided"),
        (table(-0.5, height=8.0), "refuted"),  # gains everywhere, but fewer with noise
        (table(1.0, height=-1.0), "refuted"),  # a loss where inputs are clean
        (table(0.5, height=-0.1), "supported"),  # no loss that can be told from none
    ],
)
def test_the_extended_table_has_its_rule(given, word):
    verdict = table1_extended.judge(given)
    assert verdict.word == word
    assert verdict.effect == pytest.approx(10 * float(given.mean_gain.diff().iloc[2]) / 20)


def test_sentences_name_the_widths():
    said = [each.text for each in table1_extended.judge(table(0.5)).said]
    assert sum("by neurons +0.5 at 2, +0.5 at 256" in text for text in said) == 4
    assert sum(text.startswith("Teacher ") for text in said) == 3
