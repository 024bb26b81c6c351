"""What a run observed: times, peaks, joules, work and scores, nothing of it derived."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tokonomy.store.fields import (
    Amount,
    Arm,
    Boundary,
    Bytes,
    Missing,
    Nanoseconds,
    Part,
    Positive,
    Score,
    Seconds,
    Sha,
    Text,
    Whole,
)

NO_DEVICE_MEMORY = Missing(reason="no-device-memory")
ONE_PASS = Missing(reason="one-pass", detail="a call reads its whole input in one pass")


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
    sampling stopped. ``device_ns`` holds, by arm and in the order of ``pairs``, what a call right
    after each takes on the device, on another batch of the same shape and with all its work queued
    beforehand; empty where the device has no events, or too few batches are of one shape. What an
    end-to-end time has beyond it is the cost of launching.
    """

    clock: Text
    warmup_calls: Annotated[int, Field(ge=0, lt=2**53)]
    warmup_s: Seconds
    pairs: list[Pair]
    stop: Literal["converged", "pair-cap", "time-cap"]
    half_width: Amount | None
    device_ns: dict[Arm, list[Nanoseconds]] = Field(default={})
    spoiled: list[Spoiled] = Field(default=[])

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
    device right after the arm ran, so at least. The reference's peaks are those of its own run.
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


class Decoded(Part):
    """One sample that was answered token by token, and each pass of the model on the way.

    Attributes:
        tokens: Tokens of the answer, counted in the output.
        read: Tokens that the last block was given in each pass; the first reads the prompt.
        cached: Tokens that this block's cache held before each pass.
        logical_bytes: Of the keys and values cached in all blocks, before each pass.
        physical_bytes: Of the memory that these tensors hold on to, before each pass.
    """

    tokens: Annotated[int, Field(ge=0, lt=2**31)]
    read: list[Whole]
    cached: list[Whole]
    logical_bytes: list[Bytes]
    physical_bytes: list[Bytes]

    @model_validator(mode="after")
    def _aligned(self) -> Decoded:
        columns = (self.read, self.cached, self.logical_bytes, self.physical_bytes)
        if len(set(map(len, columns))) != 1:
            raise ValueError("every pass has its tokens, its cache and its bytes")
        return self


TOKENS_MADE = Missing(reason="tokens-made")


class Decoding(Part):
    """Answers made token by token, of both arms on the same samples, at batch 1 and untimed.

    ``kl_nats`` is of each sample the divergence of what the method thinks of the next token from
    what the reference thinks, mean over the tokens given, in nats: 0 where they think alike.
    """

    method: Annotated[list[Decoded], Field(min_length=1)]
    reference: Annotated[list[Decoded], Field(min_length=1)]
    kl_nats: Annotated[list[Amount], Field(min_length=1)] | Missing = TOKENS_MADE


class Quality(Part):
    """Every sample's outputs and scores, by arm, in the order of the split.

    Arms: ``method``, ``reference`` and, where the family has one, ``coarse`` (the reference on
    inputs made smaller to a quarter of the tokens), from which difficulty strata are made.
    ``groups`` holds the part of its task that each sample belongs to; empty where there are none.
    ``shared`` says with how many tokens an answer begins as the reference's does, all that it has
    where both are the same; empty where no tokens are made.
    """

    metric: Text
    outputs: dict[Text, list[Whole | Text]]
    scores: dict[Text, Annotated[list[Score], Field(min_length=1)]]
    outputs_hash: dict[Text, Sha]
    unreadable: list[Text]
    groups: list[Text] = Field(default=[])
    shared: list[Whole] = Field(default=[])

    @model_validator(mode="after")
    def _aligned(self) -> Quality:
        lengths = {len(outputs) for outputs in self.outputs.values()}
        lengths |= {len(scores) for scores in self.scores.values()}
        if len(lengths) != 1 or not {"method", "reference"} <= set(self.scores):
            raise ValueError(
                "every arm needs one output and one score per sample, and the arms "
                "'method' and 'reference' are required"
            )
        for name in ("groups", "shared"):
            if getattr(self, name) and len(getattr(self, name)) not in lengths:
                raise ValueError(f"{name} holds one entry per sample, or none at all")
        return self


UNSCORED = "quality-not-applicable"
"""Reason of a run that is ok without quality: its task or its weights are for costs only."""
