"""What a run works on is laid out so that neither instance of the model is favoured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tinyruns import Tiny
from tokonomy.families.vision import family, loading
from tokonomy.measure import heap
from tokonomy.measure.cpu import CpuTelemetry
from tokonomy.run.bench import open_bench, second_model
from tokonomy.run.guards import Surroundings


def test_both_instances_are_loaded_while_the_gaps_are_held(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[str] = []

    @contextmanager
    def watched() -> Iterator[None]:
        with unbroken():
            held.append("held")
            yield
            held.append("let go")

    def load(*words: Any, **more: Any) -> Any:
        held.append("loaded")
        return loading.load(*words, **more)

    unbroken = heap.unbroken
    monkeypatch.setattr(heap, "unbroken", watched)
    monkeypatch.setattr(family, "loading", SimpleNamespace(**vars(loading) | {"load": load}))
    bench = open_bench(tiny.job("reference"), Surroundings(tmp_path), CpuTelemetry())
    assert held == ["held", "loaded", "let go"]
    other = second_model(bench)
    assert held == ["held", "loaded", "let go"] * 2
    assert other is not bench.model
