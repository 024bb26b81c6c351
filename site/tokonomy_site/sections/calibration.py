"""How straight the ruler was found to be: calibration records as tables.

Simulated and measured findings stand apart, each under a heading that says which it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokonomy.store.calibration import UNPROMISED, Calibration, Finding
from tokonomy.store.scripted import scripted_name
from tokonomy_site.environment import clean
from tokonomy_site.figures import percent, significant
from tokonomy_site.sections.provenance import code
from tokonomy_site.snapshot import run_path
from tokonomy_site.tables import Cell, Column, Line, Table
from tokonomy_site.words import plural

NOMINAL = 0.95  # share of intervals that are said to cover the truth
MOST_RUNS = 12  # sessions that a calibration links to; all are in its record

TITLES = {
    "coverage": "Intervals that cover the truth",
    "false-alarms": "A difference called where there is none",
    "same-ratio": "Middle of the ratios, where the truth is 1",
    "power": "Planted slow-down found",
    "found-2-percent": "Slow-down of 2 % found",
    "planted-ratio": "Ratio measured where one is planted",
    "failed": "Sessions that left no interval",
    "converged": "Sessions whose interval became as narrow as asked",
    "autocorrelation-flagged": "Sessions flagged as autocorrelated",
    "pairs": "Pairs that a session took",
    "memory-error": "Memory measured minus memory planted",
    "memory-within-slip": "Sessions whose memory is off by no more than is asked of the median",
    "energy-within-bound": "Windows of energy off by no more than their stated bound",
    "energy-error-of-bound": "Largest error of a window over its stated bound",
    "sentinel-latency": "Latency of a sentinel",
    "epoch": "Epoch of the device, from 1",
}
"""What a finding is, by name; one that is not here goes by its name."""

NOTES = {
    "tuned on": "Noise models are marked by whether the interval's level and the stopping rule "
    "were chosen by looking at them (tuned on) or not (held out). Where both arms meet the same "
    "noise, the coin that orders a block makes coverage exact by design for a fixed number of "
    "blocks, and linear drift and a cost of going first cancel in each; there it is stopping and "
    "widening that are tested. Noise of one arm alone tests the interval itself.",
    UNPROMISED: "Findings of which nothing is promised show where the interval fails: the ratio "
    "itself wanders, or differs by session, and one session sees a part of it only. Wandering "
    "from block to block is what the flag for autocorrelation is for, and how often it was raised "
    "stands beside it; what stays the same all through a session is flagged by nothing, and only "
    "several sessions show it.",
    "planted slow-down": "The planted slow-down is a wait in proportion to each call, without "
    "noise of its own: the easiest of its size to find.",
}
"""What a reader must know of findings in whose setting this stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A run that stands behind a calibration."""

    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One calibration record.

    Attributes:
        title: Begins with "Simulated" or "Measured".
        simulated: Whether nothing in it was measured.
        lead: How much was asked and met, in a sentence.
        found: Of real sessions, what they say of the interval and of a shared bias.
        notes: What else a reader must know of its findings.
        summary: A row for each kind of finding.
        table: Every finding.
        facts: When, with what, how it was called.
        links: Runs behind it, the first some.
        runs: How many there are, and how many of them are here.
        file: The record itself.
    """

    title: str
    simulated: bool
    lead: str
    found: tuple[str, ...]
    notes: tuple[str, ...]
    summary: Table
    table: Table
    facts: tuple[tuple[str, str], ...]
    links: tuple[Link, ...]
    runs: str
    file: str


def shown(records: Mapping[str, Calibration], present: Iterable[str]) -> list[Shown]:
    """Calibrations in the order of the page: measured first, newest first.

    Args:
        records: By the path that they are downloaded from.
        present: Ids of the runs in the snapshot.
    """
    here = frozenset(present)
    newest = sorted(records.items(), key=lambda item: (item[1].made, item[0]), reverse=True)
    made = [_shown(path, record, here) for path, record in newest]
    return sorted(made, key=lambda each: each.simulated)


def _shown(path: str, record: Calibration, here: frozenset[str]) -> Shown:
    device = record.device_class or "a device that is not named"
    simulated = record.kind == "simulated" or scripted_name(device)
    where = f" on {clean(device)}" if record.kind == "measured" else ""
    title = f"{'Simulated' if simulated else 'Measured'}{where}, {record.made[:10]}"
    known = [run for run in record.runs if run in here]
    return Shown(
        title=title,
        simulated=simulated,
        lead=_lead(record.findings, simulated),
        found=() if simulated else tuple(_found(record.findings)),
        notes=tuple(_notes(record)),
        summary=_summary(record.findings, title),
        table=_table(record.findings, title),
        facts=tuple(_facts(record)),
        links=tuple(Link(title=run[:8], href=run_path(run)) for run in known[:MOST_RUNS]),
        runs=_runs(record.runs, known),
        file=path,
    )


def _lead(findings: Sequence[Finding], simulated: bool) -> str:
    met = [finding.met for finding in findings if finding.met is not None]
    kind = "Nothing here was measured on a machine. "
    asked = f"Of {plural(len(met), 'figure')} with a target, {sum(met)} met it."
    return (kind if simulated else "") + (asked if met else "No figure of it has a target.")


def _found(findings: Sequence[Finding]) -> Iterator[str]:
    """What sessions on a machine say, in sentences, where a finding has an interval."""
    for finding in findings:
        words = {"coverage": _coverage, "same-ratio": _shared}.get(finding.name)
        if words and finding.low is not None and finding.high is not None:
            yield f"{clean(finding.setting)}: {words(finding, finding.low, finding.high)}"


def _coverage(finding: Finding, low: float, high: float) -> str:
    told = "inside" if low <= NOMINAL <= high else "outside"
    return (
        f"{write(finding.value, finding)} of {finding.n:,} intervals cover the truth "
        f"({_interval(finding)}); the {write(NOMINAL, finding)} that they promise lies {told} that."
    )


def _shared(finding: Finding, low: float, high: float) -> str:
    bias = "all sessions share a bias, which the interval of one cannot show"
    told = "no bias that all sessions share could be told" if low <= 1 <= high else bias
    return (
        f"the middle of {finding.n:,} ratios is {write(finding.value, finding)} "
        f"({_interval(finding)}) where the truth is 1: {told}."
    )


def _notes(record: Calibration) -> Iterator[str]:
    settings = {finding.setting for finding in record.findings}
    for part, note in NOTES.items():
        if any(part in setting for setting in settings):
            yield note
    if record.kind == "simulated" and not any("real sessions" in setting for setting in settings):
        yield "No noise here was fitted to real sessions; how it is under such noise is not told."


def _runs(every: Sequence[str], known: Sequence[str]) -> str:
    if not every:
        return "no runs: experiments in memory"
    listed = f"; the first {MOST_RUNS} are listed" if len(known) > MOST_RUNS else ""
    return f"{plural(len(every), 'run')}, {len(known)} of them in this snapshot{listed}"


def _facts(record: Calibration) -> Iterator[tuple[str, str]]:
    yield "Made", record.made
    yield "Harness", code(record.harness)
    settings = json.dumps(record.settings, sort_keys=True, ensure_ascii=False)
    yield "Settings", clean(settings)


def write(value: float, finding: Finding) -> str:
    """A figure in its unit: a share as per cent, bytes as KiB.

    >>> from tokonomy.store.calibration import Finding
    >>> found = Finding(name="pairs", setting="", unit="pairs", value=40, low=None, high=None, n=9)
    >>> write(40, found)
    '40.0 pairs'
    """
    if finding.is_share:
        return f"{percent(value)} %"
    if finding.unit in ("ratio", ""):
        return f"{value:.4f}".rstrip("0").rstrip(".")  # 0.1 % is told apart here
    if finding.unit == "B":
        return f"{significant(value / 2**10)} KiB"
    return f"{significant(value)} {clean(finding.unit)}"


def _interval(finding: Finding) -> str:
    if finding.low is None or finding.high is None:
        return "none"
    return f"{write(finding.low, finding)} to {write(finding.high, finding)}"


def _asked(finding: Finding) -> str:
    least, most = finding.least, finding.most
    if least is not None and most is not None:
        return f"{write(least, finding)} to {write(most, finding)}"
    if least is not None:
        return f"at least {write(least, finding)}"
    return "nothing" if most is None else f"at most {write(most, finding)}"


def _met(met: bool | None) -> Cell:
    if met is None:
        return Cell(text="nothing asked", kind="soft")
    return Cell(text="met" if met else "not met", kind="good" if met else "bad")


def _columns(*own: Column) -> tuple[Column, ...]:
    """Heads of a table of findings, its own ones in the middle."""
    last = (Column(name="n"), Column(name="Asked", words=True), Column(name="Met", words=True))
    return (Column(name="Finding", words=True), *own, *last)


COLUMNS = _columns(
    Column(name="Under what", words=True, wide=True),
    Column(name="Value"),
    Column(name="95 % interval"),
)
SUMMARY = _columns(Column(name="Settings"), Column(name="Lowest"), Column(name="Highest"))


def _table(findings: Sequence[Finding], title: str) -> Table:
    lines = tuple(
        Line(
            cells=(
                Cell(text=_title(finding.name)),
                Cell(text=clean(finding.setting)),
                Cell(text=write(finding.value, finding)),
                Cell(text=_interval(finding)),
                Cell(text=f"{finding.n:,}"),
                Cell(text=_asked(finding)),
                _met(finding.met),
            )
        )
        for finding in findings
    )
    return Table(caption=f"Every finding. {title}", columns=COLUMNS, lines=lines)


def _title(name: str) -> str:
    return TITLES.get(name, clean(name))


def _summary(findings: Sequence[Finding], title: str) -> Table:
    """One row for the findings of one name, unit and target."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.name, each.unit, each.least, each.most), []).append(each)
    lines = tuple(Line(cells=_together(group)) for group in groups.values())
    return Table(caption=f"Summary. {title}", columns=SUMMARY, lines=lines)


def _together(group: Sequence[Finding]) -> tuple[Cell, ...]:
    first = group[0]
    values = [each.value for each in group]
    met = sum(each.met is True for each in group)
    if first.met is None or len(group) == 1:
        word = _met(first.met)
    else:
        kind = "good" if met == len(group) else "bad"
        word = Cell(text=f"met in {met} of {len(group)}", kind=kind)
    return (
        Cell(text=_title(first.name)),
        Cell(text=str(len(group))),
        Cell(text=write(min(values), first)),
        Cell(text=write(max(values), first)),
        Cell(text=f"{sum(each.n for each in group):,}"),
        Cell(text=_asked(first)),
        word,
    )
