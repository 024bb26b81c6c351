from pathlib import Path
from typing import Any

import pytest

from images import write_images
from records import make_record
from tinyruns import Tiny, light_jobs
from tokonomy.catalog.registry import catalogue
from tokonomy.catalog.suites import Suite
from tokonomy.errors import BadParameter, UnknownId
from tokonomy.run import plan
from tokonomy.run.choice import estimates, only, pending
from tokonomy.run.job import Job
from tokonomy.run.plan import expand
from tokonomy.store.metrics import Metric
from tokonomy.store.rows import COLUMNS, Run, row


def suite(tiny: Tiny, **changes: Any) -> Suite:
    selection = {
        "tasks": [tiny.task.ref],
        "models": [tiny.model.ref],
        "methods": ["tome"],
        "params": {"tome": [{"r": 1}, {"r": 2}]},
        "scenarios": ["stream", "offline:4"],
    }
    top = {name: changes.pop(name) for name in ("seed", "measuring", "family") if name in changes}
    fields = {"id": "try", "title": "A try", "family": "vision", "select": [selection | changes]}
    return Suite.model_validate(fields | top)


def labels(jobs: tuple[Job, ...]) -> list[tuple[str, object, str, int]]:
    cells = [job.cell for job in jobs]
    return [(c.method.id, c.method.params.get("r"), c.scenario, c.batch_size) for c in cells]


def test_a_suite_becomes_cells_with_the_reference_first_in_each_place(tiny: Tiny) -> None:
    assert labels(expand(suite(tiny))) == [
        ("reference", None, "stream", 1), ("tome", 1, "stream", 1), ("tome", 2, "stream", 1),
        ("reference", None, "offline", 4), ("tome", 1, "offline", 4), ("tome", 2, "offline", 4),
    ]  # fmt: skip


def test_all_means_every_method_of_the_family_and_no_control(tiny: Tiny) -> None:
    jobs = expand(suite(tiny, methods=["all"], params={}, scenarios=["stream"]))
    every = catalogue("method").cards
    family = {name: card for name, card in every.items() if "vision" in card.families}
    cards = {name: card for name, card in family.items() if card.kind != "control"}
    assert set(family) - set(cards) == {"planted-memory", "planted-slow"}
    assert set(every) - set(family)
    assert {job.cell.method.id for job in jobs} == set(cards)
    assert len(jobs) == sum(len(card.sweep) for card in cards.values())


def test_ends_takes_the_first_the_middle_and_the_last_setting(tiny: Tiny) -> None:
    asked = suite(tiny, params={}, settings="ends", scenarios=["stream"])
    sweep = catalogue("method").card("tome").sweep
    rates = [job.cell.method.params["r"] for job in expand(asked) if job.cell.method.id == "tome"]
    assert rates == [sweep[0]["r"], sweep[len(sweep) // 2]["r"], sweep[-1]["r"]]


def test_models_are_those_of_the_task_where_none_is_named(tiny: Tiny) -> None:
    jobs = expand(suite(tiny, tasks=["digits"], models=[], methods=["reference"], params={}))
    assert {job.cell.model.id for job in jobs} == {"digits-vit"}
    with pytest.raises(BadParameter, match="has no embedded model; expected one of your own"):
        expand(suite(tiny, models=[]))


def test_the_same_cell_asked_for_twice_is_one_run(tiny: Tiny) -> None:
    twice = suite(tiny, params={"tome": [{"r": 1}, {"r": 1, "proportional": True}]})
    assert len(expand(twice)) == 4


def test_parameters_are_written_out(tiny: Tiny) -> None:
    tome = expand(suite(tiny))[1].cell.method
    assert {"r", "proportional"} <= set(tome.params)


def test_keys_are_stable_and_differ_between_cells(tiny: Tiny) -> None:
    keys = [job.cell.key for job in expand(suite(tiny))]
    assert len(set(keys)) == len(keys)
    assert keys == [job.cell.key for job in expand(suite(tiny))]


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"measuring": {"threads": 2}},
        {"measuring": {"half_width": 0.02}},
        {"params": {"tome": [{"r": 3}, {"r": 4}]}},
    ],
    ids=["seed", "threads", "precision asked for", "params"],
)
def test_whatever_changes_the_result_changes_the_key(tiny: Tiny, changes: dict[str, Any]) -> None:
    before = {job.cell.key for job in expand(suite(tiny)) if job.cell.method.id == "tome"}
    assert not before & {job.cell.key for job in expand(suite(tiny, **changes))}


def test_other_data_other_weights_and_another_device_change_the_key(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {job.cell.key for job in expand(suite(tiny))}
    other = Tiny(tmp_path, seed=1)
    assert not before & {job.cell.key for job in expand(suite(tiny, models=[other.model.ref]))}
    images = write_images(tmp_path / "others", each=5, seed=9)
    task = f"imagefolder:{images}"
    assert not before & {job.cell.key for job in expand(suite(tiny, tasks=[task]))}
    for name, value in (
        ("_device_class", "cpu: another x64"),
        ("_family_source", "0" * 64),
        ("_libraries", {"torch": "0.1"}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(plan, name, lambda *_, value=value: value)
            assert not before & {job.cell.key for job in expand(suite(tiny))}, name


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"methods": ["tomee"]}, UnknownId, "did you mean tome"),
        ({"params": {"tome": [{"rr": 1}]}}, BadParameter, "has no parameter 'rr'"),
        ({"params": {"tome": [{"r": -1}]}}, BadParameter, "r "),
        ({"tasks": ["digit"]}, UnknownId, "did you mean digits"),
        ({"family": "sound"}, UnknownId, "no family 'sound'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    tiny: Tiny, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        expand(suite(tiny, **changes))


def test_only_narrows_by_name(tiny: Tiny) -> None:
    jobs = expand(suite(tiny))
    assert labels(only(jobs, "method=tome,scenario=offline")) == labels(jobs[4:])
    assert labels(only(jobs, "method=tome,method=reference")) == labels(jobs)
    assert labels(only(jobs, f"task={tiny.task.ref},scenario=offline:4")) == labels(jobs[3:])


@pytest.mark.parametrize("wanted", ["method", "colour=red", "method=", "method=evit"])
def test_only_refuses_what_it_does_not_know(tiny: Tiny, wanted: str) -> None:
    with pytest.raises(BadParameter, match="--only"):
        only(expand(suite(tiny)), wanted)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({}, [2, 4]),
        ({"retry_failed": True}, [1, 2, 4]),
        ({"fresh": True}, [0, 1, 2, 3, 4]),
        ({"fresh": True, "retry_failed": True}, [0, 1, 2, 3, 4]),
    ],
)
def test_pending_skips_what_is_done(options: dict[str, bool], left: list[int]) -> None:
    jobs = light_jobs(5, ("ok",))
    statuses = {
        jobs[0].cell.key: ("a", "ok", None),
        jobs[1].cell.key: ("b", "crash", "exited"),
        jobs[3].cell.key: ("c", "unsupported", "not-supported"),
        jobs[4].cell.key: ("d", "crash", "supervisor-lost"),
    }
    assert pending(jobs, statuses, **options) == tuple(jobs[i] for i in left)


def earlier(job: Job, wall_s: float) -> Run:
    """What the store would tell of an earlier run."""
    cell, made = job.cell, row(make_record(), [])
    fields: dict[str, Any] = {name: made[name] for name in COLUMNS} | {
        "cell_key": cell.key,
        "task_ref": cell.task.ref,
        "model_ref": cell.model.ref,
        "scenario": cell.scenario,
        "batch_size": cell.batch_size,
    }
    return Run(**fields, metrics={"wall_s": Metric(name="wall_s", value=wall_s)})


def test_time_is_estimated_from_the_same_cell_then_from_its_neighbours(tiny: Tiny) -> None:
    jobs = expand(suite(tiny))
    runs = [earlier(jobs[1], 7.0), earlier(jobs[2], 9.0)]
    assert estimates(jobs, runs) == [8.0, 7.0, 9.0, 4.0, 4.0, 4.0]
