"""lm-eval through our adapter against lm-eval's own model for transformers, on one tiny model.

Both answer the same tasks with the same weights, one request at a time and on one thread;
``ratio`` in ``extra_info`` is our wall time over theirs, the median of a few rounds in turn. Where
likelihoods are asked for, we make two passes, prompt and continuation, and HFLM makes one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from pytest_benchmark.fixture import BenchmarkFixture

from languages import write_language
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.requests import from_yaml
from tokonomy.families.language.surroundings import quiet

DECODING = Decoding()
PLACE = Path(__file__).parents[2] / "tasks" / "tokonomy_tasks" / "language"
ROUNDS = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language(tmp_path_factory.mktemp("model"))


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


@pytest.mark.parametrize("name", ["decode-text", "recall", "docs-choice", "docs-likelihood"])
def test_adapter_against_hflm(benchmark: BenchmarkFixture, folder: Path, name: str) -> None:
    data = DECODING.open(name)
    model = DECODING.load(f"hf:{folder}", device="cpu", precision="fp32")
    theirs = HFLM(pretrained=model.module, tokenizer=model.tokenizer, batch_size=1)
    with quiet():
        tasks = from_yaml(PLACE / f"{name.replace('-', '_')}.yaml")

    def ours() -> None:
        DECODING.evaluate(model, model, data)

    def other() -> None:
        evaluate(theirs, {"tasks": tasks, "groups": {}}, bootstrap_iters=0)

    ours()
    other()
    pairs = [(seconds(ours), seconds(other)) for _ in range(ROUNDS)]
    benchmark.pedantic(ours, rounds=1)
    benchmark.extra_info["ratio"] = statistics.median(ours / hflm for ours, hflm in pairs)
    benchmark.extra_info["hflm_s"] = statistics.median(hflm for _, hflm in pairs)
