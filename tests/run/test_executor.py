import math
import statistics
import sys
from pathlib import Path

import pytest

import tokonomy
from tinyruns import Tiny, light_jobs
from tokonomy.run.choice import pending
from tokonomy.run.ending import Ended, Exit, clean, ended, excerpt, fatal
from tokonomy.run.executor import Event, execute, starts
from tokonomy.store.database import open_store
from tokonomy.store.record import Record

PLUGINS = Path(__file__).parents[1] / "plugins"


class Rows(list[Record]):
    """Records in memory."""

    def add(self, record: Record) -> None:
        self.append(record)


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))


@pytest.mark.usefixtures("light")
def test_progress_is_told_with_counts_and_time_left() -> None:
    jobs, events, rows = light_jobs(3, ("unsupported", "crash", "invalid")), list[Event](), Rows()
    tally = execute(
        jobs, rows, expected_s=[1.0, 2.0, 1.0], on_event=events.append, worker="light_worker"
    )
    assert [event.kind for event in events] == ["waiting", *["started", "done"] * 3]
    assert [event.done for event in events] == [0, 0, 1, 1, 2, 2, 3]
    assert [event.failed for event in events] == [0, 0, 0, 0, 1, 1, 2]
    assert events[0].left_s == 4.0
    assert events[-1].left_s == 0.0
    assert events[1].left_s == 4.0
    assert 0 < events[4].left_s < events[3].left_s
    assert (tally.done, tally.failed) == (3, 2)
    assert [record.cell for record in rows] == [job.cell for job in jobs]
    assert len({record.run_id for record in rows}) == 3


@pytest.mark.usefixtures("light")
def test_a_failure_is_kept_until_it_is_asked_for_again(tmp_path: Path) -> None:
    jobs = light_jobs(4, ("unsupported", "crash"))
    with open_store(tmp_path / "runs.sqlite") as store:
        for options, left in (({}, 4), ({}, 0), ({"retry_failed": True}, 2), ({"fresh": True}, 4)):
            todo = pending(jobs, store.statuses(), **options)
            assert len(todo) == left
            execute(todo, store, worker="light_worker")
        assert store.count() == 10


def test_an_empty_plan_starts_nothing() -> None:
    events: list[Event] = []
    assert execute([], Rows(), on_event=events.append).done == 0
    assert events == []


def test_devices_that_cannot_be_forked_are_spawned(tiny: Tiny) -> None:
    job = tiny.job()
    gpu = job.model_copy(update={"cell": job.cell.model_copy(update={"device": "cuda:0"})})
    assert starts([job]) == "fork"
    assert starts([job, gpu]) == "spawn"


def test_the_reference_against_itself_agrees_with_itself(tiny: Tiny) -> None:
    """A/A: the same answers, the same work, and nobody systematically faster."""
    rows = Rows()
    execute([tiny.job("reference", batch_size=4)], rows)
    (record,) = rows
    assert record.status == "ok", (record.detail, record.log)
    timing, quality, work = record.timing, record.quality, record.work
    assert quality.outputs_hash["method"] == quality.outputs_hash["reference"]  # type: ignore[union-attr]
    assert work.flops == work.reference_flops  # type: ignore[union-attr]
    ratios = [math.log(pair.method_ns / pair.reference_ns) for pair in timing.pairs]  # type: ignore[union-attr]
    assert abs(statistics.median(ratios)) < 0.5  # ten pairs on a machine with other work
    expected = {"unconverged", "fresh-not-checked", "exclusivity-unverified"}  # a busy machine
    assert {flag.code for flag in record.flags} <= expected


@pytest.mark.parametrize(
    ("ended_", "status", "reason"),
    [
        (Exit(code=-9), "crash", "signal-SIGKILL"),
        (Exit(code=-50), "crash", "signal-other"),
        (Exit(code=1), "crash", "exited"),
        (Exit(code=None), "crash", "supervisor-lost"),
        (Exit(code=-9, limit="time", wall_s=3.0), "timeout", "time-limit"),
        (Exit(code=-9, limit="memory"), "oom", "memory-limit"),
    ],
)
def test_an_exit_means(ended_: Exit, status: str, reason: str) -> None:
    found = fatal(ended_)
    assert found is not None
    assert (found.status, found.reason) == (status, reason)


def test_a_calm_exit_leaves_the_outcome_to_decide() -> None:
    assert fatal(Exit(code=0)) is None


def test_an_allocation_that_failed_is_out_of_memory_whoever_raised_it() -> None:
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9")):
        assert ended(error, "raise-in-predict").status == "oom"
    assert ended(RuntimeError("shapes differ"), "raise-in-predict").status == "crash"


def test_details_are_one_short_clean_line() -> None:
    error = ended(ValueError("\x1b[1mbad\x1b[0m " + "x" * 900 + "\nmore"), "raise-in-predict")
    assert error.detail is not None
    assert error.detail.startswith("ValueError: bad xxx")
    assert len(error.detail) == 500


def test_a_log_of_any_size_and_content_becomes_at_most_8000_characters(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\x00\x1b]0;title\x07" * 1_000_000)
    assert 0 < len(excerpt(path)) <= 8000
    assert clean(excerpt(path)) == excerpt(path)
    assert excerpt(tmp_path / "none") == ""


def test_folders_of_this_machine_do_not_leave_it() -> None:
    text = f'File "{sys.prefix}/lib/x.py", "{Path.home()}/y.py", "{Path(tokonomy.__file__)}"'
    assert clean(text) == 'File "lib/x.py", "y.py", "harness/tokonomy/__init__.py"'


def test_an_ending_passes_through_unchanged() -> None:
    first = Ended("invalid", "forked")
    assert ended(first, "raise-in-predict") is first
