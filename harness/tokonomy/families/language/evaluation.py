"""Every sample of a split through lm-eval's own evaluation: its filters, its metrics."""

from __future__ import annotations

import hashlib
from copy import copy
from typing import Any

from tokonomy.families.language import metrics
from tokonomy.families.language.adapter import Adapter
from tokonomy.families.language.requests import Requests, Sample
from tokonomy.families.language.surroundings import code_allowed, offline

_TEXT = 400  # characters of an answer that are kept


def evaluate(adapter: Adapter, data: Requests) -> tuple[list[int | str], list[float]]:
    """What each sample of a split was answered, and its score."""
    from lm_eval import evaluator

    own = {name: _own(task, data.of(name)) for name, task in data.tasks.items()}
    found = evaluator.evaluate(
        adapter,
        {"tasks": own, "groups": {}},
        bootstrap_iters=0,
        confirm_run_unsafe_code=code_allowed(),
    )
    assert found is not None  # only other ranks get nothing
    logged: dict[int, tuple[str, dict[str, Any]]] = {}
    for name, each in found["samples"].items():
        for sample in each:  # of several filters the first counts
            logged.setdefault(data.places[name, sample["doc_id"]], (name, sample))
    ordered = [logged[at] for at in range(len(data))]
    return (
        [_said(sample) for _, sample in ordered],
        [_score(name, sample, data.metrics[name]) for name, sample in ordered],
    )


def _own(task: Any, samples: list[Sample]) -> Any:
    """A task with requests of its own, so that two arms can be asked side by side.

    Metrics are computed one at a time, and without the network.
    """
    own = copy(task)

    def build_all_requests(**_: Any) -> None:
        own._instances = [_unanswered(request) for each in samples for request in each.asked]

    def process_results(doc: Any, results: Any) -> Any:
        with offline():
            return task.process_results(doc, results)

    own.build_all_requests, own.process_results = build_all_requests, process_results
    own.has_test_docs, own.test_docs = lambda: True, lambda: [each.doc for each in samples]
    return own


def _unanswered(request: Any) -> Any:
    own = copy(request)
    own.resps, own.filtered_resps = [], {}
    return own


def _said(sample: dict[str, Any]) -> int | str:
    """What a sample was answered: the text before any filter, the choice, or the likelihood.

    Of long texts the beginning and a hash of the whole.
    """
    first = sample["filtered_resps"][0]
    if isinstance(first, str | list):
        text = str(sample["resps"][0][0])
        whole = hashlib.sha256(text.encode()).hexdigest()
        return text if len(text) <= _TEXT else f"{text[:_TEXT]} … {whole[:16]}"
    if isinstance(first, float):
        return f"{first:.4g}"
    likely = [each[0] for each in sample["filtered_resps"]]
    return likely.index(max(likely)) if len(likely) > 1 else f"{likely[0]:.4g}"


def _score(task: str, sample: dict[str, Any], metric: str | None) -> float:
    name = metric or sample["metrics"][0]
    return metrics.scored(task, name, sample.get(name))
