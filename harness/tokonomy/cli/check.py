"""``tokonomy check``: what a submission must keep, first read and then run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tokonomy.cli.forms import FORMS
from tokonomy.cli.printing import print_table
from tokonomy.errors import UsageError
from tokonomy.submit import append, static
from tokonomy.submit.changes import changed, main_branch
from tokonomy.submit.limited import Limits
from tokonomy.submit.rules import RULES
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.trial import trial


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "form", flag_value="json", help="Findings as JSON.")
@click.option("--sarif", "form", flag_value="sarif", help="Findings as SARIF 2.1.0.")
@click.option("--github", "form", flag_value="github", help="Findings as annotations of GitHub.")
@click.option("--static", "only_read", is_flag=True, help="Read files, and run nothing of them.")
@click.option("--time-s", default=600.0, show_default=True, help="Most seconds of one's tests.")
@click.option("--memory-mib", default=6144, show_default=True, help="Most memory of one's tests.")
@click.option("--rules", is_flag=True, help="Print every rule and why it is there.")
def check(
    paths: Sequence[Path],
    form: str | None,
    only_read: bool,
    time_s: float,
    memory_mib: int,
    rules: bool,
) -> None:
    """Check methods, tasks and records; without PATH what was changed since the main branch.

    Files are first read, and nothing of them is run. Where that finds nothing, the contract's tests
    and the submission's own are run in a process with limits. Exits with 1 if anything was found.

    \b
    Example:
      tokonomy check
      tokonomy check --static methods/tokonomy_methods/vision/my_pruner.py
    """
    if rules:
        print_table(
            ("rule", "asks", "why"),
            ([rule.id, rule.asks, rule.why] for rule in RULES.values()),
            elastic=("asks", "why"),
        )
        return
    root = checkout(Path.cwd())
    given = _given(root, paths)
    found = static.check(root, given)
    if not paths:
        found = sorted({*found, *append.kept(root, main_branch(root))})
    if not found and not only_read:
        tried = trial(root, given, Limits(time_s=time_s, memory_bytes=memory_mib << 20))
        found = list(tried.findings)
        if tried.network:
            click.echo(f"{tried.passed} tests passed; network: {tried.network}", err=True)
    click.echo(FORMS[form or "text"](found))
    if found:
        sys.exit(1)


def _given(root: Path, paths: Sequence[Path]) -> list[Path]:
    """The files that are meant; raises ``UsageError`` where there are none."""
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise UsageError(f"{path.name}: there is no such file or folder")
        if not path.parent.resolve().is_relative_to(root):
            raise UsageError(f"{path.name}: is outside of the checkout")
    if paths:
        return [path.parent.resolve() / path.name for path in paths]
    given = [root / each for each in changed(root, main_branch(root))]
    if not given:
        raise UsageError("nothing was changed since the main branch; name a file or a folder")
    return [path for path in given if path.exists() or path.is_symlink()]
