"""Trust in runs: what pages say of who measured, reproduced or doubted them."""

from __future__ import annotations

from collections.abc import Iterator

from tokonomy.store.statements import LEVELS, Said, Statement
from tokonomy_site.environment import clean
from tokonomy_site.figures import minute
from tokonomy_site.snapshot import Run
from tokonomy_site.tables import Cell, Column, Table, text_table

TRUST = Column(name="Trust", unit="who says so", words=True, filter="trust")
"""The column of a class's table."""

_SAID: dict[Said, str] = {
    "verified": "Reproduced by maintainers",
    "signed-off": "Signed off by the author",
    "disputed": "Disputed",
    "resolved": "Earlier disputes are settled",
    "withdrawn": "Withdrawn",
    "reinstated": "Reinstated",
}


def trust_cell(run: Run) -> Cell:
    """The level, and whether the author stands by it; quiet where nobody said anything."""
    quiet = run.trust.level == "self-reported"
    signed = "signed off" if run.trust.signed else ""
    return Cell(text=run.trust.level, sub=signed, kind="soft" if quiet else _kind(run))


def _kind(run: Run) -> str:
    return "good" if run.trust.level == "verified" else "" if run.trust.stands else "bad"


def doubts(run: Run) -> tuple[str, ...]:
    """Tags beside a run's name: that it is disputed or withdrawn."""
    return () if run.trust.stands else (run.trust.level,)


def level(run: Run) -> str:
    """The level of a run in a sentence."""
    named = run.trust.level
    return f"{named[0].upper()}{named[1:]}: {LEVELS[named]}."


def told(run: Run) -> Iterator[tuple[str, str, str]]:
    """What was said of a run, newest first: words, kind, link."""
    for each in reversed(run.trust.said):
        doubt = each.says in ("disputed", "withdrawn") and not run.trust.stands
        yield _sentence(each), "alert" if doubt else "", each.link or ""


def _sentence(said: Statement) -> str:
    words = f"{_SAID[said.says]} ({clean(said.by)}, {minute(said.at)})"
    return f"{words}: {clean(said.reason)}" if said.reason else f"{words}."


def legend() -> Table:
    """Every level and what it says."""
    rows: list[tuple[str | Cell, ...]] = [(name, words) for name, words in LEVELS.items()]
    return text_table("Levels of trust; where several hold, the first counts",
                      ("Level", "What it says"), rows, 1)  # fmt: skip
