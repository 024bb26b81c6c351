"""Language tasks as lm-eval writes its results, so that what reads those reads these.

Scores are of the method's arm, between 0 and 1, and higher is better. Only of a task that was given
as ``lm_eval:<name>`` they come from lm-eval's own scoring, and only such a task has its name; even
then the metric is called ``score``, since it is the task's first alone, and a perplexity is turned
into a mean probability. What a record does not hold is left out or null: the number of examples in
a prompt, the tokenizer's settings.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from tokonomy.store.derive import derive, withheld
from tokonomy.store.observed import Quality
from tokonomy.store.record import Record
from tokonomy.store.standing import flags, role

FAMILIES = ("decoding", "kv")

_THEIRS = "lm_eval:"
_SAYS = {
    True: "mean over samples of the first per-sample metric of lm-eval's own scoring; a perplexity "
    "as the mean probability that it is the inverse of",
    False: "mean over samples of what the task's card says; no task of lm-eval",
}


def files(records: Iterable[Record]) -> Iterator[tuple[str, dict[str, Any]]]:
    """File and content of each result of a language task that was scored, and of no other run."""
    for record in records:
        if (
            record.cell.family in FAMILIES
            and not withheld(record)
            and role(record) == "result"
            and isinstance(record.quality, Quality)
        ):
            when = record.started.replace(":", "-").removesuffix("Z")
            yield f"{record.run_id}/results_{when}.json", results(record, record.quality)


def results(record: Record, quality: Quality) -> dict[str, Any]:
    """One run in the shape of lm-eval 0.4."""
    cell, scores = record.cell, quality.scores["method"]
    theirs = cell.task.ref.startswith(_THEIRS)
    task = cell.task.ref.removeprefix(_THEIRS) if theirs else f"tokonomy:{cell.task.ref}"
    metric = quality.metric.replace(",", " ")
    spread = (
        statistics.stdev(scores) / math.sqrt(len(scores)) if len(scores) > 1 else "N/A"
    )  # of the mean, as lm-eval has it
    named = {"pretrained": cell.model.ref, "dtype": cell.precision, "method": cell.method.id}
    software = record.machine.software
    return {
        "results": {
            task: {
                "alias": task,
                "sample_len": len(scores),
                f"{metric},none": statistics.fmean(scores),
                f"{metric}_stderr,none": spread,
            }
        },
        "group_subtasks": {task: []},
        "configs": {
            task: {
                "task": task,
                "test_split": cell.task.split,
                "metric_list": [
                    {"metric": metric, "aggregation": "mean", "higher_is_better": True}
                ],
                "metadata": {"data_hash": cell.task.data_hash, metric: _SAYS[theirs]},
            }
        },
        "versions": {task: cell.task.source_hash[:12]},
        "n-shot": {},
        "higher_is_better": {task: {metric: True}},
        "n-samples": {task: {"original": cell.task.samples, "effective": len(scores)}},
        "config": {
            "model": "tokonomy",
            "model_args": named | dict(cell.method.params),
            "batch_size": cell.batch_size,
            "batch_sizes": [],
            "device": cell.device,
            "use_cache": None,
            "limit": None,
            "bootstrap_iters": 0,
            "gen_kwargs": None,
            "random_seed": cell.seed,
            "numpy_seed": cell.seed,
            "torch_seed": cell.seed,
            "fewshot_seed": None,
            "run_id": record.run_id,
            "weights_hash": cell.model.weights_hash,
            "role": role(record),
            "flags": list(flags(record, derive(record))),
        },
        "git_hash": record.harness.commit,
        "date": datetime.fromisoformat(record.started).timestamp(),
        "transformers_version": software.get("transformers"),
        "lm_eval_version": software.get("lm_eval") or software.get("lm-eval"),
        "task_hashes": {task: cell.task.data_hash},
        "model_source": "tokonomy",
        "model_name": cell.model.ref,
        "model_name_sanitized": _safe(cell.model.ref),
        "total_evaluation_time_seconds": None,
    }


def _safe(name: str) -> str:
    return "".join(each if each.isascii() and each.isalnum() else "_" for each in name)[:80]
