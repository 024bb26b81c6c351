"""Measure one approved commit on the device of this runner; leaves its records in a folder.

What is measured is code of a pull request that a maintainer has read and approved, by its full
commit id. It runs without any secret, without the network where the system allows that, and only
if the checkout is exactly that commit. What asks for that, and limits it, is the code of this
script's own checkout: of the main branch, no pull request can change it. Code of what was approved
runs in the limited process alone.

    python ci/bench.py --checkout ../approved --approved 0123… --suite gpu-vision --out measured
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from tokonomy.errors import UsageError
from tokonomy.store.git import done, resolved
from tokonomy.submit import gate
from tokonomy.submit.affected import affected
from tokonomy.submit.changes import changed, fork_point
from tokonomy.submit.limited import Limits
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.scripts import say, script


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
    _approved(root, approved)
    point = fork_point(root, base)
    found = affected(root, point, changed(root, point))
    out.mkdir(parents=True, exist_ok=True)
    database, ended = out / "bench.sqlite", []
    limits = Limits(time_s=3600 * hours, memory_bytes=round(memory_gib * 2**30))
    options = [word for each in measure for word in ("--measure", each)]
    made = gate.plans(root, point, found, suites, out)
    for name, plan in made.items():
        ended.append(gate.measure(root, plan, database, limits, out / f"{name}.log", options))
        say(f"{name}: exit status {ended[-1].code}; network: {ended[-1].network}", err=True)
    if not made:
        raise UsageError(
            f"nothing of {' and '.join(suites)} is touched; there is nothing to measure"
        )
    records = gate.handed(database, out / "records.jsonl")
    said = gate.problems(bool(made), records, ended, failures=False)
    _approved(root, approved)  # what ran could have changed what lies here
    if records:
        gate.of_commit(records, approved)
    for problem in said:
        say(problem)
    say(f"{len(records)} records of {approved} in {out / 'records.jsonl'}")
    if said:
        sys.exit(1)


def _approved(root: Path, approved: str) -> None:
    """Raise unless exactly what was approved lies here."""
    if not re.fullmatch(r"[0-9a-f]{40}", approved):
        raise UsageError(f"--approved is the full id of a commit, 40 hex digits; got {approved!r}")
    here = resolved(root, "HEAD")
    if here != approved:
        raise UsageError(f"{approved} was approved, and {here} is checked out; approve that one")
    dirty = done(root, ["status", "--porcelain", "-z", "--untracked-files=all"])
    if dirty:
        first = dirty.split(b"\0")[0].decode(errors="replace")
        raise UsageError(f"the checkout is not what was approved: {first}")


if __name__ == "__main__":
    main()
