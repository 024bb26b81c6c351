"""Families: the contract between methods and tasks of one kind."""

from tokonomy.families.contract import Family
from tokonomy.families.registry import load_family

__all__ = ["Family", "load_family"]
