"""The energy of a run: what was counted, of what, how finely, and every window of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tokonomy.store.fields import Missing
from tokonomy.store.observed import Energy, Idle, Trial
from tokonomy_site.cells import NONE, said, told
from tokonomy_site.environment import clean
from tokonomy_site.figures import percent, seconds, significant
from tokonomy_site.meanings import BOUNDARIES
from tokonomy_site.sections.traces import Drawn, power
from tokonomy_site.snapshot import Run
from tokonomy_site.tables import Cell, Column, Line, Table, text_table
from tokonomy_site.words import plural

MOST_TRIALS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What the run page shows of energy.

    Attributes:
        missing: Why there is none; empty where there is.
        facts: Meter, boundary, tick and so on.
        arms: Both arms side by side.
        trials: Every window.
        spoiled: Windows that were measured again, with the cause in words.
        trace: Power over time.
    """

    missing: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    arms: Table | None = None
    trials: Table | None = None
    spoiled: tuple[str, ...] = ()
    trace: Drawn | None = None


def section(energy: Energy | Missing, run: Run) -> Section:
    """Everything that a record holds of energy."""
    if isinstance(energy, Missing):
        return Section(missing=why(energy))
    return Section(
        facts=tuple((name, clean(text)) for name, text in _facts(energy, run)),
        arms=_arms(energy, run) if run.status == "ok" else None,
        trials=_trials(energy),
        spoiled=tuple(told(flag.code, flag.detail) for flag in energy.spoiled),
        trace=power(energy.trace) if energy.trace else None,
    )


def why(part: Missing) -> str:
    """A reason with its sentence and, where there is one, its detail."""
    return told(part.reason, part.detail)


def _facts(energy: Energy, run: Run) -> Iterator[tuple[str, str]]:
    yield "Boundary", f"{energy.boundary}: {BOUNDARIES[energy.boundary]}"
    yield "Meter", f"{energy.meter}, {energy.device}"
    yield (
        "Tick",
        f"{significant(energy.tick_ms)} ms between two steps of the counter; "
        f"reading it takes {significant(energy.read_us)} \u00b5s",
    )
    yield "Quantisation bound", said(run, "energy_bound")
    yield "Residual", f"{said(run, 'energy_residual')} between counter and integrated power"
    yield "Idle before", _idle(energy.idle_before)
    yield "Idle after", _idle(energy.idle_after)
    yield "Samples in a call", str(energy.batch_size)


def _idle(idle: Idle | Missing) -> str:
    if isinstance(idle, Missing):
        return why(idle)
    return f"{significant(idle.power_w)} W over {seconds(idle.seconds)}, context and model resident"


def _arms(energy: Energy, run: Run) -> Table:
    """Figures of both arms; those that only the method has are so for the reference."""
    names = ("energy_j", "energy_net_j", "power_w", "energy_ratio")
    theirs: tuple[str | Cell, ...] = (
        "reference",
        said(run, "reference_energy_j"),
        "not derived",
        "see the windows",
        "1",
        str(sum(trial.arm == "reference" for trial in energy.trials)),
    )
    ours: tuple[str | Cell, ...] = (
        "method",
        *(said(run, name) for name in names),
        str(sum(trial.arm == "method" for trial in energy.trials)),
    )
    heads = ("Arm", "Per sample, gross", "Per sample, idle-adjusted", "Mean power",
             "Joules, reference = 1", "Trials")  # fmt: skip
    return text_table("Energy of both arms, with 95 % intervals", heads, [ours, theirs])


COLUMNS = (
    Column(name="Trial", words=True),
    Column(name="Arm", words=True),
    Column(name="Calls"),
    Column(name="Window", unit="s"),
    Column(name="Ticks"),
    Column(name="Energy", unit="J"),
    Column(name="Power", unit="W, mean"),
    Column(name="Per sample", unit="J, gross"),
    Column(name="Bound", unit="\u00b1 %"),
    Column(name="Integrated", unit="J"),
    Column(name="Temperature", unit="\u00b0C, before to after", words=True),
)


def _trials(energy: Energy) -> Table:
    shown = energy.trials[:MOST_TRIALS]
    lines = tuple(_trial(i, trial, energy.batch_size) for i, trial in enumerate(shown, 1))
    cut = (
        f", the first {len(shown)} of {len(energy.trials)}"
        if len(shown) < len(energy.trials)
        else ""
    )
    return Table(
        caption=f"{plural(len(energy.trials), 'window')} of continuous calls, in the order of "
        f"time{cut}",
        columns=COLUMNS,
        lines=lines,
    )


def _trial(index: int, trial: Trial, batch: int) -> Line:
    joules = trial.energy_uj / 1e6
    integrated = NONE if trial.integrated_uj is None else significant(trial.integrated_uj / 1e6)
    ends = " to ".join(NONE if t is None else f"{t:g}" for t in trial.temperature_c)
    texts = (
        str(index),
        trial.arm,
        significant(trial.calls),
        significant(trial.span_ns / 1e9),
        str(trial.ticks),
        significant(joules),
        significant(trial.energy_uj / trial.span_ns * 1e3),
        significant(joules / trial.calls / batch),
        percent(trial.bound),
        integrated,
        ends,
    )
    return Line(cells=tuple(Cell(text=text) for text in texts))
