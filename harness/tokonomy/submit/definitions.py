"""Rules over the YAML file that defines a task of lm-eval: which code it names.

The library imports whatever ``!function`` names, from beside the file and else from anywhere,
follows ``include`` to any file, and renders texts as Jinja templates. So a file names modules
beside it, whose own imports are held to the rules, and nothing else. Only its tokens are looked at:
nothing is made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from tokonomy.submit.findings import Finding
from tokonomy.submit.reading import MOST_DEPTH, broken, read_text

_FUNCTION = re.compile(r"([A-Za-z]\w*)\.[A-Za-z]\w*")
_INNER = re.compile(r"__\w+__")


def check(path: Path, place: str) -> Iterator[Finding]:
    """What a YAML file of a submission may break."""
    text = read_text(path, place)
    if isinstance(text, Finding):
        yield text
        return
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1
            for rule, what in _event(path, event):
                yield Finding(path=place, line=line, rule=rule, text=what)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEPTH:
                yield broken(place, f"is nested deeper than {MOST_DEPTH} levels", line)
                return  # the parser takes ever longer
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        yield broken(place, f"does not parse: {type(error).__name__}", line)


def _event(path: Path, event: yaml.Event) -> Iterator[tuple[str, str]]:
    """Rule and text of what one token breaks."""
    tag, value = getattr(event, "tag", None), getattr(event, "value", "")
    if tag == "!function":
        found = _FUNCTION.fullmatch(value)
        beside = path.with_name(f"{found[1]}.py") if found else path
        if not found or not beside.is_file() or beside.is_symlink():
            yield "imports-allowed", f"names the function {value!r:.200}, of no module beside it"
    elif tag is not None:
        yield "imports-run", f"has the tag {tag!r:.200}"
    if value == "include":
        yield "imports-allowed", "includes another file"
    elif value == "trust_remote_code":
        yield "imports-run", "trusts remote code"
    elif inner := _INNER.search(value):
        yield "imports-run", f"reaches for {inner[0]:.200}"
