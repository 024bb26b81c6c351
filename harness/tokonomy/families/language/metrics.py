"""From what a metric of lm-eval says of a sample to a score between 0 and 1."""

from __future__ import annotations

import math
from copy import copy
from numbers import Real
from typing import Any

import numpy as np

from tokonomy.errors import BadData

#: Metrics that say how likely a text is, by how they are made of it.
_PER_UNIT = ("word_perplexity", "byte_perplexity", "bits_per_byte")
_PERPLEXITY = "perplexity"
#: What a model might answer, to see what a metric makes of it.
_MADE_UP = {"generate_until": "", "loglikelihood": (-2.0, False), "loglikelihood_rolling": -2.0}


def score(metric: str, value: Any) -> float | None:
    """The score of a sample, between 0 and 1; None where a metric gives none.

    Likelihoods count as what a perplexity is the inverse of: the mean probability of a word, of a
    byte, or of the whole continuation.
    """
    if metric in _PER_UNIT and isinstance(value, tuple):
        total, count = value
        return math.exp(min(0.0, total / max(1, count)))
    if not isinstance(value, Real | np.bool_):
        return None
    found = math.exp(value) if metric == _PERPLEXITY and value <= 0 else float(value)
    return found if 0 <= found <= 1 else None


def scored(task: str, metric: str, value: Any) -> float:
    """The same; raises ``BadData`` where a metric gives none."""
    found = score(metric, value)
    if found is None:
        raise BadData(
            f"task {task!r}: its first metric, {metric!r}, gives no score between 0 and 1 for a "
            f"sample; got {str(value)[:50]}; choose a task that is scored by acc or exact_match"
        )
    return found


def first(task: Any, instances: tuple[Any, ...]) -> str | None:
    """The first metric of a task, by what it makes of made-up answers to one sample.

    None where that cannot be told before there are answers; raises ``BadData`` where the metric
    gives no score.
    """
    if getattr(task, "UNSAFE_CODE", False):
        return None
    try:
        results = _results(task, instances)
    except Exception:  # the task's own code, on answers that no model gave
        return None
    for metric, value in results.items():
        scored(task.task_name, metric, value)
        return metric
    return None


def _results(task: Any, instances: tuple[Any, ...]) -> dict[str, Any]:
    asked = [copy(each) for each in instances]
    for each in asked:
        each.resps, each.filtered_resps = [_MADE_UP[each.request_type]] * each.repeats, {}
    own = copy(task)
    own._instances = asked
    own.apply_filters()
    name = next(iter(asked[0].filtered_resps))
    found: dict[str, Any] = task.process_results(
        asked[0].doc, [each.filtered_resps[name] for each in asked]
    )
    return found
