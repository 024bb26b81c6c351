"""Which run stands for its cell, and the trust in every run: SQL that all readers share.

Of runs that are alike (``rows.IDENTITY``) those of the newest code may stand for the cell: whose
method has the hash that the newest of them has that is neither withdrawn nor disputed. Once a
method was changed, what was measured before, verified or not, tells of another one. Of these the
newest of the highest standing stands: verified before self-reported before disputed, of the same
standing one that went well before a failure. A run that was withdrawn never does. The others stay,
and are superseded by it.

The views ``leaderboard`` and ``runs`` hold the same order as text; a test compares the two.
``regressions.newest`` alone chooses otherwise, and says why.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, case, func, select

from tokonomy.store.rows import IDENTITY
from tokonomy.store.schema import run

RANKS = {"verified": 2, "self-reported": 1, "disputed": 0}
"""Standings from which a run may stand for its cell; a higher one comes first."""

BY_TIME = (run.c.started.desc(), run.c.run_id.desc())
"""The newest first."""

_CELL = [run.c[name] for name in IDENTITY]


def standing(*conditions: ColumnElement[bool]) -> Select[int]:
    """Row numbers of the runs that stand for their cells among those that meet conditions."""
    undoubted = case((run.c.standing == "disputed", 1), else_=0)
    code = func.first_value(run.c.method_hash).over(
        partition_by=_CELL, order_by=(undoubted, *BY_TIME)
    )
    among = select(run, code.label("code")).where(run.c.standing.in_(RANKS), *conditions)
    each = among.subquery().c
    place = func.row_number().over(
        partition_by=[each[name] for name in IDENTITY],
        order_by=(
            case((each.method_hash == each.code, 0), else_=1),
            case(RANKS, value=each.standing).desc(),
            case((each.status == "ok", 0), else_=1),
            each.started.desc(),
            each.run_id.desc(),
        ),
    )
    ranked = select(each.id, place.label("place")).subquery()
    return select(ranked.c.id).where(ranked.c.place == 1)


def current() -> ColumnElement[bool]:
    """Whether a run stands for its cell."""
    return run.c.id.in_(standing())


def level() -> ColumnElement[str]:
    """The trust in a run, one of ``statements.LEVELS``."""
    doubted = run.c.standing.in_(("withdrawn", "disputed"))
    return case((doubted | current(), run.c.standing), else_="superseded")
