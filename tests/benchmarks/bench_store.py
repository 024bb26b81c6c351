"""Insert and query of 100,000 runs.

The records have 100 samples in three arms, 10 pairs and 6 blocks: 5 KB each, a third of a record of
the embedded tasks, so that the file stays at about 1 GB. Every run has its own id and cell; the
contents repeat every 240 runs. Insert covers everything from a validated record to the row on disk:
canonical line, all derived figures, one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from records import make_records
from tokonomy.results import frame
from tokonomy.store.cell import cell_key
from tokonomy.store.contests import arm
from tokonomy.store.database import Store, open_store
from tokonomy.store.fields import content_hash
from tokonomy.store.record import Record
from tokonomy.store.verdict import verdicts

RUNS = 100_000


def many(n: int) -> Iterator[Record]:
    """``n`` records without the cost of making each from scratch."""
    patterns = list(make_records(240, samples=100, pairs=10))
    for number in range(n):
        record = patterns[number % len(patterns)]
        cell = record.cell.model_copy(update={"seed": number})
        cell = cell.model_copy(update={"key": cell_key(cell.model_dump())})
        yield record.model_copy(update={"run_id": content_hash(number)[:32], "cell": cell})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def full(folder: Path) -> Iterator[Store]:
    """The store that ``bench_insert`` filled; filled here when that was left out."""
    place = folder / "full.sqlite"
    with open_store(place) as store:
        missing = RUNS - store.count()
        store.add_all(islice(many(RUNS), RUNS - missing, RUNS))
    with open_store(place, create=False) as store:
        yield store


def test_insert(benchmark: Any, folder: Path) -> None:
    def insert() -> int:
        with open_store(folder / "full.sqlite") as store:
            return store.add_all(many(RUNS)).added

    assert benchmark.pedantic(insert, rounds=1) == RUNS


def test_add_one(benchmark: Any, full: Store, folder: Path) -> None:
    new = islice(many(RUNS + 1000), RUNS, None)
    with open_store(folder / "full.sqlite") as store:
        benchmark.pedantic(lambda: store.add(next(new)), rounds=100)


def test_statuses(benchmark: Any, full: Store) -> None:
    assert len(benchmark.pedantic(full.statuses, rounds=3)) >= RUNS


def test_one_method(benchmark: Any, full: Store) -> None:
    runs = benchmark.pedantic(full.latest, kwargs={"method": "tome", "task": "digits"}, rounds=3)
    assert len(runs) > RUNS / 40


def test_frame(benchmark: Any, full: Store, folder: Path) -> None:
    table = benchmark.pedantic(frame, args=(folder / "full.sqlite",), rounds=1)
    assert len(table) >= RUNS


@pytest.fixture(scope="module")
def tenth(folder: Path) -> Iterator[Store]:
    with open_store(folder / "tenth.sqlite") as store:
        store.add_all(many(RUNS // 10))
    with open_store(folder / "tenth.sqlite", create=False) as store:
        yield store


def test_leaderboard_of_10_000(benchmark: Any, tenth: Store) -> None:
    assert len(benchmark.pedantic(tenth.latest, rounds=3)) == RUNS // 10


def test_verdicts_of_10_000(benchmark: Any, tenth: Store) -> None:
    def judge() -> int:
        return len(verdicts(map(arm, tenth.records())))

    assert benchmark.pedantic(judge, rounds=1) > RUNS / 12
