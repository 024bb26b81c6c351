"""Results in pandas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tokonomy.store.database import DEFAULT, open_store

if TYPE_CHECKING:
    import pandas as pd


def frame(place: str | Path = DEFAULT, role: str | None = "result") -> pd.DataFrame:
    """Each result as one row, oldest first; of runs of one cell the one that stands for it.

    That is a run of the newest code that anyone stands by: of these a verified one before a
    self-reported before a disputed one, and then the newest; ``trust`` says which. A run that was
    withdrawn is no row.

    The configuration comes first, then every figure of ``tokonomy.store.metrics.METRICS`` as a
    column of its name, with ``<name>_low`` and ``<name>_high`` where it has an interval. What is
    missing is NaN (None for text), never 0. ``flags`` holds codes of what a reader must know, and
    ``energy_boundary`` says of what the joules are; those of different boundaries never compare.

    Args:
        place: The database, by path or URL; ``results/tokonomy.sqlite`` below the current folder.
        role: What the runs are for: ``result``, ``calibration``, ``control`` (slow or large on
            purpose) or ``scripted`` (simulated); None for all.
    """
    with open_store(place, create=False) as store:
        return store.frame(role)


__all__ = ["frame"]
