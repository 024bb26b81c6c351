"""Measure the sentinels again, and hold them against everything published.

Leaves ``records.jsonl`` and ``report.md``; exits with 1 where something regressed, where a run
failed, and where nothing was measured or, unless this device is new, nothing could be compared.

    python ci/nightly.py --out measured
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from tokonomy.catalog.suites import find_suite
from tokonomy.store.regressions import Table, sentence, table
from tokonomy.store.sources import from_database, from_files
from tokonomy.submit import gate
from tokonomy.submit.limited import Limits
from tokonomy.submit.markdown import escape
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.scripts import script


@script
@click.option("--suite", default="sentinels", show_default=True, help="What is measured.")
@click.option("--device", help="cpu or cuda:N; cpu unless given.")
@click.option("--measure", multiple=True, metavar="NAME=VALUE", help="As of `tokonomy run`.")
@click.option("--new-device", is_flag=True, help="Nothing of this device is published yet.")
@click.option("--hours", default=4.0, show_default=True, help="Most hours of all of it.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the report.")
def main(
    suite: str, device: str | None, measure: tuple[str, ...], new_device: bool, hours: float,
    out: Path,
) -> None:  # fmt: skip
    """Measure a suite again and decide what regressed."""
    root = checkout(Path.cwd())
    out.mkdir(parents=True, exist_ok=True)
    plan, database = out / "plan.json", out / "nightly.sqlite"
    plan.write_text(gate.written(find_suite(suite)), encoding="utf-8")
    database.unlink(missing_ok=True)
    options = [word for each in measure for word in ("--measure", each)]
    options += ["--device", device] if device else []
    ended = gate.measure(
        root, plan, database, Limits(time_s=3600 * hours), out / "nightly.log", options
    )
    records = gate.handed(database, out / "records.jsonl")
    said = gate.problems(True, records, [ended])
    found: Table | None = None
    if records:
        found = table(from_files(root / "results"), from_database(str(database)))
        said += [f"regressed: {sentence(row)}" for row in found.of("regressed")]
        if not found.tested and not new_device:
            said.append("nothing published could be compared with; --new-device says so is right")
    (out / "report.md").write_text(_report(said, found), encoding="utf-8")
    click.echo((out / "report.md").read_text(encoding="utf-8"), nl=False)
    if said:
        sys.exit(1)


def _report(said: list[str], found: Table | None) -> str:
    lines = ["### Sentinels", "", *(f"- {escape(each)}" for each in said), ""]
    if found is not None:
        counts = Counter(row.decision for row in found.rows)
        told = ", ".join(f"{many} {word}" for word, many in sorted(counts.items()))
        lines.append(f"{found.compared} cells compared: {told}")
        lines += [f"- {escape(sentence(row))}" for row in found.of("improved")]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
