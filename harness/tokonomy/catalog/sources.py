"""A hash over a module's code and the code it leans on."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from tokonomy.catalog.reading import code_without_card

#: Besides its own package, results depend on the code that runs the model.
FOLLOWED = "tokonomy.families"


def imported(module: str, path: Path) -> Iterator[str]:
    """Names of modules, and of what may be one, that a module's file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, path, node)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _base(module: str, path: Path, node: ast.ImportFrom) -> str:
    """The module that a ``from`` names, its leading dots resolved."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    up = node.level - (path.name == "__init__.py")
    parents = parts[: len(parts) - up]
    return ".".join((*parents, node.module) if node.module else parents)


def located(module: str) -> Path | None:
    """The file of a module, found without importing anything; None where there is none."""
    top, _, rest = module.partition(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for root in spec.submodule_search_locations or ():
        place = Path(root, *rest.split("."))
        for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def _within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def reached(
    module: str,
    find: Callable[[str], Path | None] = located,
    names: Callable[[str, Path], Iterable[str]] = imported,
) -> dict[str, Path]:
    """Every module that ``module`` imports, itself included, within its package and families.

    Args:
        module: Where to begin.
        find: The file of a module; None where there is none.
        names: What a module's file imports.
    """
    own = FOLLOWED if _within(module, FOLLOWED) else module.partition(".")[0]
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        inside = _within(name, own) or _within(name, FOLLOWED)
        path = find(name) if inside and name not in found else None
        if path is not None:
            found[name] = path
            waiting.extend(names(name, path))
    return found


def source_hash(module: str) -> str:
    """SHA-256 over the code of a module and all it reaches, cards left out, in hex."""
    digest = hashlib.sha256()
    for name, path in sorted(reached(module).items()):
        digest.update(f"{name}\0{code_without_card(path)}\0".encode())
    return digest.hexdigest()
