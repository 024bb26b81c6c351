"""Databases of very many made-up runs, made quickly: for budgets, the explorer and benchmarks.

A few thousand small records are made as `records` makes them and their figures derived; every run
is one of them with another seed, time, device, precision or mode, so that its key and id are its
own. Nothing here was measured. The same arguments give the same database.

A fifth of the runs are nightly repeats of the same cells. At half of the time ``tome`` gets a tenth
slower, at two thirds everything does on the first device. The rest are cells of their own, with a
second attempt now and then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from records import EPOCH, KEEPS, METHODS, make_gpu_record, make_language_record, make_record
from tokonomy.store.cell import cell_key
from tokonomy.store.database import open_store
from tokonomy.store.derive import derive
from tokonomy.store.engine import connect, writing
from tokonomy.store.fields import content_hash
from tokonomy.store.metrics import Metric
from tokonomy.store.record import Record
from tokonomy.store.rows import row, sortable
from tokonomy.store.schema import run

DAYS = 200
WORSE, SHIFTED = 1 / 2, 2 / 3  # of the time, after which a method and a device are slower
CHUNK = 500
DEVICES = (
    ("cpu", "cpu: made-up CPU x2"),
    ("cpu", "cpu: made-up server x32"),
    ("cuda:0", "cuda: Example GPU"),
)
PRECISIONS, MODES = ("fp32", "bf16"), ("eager", "compile")
FAILURES = ("oom", "timeout", "crash", "unsupported", "invalid")
LANGUAGE = (("decoding", "made-draft"), ("decoding", "made-exact"), ("decoding", "reference"),
            ("kv", "made-drop"), ("kv", "made-mask"), ("kv", "reference"))  # fmt: skip
TURNS = 6  # different observations of a nightly cell
NIGHTLY = 5  # one run of so many is a nightly repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run to be made: what is observed, and where and when."""

    family: str
    method: str
    task: str
    scenario: str
    keep: float
    device: int
    precision: str
    mode: str
    seed: int
    status: str
    turn: int
    attempt: int
    slow: tuple[str, ...]
    minutes: int


def plans(n: int) -> Iterator[Plan]:
    """``n`` runs, oldest first."""
    last: Plan | None = None
    for at in range(n):
        minutes = at * DAYS * 1440 // n
        if at % NIGHTLY == 0:
            yield _nightly(at // NIGHTLY, minutes, at / n)
        elif last is not None and at % 40 == 39:
            yield _replaced(last, minutes)
        else:
            yield (last := _single(at, minutes))


def _replaced(plan: Plan, minutes: int) -> Plan:
    """A second attempt at a cell."""
    fields = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
    return Plan(**fields | {"minutes": minutes, "attempt": 1, "turn": 1})


def _nightly(at: int, minutes: int, time: float) -> Plan:
    """Twenty cells, again and again."""
    night, which = divmod(at, 20)
    method = ("reference", "tome", "evit", "top-k", "random-drop")[which % 5]
    device = which // 10
    slow = ("method", "reference") if device == 0 and time > SHIFTED else ()
    if method == "tome" and time > WORSE:
        slow = (*slow, "method")
    return Plan(
        family="vision", method=method, task=("digits", "textures")[which // 5 % 2],
        scenario="stream", keep=0.7, device=device, precision="fp32", mode="eager", seed=0,
        status="timeout" if night % 29 == 28 and which == 7 else "ok", turn=night % TURNS,
        attempt=night, slow=slow, minutes=minutes,
    )  # fmt: skip


def _single(at: int, minutes: int) -> Plan:
    """A cell of its own."""
    spoken = at % 10 == 7
    family, method = LANGUAGE[at // 10 % 6] if spoken else ("vision", "")
    names = ("reference", *METHODS)
    turn, picks = at, []
    for choice in (names, ("digits", "textures"), ("stream", "offline"), KEEPS, range(3),
                   PRECISIONS, MODES):  # fmt: skip
        picks.append(choice[turn % len(choice)])
        turn //= len(choice)
    where, task, scenario, keep, device, precision, mode = picks
    return Plan(
        family=family, method=method or where, task=task,
        scenario="stream" if spoken else scenario, keep=keep, device=device, precision=precision,
        mode="eager" if spoken else mode, seed=turn,
        status=FAILURES[at // 41 % 5] if at % 41 == 40 else "ok",
        turn=0, attempt=0, slow=(), minutes=minutes,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A record with its rows, to be made into runs."""

    document: dict[str, Any]
    row: dict[str, Any]
    figures: list[tuple[Any, ...]]


@cache
def base(
    family: str, method: str, task: str, scenario: str, keep: float, gpu: bool, status: str,
    turn: int, slow: tuple[str, ...],
) -> Base:  # fmt: skip
    """A record as ``records`` makes it, but small."""
    given: dict[str, Any] = {"method": method, "status": status, "attempt": turn, "pairs": 12}
    if family != "vision":
        made = make_language_record(
            family=family, accept=1 + 2 * keep, drafts=4 if "made" in method else 0, kept=keep,
            batches=4, **given,
        )  # fmt: skip
    else:
        build = make_gpu_record if gpu else make_record
        made = build(task=task, scenario=scenario, keep=keep, samples=16, **given)
        made = _slowed(made, slow) if slow and status == "ok" else made
    figures = derive(made)
    return Base(
        document=made.model_dump(mode="json"),
        row=row(made, figures),
        figures=list(map(tuple, figures)),
    )


def _slowed(made: Record, arms: tuple[str, ...]) -> Record:
    """The same with every call of these arms a tenth longer, as often as they are named."""
    document = made.model_dump(mode="json")
    for pair in document["timing"]["pairs"]:
        for arm in arms:
            pair[f"{arm}_ns"] = pair[f"{arm}_ns"] * 11 // 10
    return Record.model_validate(document)


def made(plan: Plan) -> tuple[str, dict[str, Any], list[tuple[Any, ...]]]:
    """The line, the row and the figures of a plan."""
    gpu = DEVICES[plan.device][0] != "cpu" and plan.family == "vision"
    found = base(
        plan.family, plan.method, plan.task, plan.scenario, plan.keep, gpu, plan.status,
        plan.turn, plan.slow,
    )  # fmt: skip
    device, device_class = DEVICES[plan.device if gpu else min(plan.device, 1)]
    place = {
        "device": device, "device_class": device_class, "precision": plan.precision,
        "mode": plan.mode, "seed": plan.seed,
    }  # fmt: skip
    cell = found.document["cell"] | place
    cell["key"] = cell_key(cell)
    started = (EPOCH + timedelta(minutes=plan.minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    run_id = content_hash([cell["key"], plan.attempt, plan.minutes])[:32]
    document = found.document | {"cell": cell, "run_id": run_id, "started": started}
    line = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    own = {"run_id": run_id, "cell_key": cell["key"], "started": sortable(started)}
    return line, found.row | place | own, found.figures


def build_many(path: Path, n: int) -> Path:
    """A database at ``path`` with ``n`` runs; rows are what ``store.writer`` puts in, at once."""
    open_store(path).close()
    engine = connect(str(path), write=True)
    todo = enumerate(map(made, plans(n)), 1)
    with writing(engine, str(path)) as connection:
        while some := list(islice(todo, CHUNK)):
            runs = [tuple({"id": at, **each}[name] for name in RUN) for at, (_, each, _) in some]
            lines = [(at, line) for at, (line, _, _) in some]
            metrics = [(at, *figure) for at, (_, _, figures) in some for figure in figures]
            _insert(connection, "run", RUN, runs)
            _insert(connection, "record", ("run", "line"), lines)
            _insert(connection, "metric", ("run", *Metric._fields), metrics)
    engine.dispose()
    return path


RUN = tuple(each.name for each in run.columns if each.server_default is None)


def _insert(
    connection: Connection, table: str, names: Sequence[str], rows: list[tuple[Any, ...]]
) -> None:
    """Rows as the driver takes them: a compiled statement costs more than the rest of all this."""
    places = ",".join("?" * len(names))
    connection.exec_driver_sql(f"insert into {table} ({','.join(names)}) values ({places})", rows)
