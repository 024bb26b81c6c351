"""Tables as data, for one template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tokonomy_site.marks import Sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in one place: a text, a second line, perhaps a link, a symbol, a few tags."""

    text: str
    sub: str = ""
    href: str | None = None
    kind: str = ""
    mark: Sign | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's head.

    Attributes:
        name: Its title.
        unit: A second line, smaller.
        group: Columns of one group stand under one title.
        words: Whether it holds words rather than numbers.
        wide: Whether its text may run over lines.
        filter: Name of the filter made from its values.
        first: Which order the first click gives: ``u`` up, ``d`` down.
    """

    name: str
    unit: str = ""
    group: str = ""
    words: bool = False
    wide: bool = False
    filter: str = ""
    first: Literal["u", "d"] = "u"

    @property
    def style(self) -> str:
        """Class of its cells."""
        return "w" if self.wide else "t" if self.words else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row; its first cell is its head. ``numbers`` are its figures for scripts; see ``axes``."""

    cells: tuple[Cell, ...]
    id: str = ""
    kind: str = ""
    numbers: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A title over neighbouring columns."""

    title: str
    span: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A quantity that can be limited from above.

    Attributes:
        key: Its name after the ``#`` of an address.
        title: Its name.
        figure: Its figure.
        unit: In which the limit is given.
    """

    key: str
    title: str
    figure: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; at most one of a page is ``live``, which gives it sorting and filters.

    Attributes:
        caption: What it shows.
        columns: Its heads.
        lines: Its rows.
        live: Whether scripts sort and filter it.
        figures: What the numbers of its rows are; see ``axes``.
        limits: What a reader may limit by them.
    """

    caption: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    live: bool = False
    figures: str = ""
    limits: tuple[Limit, ...] = ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """Titles over the columns; none where no column has one."""
        found: list[Group] = []
        for column in self.columns:
            if found and found[-1].title == column.group:
                found[-1] = Group(title=column.group, span=found[-1].span + 1)
            else:
                found.append(Group(title=column.group, span=1))
        return tuple(found) if any(group.title for group in found) else ()


def text_table(
    caption: str, heads: tuple[str, ...], rows: list[tuple[str | Cell, ...]], *wide: int
) -> Table:
    """A table of words; columns ``wide`` may run over lines."""
    columns = tuple(Column(name=h, words=True, wide=i in wide) for i, h in enumerate(heads))
    lines = (
        tuple(cell if isinstance(cell, Cell) else Cell(text=cell) for cell in row) for row in rows
    )
    return Table(caption=caption, columns=columns, lines=tuple(Line(cells=c) for c in lines))
