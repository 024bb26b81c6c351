"""Cells of a table of results: a figure with its interval, or a word for why there is none.

A word leads to the run, where the reason stands in full.
"""

from __future__ import annotations

from dataclasses import replace

from tokonomy.measure.reasons import REASONS
from tokonomy.store.cell import Measuring
from tokonomy.store.metrics import Metric
from tokonomy.store.observed import UNSCORED
from tokonomy_site.environment import clean
from tokonomy_site.figures import form_of, mebibytes, percent, probability, span
from tokonomy_site.meanings import DERIVED, STATUS
from tokonomy_site.snapshot import Run, run_path
from tokonomy_site.tables import Cell
from tokonomy_site.words import broken, equal

CAPPED = "\u2020"  # beside a ratio that is unconverged
DOUBTED = "\u2021"  # beside energy that carries a flag
NONE = "none"  # in place of a figure on a run's page
ROOT = "../"  # of every page that shows a board

SIGNS = {
    CAPPED: f"A dagger ({CAPPED}) beside a speed-up or a ratio of times says that it is "
    "unconverged: timing stopped at a cap before the interval was as narrow as asked, or as "
    f"computed now it is wider than asked, wider than {percent(Measuring().half_width)} % of the "
    "ratio either way, or withheld.",
    DOUBTED: f"A double dagger ({DOUBTED}) marks energy that carries a flag; its run names it.",
}
"""What the signs mean."""

TIMES = frozenset({"speed_up", "latency_ratio"})
"""Figures whose interval is what timing stopped by."""

DOUBTS = frozenset({"power-disagrees", "no-steady-temperature", "short-windows"})
"""Flags that a reader of a run's energy must know."""

_SHORT = {
    "no-samples": "no samples",
    "not-asked": "not asked",
    UNSCORED: "not applicable",
    "throughput-disagrees": "withheld",
    "too-few-ticks": "withheld",
    "not-computable": "withheld",
    "no-device-memory": "not a GPU",
    "tokens-given": "none made",
    "not-faster-on-long": "none",
    "answers-shorter": "says less",
    "too-few-blocks": "withheld",
    "blocks-alike": "withheld",
    "no-tokens-made": "none made",
    "tokens-made": "none given",
    "logits-not-seen": "not seen",
    "no-later-pass": "one pass",
    "one-token": "one token",
    "unseen-passes": "not seen",
    "no-drafts": "no drafts",
}


def figure_cell(run: Run, name: str, spans: bool = True) -> Cell:
    """A figure with its interval, or the word for why there is none, which leads to the run."""
    figure = run.figure(name)
    form, _ = form_of(name)
    if run.status != "ok" or figure.value is None:
        word = STATUS[run.status] if run.status != "ok" else absent(figure)
        return Cell(text=word, href=ROOT + run_path(run.id), kind="soft")
    sub = span(figure, form) if spans else ""
    return Cell(text=form(figure.value), sub=sub + mark(run, name))


def mark(run: Run, name: str) -> str:
    """The sign beside a figure that must not stand alone; empty where it may."""
    if name in TIMES and "unconverged" in run.flags:
        return CAPPED
    return DOUBTED if name.startswith("energy") and DOUBTS & set(run.flags) else ""


def quoted(run: Run, name: str) -> str:
    """A figure as a sentence has it: with its interval, and its sign where it needs one."""
    figure = run.figure(name)
    if figure.value is None:
        return "unknown"
    form, _ = form_of(name)
    between = span(figure, form)
    return form(figure.value) + (f" [{between}]" if between else "") + mark(run, name)


def said(run: Run, name: str) -> str:
    """A figure as it is quoted, with its unit, or why there is none."""
    figure = run.figure(name)
    if figure.value is None:
        return f"{NONE} ({explained(figure.reason)})"
    return f"{quoted(run, name)} {form_of(name)[1]}".strip()


def absent(figure: Metric) -> str:
    """A word or two in place of a figure that a good run lacks."""
    return _SHORT.get(figure.reason or "", "not measured")


def tokens_cell(run: Run) -> Cell:
    """Tokens kept, and below what happened to them."""
    cell = figure_cell(run, "tokens_kept", spans=False)
    return replace(cell, sub=run.effect) if run.effect else cell


def energy_cell(run: Run, name: str, boundary: str) -> Cell:
    """Energy, where it is of the same boundary as the rest of its column."""
    if run.status == "ok" and run.boundary not in ("", boundary):
        return Cell(text="other boundary", href=ROOT + run_path(run.id), kind="soft")
    return figure_cell(run, name)


def rise_cell(run: Run) -> Cell:
    """By how much memory rose, and below it how high."""
    cell = figure_cell(run, "memory_over_baseline_bytes", spans=False)
    peak = run.figure("peak_memory_bytes").value
    return cell if peak is None else replace(cell, sub=f"peak {mebibytes(peak)}")


def device_memory_cell(run: Run) -> Cell:
    """What the driver counted right after the call, and below what tensors took of it."""
    cell = figure_cell(run, "device_peak_bytes", spans=False)
    taken = run.figure("allocated_peak_bytes").value
    return cell if taken is None else replace(cell, sub=f"tensors {mebibytes(taken)}")


def verdict_cell(run: Run, baseline: str) -> Cell:
    """How a run compares with a baseline that spends as much."""
    if run.method in ("reference", baseline):
        return Cell(text="baseline" if run.method == baseline else "reference", kind="soft")
    verdict = run.verdicts.get(baseline)
    if verdict is None:
        return Cell(
            text=STATUS[run.status] if run.status != "ok" else "not comparable", kind="soft"
        )
    kind = {"beats": "good", "loses": "bad"}.get(verdict.word, "soft")
    sub = verdict.why if verdict.word == "not comparable" else ""
    sub = probability(verdict.p) if verdict.p is not None else sub
    return Cell(text=verdict.word, sub=sub, kind=kind)


def lossless_cell(run: Run, claim: str) -> Cell:
    """What the method's card claims of its answers, and below it how many were seen equal."""
    if run.method == "reference":
        return Cell(text="reference", kind="soft")
    said = claim or "not known"
    if run.status != "ok":
        return Cell(text=said, kind="soft")
    agreement = run.figure("agreement")
    if agreement.value is None:
        return Cell(text=said, sub="not compared", kind="soft")
    if claim == "distribution":
        return Cell(text=said, sub="not tested by a run")
    failed = broken(claim, agreement)
    kind = "bad" if failed else "good" if claim == "exact" else ""
    tags = ("not met",) if failed else ()
    return Cell(text=said, sub=equal(agreement).removesuffix(" answers equal") + " equal",
                kind=kind, tags=tags)  # fmt: skip


NOTHING_SAVED = 0.98  # share of the reference's memory from which on a cache saves none


def cached_cell(run: Run) -> Cell:
    """Bytes cached as a share of the reference's, and below it how many."""
    return _sized(run, "kv_logical_ratio", "kv_logical_bytes")


def held_cell(run: Run, effect: str) -> Cell:
    """Memory of the cache, and below it how much, or that what is not cached is held all the same.

    Args:
        run: The run.
        effect: What its method does to tokens.
    """
    cell = _sized(run, "kv_physical_ratio", "kv_physical_bytes")
    held, cached = run.figure("kv_physical_ratio").value, run.figure("kv_logical_ratio").value
    if run.method == "reference" or held is None or held < NOTHING_SAVED:
        return cell
    if effect == "masked":
        return replace(cell, sub="none saved", tags=("simulated",))
    less = cached is not None and cached < NOTHING_SAVED
    return replace(cell, sub="all held" if less else "none saved")


def _sized(run: Run, share: str, size: str) -> Cell:
    cell, found = figure_cell(run, share, spans=False), run.figure(size).value
    return cell if found is None else replace(cell, sub=f"{mebibytes(found)} MiB")


def told(code: str, detail: str | None = None) -> str:
    """A code as a page names it, with its sentence and, where there is one, its detail."""
    return f"{code}: {explained(code)}" + (f" {clean(detail)}" if detail else "")


def explained(code: str | None) -> str:
    """A reason code as a sentence."""
    known_codes = {**REASONS, **DERIVED}
    return known_codes.get(code or "") or f"Reason given: {code or 'none'}."
