"""The record a run leaves: the validated, versioned document that travels as one JSON line.

It holds what was observed and nothing derived from it. What could not be observed is null, with a
reason code beside it; never zero. Strings are untrusted wherever a record came from elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from tokonomy.errors import BadRecord

SCHEMA_VERSION = 2
"""Version 1 lacks the fields that came with 2, and is read as a version 2 without them."""

Status = Literal["ok", "invalid", "oom", "timeout", "crash", "unsupported"]
Scenario = Literal["stream", "offline"]
Mode = Literal["eager", "compile", "cuda-graphs"]
Arm = Literal["method", "reference"]
Boundary = Literal["board", "module", "package"]
Text = Annotated[str, StringConstraints(max_length=500)]
Log = Annotated[str, StringConstraints(max_length=8000)]
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _on_the_calendar(text: str) -> str:
    datetime.fromisoformat(text)  # no 31st of February
    return text


Utc = Annotated[
    str,
    AfterValidator(_on_the_calendar),
    StringConstraints(
        pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,6})?Z$"
    ),
]
# Whole numbers stay below 2^53, so that every reader of JSON sees the same one.
Whole = Annotated[int, Field(gt=-(2**53), lt=2**53)]
# Amounts have bounds far beyond any machine, so that sums and ratios of them stay finite.
Nanoseconds = Annotated[int, Field(gt=0, lt=2**53)]
Bytes = Annotated[int, Field(ge=0, lt=2**53)]
Amount = Annotated[float, Field(ge=0, lt=1e18)]
Seconds = Annotated[float, Field(ge=0, lt=1e9)]
Score = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1, lt=2**31)]
Duration = Annotated[float, Field(gt=0, strict=False)]
Scalar = bool | int | float | Text | None
Parameters = dict[Text, Scalar | list[Any] | dict[Text, Any]]


class Part(BaseModel):
    """Base of every part: immutable, strict, finite numbers only, no unknown fields."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="strings"
    )


class Missing(Part):
    """Why something has no value."""

    reason: Text
    detail: Text | None = None


NO_DEVICE_MEMORY = Missing(reason="no-device-memory")


class MethodRef(Part):
    """Which method, at which setting; ``source_hash`` covers its file and the modules it uses."""

    id: Text
    params: Parameters
    source_hash: Sha


class TaskRef(Part):
    """Which data: ``ref`` as given on the command line, ``data_hash`` over the samples.

    ``source_hash`` covers the task's file and the modules it uses.
    """

    id: Text
    ref: Text
    split: Text
    samples: Annotated[int, Field(ge=1, lt=2**53)]
    data_hash: Sha
    source_hash: Sha


class ModelRef(Part):
    """Which weights: an embedded id or ``hf:<repo or folder>``."""

    id: Text
    ref: Text
    embedded: bool
    weights_hash: Sha


class EnergyPlan(Part):
    """How hard energy is measured.

    Attributes:
        trials: Windows of each arm.
        window_s: Least length of a window of continuous work, between two ticks of the counter.
        min_ticks: Least number of ticks in a window.
        idle_s: Idle time measured before and after, model resident.
        settle_s: Longest time to reach a steady temperature before the first window.
    """

    trials: Annotated[int, Field(ge=5, le=1000)] = 5
    window_s: Duration = 5.0
    min_ticks: Annotated[int, Field(ge=2, le=100_000)] = 50
    idle_s: Duration = 10.0
    settle_s: Duration = 30.0


class Measuring(Part):
    """How hard latency is measured, and energy.

    Attributes:
        threads: Threads of the timed passes.
        warmup_calls, warmup_s: Least warm-up of each arm, calls of each shape and seconds in all.
        min_pairs, max_pairs: Bounds of the number of pairs; the least is where the interval is
            first looked at.
        max_s: Cap on the timed pass, seconds.
        half_width: Stop when the ratio's relative 95 % half-width is at most this.
        energy: How energy is measured; None for not at all.
    """

    threads: Positive = 1
    warmup_calls: Positive = 3
    warmup_s: Duration = 0.1
    min_pairs: Annotated[int, Field(ge=10, lt=2**31)] = 20
    max_pairs: Positive = 400
    max_s: Duration = 3.0
    half_width: Duration = 0.01
    energy: EnergyPlan | None = None


class Setup(Part):
    """Everything that could change a result, as far as it is known before the run.

    Attributes:
        family_hash: Over the source of the family: how a model is loaded, fed and patched.
        device_class: What kind of device it is; numbers of one class compare.
        libraries: Versions of the libraries that compute.
        measuring: How hard latency is measured; its threads are ``threads``.
        protocol: Version of the way of measuring.
    """

    family: Text
    family_hash: Sha
    method: MethodRef
    task: TaskRef
    model: ModelRef
    device: Text
    device_class: Text
    precision: Literal["fp32", "bf16", "fp16"]
    scenario: Scenario
    batch_size: Annotated[int, Field(ge=1, lt=2**31)]
    mode: Mode
    threads: Annotated[int, Field(ge=1, lt=2**31)]
    seed: Whole
    measuring: Measuring
    libraries: dict[Text, Text | None]
    protocol: Annotated[int, Field(ge=1, lt=2**31)]


class Cell(Setup):
    """What was measured. ``key`` is the hash of all the rest, and checked."""

    key: Sha

    @model_validator(mode="after")
    def _keyed(self) -> Cell:
        if self.key != _keyed_hash(self):
            raise ValueError("key is the hash of the cell's other fields; this one is another")
        return self


class Harness(Part):
    """Which code measured it, and how it was called."""

    version: Text
    commit: Text | None
    dirty: bool | None
    protocol: Annotated[int, Field(ge=1, lt=2**31)]
    argv: list[Text]


class Machine(Part):
    """Where it was measured. Keys are stable names; a value that cannot be read is null."""

    software: dict[Text, Text | None]
    hardware: dict[Text, Scalar]
    before: dict[Text, Scalar]
    after: dict[Text, Scalar]


class Pair(Part):
    """One call of each arm on the same batch, next to each other in time."""

    block: Annotated[int, Field(ge=0, lt=2**53)]
    batch: Annotated[int, Field(ge=0, lt=2**53)]
    first: Literal["method", "reference"]
    method_ns: Nanoseconds
    reference_ns: Nanoseconds


class Spoiled(Part):
    """Pairs that were timed and made again, because something was observed that spoils them."""

    cause: Text
    detail: Text | None
    pairs: list[Pair]


class Timing(Part):
    """Latency of one call, method against reference, in ABBA blocks.

    ``half_width`` is that of the 95 % interval of the latency ratio, relative to it, when
    sampling stopped. ``device_ns`` holds, by arm and in the order of ``pairs``, what each call
    takes on the device when it is made again with all its work queued beforehand; empty where the
    device has no events. What the end-to-end time has beyond it is the cost of launching.
    """

    clock: Text
    warmup_calls: Annotated[int, Field(ge=0, lt=2**53)]
    warmup_s: Seconds
    pairs: list[Pair]
    stop: Literal["converged", "pair-cap", "time-cap"]
    half_width: Amount | None
    device_ns: dict[Arm, list[Nanoseconds]] = {}
    spoiled: list[Spoiled] = []

    @model_validator(mode="after")
    def _aligned(self) -> Timing:
        if any(len(times) != len(self.pairs) for times in self.device_ns.values()):
            raise ValueError("device_ns holds one time per pair and arm")
        return self


class Costs(Part):
    """What a run took apart from latency, in seconds; each taken once, so good for its size only.

    ``load_s`` is loading the method's instance of the model, with libraries imported and files
    mostly cached by then; ``prepare_s`` is the method's own preparation, calibration included;
    ``wall_s`` is the whole run inside its process, every pass of both arms included;
    ``compile_s`` is compiling or capturing the method's arm, every shape, null in eager mode.
    """

    load_s: Seconds
    prepare_s: Seconds
    wall_s: Seconds
    compile_s: Seconds | None = None


class Peak(Part):
    """A high-water mark while the method's arm ran once, bytes.

    ``baseline_bytes`` is what was there with the model loaded and called a few times, before the
    method is prepared; so the rise holds what the method keeps and what its call takes, and not
    what any first call brings in. What only passed through ``prepare`` is left out.
    """

    peak_bytes: Bytes
    baseline_bytes: Bytes
    source: Text


class Memory(Part):
    """Four peaks of the method's arm, nothing else having run in its process before.

    ``process`` is what was resident (VmHWM). On a GPU there are ``allocated`` by tensors and
    ``reserved`` by torch's allocator, and ``device``, what the driver counts as used on the whole
    device. The reference's peaks are those of its own run.
    """

    process: Peak | Missing
    allocated: Peak | Missing = NO_DEVICE_MEMORY
    reserved: Peak | Missing = NO_DEVICE_MEMORY
    device: Peak | Missing = NO_DEVICE_MEMORY


class Flag(Part):
    """Something a reader must know about a run."""

    code: Text
    detail: Text | None = None


class Trial(Part):
    """Energy of continuous calls of one arm, between two ticks of the counter inside the loop.

    Attributes:
        arm: Which arm was called.
        calls: Calls between the two ticks, the first and the last counted by their share.
        span_ns: Time between the two ticks.
        energy_uj: Difference of the counter, microjoules.
        ticks: Ticks of the counter in between, the last included; those that went by between two
            readings are told by its period.
        bound: Largest relative error of energy per call that the counter's steps, the time of
            reading it and the shares of calls leave open.
        integrated_uj: Integral of instantaneous power over the same time; null without that field.
        temperature_c: Of the device before and after; null where unreadable.
    """

    arm: Arm
    calls: Annotated[float, Field(gt=0, lt=1e12)]
    span_ns: Nanoseconds
    energy_uj: Annotated[int, Field(ge=0, lt=2**53)]
    ticks: Positive
    bound: Amount
    integrated_uj: Annotated[int, Field(ge=0, lt=2**53)] | None
    temperature_c: Annotated[tuple[float | None, float | None], Field(strict=False)]  # a JSON array


class Idle(Part):
    """Mean power with context and model resident and nothing running."""

    seconds: Seconds
    power_w: Amount


class Trace(Part):
    """Power over time, every bin with its lowest and highest sample, so that no peak is lost.

    ``source`` says whose power it is; ``at_ms`` counts from the start of the energy pass.
    """

    source: Text
    samples: Positive
    at_ms: list[Amount]
    low_w: list[Amount]
    high_w: list[Amount]

    @model_validator(mode="after")
    def _aligned(self) -> Trace:
        if len({len(self.at_ms), len(self.low_w), len(self.high_w)}) != 1:
            raise ValueError("at_ms, low_w and high_w are of one length")
        return self


class Energy(Part):
    """Energy of both arms, each in windows of continuous calls, in a pass of its own.

    Attributes:
        meter: What counted, such as ``nvml-total-energy`` or ``rapl-package``.
        boundary: What the joules are of; those of different boundaries are never compared.
        device: UUID of the device, or names of the domains.
        batch_size: Samples in a call.
        tick_ms: Period of the counter as probed on this device.
        read_us: Median cost of one read of the counter.
        trials: Windows in the order they were measured.
        spoiled: Windows that were measured again, with the cause.
        idle_before, idle_after: Idle power around all the windows.
        trace: Power over the whole pass; null where there is no power to read.
    """

    meter: Text
    boundary: Boundary
    device: Text
    batch_size: Positive
    tick_ms: Amount
    read_us: Amount
    trials: Annotated[list[Trial], Field(min_length=1)]
    spoiled: list[Flag]
    idle_before: Idle | Missing
    idle_after: Idle | Missing
    trace: Trace | None


class Layer(Part):
    """Mean tokens per sample that one block worked on, counted at its weights by the harness."""

    queries: Amount
    keys: Amount
    mlp: Amount
    masked: Amount


class Work(Part):
    """Tokens and arithmetic of one sample, counted in an untimed pass at batch 1.

    ``flops`` counts a multiply-add as two; theoretical, ``uncounted`` names the operators left out.
    """

    samples: Annotated[int, Field(ge=1, lt=2**53)]
    layers: list[Layer]
    reference_layers: list[Layer]
    flops: Amount
    reference_flops: Amount
    uncounted: list[Text]


class Quality(Part):
    """Every sample's outputs and scores, by arm, in the order of the split.

    Arms: ``method``, ``reference`` and, where the family has one, ``coarse`` (the reference on
    inputs made smaller to a quarter of the tokens), from which difficulty strata are made.
    """

    metric: Text
    outputs: dict[Text, list[Whole]]
    scores: dict[Text, Annotated[list[Score], Field(min_length=1)]]
    outputs_hash: dict[Text, Sha]
    unreadable: list[Text]

    @model_validator(mode="after")
    def _aligned(self) -> Quality:
        lengths = {len(outputs) for outputs in self.outputs.values()}
        lengths |= {len(scores) for scores in self.scores.values()}
        if len(lengths) != 1 or not {"method", "reference"} <= set(self.scores):
            raise ValueError(
                "every arm needs one output and one score per sample, and the arms "
                "'method' and 'reference' are required"
            )
        return self


UNSCORED = "quality-not-applicable"
"""Reason of a run that is ok without quality: its task or its weights are for costs only."""


class Record(Part):
    """One attempt at one cell."""

    schema_version: Literal[2]
    run_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    started: Utc
    suite: Text | None
    status: Status
    reason: Text | None
    detail: Text | None
    log: Log
    cell: Cell
    harness: Harness
    machine: Machine
    costs: Costs | Missing
    timing: Timing | Missing
    memory: Memory | Missing
    work: Work | Missing
    energy: Energy | Missing
    quality: Quality | Missing
    flags: list[Flag]

    @model_validator(mode="after")
    def _reasoned(self) -> Record:
        if (self.status == "ok") != (self.reason is None):
            raise ValueError("a run that is not ok has a reason, and one that is ok has none")
        none = isinstance(self.quality, Missing) and self.quality.reason != UNSCORED
        if self.status == "ok" and none:
            raise ValueError("a run that is ok has its quality")
        return self

    @model_validator(mode="before")
    @classmethod
    def _from_version_1(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or fields.get("schema_version") != 1:
            return fields
        memory = fields.get("memory")
        if isinstance(memory, dict) and "peak_bytes" in memory:
            fields = fields | {"memory": {"process": memory}}
        return fields | {"schema_version": SCHEMA_VERSION}

    @model_validator(mode="after")
    def _counted(self) -> Record:
        if isinstance(self.quality, Quality):
            samples, scored = self.cell.task.samples, len(self.quality.scores["method"])
            if scored != samples - len(self.quality.unreadable):
                raise ValueError(
                    f"every readable sample has a score: of {samples} samples "
                    f"{len(self.quality.unreadable)} are unreadable, and {scored} have one"
                )
        return self

    def line(self) -> str:
        """The record as one canonical JSON line, without the line break."""
        return json.dumps(
            self.model_dump(mode="json"),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )


def content_hash(content: object) -> str:
    """SHA-256 of a JSON value's canonical form, in hex."""
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def cell_key(fields: Mapping[str, Any]) -> str:
    """The key of a cell, from all its other fields."""
    return _keyed_hash(
        Setup.model_validate({name: fields[name] for name in fields if name != "key"})
    )


def _keyed_hash(setup: Setup) -> str:
    """Hash of a setup; what came with version 2 counts only where it is used, so old keys stand."""
    fields = setup.model_dump(mode="json", exclude={"key"})
    if fields["measuring"]["energy"] is None:
        del fields["measuring"]["energy"]
    return content_hash(fields)


def parse(line: str) -> Record:
    """Read one JSON line; raises ``BadRecord`` with the first thing that is wrong."""
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        got = repr(first["input"])[:80]
        raise BadRecord(f"record: {where}: {first['msg']}; got {got}") from None
