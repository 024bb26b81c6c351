"""From records to rows and back: what a run looks like to whoever reads the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import RowMapping

from tokonomy.store.derive import DERIVATION
from tokonomy.store.metrics import Metric
from tokonomy.store.record import Record
from tokonomy.store.standing import Role, flags, role
from tokonomy.store.statements import Level

Filter = str | int | bool | Iterable[str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run without its raw samples: the columns of table ``run`` and its figures by name.

    ``started`` is UTC with six decimals; ``method_hash``, ``data_hash`` and ``weights_hash`` tell
    whether the sources of today are still those of the run; ``role`` and ``flags`` are as
    ``standing`` tells them. ``trust`` and ``current``, whether it stands for its cell, follow from
    statements and other runs, and are in no column; see module ``current``.
    """

    run_id: str
    cell_key: str
    started: str
    suite: str | None
    status: str
    reason: str | None
    detail: str | None
    family: str
    method: str
    params: Mapping[str, Any]
    method_hash: str
    task: str
    task_ref: str
    split: str
    samples: int
    data_hash: str
    model: str
    model_ref: str
    embedded: bool
    weights_hash: str
    device: str
    device_class: str
    precision: str
    scenario: str
    batch_size: int
    mode: str
    threads: int
    seed: int
    harness_version: str
    harness_commit: str | None
    harness_dirty: bool | None
    protocol: int
    role: Role
    flags: tuple[str, ...]
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    trust: Level = "self-reported"
    current: bool = True


_FOLLOWS = ("trust", "current")  # from other rows
COLUMNS = tuple(each.name for each in fields(Run) if each.name not in ("metrics", *_FOLLOWS))

IDENTITY = (
    "family", "method", "params", "seed", "task_ref", "split", "data_hash", "model_ref",
    "weights_hash", "device", "device_class", "precision", "scenario", "batch_size", "mode",
    "threads", "protocol", "role",
)  # fmt: skip
"""What stays the same when the same thing is run again, with changed code or not: a cell, as long
as nothing else is said. Of runs that are alike in it one, of the newest code, stands for it; see
module ``current``."""


def row(record: Record, figures: Iterable[Metric]) -> dict[str, object]:
    """What table ``run`` holds of a record, from which ``figures`` were derived."""
    cell, harness = record.cell, record.harness
    return {
        "run_id": record.run_id,
        "cell_key": cell.key,
        "started": sortable(record.started),
        "suite": record.suite,
        "status": record.status,
        "reason": record.reason,
        "detail": record.detail,
        "family": cell.family,
        "method": cell.method.id,
        "params": json.dumps(cell.method.params, sort_keys=True, ensure_ascii=False),
        "method_hash": cell.method.source_hash,
        "task": cell.task.id,
        "task_ref": cell.task.ref,
        "split": cell.task.split,
        "samples": cell.task.samples,
        "data_hash": cell.task.data_hash,
        "model": cell.model.id,
        "model_ref": cell.model.ref,
        "embedded": cell.model.embedded,
        "weights_hash": cell.model.weights_hash,
        "device": cell.device,
        "device_class": cell.device_class,
        "precision": cell.precision,
        "scenario": cell.scenario,
        "batch_size": cell.batch_size,
        "mode": cell.mode,
        "threads": cell.threads,
        "seed": cell.seed,
        "harness_version": harness.version,
        "harness_commit": harness.commit,
        "harness_dirty": harness.dirty,
        "protocol": cell.protocol,
        "role": role(record),
        "flags": json.dumps(flags(record, figures), ensure_ascii=False),
        "derivation": DERIVATION,
    }


def sortable(started: str) -> str:
    """A UTC time with exactly six decimals: as text, "…00Z" would sort after "…00.5Z"."""
    whole, _, decimals = started.removesuffix("Z").partition(".")
    return f"{whole}.{decimals:0<6}Z"


def assemble(found: RowMapping, metrics: Mapping[str, Metric]) -> Run:
    """A run from its row, as ``queries.rows`` has it, and its figures."""
    values = {name: found[name] for name in (*COLUMNS, *_FOLLOWS)}
    values["params"] = json.loads(values["params"])
    values["flags"] = tuple(json.loads(values["flags"]))
    return Run(**values, metrics=metrics)
