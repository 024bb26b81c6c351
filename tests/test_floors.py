"""Imports only go down."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = (
    ("errors", "plain"),
    ("stats",),
    ("catalog", "store", "results"),
    ("families", "measure"),
    ("run",),
    ("calibrate", "submit"),
    ("cli",),
)
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}
#: What each package outside the harness may use of it.
GUESTS = {
    "methods/tokonomy_methods": {"errors", "catalog", "families"},
    "tasks/tokonomy_tasks": {"errors", "catalog", "families"},
    "site/tokonomy_site": set(FLOOR) - {"run", "calibrate"},
    "results/suites/tokonomy_suites": set(),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "tokonomy":
                yield from (f"tokonomy.{a.name}" for a in node.names if a.name in FLOOR)


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


HARNESS = sorted((ROOT / "harness" / "tokonomy").rglob("*.py"))


@pytest.mark.parametrize("path", HARNESS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_imports_only_what_is_below(path: Path) -> None:
    own = path.relative_to(ROOT / "harness" / "tokonomy").parts[0].removesuffix(".py")
    for module in imports(path):
        assert not module.startswith(("tokonomy_methods", "tokonomy_tasks", "tokonomy_site"))
        if module.startswith("tokonomy."):
            assert FLOOR[part(module)] <= FLOOR.get(own, -1), f"{own} imports {module}"


@pytest.mark.parametrize("package", GUESTS)
def test_guests_use_only_their_share_of_the_engine(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    used = {part(name) for file in files for name in imports(file) if name.startswith("tokonomy.")}
    assert used <= GUESTS[package]


def test_every_package_of_the_engine_has_its_floor() -> None:
    found = {path.relative_to(ROOT / "harness" / "tokonomy").parts[0] for path in HARNESS}
    assert {name.removesuffix(".py") for name in found} - {"__init__"} == set(FLOOR)
