"""Whole runs in modes other than eager, and of tasks without a score."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tinyruns import MODEL, TASK, Tiny, in_mode, make_job
from tokonomy.families import load_family
from tokonomy.run.executor import run
from tokonomy.run.passes import meaningful
from tokonomy.run.supervisor import Supervisor
from tokonomy.store.fields import Missing
from tokonomy.store.observed import UNSCORED, Costs, Timing
from tokonomy_tasks.models.shapes import Shape, write


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    with Supervisor() as opened:
        yield opened


def test_a_run_is_compiled_from_end_to_end(tiny: Tiny, supervisor: Supervisor) -> None:
    record = run(in_mode(tiny.job("evit", keep=0.5), "compile"), supervisor)
    assert (record.status, record.reason) == ("ok", None), record.log
    assert isinstance(record.costs, Costs)
    assert record.costs.compile_s is not None
    assert record.costs.compile_s > 0.1
    assert "graph-breaks" not in {flag.code for flag in record.flags}


def test_an_eager_run_has_nothing_to_compile(tiny: Tiny, supervisor: Supervisor) -> None:
    record = run(tiny.job("reference"), supervisor)
    assert isinstance(record.costs, Costs)
    assert record.costs.compile_s is None


def test_a_mode_that_the_device_has_not_is_a_row_of_its_own(
    tiny: Tiny, supervisor: Supervisor
) -> None:
    record = run(in_mode(tiny.job("reference"), "cuda-graphs"), supervisor)
    assert (record.status, record.reason) == ("unsupported", "mode-impossible")
    assert record.detail is not None
    assert "CUDA device" in record.detail


@pytest.mark.parametrize(
    ("task", "model", "embedded", "expected"),
    [
        ("digits", "digits-vit", True, True),
        ("imagefolder", "textures-vit", True, True),
        ("imagefolder", "deit-base-random", True, False),
        ("noise", "digits-vit", True, False),
        ("imagefolder", "deit-base-random", False, True),  # a folder of that name
        ("noise", "vit-base", False, False),
    ],
)
def test_answers_mean_something_to_a_scored_task_with_weights_for_one(
    task: str, model: str, embedded: bool, expected: bool
) -> None:
    cell = make_job(
        TASK.model_copy(update={"id": task}),
        MODEL.model_copy(update={"id": model, "embedded": embedded}),
        "reference",
        {},
    ).cell
    assert meaningful(cell) is expected


def test_what_means_nothing_is_measured_and_not_scored(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    write(Shape(name="tiny", width=64, depth=4, heads=2, classes=5), tmp_path)
    family = load_family("vision")
    task, model = family.describe_task("noise"), family.describe_model(f"hf:{tmp_path}")
    record = run(make_job(task, model, "evit", {"keep": 0.5}), supervisor)
    assert (record.status, record.reason) == ("ok", None), record.log
    assert isinstance(record.quality, Missing)
    assert record.quality.reason == UNSCORED
    assert isinstance(record.timing, Timing)
    assert record.timing.pairs
