"""Specs as files: what is written is read, and what is no spec is refused in one line."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth._checks import ArgumentError, DataFileError, MissingDataError, SoftwidthError
from softwidth.spec_file import Script, SpecFile, read_spec, spec_text
from softwidth.trials import KINDS, Setting

numbers = st.integers(1, 500)
packed = st.tuples(st.sampled_from(KINDS), numbers, st.floats(1e-30, 1e30), numbers, numbers)
rounds = st.fixed_dictionaries(
    {"why": st.lists(st.text(), max_size=2), "banks": st.lists(st.lists(packed, max_size=3))}
)
scripts = st.builds(
    Script,
    st.builds(Setting, numbers, numbers, numbers, numbers, st.booleans()),
    st.lists(rounds, min_size=1, max_size=3),
    st.sampled_from(("budget", "decided")),
)


@given(source=st.text(), names=st.lists(st.text(), min_size=2, max_size=2), script=st.none() | scripts, ending=st.sampled_from((".toml", ".json")))  # fmt: skip
def test_a_spec_survives_its_file(tmp_path_factory, source, names, script, ending):
    path = tmp_path_factory.mktemp("spec") / f"plan{ending}"
    given = SpecFile(source, {"pair": names, "noise": 0.5, "widths": "2:64"}, script)
    path.write_text(spec_text(given, ending), encoding="utf-8")
    assert read_spec(path) == given


@given(text=st.text() | st.binary().map(repr), ending=st.sampled_from((".toml", ".json")))
def test_anything_else_is_refused_by_our_errors(tmp_path_factory, text, ending):
    path = tmp_path_factory.mktemp("spec") / f"plan{ending}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(SoftwidthError):
        assert read_spec(path).script is None


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("[plan]\ntolerence = 0.1", ArgumentError, "did you mean 'tolerance'"),
        ("[plan]\nwidths = [3]", ArgumentError, "must be even"),
        ("form = 99", DataFileError, "newer softwidth"),
        ("wish = 1", DataFileError, "at wish"),
        ("plan = [", DataFileError, "not readable"),
        ("[search]\nrows = 0", DataFileError, "at search.rows"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, error, says):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(error, match=says):
        read_spec(path)


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(MissingDataError, match="there is no file"):
        read_spec(tmp_path / "plan.toml")
    with pytest.raises(ArgumentError, match=r"\.toml or \.json"):
        read_spec(tmp_path / "plan.yaml")
