"""The record a run leaves: the validated, versioned document that travels as one JSON line.

It holds what was observed and nothing derived from it. What could not be observed is null, with a
reason code beside it; never zero. Strings are untrusted wherever a record came from elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from tokonomy.errors import BadRecord

SCHEMA_VERSION = 1

Status = Literal["ok", "invalid", "oom", "timeout", "crash", "unsupported"]
Scenario = Literal["stream", "offline"]
Text = Annotated[str, StringConstraints(max_length=500)]
Log = Annotated[str, StringConstraints(max_length=8000)]
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Utc = Annotated[
    str,
    StringConstraints(
        pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,6})?Z$"
    ),
]
# Whole numbers stay below 2^53, so that every reader of JSON sees the same one.
Whole = Annotated[int, Field(gt=-(2**53), lt=2**53)]
Nanoseconds = Annotated[int, Field(gt=0, lt=2**53)]
Bytes = Annotated[int, Field(ge=0, lt=2**53)]
Amount = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Scalar = bool | int | float | Text | None
Parameters = dict[Text, Scalar | list[Any] | dict[Text, Any]]


class Part(BaseModel):
    """Base of every part: immutable, strict, finite numbers only, no unknown fields."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="strings"
    )


class MethodRef(Part):
    """Which method, at which setting; ``source_hash`` covers its file and the modules it uses."""

    id: Text
    params: Parameters
    source_hash: Sha


class TaskRef(Part):
    """Which data: ``ref`` as given on the command line, ``data_hash`` over the samples."""

    id: Text
    ref: Text
    split: Text
    samples: Annotated[int, Field(ge=1, lt=2**53)]
    data_hash: Sha


class ModelRef(Part):
    """Which weights: an embedded id or ``hf:<repo or folder>``."""

    id: Text
    ref: Text
    embedded: bool
    weights_hash: Sha


class Cell(Part):
    """What was measured. ``key`` is a hash over everything that could change the result."""

    key: Sha
    family: Text
    method: MethodRef
    task: TaskRef
    model: ModelRef
    device: Text
    precision: Literal["fp32", "bf16", "fp16"]
    scenario: Scenario
    batch_size: Annotated[int, Field(ge=1, lt=2**31)]
    mode: Literal["eager"]
    threads: Annotated[int, Field(ge=1, lt=2**31)]
    seed: Whole


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


class Missing(Part):
    """Why something has no value."""

    reason: Text
    detail: Text | None = None


class Pair(Part):
    """One call of each arm on the same batch, next to each other in time."""

    block: Annotated[int, Field(ge=0, lt=2**53)]
    batch: Annotated[int, Field(ge=0, lt=2**53)]
    first: Literal["method", "reference"]
    method_ns: Nanoseconds
    reference_ns: Nanoseconds


class Timing(Part):
    """Latency of one call, method against reference, in ABBA blocks.

    ``half_width`` is that of the 95 % interval of the median pair ratio, relative to it, when
    sampling stopped.
    """

    clock: Text
    warmup_calls: Annotated[int, Field(ge=0, lt=2**53)]
    warmup_s: Seconds
    pairs: list[Pair]
    stop: Literal["converged", "pair-cap", "time-cap"]
    half_width: Amount | None


class Costs(Part):
    """What came before the first timed call, in seconds; reported apart from latency."""

    load_s: Seconds
    prepare_s: Seconds
    wall_s: Seconds


class Memory(Part):
    """High-water mark of the process while the method's arm ran (VmHWM), bytes.

    ``baseline_bytes`` is the resident size with the model loaded and prepared, right before.
    """

    peak_bytes: Bytes
    baseline_bytes: Bytes
    source: Text


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
    scores: dict[Text, list[float]]
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


class Flag(Part):
    """Something a reader must know about a run."""

    code: Text
    detail: Text | None = None


class Record(Part):
    """One attempt at one cell."""

    schema_version: Literal[1]
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
    energy: Missing
    quality: Quality | Missing
    flags: list[Flag]

    @model_validator(mode="after")
    def _reasoned(self) -> Record:
        if (self.status == "ok") != (self.reason is None):
            raise ValueError("a run that is not ok has a reason, and one that is ok has none")
        if self.status == "ok" and isinstance(self.quality, Missing):
            raise ValueError("a run that is ok has its quality")
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


def parse(line: str) -> Record:
    """Read one JSON line; raises ``BadRecord`` with the first thing that is wrong."""
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        got = repr(first["input"])[:80]
        raise BadRecord(f"record: {where}: {first['msg']}; got {got}") from None
