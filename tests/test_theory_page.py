"""The table of docs/theory.md: every function and every test that it names exists."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `([\w.]+)` \| `([\w.]+)` \|$", PAGE, flags=re.MULTILINE)


def functions_of(module: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_table_is_found():
    assert len(ROWS) > 20


@pytest.mark.parametrize(("statement", "function", "test"), ROWS, ids=[row[0] for row in ROWS])
def test_named_functions_and_tests_exist(statement, function, test):
    module, name = function.split(".")
    assert hasattr(importlib.import_module(f"softwidth.{module}"), name), statement
    module, name = test.split(".")
    assert name in functions_of(module), statement


def test_functions_of_the_misprints_exist():
    named = set(re.findall(r"`(test_print_\w+)`", PAGE))
    assert len(named) > 5
    assert named == {
        name for name in functions_of("test_bounds_paper") if name.startswith("test_print_")
    }
