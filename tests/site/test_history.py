"""Histories: which cells have one, what changed in them, and how that is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from histories import NIGHTS, shifted
from records import make_record
from sitepages import Reader
from tokonomy.store.database import open_store
from tokonomy_site import histories
from tokonomy_site.build import build
from tokonomy_site.news import news
from tokonomy_site.reading import snapshot
from tokonomy_site.snapshot import Snapshot

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell with a change, one without, one that was run once."""
    path = tmp_path_factory.mktemp("history") / "a.sqlite"
    with open_store(path) as store:
        store.add_all(shifted())
        store.add_all(
            make_record(method="evit", samples=40, attempt=n, latency_ratio=0.8) for n in range(12)
        )
        store.add_all(make_record(method="reference", samples=40, attempt=n) for n in range(12))
        store.add(make_record(method="top-k", samples=40))
    return path


@pytest.fixture(scope="module")
def shot(database: Path) -> Snapshot:
    with open_store(database, create=False) as store:
        return snapshot(store, "0" * 64)


@pytest.fixture(scope="module")
def place(database: Path) -> Path:
    out = database.parent / "dist"
    build(str(database), None, out)
    return out


def test_only_cells_that_were_run_again_have_a_history(shot: Snapshot) -> None:
    lengths = {each.runs[0].method: len(each.runs) for each in shot.histories.values()}
    assert lengths == {"tome": NIGHTS, "evit": 12, "reference": 12}


def test_the_change_is_found_where_it_was_made_and_nowhere_else(shot: Snapshot) -> None:
    changes = [change for each in shot.histories.values() for change in each.changes]
    assert [change.figure for change in changes] == ["speed_up"]
    (change,) = changes
    runs = next(each.runs for each in shot.histories.values() if each.changes)
    assert runs.index(change.run) == NIGHTS // 2
    assert not change.good
    assert change.before == pytest.approx(1 / 0.7, rel=0.02)
    assert change.after == pytest.approx(1 / 0.84, rel=0.02)
    assert "the method's code changed" in change.why.lower()
    assert re.fullmatch(r"speed-up fell from 1\.4\d to 1\.[12]\d, by 1\d\.\d\s%", change.said)


def test_failed_runs_are_in_the_history_and_in_no_series(shot: Snapshot) -> None:
    (history,) = [each for each in shot.histories.values() if each.changes]
    assert sum(run.status == "timeout" for run in history.runs) == 3


def test_what_is_no_result_has_no_history(shot: Snapshot) -> None:
    apart = [replace(run, role="calibration") for run in shot.runs]
    assert histories.histories(apart, {}) == {}


def test_the_level_of_chance_is_shared_by_all_series(shot: Snapshot) -> None:
    runs = [replace(run, seed=seed) for seed in range(40) for run in shot.runs]
    many = histories.histories(runs, {})
    found = [change for each in many.values() for change in each.changes]
    assert len(found) == 40  # the true one of each copy, and none by chance
    assert {change.figure for change in found} == {"speed_up"}


def test_runs_of_one_sitting_are_one_value(shot: Snapshot) -> None:
    """Pressed into an hour or so all runs are one sitting, and one value shows no change."""

    def moved(minutes: int) -> list[histories.Change]:
        runs = [run for run in shot.runs if run.method == "tome"]
        start = datetime(2026, 1, 1, tzinfo=UTC)
        times = [start + timedelta(minutes=minutes * at) for at in range(len(runs))]
        pressed = [replace(run, started=f"{at:%Y-%m-%dT%H:%M:%SZ}")
                   for run, at in zip(runs, times, strict=True)]  # fmt: skip
        (found,) = histories.histories(pressed, {}).values()
        return list(found.changes)

    assert [change.figure for change in moved(91)] == ["speed_up"]  # also where two failed between
    assert moved(10) == []


def test_the_page_says_how_often_chance_shows_a_change(shot: Snapshot, place: Path) -> None:
    text = (place / "history.html").read_text(encoding="utf-8")
    assert "at most 1 % of snapshots" in text
    (some,) = [each for each in shot.histories.values() if each.changes]
    assert histories.chance([]) == histories.chance([some]) == 0.01
    (each,) = {histories.chance([some] * n) / n for n in (200, 300)}
    series = round(each * 10_000)
    assert 3 <= series <= len(histories.WATCHED)


def test_histories_of_a_method_are_spread_over_pages(shot: Snapshot) -> None:
    runs = [replace(run, id=f"{seed}-{run.id}", seed=seed) for seed in range(60)
            for run in shot.runs]  # fmt: skip
    many = histories.histories(runs, {}).values()
    paths = {each.path for each in many if each.runs[0].method == "tome"}
    assert paths == {"history/tome.html", "history/tome-part-2.html", "history/tome-part-3.html"}
    assert len({each.href for each in many}) == len(many)


def test_every_point_and_row_leads_to_its_run(shot: Snapshot, place: Path) -> None:
    page = Reader((place / "history/tome.html").read_text(encoding="utf-8"))
    led = {address for address in page.addresses if address.startswith("../run/")}
    assert led == {f"../run/{run.id}.html" for run in shot.runs if run.method == "tome"}


def test_runs_and_methods_lead_to_histories_or_say_there_is_none(
    shot: Snapshot, place: Path
) -> None:
    for history in shot.histories.values():
        for run in history.runs:
            text = (place / f"run/{run.id}.html").read_text(encoding="utf-8")
            assert f"../{history.href}" in Reader(text).addresses
    (once,) = [run for run in shot.runs if run.method == "top-k"]
    assert "no history" in (place / f"run/{once.id}.html").read_text(encoding="utf-8")
    assert "no history" in (place / "method/top-k.html").read_text(encoding="utf-8")
    assert "../history/evit.html" in Reader((place / "method/evit.html").read_text()).addresses


def test_a_run_names_newer_and_older_runs_of_its_cell(shot: Snapshot, place: Path) -> None:
    (history,) = [each for each in shot.histories.values() if each.changes]
    text = (place / f"run/{history.runs[10].id}.html").read_text(encoding="utf-8")
    newer, older = text.index("Newer runs of the cell"), text.index("Older runs of the cell")
    assert newer < text.index(history.runs[11].id, newer) < older
    assert older < text.index(history.runs[9].id, older)
    assert text.index("more are in", older) > older


def test_news_come_newest_first_and_name_new_methods(shot: Snapshot) -> None:
    items = news(shot)
    assert [i.updated for i in items] == sorted((i.updated for i in items), reverse=True)
    assert len({item.key for item in items}) == len(items)
    assert sum(item.title.startswith("First results of") for item in items) == 4
    assert [item.kind for item in items].count("worse") == 1


def test_the_first_page_says_what_changed_since_the_release(place: Path) -> None:
    text = (place / "index.html").read_text(encoding="utf-8")
    assert "1 figure changed beyond chance, 1 for the worse" in text
    assert "history/tome.html#c" in text


def test_an_epoch_of_the_device_is_drawn_and_no_change_of_the_method(tmp_path: Path) -> None:
    def slower(night: int) -> Any:
        made = make_record(method="reference", samples=40, attempt=night).model_dump(mode="json")
        for pair in made["timing"]["pairs"] if night >= 8 else ():
            pair["method_ns"], pair["reference_ns"] = (
                int(pair[name] * 1.3) for name in ("method_ns", "reference_ns")
            )
        return type(make_record()).model_validate(made)

    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(slower(night) for night in range(16))
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    text = (tmp_path / "dist/history/reference.html").read_text(encoding="utf-8")
    assert text.count('class="one"') == 1
    assert "No change beyond chance was found." in text
    epochs = re.findall(r"<td>(\d)</td>\s*<td class=\"t\"><span class=\"mono\">", text)
    assert epochs.count("2") == 8


def test_histories_are_accessible(place: Path, visit: Visit) -> None:
    visitor = visit(bypass_csp=True)
    for name in ("history.html", "history/tome.html"):
        assert visitor.faults(place / name) == []


def test_a_change_keeps_its_key_while_runs_come_in(shot: Snapshot) -> None:
    (history,) = [each for each in shot.histories.values() if each.changes]
    keys, times = set(), []
    for more in (NIGHTS - 2, NIGHTS):
        mine = history.runs[:more]
        some = replace(shot, histories=histories.histories(mine, {}), runs=mine)
        (change,) = [item for item in news(some) if item.kind == "worse"]
        keys.add(change.key)
        times.append(change.updated)
        assert change.updated == max(run.started for run in mine if run.status == "ok")
    (change,) = history.changes
    moved = replace(history, changes=(replace(change, run=history.runs[NIGHTS // 2 + 1]),))
    (again,) = [item for item in news(replace(shot, histories={"one": moved}))
                if item.kind == "worse"]  # fmt: skip
    assert keys == {again.key}
    assert times == sorted(set(times))


def test_where_too_few_runs_are_known_nothing_is_said_to_be_found(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(make_record(method="evit", samples=40, attempt=n) for n in range(5))
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    text = (tmp_path / "dist/history/evit.html").read_text(encoding="utf-8")
    assert "No change was looked for: that takes 6 sittings." in text
    assert "No change beyond chance" not in text


def test_a_site_without_repeats_says_so(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add(make_record(samples=40))
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    text = (tmp_path / "dist/history.html").read_text(encoding="utf-8")
    assert "no history yet" in text
    assert not (tmp_path / "dist/history").exists()
