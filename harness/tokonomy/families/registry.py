"""Families that are installed, by name."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint

from tokonomy.catalog.registry import points, unknown
from tokonomy.errors import UnknownId
from tokonomy.families.contract import Family


@cache
def families() -> dict[str, EntryPoint]:
    """Where the class of each family is, by name; of two of a name ours counts."""
    return {point.name: point for point in reversed(points("tokonomy.families"))}


def load_family(name: str) -> Family:
    """The family of that name; raises ``UnknownId``."""
    if name not in families():
        raise UnknownId(unknown("family", name, families()))
    family: Family = families()[name].load()()
    return family
