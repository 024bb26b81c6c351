"""Comparability classes: what must be the same before two rows may stand in one table."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from tokonomy_site.links import slug
from tokonomy_site.snapshot import Run


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Group:
    """One class. Rows of different classes are never in one table or front.

    A verdict at equal tokens may rest on a baseline's run of another class, where this one lacks
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
    trained: bool

    @property
    def place(self) -> str:
        """Task, model and scenario: enough for a heading."""
        return f"{self.task} · {self.shown} · {self.calls}"

    @property
    def shown(self) -> str:
        """The model's name; of a folder on somebody's disk the last part only."""
        local = self.model.startswith(("hf:/", "hf:.", "hf:~"))
        return self.model.rstrip("/").rpartition("/")[2] if local else self.model

    @property
    def calls(self) -> str:
        """Scenario and batch size."""
        return f"{self.scenario}, batch {self.batch_size}"

    @property
    def sentence(self) -> str:
        """Everything that is the same in all rows."""
        weights = "embedded" if self.embedded else "checkpoint"
        kind = "methods trained for their task" if self.trained else "methods without training"
        return (
            f"{self.shown} ({weights} weights {self.weights_hash[:8]}) on {self.task}/{self.split} "
            f"(data {self.data_hash[:8]}) · {self.calls} · {self.precision} · {self.mode} · "
            f"{self.threads} {'thread' if self.threads == 1 else 'threads'} · {self.device} · "
            f"protocol {self.protocol} · {kind}"
        )

    @property
    def name(self) -> str:
        """A file name that stays the same whatever other classes there are."""
        digest = hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:8]
        words = f"{self.family} {self.task} {self.model} {self.scenario} {self.batch_size}"
        return f"{slug(words)}-{digest}"


def group_of(run: Run, trained: bool) -> Group:
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
        trained=trained,
    )


def grouped(runs: Iterable[Run], kinds: dict[str, str]) -> dict[Group, list[Run]]:
    """Runs by class; the reference stands in every class of its setting.

    Args:
        runs: Any runs.
        kinds: Kind of each method; unknown ones count as not trained.
    """
    found: dict[Group, list[Run]] = defaultdict(list)
    references: list[Run] = []
    for run in runs:
        kind = kinds.get(run.method, "training-free")
        if kind == "reference":
            references.append(run)
        else:
            found[group_of(run, kind == "trained")].append(run)
    for run in references:
        places = [g for g in (group_of(run, False), group_of(run, True)) if g in found]
        for place in places or [group_of(run, False)]:
            found[place].append(run)
    return dict(found)
