"""The table of ``results show``: one line per run, and only what tells the runs apart."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from records import make_record
from tokonomy.cli.results import results
from tokonomy.store.database import open_store


def shown(place: Path, *more: str) -> list[str]:
    """The table's lines, without head and blank lines."""
    outcome = CliRunner().invoke(results, ["show", "--db", str(place), *more])
    assert outcome.exit_code == 0, outcome.output
    return [line for line in outcome.output.splitlines() if line.strip()][2:]


def test_one_line_per_run_with_what_varies(tmp_path: Path) -> None:
    fixed = {f"a_rather_long_name_{at}": "a rather long value" for at in range(9)}
    records = [
        make_record(method="tome", params=fixed | {"r": r, "start": None}, samples=8, pairs=10)
        for r in (2, 4)
    ]
    records.append(make_record(method="evit", params={"keep": 0.5, "start": None}, status="oom"))
    with open_store(tmp_path / "store.sqlite") as store:
        store.add_all(records)
    lines = shown(tmp_path / "store.sqlite")
    assert len(lines) == len(records)
    assert all(len(line) <= 160 for line in lines)
    for record, said in zip(records, ("r=2", "r=4", "keep=0.5"), strict=True):
        (line,) = (each for each in lines if record.run_id[:8] in each)
        assert said in line.split()
        assert "rather_long" not in line
        assert "start" not in line
    assert any("oom" in line for line in lines)


def test_a_lone_setting_is_shown_whole_and_cut_to_the_line(tmp_path: Path) -> None:
    params = {f"name_{at}": "value" for at in range(30)}
    with open_store(tmp_path / "store.sqlite") as store:
        store.add(make_record(method="tome", params=params, samples=8, pairs=10))
    (line,) = shown(tmp_path / "store.sqlite")
    assert "name_0=value" in line
    assert len(line) <= 160


def test_calibration_is_shown_where_it_is_asked_for(tmp_path: Path) -> None:
    place = tmp_path / "store.sqlite"
    result = make_record(method="tome", samples=8, pairs=10)
    session = make_record(method="reference", suite="calibration", samples=8, pairs=10)
    with open_store(place) as store:
        store.add_all([result, session])
    (line,) = shown(place)
    assert result.run_id[:8] in line
    (line,) = shown(place, "--suite", "calibration")
    assert session.run_id[:8] in line
    assert len(shown(place, "--all")) == 2
