"""A hash over a module's code and the code it leans on."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from tokonomy.catalog.reading import without_card

#: Besides its own package, results depend on the code that runs the model.
FOLLOWED = "tokonomy.families"


@lru_cache(maxsize=8192)
def imported(module: str, package: bool, text: str) -> tuple[str, ...]:
    """Names of modules, and of what may be one, that a source imports; none if it is broken.

    Args:
        module: Name of the module whose source it is.
        package: Whether it is the file of a package, from which leading dots count.
        text: The source.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, package, node)
            found += (base, *(f"{base}.{alias.name}" for alias in node.names))
    return tuple(found)


def _base(module: str, package: bool, node: ast.ImportFrom) -> str:
    """The module that a ``from`` names, its leading dots resolved."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parents = parts[: len(parts) - (node.level - package)]
    return ".".join((*parents, node.module) if node.module else parents)


@lru_cache(maxsize=1024)
def _bare(text: str) -> bool:
    """Whether a source is a docstring at most, so that importing it does nothing."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    docs = body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return len(body) == bool(docs)


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


def text_of(path: Path) -> str:
    """A source as it is hashed."""
    return path.read_text(encoding="utf-8")


def _within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def _parents(module: str, package: str) -> Iterator[str]:
    """The packages that hold a module, from its own up to ``package``: it runs them first."""
    while module != package and (module := module.rpartition(".")[0]):
        yield module


def reached(
    module: str,
    find: Callable[[str], Path | None] = located,
    read: Callable[[Path], str] = text_of,
) -> dict[str, Path]:
    """Every module that ``module`` imports, itself included, within its package and families.

    Packages that hold one of its own package's modules are among them if they do anything. What
    holds the families' is in the hash of the family.

    Args:
        module: Where to begin.
        find: The file of a module; None where there is none.
        read: The source in a file.
    """
    own = FOLLOWED if _within(module, FOLLOWED) else module.partition(".")[0]
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        inside = _within(name, own) or _within(name, FOLLOWED)
        path = find(name) if inside and name not in found else None
        if path is None:
            continue
        found[name] = path
        waiting.extend(imported(name, path.name == "__init__.py", read(path)))
        for parent in _parents(name, own) if _within(name, own) else ():
            holder = find(parent)
            if holder is not None and not _bare(read(holder)):
                waiting.append(parent)
    return found


def source_hash(module: str) -> str:
    """SHA-256 over the code of a module and all it reaches, cards left out, in hex."""
    digest = hashlib.sha256()
    for name, path in sorted(reached(module).items()):
        digest.update(f"{name}\0{without_card(text_of(path))}\0".encode())
    return digest.hexdigest()
