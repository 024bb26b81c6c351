"""Comparability classes: what must be the same before two rows may stand in one table."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Literal

from tokonomy_site.links import slug
from tokonomy_site.snapshot import Run, model_name

Training = Literal["none", "trained", "not known"]

_SAID: Mapping[Training, str] = {
    "none": "methods without training",
    "trained": "methods trained for their task",
    "not known": "methods that are not installed here, so whether they were trained is not known",
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Group:
    """One class. Rows of different classes are never in one table or front.

    A verdict may rest on a baseline's run of another class, where this one lacks
    it: only samples' scores are compared, which do not depend on device, scenario or threads.
    """

    family: str
    task: str
    split: str
    data_hash: str
    model: str
    weights_hash: str
    embedded: bool
    device: str
    device_class: str
    precision: str
    scenario: str
    batch_size: int
    mode: str
    threads: int
    protocol: int
    training: Training

    @property
    def place(self) -> str:
        """Task, model and scenario: enough for a heading."""
        return f"{self.task} · {self.shown} · {self.calls}"

    @property
    def shown(self) -> str:
        """The model's name."""
        return model_name(self.model)

    @property
    def calls(self) -> str:
        """Scenario and batch size."""
        return f"{self.scenario}, batch {self.batch_size}"

    @property
    def sentence(self) -> str:
        """Everything that is the same in all rows."""
        weights = "embedded" if self.embedded else "checkpoint"
        return (
            f"{self.shown} ({weights} weights {self.weights_hash[:8]}) on {self.task}/{self.split} "
            f"(data {self.data_hash[:8]}) · {self.calls} · {self.precision} · {self.mode} · "
            f"{self.threads} {'thread' if self.threads == 1 else 'threads'} · {self.device} · "
            f"protocol {self.protocol} · {_SAID[self.training]}"
        )

    @property
    def name(self) -> str:
        """A file name that stays the same whatever other classes there are."""
        digest = hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:8]
        words = f"{self.family} {self.task} {self.model} {self.scenario} {self.batch_size}"
        return f"{slug(words)}-{digest}"


def training(kind: str | None) -> Training:
    """Whether methods of this kind are trained; not known of one without a card."""
    if kind is None:
        return "not known"
    return "trained" if kind == "trained" else "none"


def group_of(run: Run, training: Training) -> Group:
    """The class a run belongs to."""
    return Group(
        family=run.family,
        task=run.task_ref,
        split=run.split,
        data_hash=run.data_hash,
        model=run.model_ref,
        weights_hash=run.weights_hash,
        embedded=run.embedded,
        device=run.device,
        device_class=run.device_class,
        precision=run.precision,
        scenario=run.scenario,
        batch_size=run.batch_size,
        mode=run.mode,
        threads=run.threads,
        protocol=run.protocol,
        training=training,
    )


def grouped(runs: Iterable[Run], kinds: Mapping[str, str]) -> dict[Group, list[Run]]:
    """Runs by class; the reference stands in every class of its setting.

    Args:
        runs: Any runs.
        kinds: Kind of each method that is installed.
    """
    found: dict[Group, list[Run]] = defaultdict(list)
    references: list[Run] = []
    for run in runs:
        kind = kinds.get(run.method)
        if kind == "reference":
            references.append(run)
        else:
            found[group_of(run, training(kind))].append(run)
    for run in references:
        places = [place for each in _SAID if (place := group_of(run, each)) in found]
        for place in places or [group_of(run, "none")]:
            found[place].append(run)
    return dict(found)
