"""A hash over a module's code and the code it leans on."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tokonomy.catalog.reading import code_without_card

#: Besides its own package, results depend on the code that runs the model.
FOLLOWED = "tokonomy.families"


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def reached(module: str) -> dict[str, Path]:
    """Every module that ``module`` imports, itself included, within its package and families."""
    own = module.partition(".")[0]
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        inside = name.partition(".")[0] == own or name.startswith(FOLLOWED)
        path = _file(name) if inside and name not in found else None
        if path is not None:
            found[name] = path
            waiting.extend(_imported(path))
    return found


def source_hash(module: str) -> str:
    """SHA-256 over the code of a module and all it reaches, cards left out, in hex."""
    digest = hashlib.sha256()
    for name, path in sorted(reached(module).items()):
        digest.update(f"{name}\0{code_without_card(path)}\0".encode())
    return digest.hexdigest()
