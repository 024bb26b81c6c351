"""Measure one approved commit on the device of this runner; leaves its records in a folder.

What is measured is code of a pull request that a maintainer has read and approved, by its full
commit id. It runs without any secret, without the network where the system allows that, and only
if the files of the checkout are exactly those of that commit. What asks for that, and limits it, is
the code of this script's own checkout: of the main branch, no pull request can change it. The
commit must have been fetched into that one too; git is asked there alone, so that of what was
approved this script runs nothing outside of the limited process. It is no sandbox, though: what
runs there, or ran before in its `make setup`, can write what this user can.

    python ci/bench.py --checkout ../approved --approved 0123… --suite gpu-vision --out measured
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from tokonomy.errors import UsageError
from tokonomy.submit import gate
from tokonomy.submit.affected import affected
from tokonomy.submit.changes import brought, fork_point
from tokonomy.submit.contents import contents, strayed, taken
from tokonomy.submit.limited import Limits
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.scripts import say, script

_OWN = Path(__file__).resolve().parents[1]


@script
@click.option("--checkout", "place", type=click.Path(path_type=Path, exists=True, file_okay=False),
              default=".", show_default=True, help="Checkout of what was approved.")  # fmt: skip
@click.option("--approved", required=True, help="Full id of the commit that was approved.")
@click.option("--base", default="origin/main", show_default=True, help="Branch to compare with.")
@click.option("--suite", "suites", multiple=True, required=True, help="A suite; may be repeated.")
@click.option("--measure", multiple=True, metavar="NAME=VALUE", help="As of `tokonomy run`.")
@click.option("--hours", default=24.0, show_default=True, help="Most hours of a suite's part.")
@click.option("--memory-gib", default=96.0, show_default=True, help="Most memory, GiB.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the records."
)
def main(
    place: Path,
    approved: str,
    base: str,
    suites: tuple[str, ...],
    measure: tuple[str, ...],
    hours: float,
    memory_gib: float,
    out: Path,
) -> None:
    """Measure what the approved commit touches."""
    root = checkout(place.resolve())
    if not re.fullmatch(r"[0-9a-f]{40}", approved):
        raise UsageError(f"--approved is the full id of a commit, 40 hex digits; got {approved!r}")
    with taken(_OWN, approved) as files:
        wanted = contents(files)
        _same(root, wanted)
        point = fork_point(files, base)
        found = affected(files, point, brought(files, point, approved))
        out.mkdir(parents=True, exist_ok=True)
        made = gate.plans(files, point, found, suites, out)
    database, ended = out / "bench.sqlite", []
    limits = Limits(time_s=3600 * hours, memory_bytes=round(memory_gib * 2**30))
    options = [word for each in measure for word in ("--measure", each)]
    for name, plan in made.items():
        ended.append(gate.measure(root, plan, database, limits, out / f"{name}.log", options))
        say(f"{name}: exit status {ended[-1].code}; network: {ended[-1].network}", err=True)
    if not made:
        raise UsageError(
            f"nothing of {' and '.join(suites)} is touched; there is nothing to measure"
        )
    records = gate.handed(database, out / "records.jsonl")
    said = gate.problems(bool(made), records, ended, failures=False)
    _same(root, wanted)  # what ran could have changed what lies here
    if records:
        gate.of_commit(records, approved)
    for problem in said:
        say(problem)
    say(f"{len(records)} records of {approved} in {out / 'records.jsonl'}")
    if said:
        sys.exit(1)


def _same(root: Path, wanted: Mapping[str, str]) -> None:
    """Raise unless exactly what was approved lies here."""
    path = strayed(root, wanted)
    if path is not None:
        raise UsageError(f"the checkout is not what was approved: {path}")


if __name__ == "__main__":
    main()
