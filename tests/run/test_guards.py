"""What is the same, what is changed, and what is whose doing, decided without a run."""

import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tokonomy.errors import lacks_memory
from tokonomy.measure import settings
from tokonomy.measure.protocol import FRESH_LEAST
from tokonomy.run import checks, passes, worker
from tokonomy.run.ending import Ended, ended
from tokonomy.run.guards import Surroundings, close
from tokonomy.run.job import Outcome
from tokonomy.store.fields import Mode
from tokonomy.store.observed import Pair, Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    ids: Tensor


def inputs(rows: int) -> Inputs:
    return Inputs(ids=torch.arange(rows))


@pytest.mark.parametrize(
    ("dtype", "gap", "same"),
    [
        (torch.float32, 5e-5, True),
        (torch.float32, 5e-4, False),
        (torch.bfloat16, 2**-7, True),  # a rounding step
        (torch.bfloat16, 0.1, False),
        (torch.float16, 2**-10, True),
        (torch.float16, 0.02, False),
    ],
)
def test_outputs_are_the_same_up_to_rounding(dtype: torch.dtype, gap: float, same: bool) -> None:
    one, other = torch.tensor([1.0, 0.5], dtype=dtype), torch.tensor([1.0 + gap, 0.5], dtype=dtype)
    assert close(one, other) == same


def test_settings_that_change_what_is_computed_are_seen_at_once(tmp_path: Path) -> None:
    around = Surroundings(tmp_path)
    assert around.changed() == []
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        assert around.changed() == ["threads"]
    finally:
        torch.set_num_threads(before)
    assert around.changed() == []


def test_a_setting_that_torch_refuses_to_tell_is_told_as_that() -> None:
    def mixed() -> bool:
        raise RuntimeError("a mix of the legacy and new APIs\nand more")

    assert settings.told(mixed) == "a mix of the legacy and new APIs"
    assert settings.told(lambda: True) is True


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_a_lack_of_memory_is_known_by_its_words(error: Exception, lacks: bool) -> None:
    assert lacks_memory(error) == lacks
    assert (ended(error, "raise-in-predict").status == "oom") == lacks


def test_inputs_of_a_shape_that_was_not_timed_are_not_compared() -> None:
    called: list[Any] = []
    batches = passes.Batches(timed=[inputs(2)], fresh=[inputs(3)] * FRESH_LEAST)
    (flag,) = checks.check_fresh(called.append, called.append, batches, "compile")
    assert (flag.code, flag.detail) == ("fresh-not-checked", "0 fresh inputs")
    assert called == []


def test_without_compiling_inputs_of_another_shape_are_held_against_the_reference() -> None:
    def honest(batch: Any) -> None:
        time.sleep(0.002 * len(batch.ids))

    def keeps(batch: Any) -> None:
        time.sleep(0 if len(batch.ids) == 2 else 0.002 * len(batch.ids))

    batches = passes.Batches(timed=[inputs(2)], fresh=[inputs(8)] * FRESH_LEAST)
    assert checks.check_fresh(honest, honest, batches, "eager") == []
    with pytest.raises(Ended) as raised:
        checks.check_fresh(keeps, honest, batches, "eager")
    assert raised.value.reason == "faster-on-seen"


def test_a_reference_that_a_mode_is_impossible_for_is_not_the_methods_fault(tmp_path: Path) -> None:
    bench: Any = SimpleNamespace(
        job=SimpleNamespace(cell=SimpleNamespace(mode="cuda-graphs", device="cpu")),
        around=SimpleNamespace(folder=tmp_path),
    )
    batches = passes.Batches(timed=[inputs(2)], fresh=[])
    with pytest.raises(Ended) as raised:
        worker._beside(bench, torch.nn.Identity(), batches).__enter__()
    assert (raised.value.status, raised.value.reason) == ("unsupported", "reference-impossible")


@pytest.mark.parametrize(
    ("mode", "pair_s", "before_s", "looked_at"),
    [
        ("eager", 1.0, 100.0, False),
        ("eager", 1000.0, 100.0, True),
        ("compile", 1000.0, 100.0, False),  # compiled calls against eager ones tell nothing
        ("compile", 1.0, 1e-12, True),
    ],
)
def test_a_slow_reference_is_told_by_calls_of_one_mode(
    mode: Mode, pair_s: float, before_s: float, looked_at: bool
) -> None:
    ns = int(pair_s * 1e9)
    pair = Pair(block=0, batch=0, first="method", method_ns=ns, reference_ns=ns)
    timing = Timing(
        clock="made up", warmup_calls=1, warmup_s=0.0, pairs=[pair] * 20, stop="pair-cap",
        half_width=None,
    )  # fmt: skip
    plain = worker._Plain(probe=inputs(1), output=torch.zeros(1), seconds=before_s)
    outcome = Outcome(status="ok", timing=timing)
    assert bool(worker._near(outcome, plain, torch.nn.Identity(), mode)) == looked_at
