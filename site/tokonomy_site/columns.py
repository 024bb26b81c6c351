"""The columns of a class's table between the method and the run, family by family.

Each is a head and what makes a cell of a run, so that neither can be without the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from tokonomy.store.observed import UNSCORED
from tokonomy_site.cells import (
    cached_cell,
    device_memory_cell,
    energy_cell,
    figure_cell,
    held_cell,
    lossless_cell,
    rise_cell,
    tokens_cell,
    verdict_cell,
)
from tokonomy_site.families import CACHE, DECODING, family
from tokonomy_site.figures import known
from tokonomy_site.snapshot import Run, Snapshot
from tokonomy_site.tables import Cell, Column

Field = tuple[Column, Callable[[Run], Cell]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which columns a class has.

    Attributes:
        family: Its family.
        scored: Whether its outputs mean anything.
        boundary: What its joules are of; empty where no run has any.
        device_memory: Whether any run has the device's own memory.
        made: Whether any run made tokens one after the other.
        heard: Whether any run tells what the model thinks of tokens that are given.
        told: Whether anybody said anything of any run; all are self-reported otherwise.
    """

    family: str
    scored: bool
    boundary: str
    device_memory: bool
    made: bool
    heard: bool
    told: bool


def layout(runs: Iterable[Run]) -> Layout:
    """Columns for the runs of a class; of several boundaries the commonest gets the column."""
    every = list(runs)
    good = [run for run in every if run.status == "ok"]
    found = Counter(run.boundary for run in good if known(run.figure("energy_j")))
    return Layout(
        family=every[0].family if every else "",
        scored=not good or any(run.figure("accuracy").reason != UNSCORED for run in good),
        boundary=min(found, key=lambda name: (-found[name], name), default=""),
        device_memory=any(known(run.figure("device_peak_bytes")) for run in good),
        made=any(known(run.figure("ttft_ratio")) for run in good),
        heard=any(known(run.figure("kl_nats")) for run in good),
        told=any(run.trust.said for run in every),
    )


def fields(kind: Layout, snapshot: Snapshot) -> tuple[Field, ...]:
    """Columns of a class."""
    made = {DECODING: _decoding, CACHE: _cache}.get(kind.family, _tokenwise)
    return tuple(made(kind, snapshot))


def _figure(column: Column, name: str, *, spans: bool = True) -> Field:
    return column, partial(figure_cell, name=name, spans=spans)


_SPEED = _figure(Column(name="Speed-up", unit="times [95 %]", group="Cost", first="d"), "speed_up")
_TOTAL = _figure(
    Column(name="Speed-up", unit="in tokens/s", group="Cost", first="d"), "speed_up_total"
)
_LATENCY = _figure(Column(name="Latency", unit="ms, median", group="Cost"), "latency_p50_ms")
_RISE = Column(name="Memory", unit="MiB rise", group="Cost"), rise_cell
_FLOPS = _figure(Column(name="FLOPs", unit="of ref.", group="Cost"), "flops_ratio")


def _held(kind: Layout) -> Iterator[Field]:
    """Memory and, where there are any, joules."""
    yield _RISE
    if kind.device_memory:
        yield Column(name="Device", unit="MiB peak", group="Cost"), device_memory_cell
    if kind.boundary:
        joules = Column(name="Energy", unit=f"J/sample, {kind.boundary}", group="Cost")
        share = Column(name="Energy", unit="of ref. [95 %]", group="Cost")
        for column, name in ((joules, "energy_j"), (share, "energy_ratio")):
            yield column, partial(energy_cell, name=name, boundary=kind.boundary)


def _tokenwise(kind: Layout, _: Snapshot) -> Iterator[Field]:
    if kind.scored:
        for name, unit, figure in (
            ("Accuracy", "% [95 %]", "accuracy"),
            ("Retained", "% of ref.", "retained"),
            ("Agrees", "% as ref.", "agreement"),
            ("Easy", "%", "accuracy_easy"),
            ("Hard", "%", "accuracy_hard"),
        ):
            column = Column(name=name, unit=unit, group="Quality", first="d")
            yield _figure(column, figure, spans=figure in ("accuracy", "retained"))
    yield from (_SPEED, _LATENCY, *_held(kind), _FLOPS)
    yield Column(name="Tokens", unit="% kept", group="Cost"), tokens_cell
    if kind.scored:
        yield from _against(kind)


def _against(kind: Layout) -> Iterator[Field]:
    """How a method compares with each baseline that spends as much."""
    own = family(kind.family)
    for each in own.baselines:
        column = Column(name=each.head, unit=each.unit, group=f"At equal {own.equal}", words=True,
                        filter=each.filter)  # fmt: skip
        yield column, partial(verdict_cell, baseline=each.id)


def _answers(snapshot: Snapshot) -> Field:
    """What a method claims of its answers, and whether it was seen so."""
    column = Column(name="Lossless", unit="claimed, seen", group="Quality", words=True,
                    filter="claim")  # fmt: skip
    return column, lambda run: lossless_cell(run, snapshot.claim(run.method))


def _score(unit: str = "% [95 %]") -> Field:
    return _figure(Column(name="Score", unit=unit, group="Quality", first="d"), "accuracy")


def _timed(kind: Layout) -> Iterator[Field]:
    """The parts of a whole call."""
    if kind.made:
        yield _figure(Column(name="TTFT", unit="ms, median", group="Cost"), "ttft_ms")
        yield _figure(Column(name="TPOT", unit="ms [95 %]", group="Cost"), "tpot_ms")
    yield _LATENCY


def _decoding(kind: Layout, snapshot: Snapshot) -> Iterator[Field]:
    if kind.scored:
        yield _answers(snapshot)
        agrees = Column(name="Agrees", unit="% [95 %]", group="Quality", first="d")
        yield from (_figure(agrees, "agreement"), _score())
    tokens = Column(name="Accepted", unit="tokens a pass", group="Decoding", first="d")
    yield _figure(tokens, "acceptance_length")
    yield from (_SPEED, _TOTAL, *_timed(kind), *_held(kind), _FLOPS)


def _cache(kind: Layout, snapshot: Snapshot) -> Iterator[Field]:
    if kind.scored:
        kept = Column(name="Retained", unit="% of ref.", group="Quality", first="d")
        agrees = Column(name="Agrees", unit="% as ref.", group="Quality", first="d")
        yield from (_score(), _figure(kept, "retained"), _figure(agrees, "agreement", spans=False))
        if kind.heard:
            yield _figure(Column(name="Diverges", unit="nats a token", group="Quality"), "kl_nats")
        else:
            same = Column(name="Same", unit="first tokens", group="Quality", first="d")
            yield _figure(same, "shared_tokens", spans=False)
    logical = Column(name="Cached", unit="% of ref.", group="Cache")
    physical = Column(name="Held", unit="% of ref.", group="Cache")
    yield logical, cached_cell
    yield physical, lambda run: held_cell(run, snapshot.effect(run))
    yield _SPEED
    if kind.made:
        yield _TOTAL
    yield _figure(Column(name="Faster from", unit="tokens", group="Cost"), "faster_from_tokens")
    yield from (*_timed(kind), *_held(kind))
    if kind.scored:
        yield from _against(kind)
