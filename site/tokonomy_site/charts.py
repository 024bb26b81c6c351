"""Charts as data: every mark with its place, its link and its words, ready for the SVG macro.

A chart is made from the very rows that its table shows. Where it has a front, lower cost and higher
quality are better: the good corner is at the top left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokonomy.stats import fronts
from tokonomy.store.metrics import WITH_INTERVAL, Metric
from tokonomy_site.figures import Form, known
from tokonomy_site.scales import Scale, scale

WIDTH, HEIGHT = 560, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 14, 12, 44
_CHARACTER, _LINE = 6.3, 14.0  # of a label, in pixels; a generous guess, since fonts differ
COSTS, QUALITIES = (0.0, 1e300), (0.0, 1.0)  # where the truth may lie if an interval is withheld


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One row of a table, as a chart sees it.

    Attributes:
        x: Cost; lower is better.
        y: Quality; higher is better.
        href: Where the mark leads.
        label: What the mark says, in full.
        short: What stands beside it on the front.
        series: Points of one series share a mark and may be joined.
        style: Class of the colour.
        shape: Id of the symbol.
        sign: What stands beside it wherever it is; empty where nothing needs to.
        barred: Whether it is drawn only, and can be on no front.
    """

    x: Metric
    y: Metric
    href: str
    label: str
    short: str
    series: str
    style: str
    shape: str
    sign: str = ""
    barred: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point in its place.

    Attributes:
        point: What stands there.
        x: Pixels from the left.
        y: Pixels from the top.
        bars: Path of its intervals.
        ring: Id of the symbol around it that says how it stands to the front; empty for none.
        label: What the mark says, with that.
    """

    point: Point
    x: float
    y: float
    bars: str
    ring: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Words beside a mark."""

    x: float
    y: float
    anchor: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What the macro draws.

    Attributes:
        title: What is shown, read out in place of the picture.
        x: Cost axis.
        y: Quality axis.
        x_title: Its words.
        y_title: Its words.
        marks: Marks of each series.
        paths: A path per series that joins its points, where asked for.
        front: The step line of what nothing else beats; empty where there is no front.
        level: The line on which both axes are equal; empty where it means nothing.
        labels: Words on the front or, without one, beside each series' highest mark.
        one: Where the reference's cost stands, where that means something.
        width: Of the picture, in pixels.
        height: Of the picture.
    """

    title: str
    x: Scale
    y: Scale
    x_title: str
    y_title: str
    marks: dict[str, list[Mark]]
    paths: dict[str, str]
    front: str
    level: str
    labels: tuple[Label, ...]
    one: float | None
    width: int = WIDTH
    height: int = HEIGHT


#: How a point stands to the front if the truth may lie anywhere in its intervals: ring and words.
#: Intervals of costs are those within one run: how sittings differ is not in them.
STANDS = {
    "on": ("ron", "; on the front throughout the intervals"),
    "possibly": ("rmay", "; may be on the front"),
    "beaten": ("", ""),
}


def stands(points: Sequence[Point]) -> dict[int, fronts.Place]:
    """How each point that may be on a front stands to it, by ``id``."""
    ranked = [p for p in points if _ranked(p)]
    places = fronts.places(
        [interval(p.x, COSTS) for p in ranked], [interval(p.y, QUALITIES) for p in ranked]
    )
    return {id(p): place for p, place in zip(ranked, places, strict=True)}


def interval(figure: Metric, widest: tuple[float, float]) -> tuple[float, float]:
    """The interval; all that can be where it is withheld; the value twice where it is exact."""
    value = figure.value or 0.0
    low, high = widest if figure.name in WITH_INTERVAL else (value, value)
    low = low if figure.low is None else figure.low
    high = high if figure.high is None else figure.high
    return min(low, value), max(high, value)


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both cost and quality, cheapest first."""
    known = [p for p in points if _ranked(p)]
    chosen = fronts.front([p.x.value or 0.0 for p in known], [p.y.value or 0.0 for p in known])
    return sorted(
        (p for p, kept in zip(known, chosen, strict=True) if kept), key=lambda p: p.x.value or 0.0
    )


def _ranked(point: Point) -> bool:
    return point.x.value is not None and point.y.value is not None and not point.barred


def _ends(figures: Iterable[Metric]) -> list[float]:
    return [v for f in figures for v in (f.value, f.low, f.high) if v is not None]


def _bars(point: Point, x: Scale, y: Scale) -> str:
    at, up = x.place(point.x.value or 0.0), y.place(point.y.value or 0.0)
    path = ""
    if point.x.low is not None and point.x.high is not None:
        path += f"M{x.place(point.x.low):g} {up:g}H{x.place(point.x.high):g}"
    if point.y.low is not None and point.y.high is not None:
        path += f"M{at:g} {y.place(point.y.low):g}V{y.place(point.y.high):g}"
    return path


def _steps(best: Sequence[Point], x: Scale, y: Scale) -> str:
    if not best:
        return ""
    places = [(x.place(p.x.value or 0.0), y.place(p.y.value or 0.0)) for p in best]
    path = f"M{places[0][0]:g} {y.start:g}V{places[0][1]:g}"
    for at, up in places[1:]:
        path += f"H{at:g}V{up:g}"
    return path + f"H{x.end:g}"


def _clash(box: tuple[float, float, float, float], taken: list[tuple[float, ...]]) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in taken
    )


def _taken(mark: Mark) -> tuple[float, ...]:
    """The room of a mark, with the sign up and right of it."""
    right, up = (11, 13) if mark.point.sign else (4, 4)
    return mark.x - 4, mark.y - up, mark.x + right, mark.y + 4


def _labels(
    best: Sequence[Mark], marks: Sequence[Mark], width: int, y_title: str
) -> tuple[Label, ...]:
    """Words for the front where there is room.

    A label covers neither a mark nor another label nor the title of the axis up.
    """
    title = (_LEFT, 0.0, _LEFT + 4 + len(y_title) * _CHARACTER, _TOP + 6)
    taken: list[tuple[float, ...]] = [title, *map(_taken, marks)]
    labels = []
    for mark in best:
        if not mark.point.short:
            continue
        long = len(mark.point.short) * _CHARACTER
        for anchor, left, up in (
            ("end", mark.x - 8 - long, mark.y - 17),
            ("start", mark.x + 8, mark.y - 17),
            ("end", mark.x - 8 - long, mark.y + 1),
            ("start", mark.x + 8, mark.y + 1),
            ("end", mark.x - 8 - long, mark.y - 30),
        ):
            box = (left, up, left + long, up + _LINE - 2)
            inside = left > _LEFT and box[2] < width - _RIGHT + 6 and up > 0
            if inside and not _clash(box, taken):
                taken.append(box)
                at = left if anchor == "start" else box[2]
                text = mark.point.short
                labels.append(Label(x=round(at, 1), y=round(up + 10, 1), anchor=anchor, text=text))
                break
    return tuple(labels)


def chart(
    points: Iterable[Point],
    *,
    title: str,
    x_title: str,
    y_title: str,
    x_form: Form,
    y_form: Form,
    logs: bool = True,
    one: bool = False,
    joined: bool = False,
    x_bounds: tuple[float, float] | None = None,
    y_bounds: tuple[float, float] | None = (0.0, 1.0),
    fronted: bool = True,
    level: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
    others: Iterable[Point] = (),
) -> Chart | None:
    """Place ``points``; None where fewer than two have both figures.

    ``others`` are of the same class and not drawn; the front, where the chart is ``fronted``, is
    that of all of them. ``level`` draws the line on which both figures are equal.
    """
    usable = [p for p in points if known(p.x) and known(p.y)]
    if len(usable) < 2:
        return None
    every = usable + [p for p in others if known(p.x) and known(p.y)]
    across = _ends(p.x for p in every) + ([1.0] if one else [])
    x = scale(across, start=_LEFT, end=width - _RIGHT, form=x_form, bounds=x_bounds, logs=logs)
    up = _ends(p.y for p in every)
    y = scale(up, start=height - _BOTTOM, end=_TOP, form=y_form, bounds=y_bounds)
    marks: dict[str, list[Mark]] = {}
    placed: dict[int, Mark] = {}
    places = stands(every) if fronted else {}
    for p in usable:
        ring, said = STANDS[places.get(id(p), "beaten")]
        mark = Mark(
            point=p,
            ring=ring,
            label=p.label + said,
            x=x.place(p.x.value or 0.0),
            y=y.place(p.y.value or 0.0),
            bars=_bars(p, x, y),
        )
        marks.setdefault(p.series, []).append(mark)
        placed[id(p)] = mark
    best = front(every) if fronted else _highest(usable)
    return Chart(
        title=title,
        x=x,
        y=y,
        x_title=x_title,
        y_title=y_title,
        marks=marks,
        paths={s: _path(m) for s, m in marks.items() if joined and len(m) > 1},
        front=_steps(best, x, y) if fronted else "",
        level=_level(x, y) if level else "",
        labels=_labels(
            [placed[id(p)] for p in best if id(p) in placed], list(placed.values()), width, y_title
        ),
        one=x.place(1.0) if one else None,
        width=width,
        height=height,
    )


def _highest(points: Iterable[Point]) -> list[Point]:
    """The highest point of each series, from the highest down."""
    found: dict[str, Point] = {}
    for point in sorted(points, key=lambda p: -(p.y.value or 0.0)):
        found.setdefault(point.series, point)
    return list(found.values())


def _level(x: Scale, y: Scale) -> str:
    """Where both figures are equal, as far as both axes go; axes are both linear or both not."""
    low, high = max(x.low, y.low), min(x.high, y.high)
    if low >= high:
        return ""
    return f"M{x.place(low):g} {y.place(low):g}L{x.place(high):g} {y.place(high):g}"


def _path(marks: Sequence[Mark]) -> str:
    places = sorted((mark.x, mark.y) for mark in marks)
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)
