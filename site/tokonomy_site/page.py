"""A page: where it goes, what it is called, which template with which values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tokonomy_site.environment import render
from tokonomy_site.links import slug
from tokonomy_site.snapshot import Snapshot

#: Titles of families; one that is not here goes by its id.
FAMILIES = {
    "vision": "Vision transformers",
    "decoding": "Decoding",
    "kv": "KV cache",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One HTML file.

    Attributes:
        path: Where it goes, relative to the site.
        title: Of the window.
        template: Its file.
        values: What the template names.
        section: Path of the entry of the navigation it belongs to.
        live: Whether it has a table that sorts and filters.
        scripts: What else it runs, in this order; paths relative to the site.
    """

    path: str
    title: str
    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    section: str = ""
    live: bool = False
    scripts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the navigation."""

    path: str
    title: str


def families(snapshot: Snapshot) -> list[str]:
    """Families with runs."""
    return sorted({run.family for run in snapshot.results})


def navigation(snapshot: Snapshot) -> list[Entry]:
    """What the head of every page leads to; later pages slot in here."""
    boards = [
        Entry(path=f"leaderboard/{slug(name)}.html", title=FAMILIES.get(name, name))
        for name in families(snapshot)
    ]
    return [
        *boards,
        Entry(path="runs.html", title="All runs"),
        Entry(path="history.html", title="History"),
        Entry(path="atlas.html", title="Atlas"),
        Entry(path="methodology.html", title="Methodology"),
        Entry(path="data.html", title="Data"),
    ]


def html(page: Page, snapshot: Snapshot, entries: list[Entry]) -> str:
    """The page as text."""
    return render(
        page.template,
        page=page,
        root="../" * page.path.count("/"),
        navigation=entries,
        snapshot=snapshot,
        **page.values,
    )
