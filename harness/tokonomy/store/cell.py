"""What is measured: method, task, model and device at one setting, and the key made of it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tokonomy.store.fields import (
    Duration,
    Mode,
    Parameters,
    Part,
    Positive,
    Scenario,
    Sha,
    Text,
    Whole,
    content_hash,
)


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


_BATCHES = 16


class Measuring(Part):
    """How hard latency is measured, and energy.

    Attributes:
        threads: Threads of the timed passes.
        warmup_calls, warmup_s: Least warm-up of each arm, calls of each shape and seconds in all.
        min_pairs, max_pairs: Bounds of the number of pairs; the least is where the interval is
            first looked at.
        max_s: Cap on the timed pass, seconds.
        batches: Different batches that timing goes round; no arm meets one twice in a row.
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
    batches: Annotated[int, Field(ge=4, le=64)] = _BATCHES
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


def cell_key(fields: Mapping[str, Any]) -> str:
    """The key of a cell, from all its other fields."""
    return _keyed_hash(
        Setup.model_validate({name: fields[name] for name in fields if name != "key"})
    )


def _keyed_hash(setup: Setup) -> str:
    """Hash of a setup; what came later counts only where it is used, so that old keys stand."""
    fields = setup.model_dump(mode="json", exclude={"key"})
    if fields["measuring"]["energy"] is None:
        del fields["measuring"]["energy"]
    if fields["measuring"]["batches"] == _BATCHES:
        del fields["measuring"]["batches"]
    return content_hash(fields)
