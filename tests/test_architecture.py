"""The house: imports point to a lower floor, or along the same floor without a way back.

A new module is put on its floor below; `*` stands for any ending.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import softwidth

HOUSE = Path(softwidth.__file__).parent
FLOORS = {
    0: "_[!_]*",  # letters of shapes, checks, progress, compiled pieces
    1: "data builtin builtin_* patch_features sources synthetic fetch archives files tables table_* images tasks labels distributions "
    "label_* balance calibration health network specs span kernels store store_* digests",
    2: "inputs histories memory workers bank training margin* transport reach theorems bounds "
    "bounds_soft bounds_hard bounds_paper certificates signatures",
    3: "examples step_search teachers lessons map_teacher classifiers spoils",
    4: "prior plan_spec plan_labels plan_record plan_theory plan_classes plan_certificate plan_doubts planner pace trials tuning least_width advice "
    "trainer search rounds spec_file resampling target ratio "
    "power_law forecasts forecast_record votes plan_votes votes_record "
    "plan_store plan_student trial_rows trial_spec trial_data trial_measures trial_margins trial_certificates experiments cutting bank_work engines engine_* sweep",
    5: "estimator_plan estimator_labels estimators export plan_form plan_tables page_text charts report rows_page rows_summary studies deep "
    "forecast_form forecast_page votes_page",
    6: "bounds_text plan_text forecast_text study_text cli cli_options __main__",
}
MODULES = sorted(p.relative_to(HOUSE).with_suffix("").as_posix() for p in HOUSE.rglob("*.py"))


def floor(module: str) -> int:
    room = module.partition("/")[0]
    found = [n for n, names in FLOORS.items() if any(fnmatch(room, p) for p in names.split())]
    assert len(found) == 1, f"{module}.py stands on {found or 'no floor'}: list it in FLOORS once"
    return found[0]


def running(node: ast.AST) -> Iterator[ast.AST]:
    """All code below `node` that runs: not what stands under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from running(child)


def imports(module: str) -> set[str]:
    """Modules of the house that `module` imports, at its top or inside its functions."""
    names: set[str] = set()
    for node in running(ast.parse((HOUSE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}.py: imports are written from the root of the house"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    rooms = {"/".join(name.split(".")[1:]) for name in names if name.startswith("softwidth.")}
    found = {room if room in MODULES else room.rpartition("/")[0] for room in rooms}
    unknown = found - {*MODULES, "studies", "deep", ""}
    assert not unknown, f"{module}.py imports {unknown}, which the house has not"
    if "" in found:  # the shop window has the version, and nothing else that the house may use
        assert {room for room in rooms if room not in MODULES and "/" not in room} == {
            "__version__"
        }
    return found - {""}


INSIDE = [module for module in MODULES if module != "__init__"]


@pytest.mark.parametrize("module", INSIDE)
def test_imports_point_to_lower_floors(module):
    higher = [name for name in imports(module) if floor(name) > floor(module)]
    assert not higher, f"{module}.py on floor {floor(module)} imports {higher} from above"


def test_no_way_leads_back():
    order = list(TopologicalSorter({module: imports(module) for module in INSIDE}).static_order())
    assert len(order) >= len(INSIDE)


def test_the_shop_window_shows_what_it_names():
    for name in softwidth.__all__:
        assert getattr(softwidth, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = softwidth.nonsense


HEAVY = ("numba", "sklearn", "scipy", "pandas", "altair", "torch", "typer", "rich", "matplotlib")


def test_importing_the_house_loads_nothing_heavy():
    code = f"import sys, softwidth; print([m for m in {HEAVY} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
