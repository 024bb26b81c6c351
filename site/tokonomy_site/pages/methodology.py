"""The methodology page: the rules behind every number, and how straight the ruler is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from tokonomy.measure.reasons import REASONS
from tokonomy.store.fields import Status
from tokonomy_site import epochs, meanings, trust, words
from tokonomy_site.cells import CAPPED, NONE, SIGNS, mark, quoted
from tokonomy_site.figures import contains, known, mebibytes, minute, ratio, span
from tokonomy_site.gaps import unmeasured
from tokonomy_site.page import Page
from tokonomy_site.rules import RULES
from tokonomy_site.sections.calibration import shown
from tokonomy_site.snapshot import Run, Snapshot, run_path, setting
from tokonomy_site.tables import Cell, text_table


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """The one page."""
    statuses: list[tuple[str | Cell, ...]] = [
        (meanings.STATUS[status], status, meanings.STATUS_MEANING[status])
        for status in get_args(Status)
    ]
    reasons: list[tuple[str | Cell, ...]] = [
        (Cell(text=code, kind="mono"), sentence) for code, sentence in _codes()
    ]
    good = [run for run in snapshot.runs if run.status == "ok" and run.role != "scripted"]
    control = [run for run in good if run.method == "reference"]
    timed = [run for run in control if known(run.figure("latency_ratio"))]
    planted = [run for run in snapshot.runs if run.role == "control"]
    played = [run for run in snapshot.runs if run.role == "scripted"]
    yield Page(
        path="methodology.html",
        title="Methodology",
        template="methodology.html",
        section="methodology.html",
        values={
            "rules": RULES,
            "unmeasured": unmeasured(snapshot),
            "statuses": text_table("Statuses", ("Shown as", "Stored as", "Meaning"), statuses, 2),
            "reasons": text_table("Reason codes", ("Code", "Meaning"), reasons, 1),
            "sign": SIGNS[CAPPED],
            "control": control_sentence(timed),
            "controls": _controls(timed) if timed else None,
            "calibrations": shown(snapshot.calibrations, (run.id for run in snapshot.runs)),
            "planted": _listed(planted, "Planted truths") if planted else None,
            "played": _listed(played, "Runs on scripted devices") if played else None,
            "epochs": epochs.table(snapshot),
            "trust": trust.legend(),
        },
    )


def _codes() -> list[tuple[str, str]]:
    """Every reason code; those of signals, which differ by name only, in one line."""
    every = {**REASONS, **meanings.DERIVED}
    named = {code: said for code, said in every.items() if not code.startswith("signal-SIG")}
    return sorted({**named, "signal-NAME": "The process was ended by the signal named."}.items())


MOST = 100  # runs of a table


def control_sentence(timed: list[Run]) -> str:
    """How often the reference, timed against itself, has an interval that covers 1."""
    held = [run for run in timed if run.figure("latency_ratio").low is not None]
    if not held:
        return "No reference cell with an interval is in the store yet, so nothing can be said."
    covered = sum(contains(run.figure("latency_ratio"), 1.0) for run in held)
    return (
        f"Of {words.plural(len(held), 'reference cell')} with an interval, {covered} have one that "
        f"covers 1 ({100 * covered / len(held):.0f} %; about 95 % are expected)."
    )


def _newest(runs: list[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: run.order, reverse=True)[:MOST]


def _controls(timed: list[Run]) -> object:
    newest = _newest(timed)
    made: list[tuple[str | Cell, ...]] = []
    for run in newest:
        figure = run.figure("latency_ratio")
        inside = contains(figure, 1.0)
        word = "covers 1" if inside else "no interval" if figure.low is None else "misses 1"
        made.append((
            Cell(text=minute(run.started), href=run_path(run.id)),
            f"{run.task_ref}, {run.model_ref}, {run.scenario}, batch {run.batch_size}",
            ratio(figure.value or 0.0),
            (span(figure, ratio) or NONE) + mark(run, "latency_ratio"),
            Cell(text=word, kind="bad" if word == "misses 1" else ""),
        ))  # fmt: skip
    heads = ("Started, UTC", "Cell", "Ratio", "95 % interval", "Verdict")
    caption = f"The reference against itself, newest {len(newest)} of {len(timed)}"
    return text_table(caption, heads, made)


def _listed(runs: list[Run], title: str) -> object:
    """Runs that stand in no table of results, the newest first."""
    newest = _newest(runs)
    made: list[tuple[str | Cell, ...]] = []
    for run in newest:
        figure = run.figure("latency_ratio")
        memory = run.figure("memory_over_baseline_bytes")
        made.append((
            Cell(text=minute(run.started), href=run_path(run.id)),
            f"{run.method} {setting(run.params)}".strip(),
            f"{run.task_ref}, {run.scenario}, batch {run.batch_size}, {run.device}",
            meanings.STATUS[run.status],
            quoted(run, "latency_ratio") if known(figure) else NONE,
            mebibytes(memory.value) if memory.value is not None else NONE,
        ))  # fmt: skip
    heads = ("Started, UTC", "What", "Where", "Status", "Latency ratio", "Memory, MiB rise")
    return text_table(f"{title}, newest {len(newest)} of {len(runs)}", heads, made)
