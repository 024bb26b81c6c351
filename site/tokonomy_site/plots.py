"""The charts of a class, from the rows of its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokonomy.store.metrics import WITH_INTERVAL, Metric
from tokonomy_site.board import Row
from tokonomy_site.cells import CAPPED, DOUBTED, mark
from tokonomy_site.charts import Chart, Point, chart
from tokonomy_site.columns import layout
from tokonomy_site.families import Spec, family
from tokonomy_site.figures import SHARES, Form, form_of, ratio, span
from tokonomy_site.snapshot import Snapshot


def points(
    shown: Iterable[Row],
    snapshot: Snapshot,
    spec: Spec,
    href: Callable[[Row], str],
    only: str | None = None,
    curves: Mapping[str, str] | None = None,
) -> list[Point]:
    """Rows as points of a chart.

    Args:
        shown: The rows.
        snapshot: For the methods' signs.
        spec: What is drawn.
        href: Where a row's mark leads.
        only: The one method that is labelled; all are where it is None.
        curves: By row id, which of its method's curves a row is on.
    """
    return [
        Point(
            x=row.run.figure(spec.cost),
            y=row.run.figure(spec.quality),
            href=href(row),
            label=spoken(row, spec, snapshot),
            short=_short(row, only),
            series=f"{row.run.method} {(curves or {}).get(row.id, '')}".strip(),
            style=snapshot.sign(row.run.method).style,
            shape=snapshot.sign(row.run.method).shape,
            sign=_sign(row, spec),
            barred=snapshot.barred(row.run),
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
    "acceptance_length": "tokens a pass",
    "kv_physical_ratio": "% of the reference's cache memory",
    "accuracy": "%",
    "agreement": "% of answers equal",
    "speed_up": "times the reference's speed",
}


def spoken(row: Row, spec: Spec, snapshot: Snapshot) -> str:
    """What a mark says when it is read out or pointed at."""
    quality, cost = row.run.figure(spec.quality), row.run.figure(spec.cost)
    if quality.value is None or cost.value is None:
        return row.name
    return f"{row.name}: {_said(quality)} at {_said(cost)}" + "".join(
        _cautions(row, spec, snapshot)
    )


def _said(figure: Metric) -> str:
    """A figure with its interval and what it is of; the interval of an accuracy comes last."""
    form, _ = form_of(figure.name)
    what, between = _WHAT.get(figure.name, figure.name), _between(figure, form)
    value = form(figure.value or 0.0)
    return f"{value} {what}{between}" if what == "%" else f"{value}{between} {what}"


def _sign(row: Row, spec: Spec) -> str:
    """The sign of either figure; no chart has two that need one."""
    return mark(row.run, spec.cost) or mark(row.run, spec.quality)


def _between(figure: Metric, form: Form) -> str:
    """A figure's interval, or that it is withheld; nothing beside a figure that is exact."""
    if figure.name not in WITH_INTERVAL:
        return ""
    return f" [{span(figure, form) or 'interval withheld'}]"


def _cautions(row: Row, spec: Spec, snapshot: Snapshot) -> Iterator[str]:
    sign = _sign(row, spec)
    if sign == CAPPED:
        yield f"{sign}, unconverged"
    if sign == DOUBTED:
        yield f"{sign}, flagged"
    if snapshot.stale(row.run):
        yield ", stale"
    if not row.run.trust.stands:
        yield f", {row.run.trust.level}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figured:
    """A chart with its words."""

    title: str
    note: str
    chart: Chart
    spec: Spec


def picture(points: Sequence[Point], spec: Spec, title: str, **more: Any) -> Chart | None:
    """A chart of one kind."""
    quality, _ = form_of(spec.quality)
    cost, _ = form_of(spec.cost)
    shares = spec.quality in SHARES
    return chart(
        points,
        title=title,
        x_title=spec.axis,
        y_title=spec.up,
        x_form=ratio if spec.relative else cost,
        y_form=quality,
        logs=spec.relative,
        one=spec.relative,
        x_bounds=spec.bounds,
        y_bounds=(0.0, spec.ceiling) if shares else None,
        fronted=spec.front,
        level=spec.level,
        **more,
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
    """The charts of the rows' family, in its order; what cannot be drawn is left out.

    Energy is drawn of one boundary alone, that of the class's column. Fronts are those of
    ``every``, the rows of the whole class, of which ``shown`` are drawn.
    """
    kind = layout(row.run for row in every or shown)
    ids = {row.id for row in shown}
    rest = [row for row in every if row.id not in ids]
    made = []
    for spec in family(kind.family).specs:
        joules = spec.cost == "energy_ratio"
        drawn, undrawn = (
            [row for row in some if not joules or row.run.boundary == kind.boundary]
            for some in (shown, rest)
        )
        found = picture(
            points(drawn, snapshot, spec, href, only, curves),
            spec,
            f"{spec.title}: {place}" if place else spec.title,
            joined=only is not None,
            others=points(undrawn, snapshot, spec, href),
        )
        if found:
            made.append(Figured(title=spec.title, note=spec.note, chart=found, spec=spec))
    return made
