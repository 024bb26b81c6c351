"""Results in pandas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tokonomy.store.database import DEFAULT, open_store

if TYPE_CHECKING:
    import pandas as pd


def frame(place: str | Path = DEFAULT) -> pd.DataFrame:
    """Each cell's newest run as one row, oldest first.

    The configuration comes first, then every figure of ``tokonomy.store.metrics.METRICS`` as a
    column of its name, with ``<name>_low`` and ``<name>_high`` where it has an interval. What is
    missing is NaN (None for text), never 0.

    Args:
        place: The database, by path or URL; ``results/tokonomy.sqlite`` below the current folder.
    """
    with open_store(place, create=False) as store:
        return store.frame()


__all__ = ["frame"]
