"""Scores of groups of samples as a table of shades: how far into a text, and how long a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tokonomy_site.board import Row
from tokonomy_site.marks import Sign
from tokonomy_site.snapshot import Snapshot
from tokonomy_site.tables import Group

STEPS = 5  # shades from 0 to 1
MOST = 40  # groups that a table can show
Scores = Mapping[str, tuple[float, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One group of samples of one row: a score in per cent, and its shade; maybe another below."""

    text: str
    step: str
    sub: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A row."""

    title: str
    patches: tuple[Patch, ...]
    sub: str = ""
    href: str | None = None
    mark: Sign | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """A table of shades.

    Attributes:
        caption: What it shows.
        head: Title of its rows.
        groups: Titles over neighbouring columns; none where a column has one part only.
        heads: Titles of the columns.
        strips: Its rows.
    """

    caption: str
    head: str
    groups: tuple[Group, ...]
    heads: tuple[str, ...]
    strips: tuple[Strip, ...]


def board(shown: Iterable[Row], snapshot: Snapshot, href: Callable[[Row], str]) -> Heat | None:
    """A row for each setting, a column for each group; None where no run has groups."""
    rows = [row for row in shown if row.run.groups]
    labels = ordered(label for row in rows for label in row.run.groups)
    if not 1 < len(labels) <= MOST:
        return None
    strips = tuple(
        Strip(
            title=row.title,
            sub=row.setting,
            href=href(row),
            mark=snapshot.sign(row.run.method),
            patches=tuple(patch(row.run.groups.get(label)) for label in labels),
        )
        for row in rows
    )
    return Heat(
        caption=f"Score of each group of samples, %{_counted(row.run.groups for row in rows)}",
        head="Method",
        groups=_groups(labels, (same := _same(labels))),
        heads=tuple(_split(label)[1].removeprefix(same) for label in labels),
        strips=strips,
    )


def one(method: Scores, reference: Scores) -> Heat | None:
    """One run: the first part of a group's name down, the second across; None without groups."""
    labels = ordered(method)
    if not 1 < len(labels) <= MOST:
        return None
    down = list(dict.fromkeys(_split(label)[0] for label in labels))
    across = list(dict.fromkeys(_split(label)[1] for label in labels))
    named = {_split(label): label for label in labels}
    strips = tuple(
        Strip(
            title=first or "All samples",
            patches=tuple(
                patch(method.get(label), reference.get(label))
                for label in (named.get((first, second), "") for second in across)
            ),
        )
        for first in down
    )
    return Heat(
        caption=f"Score, %, and below it the reference's{_counted([method])}",
        head="Samples",
        groups=(),
        heads=tuple(across),
        strips=strips,
    )


def patch(found: tuple[float, int] | None, beside: tuple[float, int] | None = None) -> Patch:
    """A score with its shade."""
    if found is None:
        return Patch(text="none", step="")
    sub = f"{100 * beside[0]:.0f}" if beside else ""
    step = min(STEPS, max(0, round(found[0] * STEPS)))
    return Patch(text=f"{100 * found[0]:.0f}", step=f"h{step}", sub=sub)


def ordered(labels: Iterable[str]) -> list[str]:
    """Labels without repetition, numbers in them by size.

    >>> ordered(["1600 characters, depth 0%", "400 characters, depth 25%"])
    ['400 characters, depth 25%', '1600 characters, depth 0%']
    """
    return sorted(dict.fromkeys(labels), key=_natural)


def _natural(label: str) -> list[tuple[int, float, str]]:
    parts = re.findall(r"\d{1,15}|\D+", label)
    return [(0, float(p), "") if p.isdecimal() else (1, 0.0, p) for p in parts]


def _split(label: str) -> tuple[str, str]:
    """Both parts of a label; the first is empty where there is one part only."""
    first, comma, second = label.partition(", ")
    return (first, second) if comma else ("", first)


def _same(labels: Sequence[str]) -> str:
    """The words that every second part begins with, where there are first parts as well."""
    start = f"{_split(labels[0])[1].rpartition(' ')[0]} "
    alike = all(first and second.startswith(start) for first, second in map(_split, labels))
    return start if alike and start.strip() else ""


def _groups(labels: Sequence[str], same: str) -> tuple[Group, ...]:
    found: list[Group] = []
    for first, _ in map(_split, labels):
        title = f"{first}, {same}".strip(" ,")
        span = found.pop().span + 1 if found and found[-1].title == title else 1
        found.append(Group(title=title, span=span))
    return tuple(found) if any(group.title for group in found) else ()


def _counted(every: Iterable[Scores]) -> str:
    """How many samples a patch stands for."""
    sizes = sorted({n for groups in every for _, n in groups.values()})
    if not sizes:
        return ""
    ends = dict.fromkeys((sizes[0], sizes[-1]))
    return f"; each of {' to '.join(map(str, ends))} samples"
