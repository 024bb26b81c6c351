"""What a method's page says of it in one class, computed from its rows there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokonomy.store.metrics import Metric
from tokonomy_site import words
from tokonomy_site.board import Row
from tokonomy_site.cells import quoted
from tokonomy_site.columns import layout
from tokonomy_site.families import CACHE, DECODING, Family, family
from tokonomy_site.figures import NOTHING, contains, form_of
from tokonomy_site.snapshot import Run, Snapshot, setting, varying


def why_not_faster(run: Run) -> str:
    """The computed sentence for one run; empty where it is faster."""
    figure = run.figure
    latency, said = figure("latency_ratio"), quoted(run, "latency_ratio")
    if run.family not in (DECODING, CACHE):
        return words.slower(figure("tokens_kept"), figure("flops_ratio"), latency, said)
    if run.family == DECODING:
        given = figure("acceptance_length"), figure("target_calls")
        text = words.slower_drafts(*given, latency, said)
    else:
        text = words.slower_cache(figure("kv_logical_ratio"), latency, said)
    return text and text + words.longer(figure("answer_tokens"), figure("reference_answer_tokens"))


def dial(method: str, snapshot: Snapshot) -> str | None:
    """The parameter whose values make a method's curve; None without a card."""
    card = snapshot.methods.get(method)
    return card.dial if card else None


def curves(rows: Sequence[Row], dial: str | None) -> dict[str, list[Row]]:
    """Rows that differ in the dial alone, by what else tells them apart."""
    names = varying([row.run for row in rows]) - {dial}
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(setting(row.run.params, names), []).append(row)
    return found


def _on_curve(row: Row) -> tuple[str, Metric, Metric, Metric]:
    spent = NOTHING._replace(value=row.run.spent)
    figure = row.run.figure
    return row.setting, spent, figure("accuracy"), figure("accuracy_drop")


def sentences(method: str, mine: Sequence[Row], snapshot: Snapshot) -> Iterator[str]:
    """What is to be said of a method in one class, from its rows there."""
    good = [row for row in mine if row.run.status == "ok"]
    if method == "reference":
        yield from _control(good)
        return
    scored, name = layout(row.run for row in good).scored, mine[0].run.family
    if good and not scored:
        yield "Quality is not applicable here: only costs are compared."
    if scored and name in (DECODING, CACHE):
        settings = [(row.setting, row.run.figure("agreement")) for row in good]
        yield from filter(None, [words.lossless(snapshot.claim(method), settings)])
    if scored:
        yield from _equal(method, good, family(name))
    if name != DECODING:
        yield from _curves(good, dial(method, snapshot), family(name).waning)
    yield from _of_family(name, good)
    yield _speed(good)
    if failed := len(mine) - len(good):
        yield f"{words.plural(failed, 'setting')} ended without figures; see the runs."


def _equal(method: str, good: Sequence[Row], own: Family) -> Iterator[str]:
    for each in own.baselines:
        if each.id != method:
            yield words.tally([_word(row.run, each.id) for row in good], each.name, own.equal)


def _curves(good: Sequence[Row], dial: str | None, waning: words.Waning) -> Iterator[str]:
    for name, curve in curves(good, dial).items():
        if len({row.run.spent for row in curve}) < 2:
            continue  # nothing is turned by the dial that this could be said of
        remark = words.monotone([_on_curve(row) for row in curve], waning)
        if remark:
            yield f"{name}: {remark}" if name else remark


def _of_family(name: str, good: Sequence[Row]) -> Iterator[str]:
    """What a family's methods are about, over the settings."""

    def over(text: str, figure: str) -> str:
        return words.spread(text, [row.run.figure(figure) for row in good], form_of(figure)[0])

    if name == DECODING:
        yield from filter(None, (
            over("A pass of the model gives {} tokens after the prompt.", "acceptance_length"),
            over("Of tokens read beyond one a pass, {} % stand in the answer.", "acceptance_rate"),
        ))  # fmt: skip
    if name == CACHE:
        yield from filter(None, (
            over("The cache holds {} % of the reference's bytes.", "kv_logical_ratio"),
            over("It keeps {} % of the memory of the reference's cache.", "kv_physical_ratio"),
        ))  # fmt: skip


def _word(run: Run, baseline: str) -> str:
    verdict = run.verdicts.get(baseline)
    return verdict.word if verdict else "not comparable"


def _control(good: Sequence[Row]) -> Iterator[str]:
    """The reference against itself says whether the ruler is straight."""
    for row in good:
        figure = row.run.figure("latency_ratio")
        if figure.value is not None:
            inside = "covers" if contains(figure, 1) else "does not cover"
            told = "without an interval" if figure.low is None else f"whose interval {inside} 1"
            yield f"Timed against itself: latency ratio {quoted(row.run, figure.name)}, {told}."


def _speed(good: Sequence[Row]) -> str:
    timed = [row for row in good if row.run.figure("latency_ratio").value is not None]
    if not timed:
        return "Not timed."
    slow = [row for row in timed if why_not_faster(row.run)]
    fast = [row for row in timed if (row.run.figure("latency_ratio").high or 2.0) < 1]
    text = f"Faster than the reference at {len(fast)} of {words.plural(len(timed), 'setting')}."
    text += words.shorter(
        [
            (row.run.figure("answer_tokens"), row.run.figure("reference_answer_tokens"))
            for row in fast
        ]
    )
    if slow:
        row = min(slow, key=lambda r: (r.run.spent or 1.0, r.id))
        text += f" At {row.setting or 'its setting'} it {why_not_faster(row.run)}."
    return text
