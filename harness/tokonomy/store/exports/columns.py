"""Every column of a table of runs: its kind, its unit and what it says.

One place for Parquet, CSV, JSON and Datasette; figures are those of ``metrics``, so that none of
them can drift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tokonomy.store.metrics import METRICS, WITH_INTERVAL
from tokonomy.store.rows import COLUMNS, Run

Kind = Literal["text", "whole", "number", "truth"]

SETTING: dict[str, tuple[Kind, str]] = {
    "run_id": ("text", "Names the run; its record has the same."),
    "cell_key": ("text", "SHA-256 over all that could change the result."),
    "started": ("text", "When the run began, UTC."),
    "suite": ("text", "Suite that it was part of."),
    "status": ("text", "ok, invalid, oom, timeout, crash or unsupported."),
    "reason": ("text", "Why it is not ok, as a code."),
    "detail": ("text", "The same in words."),
    "family": ("text", "Contract between method and task: vision, decoding, kv."),
    "method": ("text", "What saves tokens; reference is the unmodified model."),
    "params": ("text", "Its hyper-parameters, as JSON."),
    "method_hash": ("text", "SHA-256 over the method's source."),
    "task": ("text", "Data and metric, by id."),
    "task_ref": ("text", "The same as it was given on the command line."),
    "split": ("text", "Part of the data."),
    "samples": ("whole", "Samples of the split."),
    "data_hash": ("text", "SHA-256 over the samples."),
    "model": ("text", "Weights, by id."),
    "model_ref": ("text", "The same as it was given on the command line."),
    "embedded": ("truth", "Whether the weights ship with the project; such do not compare."),
    "weights_hash": ("text", "SHA-256 over the weights."),
    "device": ("text", "Where it ran."),
    "device_class": ("text", "Kind of device; figures of one class compare."),
    "precision": ("text", "fp32, bf16 or fp16."),
    "scenario": ("text", "stream (one sample a call) or offline (a batch)."),
    "batch_size": ("whole", "Samples in a call."),
    "mode": ("text", "eager, compile or cuda-graphs."),
    "threads": ("whole", "Threads of the timed passes."),
    "seed": ("whole", "Seed of the run."),
    "harness_version": ("text", "Version of the harness."),
    "harness_commit": ("text", "Its commit."),
    "harness_dirty": ("truth", "Whether it had changes that are in no commit."),
    "protocol": ("whole", "Version of the way of measuring."),
    "role": ("text", "result, calibration, control (planted) or scripted (nothing was measured)."),
    "flags": ("text", "Codes of what a reader must know, as JSON."),
}
TRUST = "How far it is to be believed: withdrawn, disputed, superseded, verified or self-reported."
CURRENT = "Whether it stands for its cell: of runs of the newest code, the best vouched for."
WORDS = {"effect": "effect", "energy_j": "energy_boundary"}
"""Figures with a word, and the column that has it."""

BOUNDARY = "What its joules are of: board, module or package; different ones never compare."


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column; ``unit`` is empty where there is none, and 1 for shares and ratios."""

    name: str
    kind: Kind
    unit: str
    doc: str


def columns() -> tuple[Column, ...]:
    """Every column of a row, in order: the setting, then each figure with its interval."""
    return tuple(_columns())


def _columns() -> Iterator[Column]:
    for name in COLUMNS:
        kind, doc = SETTING[name]
        yield Column(name=name, kind=kind, unit="", doc=doc)
    yield Column(name="trust", kind="text", unit="", doc=TRUST)
    yield Column(name="current", kind="truth", unit="", doc=CURRENT)
    for name, meaning in METRICS.items():
        said = f"{meaning.title}. {meaning.doc}"
        if meaning.unit:
            yield Column(name=name, kind="number", unit=meaning.unit, doc=said)
        if name in WITH_INTERVAL:
            for part, end in (("low", "Lower"), ("high", "Upper")):
                doc = f"{end} end of the 95 % interval of {name}."
                yield Column(name=f"{name}_{part}", kind="number", unit=meaning.unit, doc=doc)
        if name in WORDS:
            doc = said if not meaning.unit else BOUNDARY
            yield Column(name=WORDS[name], kind="text", unit="", doc=doc)
        doc = f"Code of the reason why {name} or its interval is missing."
        yield Column(name=f"{name}_reason", kind="text", unit="", doc=doc)


def values(run: Run) -> dict[str, Any]:
    """A run's values by column; what is missing is None."""
    found: dict[str, Any] = {name: getattr(run, name) for name in COLUMNS}
    found["params"] = json.dumps(dict(run.params), sort_keys=True, ensure_ascii=False)
    found |= {"trust": run.trust, "current": run.current}
    found["flags"] = json.dumps(list(run.flags), ensure_ascii=False)
    for name, metric in run.metrics.items():
        found |= {name: metric.value, f"{name}_low": metric.low, f"{name}_high": metric.high}
        found[f"{name}_reason"] = metric.reason
        if name in WORDS:
            found[WORDS[name]] = metric.text
    return found


def by_column(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The same of many runs, as a list for each column."""
    rows = [values(run) for run in runs]
    return {each.name: [row.get(each.name) for row in rows] for each in columns()}
