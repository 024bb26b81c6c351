"""A check's report and records as a Markdown comment; every text in it is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokonomy.store.derive import derive
from tokonomy.store.metrics import Metric
from tokonomy.store.record import Record
from tokonomy.submit.findings import Finding
from tokonomy.submit.gate import Report
from tokonomy.submit.markdown import escape
from tokonomy.submit.rules import RULES

MARK = "<!-- tokonomy check -->"
"""Begins the comment, so that the one before is found and replaced."""

MOST_ROWS = 60
MOST_FINDINGS = 40
LONGEST = 60_000
"""Characters; a code host takes 65,536."""


def comment(report: Report, records: Sequence[Record], succeeded: bool = True) -> str:
    """The comment.

    Args:
        report: What the check left behind.
        records: What it measured.
        succeeded: Whether the job that made them ended well; what they say of it is their own word.
    """
    found, said = report.found, report.problems
    head = "Passed" if succeeded and not found and not said else "Does not pass yet"
    lines = [MARK, f"### {head}: `{report.commit[:12]}`", ""]
    lines += [f"- {escape(each)}" for each in said]
    lines += [*_findings(found), ""] if found else []
    lines += [*_stated(report), ""] if report.stated else []
    lines.append(
        f"{report.passed} tests of the contract and its own passed; network: "
        f"{escape(report.network)}."
        if report.network
        else "No test of the contract was run."
    )
    lines += ["", *_touched(report), "", *_measured(records)]
    text = "\n".join(lines).rstrip() + "\n"
    return text if len(text) <= LONGEST else text[:LONGEST].rpartition("\n")[0] + "\n\ncut short\n"


def _findings(found: Sequence[Finding]) -> Iterator[str]:
    yield from ("| Where | Rule | What |", "| --- | --- | --- |")
    for each in found[:MOST_FINDINGS]:
        place = f"{each.path}:{each.line}" if each.line else each.path
        asks = RULES[each.rule].asks if each.rule in RULES else ""
        yield f"| {escape(place)} | {escape(each.rule)} | {escape(each.text)}. {escape(asks)} |"
    if len(found) > MOST_FINDINGS:
        yield f"| | | and {len(found) - MOST_FINDINGS} more |"


def _touched(report: Report) -> Iterator[str]:
    if not report.touched:
        yield "It touches no cell: nothing that enters a key was changed."
        return
    yield f"<details><summary>It touches {len(report.touched)} things</summary>"
    yield ""
    for label, why in sorted(report.touched.items())[:MOST_ROWS]:
        yield f"- {escape(label)}: {escape(why)}"
    yield ""
    yield "</details>"


def _stated(report: Report) -> Iterator[str]:
    yield "It says something of these runs; only who may speak for them should:"
    yield ""
    yield from (f"- {escape(each)}" for each in report.stated[:MOST_ROWS])


_COLUMNS = ("quality", "retained", "tokens", "time of the reference's", "peak memory", "status")


def _measured(records: Sequence[Record]) -> Iterator[str]:
    """A table of the methods; the reference was measured beside each, in the same session."""
    rows = [record for record in records if record.cell.method.id != "reference"]
    if not rows:
        yield "Nothing was measured."
        return
    machines = sorted({record.cell.device_class for record in rows})
    yield (
        "Measured beside the unmodified model in the same session on "
        f"{escape(', '.join(machines))}, briefly: a first look. What is published is "
        "measured anew from an approved commit."
    )
    yield ""
    yield f"| Method | Setting | Task | {' | '.join(_COLUMNS)} |"
    yield "| --- | --- | --- |" + " ---: |" * (len(_COLUMNS) - 1) + " --- |"
    for record in rows[:MOST_ROWS]:
        yield _row(record)
    if len(rows) > MOST_ROWS:
        yield ""
        yield f"and {len(rows) - MOST_ROWS} more runs"


def _row(record: Record) -> str:
    cell, figures = record.cell, {each.name: each for each in derive(record)}
    setting = ", ".join(f"{name} {value}" for name, value in sorted(cell.method.params.items()))
    ended = record.status if record.reason is None else f"{record.status}: {record.reason}"
    cells = (
        cell.method.id, setting, cell.task.id,
        _figure(figures.get("accuracy"), 100, "%"), _figure(figures.get("retained"), 100, "%"),
        _figure(figures.get("tokens_kept"), 100, "%"), _figure(figures.get("latency_ratio"), 1, ""),
        _figure(figures.get("peak_memory_bytes"), 2**-20, " MiB"), ended,
    )  # fmt: skip
    return f"| {' | '.join(map(escape, cells))} |"


def _figure(metric: Metric | None, scale: float, unit: str) -> str:
    """A figure with its interval; why there is none where there is none."""
    if metric is None or metric.value is None:
        return (metric.reason if metric else None) or "-"
    digits = 2 if scale == 1 else 1
    text = f"{scale * metric.value:.{digits}f}{unit}"
    if metric.low is None or metric.high is None:
        return text
    return f"{text} [{scale * metric.low:.{digits}f}, {scale * metric.high:.{digits}f}]"
