"""Cells of the suite gpu-vision on a real GPU, from end to end, with shorter windows.

They run before the other tests on a GPU (``conftest.py``), whose own process would be foreign.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tokonomy.catalog.suites import find_suite
from tokonomy.measure.devices import device_class
from tokonomy.run.executor import run
from tokonomy.run.job import Job
from tokonomy.run.plan import expand
from tokonomy.run.supervisor import Supervisor
from tokonomy.store.cell import EnergyPlan, Measuring
from tokonomy.store.fields import Missing, Mode
from tokonomy.store.observed import Memory, Peak, Timing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SHORT = Measuring(
    warmup_calls=3,
    warmup_s=0.1,
    min_pairs=20,
    max_pairs=60,
    max_s=3.0,
    energy=EnergyPlan(trials=5, window_s=1.0, min_ticks=25, idle_s=3.0, settle_s=1.0),
)
WITHOUT_ENERGY = {"no-energy-counter", "mig-slice", "vgpu"}


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    with Supervisor(start="spawn") as opened:
        yield opened


def cell(method: str, precision: Any, mode: Mode) -> Job:
    suite = find_suite("gpu-vision")
    first = suite.select[0].model_copy(
        update={"tasks": ["digits"], "precisions": [precision], "modes": [mode]}
    )
    jobs = expand(suite.model_copy(update={"select": [first], "measuring": SHORT}))
    return next(j for j in jobs if (j.cell.method.id, j.cell.scenario) == (method, "stream"))


@pytest.mark.parametrize("mode", ["eager", "compile", "cuda-graphs"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_cell_is_measured_whole(supervisor: Supervisor, precision: str, mode: Mode) -> None:
    record = run(cell("tome", precision, mode), supervisor)
    assert (record.status, record.reason) == ("ok", None), (record.detail, record.log)
    assert record.cell.device_class == device_class("cuda:0")
    assert isinstance(record.timing, Timing)
    assert len(record.timing.device_ns["method"]) == len(record.timing.pairs)
    assert isinstance(record.memory, Memory)
    assert isinstance(record.memory.allocated, Peak)
    if isinstance(record.energy, Missing):
        assert record.energy.reason in WITHOUT_ENERGY, record.energy.detail
    assert record.machine.software["cuda"] == torch.version.cuda


def test_a_method_that_follows_its_data_cannot_be_captured(supervisor: Supervisor) -> None:
    suite = find_suite("gpu-vision")
    first = suite.select[0].model_copy(
        update={
            "tasks": ["digits"],
            "methods": ["ats"],
            "params": {},
            "settings": "ends",
            "precisions": ["fp32"],
            "modes": ["cuda-graphs"],
        }
    )
    jobs = expand(suite.model_copy(update={"select": [first], "measuring": SHORT}))
    record = run(next(each for each in jobs if each.cell.method.id == "ats"), supervisor)
    assert (record.status, record.reason) == ("unsupported", "mode-impossible")
