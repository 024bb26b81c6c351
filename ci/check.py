"""Check a pull request on a CPU: rules, tests, and a short measurement of what it touches.

No secret is needed and none is met. Leaves ``report.json``, ``records.jsonl``, ``findings.sarif``
and logs in a folder; exits with 1 where the pull request does not pass.

    python ci/check.py --base origin/main --out checked
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import astuple
from pathlib import Path

import click

from tokonomy.cli.forms import FORMS
from tokonomy.store.git import resolved
from tokonomy.submit import append, gate, static
from tokonomy.submit.affected import Affected, affected
from tokonomy.submit.changes import brought, changed, fork_point, merged
from tokonomy.submit.limited import Limits
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.scripts import say, script
from tokonomy.submit.stated import stated
from tokonomy.submit.trial import trial

SUITES = ("quick", "language-quick")
SHORT = ("--measure", "max_s=0.3", "--measure", "min_pairs=10", "--measure", "half_width=0.02")


@script
@click.option("--base", default="origin/main", show_default=True, help="Branch to compare with.")
@click.option("--suite", "suites", multiple=True, help="Suite to measure; the quick ones.")
@click.option("--time-s", default=1500.0, show_default=True, help="Most seconds of a suite's part.")
@click.option("--own", is_flag=True, help="Maintainers bring it, from a branch of this repository.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the report.")
def main(base: str, suites: tuple[str, ...], time_s: float, own: bool, out: Path) -> None:
    """Check what was changed since BASE."""
    root = checkout(Path.cwd())
    point, whole = fork_point(root, base), merged(root, base)
    paths = sorted({*changed(root, point), *brought(root, base, whole)})
    there = [root / path for path in paths if (root / path).exists() or (root / path).is_symlink()]
    out.mkdir(parents=True, exist_ok=True)

    findings = [
        *append.changed(root, base, whole),
        *append.kept(root, point),
        *static.check(root, there, own),
    ]
    passed, network = 0, ""
    if not findings:
        tried = trial(root, there, Limits())
        findings, passed, network = list(tried.findings), tried.passed, tried.network
    told, problems, made = {}, [], []
    if not findings:
        found = affected(root, point, paths)
        told = found.told
        problems, made = _measured(root, point, found, suites or SUITES, time_s, out)
    report = gate.Report(
        commit=resolved(root, "HEAD"),
        base=point,
        findings=[astuple(each) for each in findings[: gate.MOST_FINDINGS]],
        passed=passed,
        network=network[:500],
        touched=told,
        suites=made,
        stated=stated(root, base, whole),
        problems=problems,
    )
    (out / "report.json").write_text(report.model_dump_json(indent=1), encoding="utf-8")
    (out / "findings.sarif").write_text(FORMS["sarif"](findings), encoding="utf-8")
    for each in [*report.stated, FORMS["text"](findings)]:
        say(each)
    for problem in problems:
        say(problem)
    if findings or problems:
        sys.exit(1)


def _measured(
    root: Path, base: str, found: Affected, suites: tuple[str, ...], time_s: float, out: Path
) -> tuple[list[str], list[str]]:
    """Measure what is touched; gives what is wrong with that, and the suites."""
    database, ended = out / "check.sqlite", []
    database.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = gate.plans(root, base, found, suites, Path(folder))
        for name, plan in made.items():
            log = out / f"{name}.log"
            ended.append(gate.measure(root, plan, database, Limits(time_s=time_s), log, SHORT))
            say(f"{name}: exit status {ended[-1].code}, network {ended[-1].network}", err=True)
    records = gate.handed(database, out / "records.jsonl")
    return gate.problems(bool(made), records, ended), list(made)


if __name__ == "__main__":
    main()
