"""Runs whose answers mean nothing are shown and compared by what they cost."""

from pathlib import Path

from click.testing import CliRunner

from records import make_record
from tokonomy.cli.compare import compare
from tokonomy.cli.results import results
from tokonomy.store.contests import arm
from tokonomy.store.database import open_store
from tokonomy.store.observed import UNSCORED


def test_costs_are_shown_and_no_verdict_is_given(tmp_path: Path) -> None:
    place = tmp_path / "store.sqlite"
    quality = {"reason": UNSCORED, "detail": None}
    records = [make_record(method=method, quality=quality) for method in ("tome", "evit")]
    assert [arm(record) for record in records] == [None, None]
    with open_store(place) as store:
        store.add_all(records)
    shown = CliRunner().invoke(results, ["show", "--db", str(place)])
    assert shown.exit_code == 0, shown.output
    assert all(record.run_id[:8] in shown.output for record in records)
    first, second = (record.run_id for record in records)
    compared = CliRunner().invoke(compare, [first, second, "--db", str(place)])
    assert compared.exit_code == 0, compared.output
    assert "accuracy, second minus first: not comparable (no-quality)" in compared.output
    assert "latency, second over first: not comparable" not in compared.output
