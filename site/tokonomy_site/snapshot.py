"""What the pages are made from: runs without their raw samples, and the cards."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tokonomy.catalog.cards import MethodCard, ModelCard, TaskCard
from tokonomy.store.calibration import Calibration
from tokonomy.store.epochs import Device
from tokonomy.store.metrics import Metric
from tokonomy.store.rows import IDENTITY
from tokonomy.store.spent import spent
from tokonomy.store.statements import Trust
from tokonomy_site.figures import NOTHING
from tokonomy_site.links import slug
from tokonomy_site.marks import Sign

if TYPE_CHECKING:
    from tokonomy_site.histories import History

PUBLIC = ("result", "calibration")  # roles of runs that are listed on their method's page


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a run compares with a baseline that spends as much.

    Attributes:
        word: ``beats``, ``no difference``, ``loses`` or ``not comparable``.
        p: Of the paired test that decided; None where none did.
        why: What it was held against, or why there is nothing to hold it against.
    """

    word: str
    p: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, light enough to hold ten thousand of.

    Attributes:
        figures: By name; of a run that is not ok every one is missing, whatever its record holds.
        flags: Codes of what a reader must know.
        machine: Tells its device from others of that class; see ``store.epochs``.
        role: What it is for; see ``standing``.
        groups: Mean score and samples of each group of samples; empty where there are none.
        trust: How far it is to be believed, and who said what of it.
        current: Whether it stands for its cell; see ``store.current``.
    """

    id: str
    key: str
    started: str
    status: str
    reason: str | None
    family: str
    method: str
    params: Mapping[str, Any]
    seed: int
    source_hash: str
    task: str
    task_ref: str
    split: str
    samples: int
    data_hash: str
    model: str
    model_ref: str
    weights_hash: str
    embedded: bool
    device: str
    device_class: str
    machine: str
    precision: str
    scenario: str
    batch_size: int
    mode: str
    threads: int
    protocol: int
    version: str
    figures: Mapping[str, Metric]
    flags: tuple[str, ...]
    role: str
    verdicts: Mapping[str, Verdict]
    groups: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    trust: Trust = field(default_factory=Trust)
    current: bool = True

    def figure(self, name: str) -> Metric:
        """A figure, or one that says it is not recorded."""
        return self.figures.get(name, NOTHING)

    @property
    def counts(self) -> bool:
        """Whether it stands for its cell, and nobody doubts it."""
        return self.current and self.trust.stands

    @property
    def effect(self) -> str:
        """What happened to tokens, as counted; empty where that is not known."""
        return self.figure("effect").text or ""

    @property
    def boundary(self) -> str:
        """What its joules are of; empty where it has none."""
        return self.figure("energy_j").text or ""

    @property
    def spent(self) -> float | None:
        """What is left of what its family saves; see ``store.spent``."""
        return spent(self.family, self.figures)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What stays the same when the same cell is run again, with changed code or not."""
        values = (getattr(self, name) for name in IDENTITY)
        return tuple(
            json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
            for value in values
        )

    @property
    def order(self) -> tuple[str, str]:
        """Newer runs come later."""
        return (self.started, self.id)


def device_name(device: str, hardware: Mapping[str, Any], device_class: str = "") -> str:
    """The device with what tells one from another of its kind.

    >>> device_name("cpu", {"cpu": "Example 9000", "cpus": 8, "affinity": "0,1"})
    'cpu Example 9000, 2 cores'
    >>> device_name("cuda:1", {"cpu": "Example 9000"}, "cuda: Example GPU")
    'cuda Example GPU'
    """
    kind = device.partition(":")[0]
    name = hardware.get("cpu") if kind == "cpu" else device_class.partition(":")[2].strip()
    used = hardware.get("affinity")
    cores = len(used.split(",")) if isinstance(used, str) else hardware.get("cores")
    text = f"{kind} {name}" if name else kind
    return f"{text}, {cores} cores" if cores and kind == "cpu" else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that a page builder may look at.

    Attributes:
        runs: Every run, oldest first.
        digest: SHA-256 of the exported records; names this snapshot.
        methods: Cards by id.
        tasks: Cards by id.
        models: Cards by id.
        trained: By id, what a model's recipe measured of its weights.
        sources: Source hash of each installed method.
        files: Source file of each installed method, as a module's path.
        signs: Symbol and colour of each method that has a page.
        epochs: By device, when each epoch but the first began.
        calibrations: Calibration records, by the path that they are downloaded from.
        histories: Of each cell that was run more than once, by its identity.
    """

    runs: tuple[Run, ...]
    digest: str
    methods: Mapping[str, MethodCard]
    tasks: Mapping[str, TaskCard]
    models: Mapping[str, ModelCard]
    trained: Mapping[str, Mapping[str, float]]
    sources: Mapping[str, str]
    files: Mapping[str, str]
    signs: Mapping[str, Sign]
    epochs: Mapping[Device, Sequence[str]]
    calibrations: Mapping[str, Calibration]
    histories: Mapping[tuple[Any, ...], History]

    @property
    def results(self) -> tuple[Run, ...]:
        """Runs that may stand in a table of results, oldest first."""
        return tuple(run for run in self.runs if run.role == "result")

    @property
    def shown_methods(self) -> list[str]:
        """Methods with a page: installed or with a result, planted controls apart."""
        cards = {name for name, card in self.methods.items() if card.kind != "control"}
        return sorted(cards | {run.method for run in self.runs if run.role in PUBLIC})

    @property
    def current(self) -> tuple[Run, ...]:
        """The result that stands for each cell that has one, oldest first."""
        return tuple(run for run in self.results if run.current)

    @property
    def newest(self) -> str:
        """When the newest result was started; empty without any."""
        results = (run for run in reversed(self.runs) if run.role == "result")
        return next((run.started for run in results), "")

    @property
    def kinds(self) -> dict[str, str]:
        """Kind of each method that has a card."""
        known: dict[str, str] = {name: card.kind for name, card in self.methods.items()}
        return known | {"reference": "reference"}

    def title(self, method: str) -> str:
        """A method's name; its id where it has no card."""
        return self.methods[method].title if method in self.methods else method

    def claim(self, method: str) -> str:
        """What a method's card claims of its answers; empty where it has no card."""
        return self.methods[method].lossless if method in self.methods else ""

    def effect(self, run: Run) -> str:
        """What a run's method does to tokens, as its card says or, without one, as counted."""
        return self.methods[run.method].effect if run.method in self.methods else run.effect

    def swept(self, run: Run) -> int:
        """Place of a run's setting in the sweep of its method's card; beyond it if it is none."""
        sweep = self.methods[run.method].sweep if run.method in self.methods else ()
        places = (at for at, each in enumerate(sweep) if each.items() <= run.params.items())
        return next(places, len(sweep))

    def task_title(self, ref: str) -> str:
        """A task's name; what was given on the command line where it has no card."""
        return self.tasks[ref].title if ref in self.tasks else ref

    def model_title(self, ref: str) -> str:
        """A model's name; of one without a card what `model_name` says."""
        return self.models[ref].title if ref in self.models else model_name(ref)

    def stale(self, run: Run) -> bool:
        """Whether the method's code has changed since; False where it is not installed."""
        return run.method in self.sources and self.sources[run.method] != run.source_hash

    def barred(self, run: Run) -> bool:
        """Whether a run is shown, but on no front: it is stale, disputed or withdrawn."""
        return self.stale(run) or not run.trust.stands

    def sign(self, method: str) -> Sign:
        """The symbol and colour of a method."""
        return self.signs[method]


def setting(params: Mapping[str, Any], only: Iterable[str] | None = None) -> str:
    """Parameters on one line, long ones shortened.

    >>> setting({"r": 8, "layers": [1, 2, 3]})
    'layers [1,2,3], r 8'
    """
    names = sorted(params if only is None else set(only) & set(params))
    return ", ".join(f"{name} {_short(params[name])}" for name in names)


def _short(value: Any) -> str:
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}…"


def varying(runs: Iterable[Run]) -> set[str]:
    """Names of the parameters in which ``runs`` differ."""
    seen: dict[str, set[str]] = {}
    total = 0
    for run in runs:
        total += 1
        for name, value in run.params.items():
            seen.setdefault(name, set()).add(json.dumps(value, sort_keys=True))
    counts: dict[str, int] = {}
    for run in runs:
        for name in run.params:
            counts[name] = counts.get(name, 0) + 1
    return {name for name, values in seen.items() if len(values) > 1 or counts[name] < total}


def method_path(method: str) -> str:
    """File of a method's page."""
    return f"method/{slug(method)}.html"


def task_path(ref: str) -> str:
    """File of a task's page."""
    return f"task/{slug(ref)}.html"


def model_path(ref: str) -> str:
    """File of a model's page."""
    return f"model/{slug(ref)}.html"


def model_name(ref: str) -> str:
    """A model's reference; of a folder on somebody's disk the last part only.

    >>> model_name("hf:/data/mine/tiny"), model_name("hf:owner/tiny")
    ('tiny', 'hf:owner/tiny')
    """
    local = ref.startswith(("hf:/", "hf:.", "hf:~"))
    return ref.rstrip("/").rpartition("/")[2] if local else ref


def run_path(run: str) -> str:
    """File of a run's page."""
    return f"run/{run}.html"
