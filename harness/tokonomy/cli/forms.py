"""Findings as text, JSON, SARIF and annotations of GitHub."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from tokonomy.plain import line
from tokonomy.submit.findings import Finding
from tokonomy.submit.rules import RULES


def text(found: Sequence[Finding]) -> str:
    """A line for each finding, then each broken rule once."""
    lines = [f"{_place(each)}: {each.rule}: {line(each.text)}" for each in found]
    told = [
        f"  {name}: {RULES[name].asks} {RULES[name].instead}"
        for name in sorted({each.rule for each in found})
    ]
    many = f"{len(found)} findings" if len(found) != 1 else "1 finding"
    return "\n".join([*lines, *([""] if told else []), *told, many])


def _place(each: Finding) -> str:
    return f"{line(each.path)}:{each.line}" if each.line else line(each.path)


def as_json(found: Sequence[Finding]) -> str:
    """Findings as a list of objects."""
    return json.dumps([asdict(each) for each in found], indent=1)


def sarif(found: Sequence[Finding]) -> str:
    """SARIF 2.1.0, as code hosts show it beside the lines."""
    rules = [
        {"id": rule.id, "shortDescription": {"text": rule.asks},
         "help": {"text": f"{rule.why} {rule.instead}"}}
        for rule in RULES.values()
    ]  # fmt: skip
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
    whole = {"$schema": schema, "version": "2.1.0", "runs": [{"tool": tool, "results": results}]}
    return json.dumps(whole, indent=1)


def github(found: Sequence[Finding]) -> str:
    """Workflow commands that GitHub shows as annotations."""
    return "\n".join(
        f"::error file={_escaped(each.path, True)},line={max(1, each.line)},"
        f"title={each.rule}::{_escaped(each.text)}"
        for each in found
    )


def _escaped(said: str, part: bool = False) -> str:
    """As workflow commands ask, so that no text begins a command of its own."""
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        said = said.replace(character, code)
    return said.replace(":", "%3A").replace(",", "%2C") if part else said


FORMS: Mapping[str, Callable[[Sequence[Finding]], str]] = {
    "text": text,
    "json": as_json,
    "sarif": sarif,
    "github": github,
}
