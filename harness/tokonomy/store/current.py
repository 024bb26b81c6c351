"""Which run stands for its cell, and the trust in every run: SQL that all readers share.

Of runs that are alike (``rows.IDENTITY``) the newest of the highest standing stands for the cell:
verified before self-reported before disputed, of the same standing one that went well before a
failure. A run that was withdrawn never does. The others stay, and are superseded by it.

The views ``leaderboard`` and ``runs`` hold the same order as text; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, case, func, select

from tokonomy.store.rows import IDENTITY
from tokonomy.store.schema import run

RANKS = {"verified": 2, "self-reported": 1, "disputed": 0}
"""Standings from which a run may stand for its cell; a higher one comes first."""

BY_TIME = (run.c.started.desc(), run.c.run_id.desc())
"""The newest first."""

_ORDER = (
    case(RANKS, value=run.c.standing).desc(),
    case((run.c.status == "ok", 1), else_=0).desc(),
    *BY_TIME,
)


def standing(*conditions: ColumnElement[bool]) -> Select[int]:
    """Row numbers of the runs that stand for their cells among those that meet conditions."""
    place = func.row_number().over(partition_by=[run.c[name] for name in IDENTITY], order_by=_ORDER)
    ranked = (
        select(run.c.id, place.label("place"))
        .where(run.c.standing.in_(RANKS), *conditions)
        .subquery()
    )
    return select(ranked.c.id).where(ranked.c.place == 1)


def current() -> ColumnElement[bool]:
    """Whether a run stands for its cell."""
    return run.c.id.in_(standing())


def level() -> ColumnElement[str]:
    """The trust in a run, one of ``statements.LEVELS``."""
    doubted = run.c.standing.in_(("withdrawn", "disputed"))
    return case((doubted | current(), run.c.standing), else_="superseded")
