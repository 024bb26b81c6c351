"""How a run was executed, what memory it took at most, and which of its pairs were made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tokonomy.store.fields import Missing
from tokonomy.store.observed import Costs, Memory, Peak, Timing
from tokonomy.store.record import Record
from tokonomy_site.cells import NONE, said, told
from tokonomy_site.environment import clean
from tokonomy_site.figures import mebibytes, seconds
from tokonomy_site.sections.energy import why
from tokonomy_site.snapshot import Run
from tokonomy_site.tables import Cell, Column, Line, Table
from tokonomy_site.words import plural

MODES = {
    "eager": "each operator is started by Python as it comes",
    "compile": "both arms went through the compiler, every shape before it was timed",
    "cuda-graphs": "both arms were captured as graphs, every shape, and replayed",
}
"""Modes of execution, in words."""

MOST_SPOILED = 300  # pairs listed for each cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Pairs that were timed and made again."""

    text: str
    rows: tuple[str, ...]


def execution(record: Record, run: Run) -> list[tuple[str, str]]:
    """Mode, compiling, and what the device itself took of a call."""
    return list(_execution(record, run))


def _execution(record: Record, run: Run) -> Iterator[tuple[str, str]]:
    mode = record.cell.mode
    yield "Mode", f"{mode}: {MODES[mode]}"
    yield "Compiling", _compiling(record.costs, mode)
    if isinstance(record.timing, Timing) and record.timing.device_ns and run.status == "ok":
        yield "Time on the device", said(run, "device_latency_p50_ms")
        yield "Launch gap", f"{said(run, 'launch_gap_ms')}: end to end minus device time"


def _compiling(costs: Costs | Missing, mode: str) -> str:
    if isinstance(costs, Missing):
        return why(costs)
    if costs.compile_s is None:
        return "nothing to compile" if mode == "eager" else "not recorded"
    return f"{seconds(costs.compile_s)} for the method's arm, every shape; in no latency"


COLUMNS = (
    Column(name="High-water mark", words=True),
    Column(name="Peak", unit="MiB"),
    Column(name="Before", unit="MiB"),
    Column(name="Rise", unit="MiB"),
    Column(name="Read from, or why there is none", words=True, wide=True),
)


def peaks(memory: Memory | Missing) -> Table | str:
    """The four peaks by name, or why there is none of them."""
    if isinstance(memory, Missing):
        return why(memory)
    named: tuple[tuple[str, Peak | Missing], ...] = (
        ("Process, resident", memory.process),
        ("Device, held by tensors", memory.allocated),
        ("Device, reserved by the allocator", memory.reserved),
        ("Device, in use as its driver counts", memory.device),
    )
    lines = tuple(Line(cells=_peak(name, peak)) for name, peak in named)
    return Table(caption="Memory while the method's arm ran", columns=COLUMNS, lines=lines)


def _peak(name: str, peak: Peak | Missing) -> tuple[Cell, ...]:
    if isinstance(peak, Missing):
        return (Cell(text=name), *(Cell(text=NONE, kind="soft"),) * 3, Cell(text=why(peak)))
    sizes = (peak.peak_bytes, peak.baseline_bytes, peak.peak_bytes - peak.baseline_bytes)
    texts = (*(mebibytes(size) for size in sizes), clean(peak.source))
    return (Cell(text=name), *(Cell(text=text) for text in texts))


def spoiled(timing: Timing | Missing) -> list[Again]:
    """Pairs that were thrown away for an observed cause, never for their value."""
    if isinstance(timing, Missing):
        return []
    return [
        Again(
            text=f"{plural(len(each.pairs), 'pair was', 'pairs were')} timed and made again. "
            f"{told(each.cause, each.detail)}",
            rows=tuple(
                f"{p.block},{p.batch},{p.first},{p.method_ns},{p.reference_ns}"
                for p in each.pairs[:MOST_SPOILED]
            ),
        )
        for each in timing.spoiled
    ]


def raw(timing: Timing, most: int) -> tuple[str, ...]:
    """Pairs as comma-separated lines, the heads first; with the device's times where it has any."""
    arms = sorted(timing.device_ns)
    heads = ["block", "batch", "first", "method_ns", "reference_ns"]
    lines = [",".join((*heads, *(f"{arm}_device_ns" for arm in arms)))]
    for at, p in enumerate(timing.pairs[:most]):
        own = (p.block, p.batch, p.first, p.method_ns, p.reference_ns)
        lines.append(",".join(map(str, (*own, *(timing.device_ns[arm][at] for arm in arms)))))
    return tuple(lines)
