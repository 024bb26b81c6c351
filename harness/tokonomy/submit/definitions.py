"""Rules over the YAML file that defines a task of lm-eval: which code it names.

The library imports whatever ``!function`` names, from beside the file and else from anywhere,
follows ``include`` to any file, takes a metric that it does not know for a path of code, opens
pickles as a data set, and renders texts as Jinja templates, which can call anything. So a file
names modules beside it, whose own imports are held to the rules, and nothing else; its templates
show fields and do nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from tokonomy.catalog.definitions import LOADER, events
from tokonomy.submit.findings import Finding
from tokonomy.submit.reading import broken, read_text

_FUNCTION = re.compile(r"([A-Za-z]\w*)\.[A-Za-z]\w*")
_INNER = re.compile(r"__\w+__")
_FIELD = re.compile(r"(?<!\{)\{\{\s*[A-Za-z]\w*(\.[A-Za-z]\w*)*\s*\}\}", re.ASCII)
_TEMPLATE = re.compile(r"\{[{%].{0,40}", re.DOTALL)
_KEYS: Mapping[str, tuple[str, str]] = {
    "include": ("imports-allowed", "includes another file"),
    "use_prompt": ("imports-allowed", "takes its prompt from another file"),
    "trust_remote_code": ("imports-run", "trusts remote code"),
    "hf_evaluate": ("imports-run", "takes a metric from elsewhere"),
}
_METRIC = re.compile(r"[a-z_0-9]+")
_BELOW = re.compile(r"(?!pandas$)\w[\w.*-]*(/[\w*][\w.*-]*)*", re.ASCII)
_DATA = ("dataset_path", "data_files", "data_dir")


def check(path: Path, place: str) -> Iterator[Finding]:
    """What a YAML file of a submission may break."""
    text = read_text(path, place)
    if isinstance(text, Finding):
        yield text
        return
    root = path.parents[place.count("/")]
    try:
        for event in events(text):
            for rule, what in _event(path, event):
                yield Finding(path=place, line=event.start_mark.line + 1, rule=rule, text=what)
        for key, value in _pairs(text):
            for rule, what in _pair(root, key, value):
                yield Finding(path=place, line=value.start_mark.line + 1, rule=rule, text=what)
    except yaml.YAMLError as error:
        mark, why = (getattr(error, name, None) for name in ("problem_mark", "problem"))
        yield broken(place, f"does not parse: {why or error}"[:200], mark.line + 1 if mark else 0)


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
    if value in _KEYS:
        yield _KEYS[value]
    elif inner := _INNER.search(value):
        yield "imports-run", f"reaches for {inner[0]:.200}"
    elif more := _TEMPLATE.search(_FIELD.sub("", value)):
        yield "imports-run", f"has a template that does more than show a field: {more[0]!r}"


def _pair(root: Path, key: yaml.Node, value: yaml.Node) -> Iterator[tuple[str, str]]:
    """The same of one key and its value, as they are after aliases."""
    if key.value == "metric" and value.tag != "!function":
        name = value.value
        if not isinstance(name, str) or not _METRIC.fullmatch(name) or (root / name).exists():
            yield "imports-run", f"has a metric that is no name of one: {_shown(value)}"
    if key.value in _DATA:
        for each in _nodes(value):
            if isinstance(each, yaml.ScalarNode) and not _BELOW.fullmatch(each.value):
                yield "imports-run", f"takes data from {_shown(each)}"


def _pairs(text: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Keys and values of all mappings."""
    for node in _nodes(yaml.compose(text, Loader=LOADER)):
        if isinstance(node, yaml.MappingNode):
            yield from node.value


def _nodes(top: yaml.Node | None) -> Iterator[yaml.Node]:
    """A node and all below, each once: aliases may make a circle."""
    seen, left = set(), [top] if top else []
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            left += [each for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            left += node.value


def _shown(node: yaml.Node) -> str:
    return f"{node.value!r:.200}" if isinstance(node, yaml.ScalarNode) else "more than one"
