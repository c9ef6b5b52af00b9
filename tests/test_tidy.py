"""The style that good will does not keep: layers, sizes, names, banned calls. Fix the code, never this file."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sorted(p for folder in ("edge", "hil", "native", "tests") for p in (ROOT / folder).rglob("*.py"))
CODE = [p for p in PYTHON if "tests" not in p.relative_to(ROOT).parts]
C_FILES = sorted(p for p in (ROOT / "native").rglob("*.[ch]") if "build" not in p.relative_to(ROOT).parts)
TOP_LEVEL = {
    "pyproject.toml", "edge", "native", "deploy", "tests", "hil", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md",
    "CHANGELOG.md", "LICENSE", "Makefile", ".ci", ".gitignore",
}  # fmt: skip
BANNED_NAMES = {"utils", "util", "manager", "helper", "helpers", "common", "misc"}

# DESIGN: who may import whom. A package may import those of its own level only where listed.
LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "units": {"errors"},
    "clock": {"errors"},
    "roles": {"units"},
    "model": {"errors", "units", "clock", "roles"},
    "config": {"errors", "units", "clock", "roles", "model"},
}
GROUND = {"errors", "units", "clock", "roles", "model", "config"}
LAYERS |= {name: GROUND for name in ("control", "field", "plan", "carbon", "store", "ops")}
LAYERS |= {
    name: GROUND | {"control", "field", "plan", "carbon", "store", "ops"}
    for name in ("cycle", "console", "cloud", "fleet", "commission")
}
LAYERS["fleet"] = LAYERS["fleet"] | {"cloud", "_kernel"}  # the ingest reads what cloud writes
LAYERS["console"] = LAYERS["console"] | {"cycle"}  # the picture of a running cycle
LAYERS["logbook"] = LAYERS["cycle"] | {
    "cloud",
    "console",
    "_kernel",
}  # reads cycles and samples, draws as the console does
LAYERS["commission"] = LAYERS["commission"] | {"console"}  # asks a running controller, and draws as it does
LAYERS["report"] = LAYERS["logbook"] | {"logbook"}  # reads what all of them have kept
LAYERS["mission"] = GROUND | {"carbon", "plan"}  # one second of purpose
LAYERS["app"] = LAYERS["uplink"] = LAYERS["__main__"] = {
    *LAYERS,
    *GROUND,
    "cycle",
    "console",
    "cloud",
    "fleet",
    "logbook",
    "report",
    "commission",
    "app",
    "mission",
    "uplink",
    "_kernel",
}
LAYERS["control"] = LAYERS["control"] | {"field", "_kernel"}  # orders and image speak of devices and profiles
LAYERS["field"] = LAYERS["field"] | {"_kernel"}  # the CRC

TIME_CALLS = {"time", "monotonic", "monotonic_ns", "time_ns", "perf_counter", "sleep"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports_of(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}:{node.lineno}: relative import"
            if node.module in ("edge", "edge.field"):  # from edge import units
                names += [f"{node.module}.{alias.name}" for alias in node.names]
            elif node.module:
                names.append(node.module)
    return names


def test_the_top_level_is_the_fixed_one() -> None:
    ours = {p.name for p in ROOT.iterdir() if p.name not in {".git", ".venv", "run", "build", "dist"}}
    caches = {n for n in ours if n.endswith((".egg-info", "_cache")) or n in {"__pycache__", ".hypothesis"}}
    assert ours - caches <= TOP_LEVEL


@pytest.mark.parametrize("path", [p for p in CODE if "edge" in p.relative_to(ROOT).parts], ids=relative)
def test_imports_go_down_only(path: Path) -> None:
    here = path.relative_to(ROOT / "edge").parts[0].removesuffix(".py")
    if here == "__init__":
        return
    for name in imports_of(path):
        assert name.split(".")[0] not in {"hil", "tests"}, f"{relative(path)} imports {name}"
        if name.startswith("edge."):
            there = name.split(".")[1]
            assert there == here or there in LAYERS[here], f"{relative(path)} imports {name}"


@pytest.mark.parametrize("path", [*PYTHON, *C_FILES], ids=relative)
def test_files_stay_under_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_functions_stay_under_60_lines(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= 60, f"{relative(path)}:{node.lineno} {node.name} has {lines} lines"


def test_a_folder_has_at_most_nine_modules() -> None:
    for folder in {p.parent for p in CODE}:
        modules = [p for p in folder.glob("*.py") if p.stem not in {"__init__"}]
        assert len(modules) <= 9, f"{relative(folder)} has {len(modules)}"


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), (
        "a file begins with what it is and what does not belong in it"
    )
    assert path.stem not in BANNED_NAMES


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_only_the_clock_asks_for_the_time(path: Path) -> None:
    if relative(path) == "edge/clock.py":
        return
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "time":
                assert node.func.attr not in TIME_CALLS, f"{relative(path)}:{node.lineno} time.{node.func.attr}()"
            if isinstance(owner, ast.Name) and owner.id == "datetime":
                assert node.func.attr not in {"now", "utcnow", "today"}, f"{relative(path)}:{node.lineno}"


def test_a_bare_exception_is_caught_in_two_places_at_most() -> None:
    found = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                names = {getattr(n, "id", "") for n in ast.walk(node.type)} if node.type else {"Exception"}
                if names & {"Exception", "BaseException"}:
                    found.append(f"{relative(path)}:{node.lineno}")
    assert len(found) <= 2, found


SUFFIX = re.compile(
    r"_(w|wh|mwh|dv|da|mv|dc|cpct|mhz|kohm|ms|us|ns|s|h|g|mg|ug|bytes|count|index|permille|pct|hz|baud|bits|va|var|k|v|a|ah"
    r"|ohm|j|m2|j_per_k|w_per_k|w_per_m2|w_per_s|per_s|fraction|g_per_kwh|mg_per_kwh|ug_per_kwh)$"
)
QUANTITY = re.compile(r"^(\w*_)?(power|energy|voltage|current|temp|temperature|soc|age|intensity|duration|period)$")


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_a_quantity_has_its_unit_last(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        name = ""
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            annotation = ast.unparse(node.annotation)
            name = node.target.id if re.match(r"(int|float)\b", annotation) else ""
        elif isinstance(node, ast.arg) and node.annotation and re.match(r"(int|float)\b", ast.unparse(node.annotation)):
            name = node.arg
        if name and QUANTITY.match(name) and not SUFFIX.search(name):
            raise AssertionError(f"{relative(path)}:{node.lineno} {name}: which unit?")


@pytest.mark.parametrize("path", C_FILES, ids=relative)
def test_the_kernel_needs_nothing_from_outside(path: Path) -> None:
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.S)
    for word in ("malloc", "printf", "float ", "double ", "goto ", "errno", "time("):
        assert word not in text, f"{relative(path)} uses {word.strip()}"


def test_the_tree_names_no_machine() -> None:
    words = ("/" + "work/", "/tmp/bash" + "_jobs", "." + "library/")
    for path in [*PYTHON, *C_FILES, *ROOT.glob("*.md"), ROOT / "Makefile"]:
        if path.exists():
            text = path.read_text()
            assert not any(word in text for word in words), relative(path)
