"""``tokonomy check``: what a submission must keep, before anything of it is run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tokonomy.cli.printing import plain, print_table
from tokonomy.errors import UsageError
from tokonomy.submit.findings import RULES, Finding
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.static import METHODS, RECORDS, TASKS
from tokonomy.submit.static import check as find

FORMS = ("text", "json", "sarif", "github")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "form", flag_value="json", help="Findings as JSON.")
@click.option("--sarif", "form", flag_value="sarif", help="Findings as SARIF 2.1.0.")
@click.option("--github", "form", flag_value="github", help="Findings as annotations of GitHub.")
@click.option("--rules", "rules", is_flag=True, help="Print every rule and why it is there.")
def check(paths: Sequence[Path], form: str | None, rules: bool) -> None:
    """Check methods, tasks and records without running them; all of the checkout by default.

    \b
    Example:
      tokonomy check methods/tokonomy_methods/vision/my_pruner.py
    """
    if rules:
        print_table(
            ("rule", "asks", "why"),
            ([rule.id, rule.asks, rule.why] for rule in RULES.values()),
            elastic=("asks", "why"),
        )
        return
    root = checkout(Path.cwd())
    given = [path.resolve() for path in paths] or [
        root / each for each in (METHODS, TASKS, RECORDS)
    ]
    for path in given:
        if not path.exists():
            raise UsageError(f"{path.name}: there is no such file or folder")
        if not path.is_relative_to(root):
            raise UsageError(f"{path.name}: is outside of the checkout")
    found = find(root, given)
    click.echo(_FORMS[form or "text"](found))
    if found:
        sys.exit(1)


def _text(found: Sequence[Finding]) -> str:
    lines = [f"{_place(each)}: {each.rule}: {plain(each.text)}" for each in found]
    told = [f"  {name}: {RULES[name].asks} {RULES[name].instead}"
            for name in sorted({each.rule for each in found})]  # fmt: skip
    many = f"{len(found)} findings" if len(found) != 1 else "1 finding"
    return "\n".join([*lines, *([""] if told else []), *told, many])


def _place(each: Finding) -> str:
    return f"{plain(each.path)}:{each.line}" if each.line else plain(each.path)


def _json(found: Sequence[Finding]) -> str:
    rows = [
        {"path": each.path, "line": each.line, "rule": each.rule, "text": each.text}
        for each in found
    ]
    return json.dumps(rows, indent=1)


def _sarif(found: Sequence[Finding]) -> str:
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.asks},
            "help": {"text": f"{rule.why} {rule.instead}"},
        }
        for rule in RULES.values()
    ]
    results = [
        {
            "ruleId": each.rule,
            "level": "error",
            "message": {"text": each.text},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": each.path},
                        "region": {"startLine": max(1, each.line)},
                    }
                }
            ],
        }
        for each in found
    ]
    tool = {"driver": {"name": "tokonomy check", "rules": rules}}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps(
        {"$schema": schema, "version": "2.1.0", "runs": [{"tool": tool, "results": results}]},
        indent=1,
    )


def _github(found: Sequence[Finding]) -> str:
    return "\n".join(
        f"::error file={_escaped(each.path, True)},line={max(1, each.line)},"
        f"title={each.rule}::{_escaped(each.text)}"
        for each in found
    )


def _escaped(text: str, part: bool = False) -> str:
    """As GitHub's workflow commands ask, so that no text begins a command of its own."""
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(character, code)
    return text.replace(":", "%3A").replace(",", "%2C") if part else text


_FORMS = {"text": _text, "json": _json, "sarif": _sarif, "github": _github}
