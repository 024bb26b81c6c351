"""Take the records of an approved commit into ``results/``, and state that maintainers made them.

Runs the code of the main branch on data of the runner: nothing of the pull request is imported.

    python ci/collect.py measured/records.jsonl --commit 0123… --by bench --link https://…
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import click

from tokonomy.errors import UsageError
from tokonomy.store.exchange import read
from tokonomy.store.statements import Statement, digest
from tokonomy.submit.gate import of_commit
from tokonomy.submit.reading import RECORDS, STATEMENTS, Checkout
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.scripts import say, script


@script
@click.argument("records", type=click.Path(path_type=Path))
@click.option("--commit", "approved", required=True, help="The commit that was approved.")
@click.option("--by", required=True, help="Who measured it.")
@click.option("--link", required=True, help="Where the run can be looked at.")
@click.option("--name", default="bench", show_default=True, help="Begins the name of the files.")
def main(records: Path, approved: str, by: str, link: str, name: str) -> None:
    """Take records into results/records, and statements on them into results/statements."""
    root = checkout(Path.cwd())
    if not re.fullmatch(r"[0-9a-f]{40}", approved):
        raise UsageError(f"--commit is the full id of a commit, 40 hex digits; got {approved!r}")
    found = of_commit((record for _, record in read(records)), approved)
    known = Checkout(root).runs
    for record in found:
        if record.run_id in known:
            raise UsageError(f"run {record.run_id} is published already: {known[record.run_id][0]}")
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    said = [
        Statement(run_id=record.run_id, record_sha256=digest(record), says="verified", by=by,
                  at=at, reason=f"measured by maintainers from commit {approved}", link=link)
        for record in found
        if record.status == "ok"
    ]  # fmt: skip
    place = f"{name}-{approved[:12]}.jsonl"
    for shelf in (RECORDS, STATEMENTS):
        if (root / shelf / place).exists():
            raise UsageError(f"{place} is there already; records are append-only, name another")
    _write(root / RECORDS / place, [record.line() for record in found])
    _write(root / STATEMENTS / place, [each.line() for each in said])
    say(f"{len(found)} records, {len(said)} of them verified, in {place}")


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
