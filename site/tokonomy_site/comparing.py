"""What two runs are compared by: figures with their intervals, and the configuration of each run.

Every run stands in one of 16, 256 or more classic scripts, by the first digits of its id, so that a
comparison of four runs loads four small files however many runs there are. Such a file sets
``tokonomyCompared[DIGITS]`` to an object that has, by id, what ``entry`` makes. Numbers are those
of the store, in the unit that pages show; texts are what pages show.

What differs between runs is one thing, whether they may be held against each other another: each
field says for which figures it has to be the same.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tokonomy.store.epochs import Device, epoch
from tokonomy.store.metrics import METRICS, WITH_INTERVAL
from tokonomy_site.cells import absent, mark
from tokonomy_site.environment import clean
from tokonomy_site.figures import factor, form_of, minute, span, unit_of
from tokonomy_site.meanings import STATUS
from tokonomy_site.snapshot import Run, Snapshot, setting
from tokonomy_site.standing import ROLE_MEANING

MOST = 64  # runs in one script, about

Need = Literal["score", "count", "cost", "energy"]
"""What has to be the same: samples; and weights; and device and setup; and what joules are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A line of the configuration.

    Attributes:
        title: Its name.
        text: What a run has there.
        needed: For which figures it has to be the same.
    """

    title: str
    text: Callable[[Run, Snapshot], str]
    needed: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A figure that runs are compared by.

    Attributes:
        name: The figure.
        by: ``difference`` or ``ratio``; ``nothing`` where the moment it was taken at tells more.
        need: What has to be the same.
    """

    name: str
    by: Literal["difference", "ratio", "nothing"]
    need: Need

    @property
    def exact(self) -> bool:
        """Whether it is counted, so that it needs no interval."""
        return self.name in _COUNTED


_SCORE: tuple[Need, ...] = ("score", "count", "cost", "energy")
_COUNT: tuple[Need, ...] = ("count", "cost", "energy")
_COST: tuple[Need, ...] = ("cost", "energy")
_COUNTED = frozenset({"tokens_kept", "flops_ratio", "kv_logical_ratio", "kv_physical_ratio"})

FIELDS = (
    Field(title="Method", text=lambda run, shot: shot.title(run.method)),
    Field(title="Setting", text=lambda run, _: setting(run.params)),
    Field(title="Seed", text=lambda run, _: str(run.seed)),
    Field(title="Family", text=lambda run, _: run.family, needed=_COUNT),
    Field(title="Task", text=lambda run, shot: shot.task_title(run.task_ref)),
    Field(title="Split", text=lambda run, _: run.split, needed=_SCORE),
    Field(title="Task data", text=lambda run, _: run.data_hash[:12], needed=_SCORE),
    Field(title="Model", text=lambda run, shot: shot.model_title(run.model_ref)),
    Field(title="Weights", text=lambda run, _: run.weights_hash[:12], needed=_COUNT),
    Field(title="Published", text=lambda run, _: "no, embedded" if run.embedded else "yes"),
    Field(title="Device", text=lambda run, _: run.device, needed=_COST),
    Field(title="Machine", text=lambda run, _: run.machine, needed=_COST),
    Field(title="Precision", text=lambda run, _: run.precision, needed=_COUNT),
    Field(title="Scenario", text=lambda run, _: run.scenario, needed=_COST),
    Field(title="Batch", text=lambda run, _: str(run.batch_size), needed=_COST),
    Field(title="Mode", text=lambda run, _: run.mode, needed=_COST),
    Field(title="Threads", text=lambda run, _: str(run.threads), needed=_COST),
    Field(title="Protocol", text=lambda run, _: str(run.protocol), needed=_COST),
    Field(title="Joules of", text=lambda run, _: run.boundary or "none", needed=("energy",)),
    Field(title="Epoch of the device", text=lambda run, shot: str(1 + _epoch(run, shot))),
    Field(title="Method's source", text=lambda run, _: run.source_hash[:12]),
    Field(title="Harness", text=lambda run, _: run.version),
    Field(title="Started, UTC", text=lambda run, _: minute(run.started)),
)
FIGURES = (
    Held(name="accuracy", by="difference", need="score"),
    Held(name="retained", by="difference", need="count"),
    Held(name="agreement", by="difference", need="count"),
    Held(name="accuracy_easy", by="difference", need="count"),
    Held(name="accuracy_hard", by="difference", need="count"),
    Held(name="shared_tokens", by="difference", need="count"),
    Held(name="kl_nats", by="difference", need="count"),
    Held(name="acceptance_length", by="ratio", need="count"),
    Held(name="speed_up", by="ratio", need="cost"),
    Held(name="speed_up_total", by="ratio", need="cost"),
    Held(name="ttft_ratio", by="ratio", need="cost"),
    Held(name="tpot_ratio", by="ratio", need="cost"),
    Held(name="latency_p50_ms", by="nothing", need="cost"),
    Held(name="throughput", by="nothing", need="cost"),
    Held(name="peak_memory_bytes", by="ratio", need="cost"),
    Held(name="device_peak_bytes", by="ratio", need="cost"),
    Held(name="tokens_kept", by="difference", need="count"),
    Held(name="kv_logical_ratio", by="difference", need="count"),
    Held(name="kv_physical_ratio", by="difference", need="count"),
    Held(name="flops_ratio", by="difference", need="count"),
    Held(name="energy_ratio", by="ratio", need="energy"),
    Held(name="energy_j", by="nothing", need="energy"),
)


def _epoch(run: Run, snapshot: Snapshot) -> int:
    device = Device(run.device_class, run.machine)
    return epoch(run.started, snapshot.epochs.get(device, ()))


def described() -> str:
    """Fields and figures for the script that shows them, as JSON."""
    fields = [[field.title, field.needed] for field in FIELDS]
    figures = [
        {
            "title": METRICS[held.name].title,
            "unit": unit_of(held.name),
            "by": held.by,
            "need": held.need,
            "better": METRICS[held.name].better,
            "exact": held.exact,
            "interval": held.name in WITH_INTERVAL,
        }
        for held in FIGURES
    ]
    return json.dumps({"fields": fields, "figures": figures}, separators=(",", ":"))


def entry(run: Run, snapshot: Snapshot) -> dict[str, Any]:
    """A run as the script shows it.

    Its figures are in the order of ``FIGURES``: text, text of the interval, sign, value, low, high;
    of one that is missing only the word for why. A run with a doubt is held against none.
    """
    return {
        "title": clean(f"{snapshot.title(run.method)} {setting(run.params)}".strip()),
        "status": STATUS[run.status],
        "ok": run.status == "ok",
        "doubt": "" if run.trust.stands else run.trust.level,
        "notes": _notes(run, snapshot),
        "fields": [clean(field.text(run, snapshot)) for field in FIELDS],
        "figures": [_figure(run, held.name) for held in FIGURES],
    }


def _notes(run: Run, snapshot: Snapshot) -> list[str]:
    notes = [] if run.role == "result" else [ROLE_MEANING[run.role]]
    notes += [] if run.trust.level == "self-reported" else [run.trust.level]
    return notes + (["stale: its method's code has changed since"] if snapshot.stale(run) else [])


def _figure(run: Run, name: str) -> list[Any]:
    figure = run.figure(name)
    if run.status != "ok" or figure.value is None:
        return [STATUS[run.status] if run.status != "ok" else absent(figure)]
    form, _ = form_of(name)
    ends = [
        None if end is None else float(f"{factor(name) * end:.6g}")
        for end in (figure.value, figure.low, figure.high)
    ]
    return [form(figure.value), span(figure, form), mark(run, name), *ends]


def digits(count: int) -> int:
    """First digits of an id by which ``count`` runs are parted.

    >>> digits(300), digits(10_000), digits(100_000)
    (1, 2, 3)
    """
    found = 1
    while count > MOST * 16**found:
        found += 1
    return found


def scripts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Path and text of every script, empty ones too: what is asked for is always there."""
    wide = digits(len(snapshot.runs))
    found: dict[str, list[Run]] = defaultdict(list)
    for run in snapshot.runs:
        found[run.id[:wide]].append(run)
    for number in range(16**wide):
        first = f"{number:0{wide}x}"
        entries = {run.id: entry(run, snapshot) for run in found[first]}
        text = json.dumps(entries, separators=(",", ":"))
        yield (
            f"compare/{first}.js",
            f'(globalThis.tokonomyCompared ??= {{}})["{first}"] = {text};\n',
        )
