"""The charts of a class, from the rows of its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokonomy.store.metrics import WITH_INTERVAL, Metric
from tokonomy_site.board import Row, layout
from tokonomy_site.cells import CAPPED, DOUBTED, mark
from tokonomy_site.charts import Chart, Point, chart
from tokonomy_site.figures import Form, form_of, percent, ratio, span
from tokonomy_site.snapshot import Snapshot


def points(
    shown: Iterable[Row],
    snapshot: Snapshot,
    cost: str,
    href: Callable[[Row], str],
    only: str | None = None,
    curves: Mapping[str, str] | None = None,
) -> list[Point]:
    """Rows as points of a chart of accuracy against ``cost``.

    Args:
        shown: The rows.
        snapshot: For the methods' signs.
        cost: Name of the figure across.
        href: Where a row's mark leads.
        only: The one method that is labelled; all are where it is None.
        curves: By row id, which of its method's curves a row is on.
    """
    return [
        Point(
            x=row.run.figure(cost),
            y=row.run.figure("accuracy"),
            href=href(row),
            label=spoken(row, cost, snapshot),
            short=_short(row, only),
            series=f"{row.run.method} {(curves or {}).get(row.id, '')}".strip(),
            style=snapshot.sign(row.run.method).style,
            shape=snapshot.sign(row.run.method).shape,
            sign=mark(row.run, cost),
            barred=snapshot.stale(row.run),
        )
        for row in shown
        if row.run.status == "ok"
    ]


def _short(row: Row, only: str | None) -> str:
    if only is not None and row.run.method != only:
        return ""
    return row.name if only is None else row.setting


_WHAT = {
    "tokens_kept": "% of tokens kept",
    "latency_ratio": "of the reference's time",
    "energy_ratio": "of the reference's joules",
}


def spoken(row: Row, cost: str, snapshot: Snapshot) -> str:
    """What a mark says when it is read out or pointed at."""
    accuracy, other = row.run.figure("accuracy"), row.run.figure(cost)
    if accuracy.value is None or other.value is None:
        return row.name
    form, _ = form_of(cost)
    return (
        f"{row.name}: {percent(accuracy.value)} %{_between(accuracy, percent)} at "
        f"{form(other.value)}{_between(other, form)} {_WHAT.get(cost, cost)}"
    ) + "".join(_cautions(row, cost, snapshot))


def _between(figure: Metric, form: Form) -> str:
    """A figure's interval, or that it is withheld; nothing beside a figure that is exact."""
    if figure.name not in WITH_INTERVAL:
        return ""
    return f" [{span(figure, form) or 'interval withheld'}]"


def _cautions(row: Row, cost: str, snapshot: Snapshot) -> Iterator[str]:
    sign = mark(row.run, cost)
    if sign == CAPPED:
        yield f"{sign}, unconverged"
    if sign == DOUBTED:
        yield f"{sign}, flagged"
    if snapshot.stale(row.run):
        yield ", stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figured:
    """A chart with its words."""

    title: str
    note: str
    chart: Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spec:
    """One kind of chart: the figure across, its words, whether 1 is the reference."""

    cost: str
    title: str
    axis: str
    note: str
    relative: bool = True


_LEFT = (
    "Left is {less}, up is better; bars are 95 % intervals, the line is the front of what nothing "
    "else beats on both, dashes mark the reference's {what}. A closed ring marks what is on the "
    "front wherever the truth lies in the intervals, an open one what may be; where an interval is "
    "withheld, the truth may lie anywhere. {sign}."
)
_SPECS = (
    _Spec(
        cost="latency_ratio",
        title="Accuracy and time",
        axis="time per call, reference = 1",
        note=_LEFT.format(less="faster", what="time", sign="A dagger marks what is unconverged"),
    ),
    _Spec(
        cost="tokens_kept",
        title="Accuracy and tokens",
        axis="tokens kept, %",
        note="Tokens that the blocks' MLPs worked on, counted by the harness, as a share of the "
        "reference's; line and rings as for time.",
        relative=False,
    ),
    _Spec(
        cost="energy_ratio",
        title="Accuracy and energy",
        axis="joules per sample, reference = 1",
        note=_LEFT.format(
            less="less energy", what="joules", sign="A double dagger marks what is flagged"
        ),
    ),
)


def charts(
    shown: Sequence[Row],
    snapshot: Snapshot,
    href: Callable[[Row], str],
    only: str | None = None,
    place: str = "",
    curves: Mapping[str, str] | None = None,
    every: Sequence[Row] = (),
) -> list[Figured]:
    """Accuracy against time, tokens and energy, in that order; what cannot be drawn is left out.

    Energy is drawn of one boundary alone, that of the class's column. Fronts are those of
    ``every``, the rows of the whole class, of which ``shown`` are drawn.
    """
    boundary = layout(row.run for row in every or shown).boundary
    ids = {row.id for row in shown}
    rest = [row for row in every if row.id not in ids]
    made = []
    for spec in _SPECS:
        joules = spec.cost == "energy_ratio"
        drawn, undrawn = (
            [row for row in some if not joules or row.run.boundary == boundary]
            for some in (shown, rest)
        )
        picture = chart(
            points(drawn, snapshot, spec.cost, href, only, curves),
            title=f"{spec.title}: {place}" if place else spec.title,
            x_title=spec.axis,
            y_title="accuracy, %",
            x_form=ratio if spec.relative else percent,
            y_form=percent,
            logs=spec.relative,
            one=spec.relative,
            joined=only is not None,
            x_bounds=None if spec.relative else (0.0, 1.02),
            others=points(undrawn, snapshot, spec.cost, href),
        )
        if picture:
            made.append(Figured(title=spec.title, note=spec.note, chart=picture))
    return made
