"""SECURITY.md's sentences that are about the source itself; the others are tested where they belong."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import softwidth
from softwidth._checks import ArgumentError, MissingDataError
from softwidth.fetch import REMOTES, fetch
from softwidth.store import open_store
from softwidth.store_rows import Row

HOUSE = Path(softwidth.__file__).parent
SOURCES = sorted(HOUSE.rglob("*.py"))
ROOT = HOUSE.parent
UNPICKLE = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve", "yaml"}
EVALUATE = {"eval", "exec", "compile", "__import__"}


def faults(code: str) -> list[str]:
    """What this source does that the security page says nothing does."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.split(".")[0] in UNPICKLE]
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in EVALUATE:
                found.append(node.func.id)
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if (keyword.arg, value) in {("allow_pickle", True), ("verify", False), ("shell", True)}:  # fmt: skip
                    found.append(f"{keyword.arg}={value}")
            if isinstance(node.func, ast.Name) and node.func.id == "text" and node.args:
                found += ["SQL put together"] * (not isinstance(node.args[0], ast.Constant))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_is_unpickled_evaluated_given_to_a_shell_or_fetched_unverified(path):
    assert not faults(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from joblib import load", "eval(x)", "np.load(p, allow_pickle=True)", "get(u, verify=False)", "run(c, shell=True)", "text(f'select {x}')"],
)  # fmt: skip
def test_such_a_line_would_be_seen(code):
    assert faults(code)


def test_downloads_have_checksums_and_tls():
    for remote in REMOTES.values():
        assert remote.url.startswith("https://")
        assert re.fullmatch(r"[0-9a-f]{64}", remote.sha256)


@pytest.mark.parametrize("name", ["../mnist", "mnist/../../etc/passwd", "/etc/passwd", "mnist\0"])
def test_names_of_data_sets_are_no_paths(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTWIDTH_DATA", str(tmp_path))
    with pytest.raises((ArgumentError, MissingDataError)):
        fetch(name)


def test_values_reach_sql_as_parameters(tmp_path):
    """A study of this name is a study of this name."""
    name = "x'; drop table rows; --"
    with open_store(tmp_path / "rows.sqlite") as store:
        store.put([Row.of({"a": 1}, name, {})])
        assert [row.study for row in store.rows(name)] == [name]
        assert store.known(["' or 1=1 --"]) == set()


def test_the_page_names_tests_that_are_there():
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    files = re.findall(r"`(?:tests/)?(test_\w+\.py)`", page)
    assert len(files) > 5
    assert all((ROOT / "tests" / file).is_file() for file in files)
