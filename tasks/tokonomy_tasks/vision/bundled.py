"""Data files that come inside an installed package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tokonomy.errors import BadData


def bundled(package: str, *parts: str) -> Path:
    """Find a file of a package without importing the package, which may take seconds.

    Args:
        package: A top-level package, e.g. ``"skimage"``.
        parts: The path below it.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise BadData(f"expected the package {package!r} for its data; install it and try again")
    path = Path(spec.origin).parent.joinpath(*parts)
    if not path.is_file():
        raise BadData(f"expected {'/'.join(parts)} inside the package {package!r}; it is not there")
    return path
