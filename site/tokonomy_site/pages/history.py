"""Histories: each cell that was run more than once, over time, with what changed and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tokonomy.stats.changes import LEAST_SHIFT, LEAST_VALUES
from tokonomy.store.epochs import Device, epoch
from tokonomy.store.metrics import Metric
from tokonomy_site.cells import CAPPED, SIGNS, figure_cell, quoted
from tokonomy_site.charts import Chart, Point, chart
from tokonomy_site.figures import Form, form_of, minute
from tokonomy_site.histories import MOST, Change, History, chance, searched
from tokonomy_site.meanings import STATUS
from tokonomy_site.news import news, place
from tokonomy_site.page import Page
from tokonomy_site.snapshot import Run, Snapshot, method_path, run_path, setting
from tokonomy_site.tables import Cell, Column, Line, Table, text_table
from tokonomy_site.words import plural

SECTION = "history.html"
LISTED = 200  # of what happened, on the first page of histories
LEAST_DRAWN = 3  # runs from which on a chart shows more than the table beside it
HEIGHT = 230
_DAY = 86_400.0
_START = datetime(1970, 1, 1, tzinfo=UTC)
_LONG = 4.0  # days from which on an axis names days alone

DRAWN = (
    ("speed_up", "Speed-up, times", "Each taken within its run, so an epoch moves it less."),
    ("latency_p50_ms", "Latency, ms", "Dashed: a new epoch of the device; across it, latencies of "
     "two runs do not compare."),
)  # fmt: skip
COLUMNS = (
    Column(name="Started", unit="UTC", words=True),
    Column(name="Accuracy", unit="% [95 %]"),
    Column(name="Speed-up", unit="times [95 %]"),
    Column(name="Latency", unit="ms [95 %]"),
    Column(name="Memory", unit="MiB"),
    Column(name="Epoch"),
    Column(name="Code", words=True),
    Column(name="Harness", words=True),
    Column(name="Changed", words=True, wide=True),
    Column(name="Run", words=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A chart with its words."""

    title: str
    note: str
    chart: Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The history of a cell."""

    anchor: str
    title: str
    place: str
    sentence: str
    charts: tuple[Drawn, ...]
    table: Table


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """What happened, and a page or more for every method with histories."""
    by_path: dict[str, list[History]] = defaultdict(list)
    for history in snapshot.histories.values():
        by_path[history.path].append(history)
    yield _first(by_path, snapshot)
    for path, some in sorted(by_path.items()):
        method = some[0].runs[0].method
        yield Page(
            path=path,
            title=f"History of {snapshot.title(method)}",
            template="history.html",
            section=SECTION,
            values={
                "title": snapshot.title(method),
                "method": f"../{method_path(method)}",
                "sign": snapshot.sign(method),
                "parts_of": _parts(path, method, by_path),
                "signed": SIGNS[CAPPED],
                "cells": [_told(history, snapshot) for history in some],
            },
        )


def _parts(path: str, method: str, by_path: dict[str, list[History]]) -> list[tuple[str, bool]]:
    """Pages of the same method, and which is this one."""
    same = [each for each, some in by_path.items() if some[0].runs[0].method == method]
    return [(f"../{each}", each == path) for each in same]


def _first(by_path: dict[str, list[History]], snapshot: Snapshot) -> Page:
    found = news(snapshot)
    changes = [item for item in found if item.kind in ("better", "worse")]
    methods: list[tuple[str | Cell, ...]] = []
    for path, some in sorted(by_path.items()):
        runs = sum(len(history.runs) for history in some)
        changed = sum(len(history.changes) for history in some)
        title = snapshot.title(some[0].runs[0].method)
        part = path.partition("-part-")[2].removesuffix(".html")
        methods.append((
            Cell(text=f"{title}, part {part}" if part else title, href=path),
            str(len(some)), str(runs), str(changed) if changed else "none",
        ))  # fmt: skip
    heads = ("Method", "Cells", "Runs of them", "Changes")
    return Page(
        path=SECTION,
        title="History",
        template="histories.html",
        section=SECTION,
        live=bool(methods),
        values={
            "level": f"{100 * chance(snapshot.histories.values()):.2g}",
            "methods": replace(
                text_table("Cells that were run more than once", heads, methods), live=True
            ) if methods else None,
            "least": f"{100 * LEAST_SHIFT:g}",
            "changes": changes[:LISTED],
            "more": plural(len(changes) - LISTED, "older change") if len(changes) > LISTED else "",
            "came": [item for item in found if item.kind == "results"][:LISTED // 4],
        },
    )  # fmt: skip


def _told(history: History, snapshot: Snapshot) -> Told:
    runs, last = history.runs[-MOST:], history.runs[-1]
    begun = snapshot.epochs.get(Device(last.device_class, last.machine), ())
    return Told(
        anchor=history.anchor,
        title=f"{setting(last.params) or 'as it is'}, {last.task_ref}, {last.scenario}, "
        f"batch {last.batch_size}",
        place=f"{snapshot.model_title(last.model_ref)} · {place(last)}",
        sentence=_sentence(history),
        charts=tuple(_charts(runs, begun, snapshot)),
        table=_table(history, runs, begun),
    )


def _sentence(history: History) -> str:
    runs, first, last = history.runs, history.runs[0], history.runs[-1]
    failed = sum(run.status != "ok" for run in runs)
    said = f"{plural(len(runs), 'run')} from {first.started[:10]} to {last.started[:10]}"
    said += f", {failed} of them not ok." if failed else "."
    if len(runs) > MOST:
        said += f" Shown are the newest {MOST}; all are in the table of all runs and the downloads."
    if not any(searched(history.runs)):
        return f"{said} No change was looked for: that takes {2 * LEAST_VALUES} sittings."
    if not history.changes:
        return f"{said} No change beyond chance was found."
    return said + "".join(
        f" From {change.run.started[:10]} on, {change.said}. {change.why}"
        for change in history.changes
    )


def _charts(runs: Sequence[Run], begun: Sequence[str], snapshot: Snapshot) -> Iterator[Drawn]:
    for name, title, note in DRAWN:
        some = [run for run in runs if run.status == "ok" and run.figure(name).value is not None]
        if len(some) < LEAST_DRAWN:
            continue
        drawn = chart(
            [_point(run, name, snapshot) for run in some],
            title=f"{title} over time: {snapshot.title(some[0].method)}",
            x_title="day the run started, UTC",
            y_title=title,
            x_form=_dates(some),
            y_form=form_of(name)[0],
            logs=False,
            joined=True,
            y_bounds=None,
            fronted=False,
            height=HEIGHT,
        )
        if drawn:
            lines = _epochs(drawn, begun) if name == "latency_p50_ms" else ""
            yield Drawn(title=title, note=note, chart=replace(drawn, level=lines))


def _point(run: Run, name: str, snapshot: Snapshot) -> Point:
    sign = snapshot.sign(run.method)
    said = f"{minute(run.started)}: {quoted(run, name)}{form_of(name)[1]}"
    return Point(
        x=Metric(name="started", value=_days(run.started)),
        y=run.figure(name),
        href=f"../{run_path(run.id)}",
        label=said,
        short="",
        series=run.method,
        style=sign.style,
        shape=sign.shape,
    )


def _days(started: str) -> float:
    """Days since 1970."""
    return (datetime.fromisoformat(started) - _START).total_seconds() / _DAY


def _dates(runs: Sequence[Run]) -> Form:
    """How a time is written below the axis: the day, and the hour where all is within days."""
    times = [_days(run.started) for run in runs]
    shown = slice(10) if max(times) - min(times) >= _LONG else slice(5, 16)

    def text(days: float) -> str:
        return (_START + timedelta(days=days)).isoformat(sep=" ")[shown]

    return text


def _epochs(drawn: Chart, begun: Sequence[str]) -> str:
    """Vertical lines where epochs began that lie within the chart."""
    inside = [at for at in map(_days, begun) if drawn.x.low < at < drawn.x.high]
    return "".join(f"M{drawn.x.place(at):g} {drawn.y.start:g}V{drawn.y.end:g}" for at in inside)


def _table(history: History, runs: Sequence[Run], begun: Sequence[str]) -> Table:
    changed: dict[str, list[Change]] = defaultdict(list)
    for change in history.changes:
        changed[change.run.id].append(change)
    lines = tuple(_line(run, begun, changed[run.id]) for run in reversed(runs))
    return Table(caption="Its runs, newest first", columns=COLUMNS, lines=lines)


def _line(run: Run, begun: Sequence[str], changes: Sequence[Change]) -> Line:
    said = "; ".join(change.said for change in changes)
    good = all(change.good for change in changes)
    return Line(cells=(
        Cell(text=minute(run.started)),
        figure_cell(run, "accuracy"),
        figure_cell(run, "speed_up"),
        figure_cell(run, "latency_p50_ms"),
        figure_cell(run, "peak_memory_bytes"),
        Cell(text=str(epoch(run.started, begun))),
        Cell(text=run.source_hash[:7], kind="mono"),
        Cell(text=run.version),
        Cell(text=said, kind=("good" if good else "bad") if said else ""),
        Cell(text=STATUS[run.status], href=f"../{run_path(run.id)}"),
    ))  # fmt: skip
