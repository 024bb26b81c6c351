"""Rules over the syntax of a Python file: what it imports and calls, how its class is made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tokonomy.catalog.cards import MethodCard, TaskCard
from tokonomy.submit.findings import Finding
from tokonomy.submit.reading import Source

_PURE = frozenset(
    "__future__ abc bisect collections contextlib copy dataclasses enum fractions functools "
    "hashlib heapq itertools json math numbers operator random re statistics string sys types "
    "typing torch numpy transformers sklearn".split()
)
_OWN = ("tokonomy.errors", "tokonomy.catalog", "tokonomy.families", "tokonomy_methods")
_DATA = frozenset(
    "pathlib datasets lm_eval skimage PIL sacrebleu safetensors tokenizers pydoc_data".split()
)
_LOADERS = frozenset("importlib pickle marshal shelve dill".split())
_RUNS = frozenset("eval exec compile __import__ __builtins__ globals open".split())
_LOADS = ("torch.load", "torch.hub.load", "numpy.load", "np.load")
_NOTICE = re.compile(r"copyright|spdx-license|all rights reserved", re.IGNORECASE)


def check(source: Source) -> Iterator[Finding]:
    """What any file of a submission may break."""
    yield from _notices(source)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imports(source, node)
        elif isinstance(node, ast.Call):
            yield from _calls(source, node)
        elif isinstance(node, ast.Name) and node.id in _RUNS:
            if not (source.task and node.id == "open"):
                yield source.found("imports-run", f"names {node.id}", node.lineno)
        elif isinstance(node, ast.Attribute) and _inner(ast.unparse(node)):
            yield source.found("imports-run", f"reaches for {node.attr}", node.lineno)


_INNER = re.compile(
    r".*\.__(builtins|globals|dict|subclasses|loader|import|code|mro|bases)__"
    r"|sys\.(modules|_.*)|.*\.(system|popen|_load_library)", re.DOTALL
)  # fmt: skip


def _inner(name: str) -> bool:
    """Whether a dotted name leads around the rules on imports."""
    return _INNER.fullmatch(name) is not None


def _notices(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if _NOTICE.search(line) and line.lstrip().startswith(("#", '"""', "*")):
            yield source.found("licence-own", "has a notice of copyright or licence", number)


def _imports(source: Source, node: ast.Import | ast.ImportFrom) -> Iterator[Finding]:
    known = _PURE | _DATA if source.task else _PURE
    own = (*_OWN, "tokonomy_tasks") if source.task else _OWN
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = [node.module or ""] if not node.level else []
    for name in names:
        top = name.partition(".")[0]
        if top in _LOADERS:
            yield source.found("imports-run", f"imports {name}", node.lineno)
        elif top not in known and not _within(name, own):
            yield source.found("imports-allowed", f"imports {name}", node.lineno)


def _within(name: str, packages: Iterable[str]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def _calls(source: Source, node: ast.Call) -> Iterator[Finding]:
    called = ast.unparse(node.func)
    if called in _LOADS:
        yield source.found("imports-run", f"calls {called}", node.lineno)
    for word in node.keywords:
        refused = isinstance(word.value, ast.Constant) and word.value.value is False
        if word.arg == "trust_remote_code" and not refused:
            yield source.found("imports-run", "trusts remote code", node.lineno)


def line_of_card(tree: ast.Module) -> int:
    """Where the card begins; 0 where there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "CARD" for target in node.targets
        ):
            return node.lineno
    return 0


def check_class(source: Source, card: MethodCard | TaskCard) -> Iterator[Finding]:
    """What the class behind a card may break."""
    marked = [
        node for node in source.tree.body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(each) == "implements(CARD)" for each in node.decorator_list)
    ]  # fmt: skip
    if len(marked) != 1:
        text = f"{len(marked)} classes are marked @implements(CARD); one must be"
        yield source.found("parameters-frozen", text)
        return
    (node,) = marked
    if not any(map(_frozen, node.decorator_list)):
        text = f"{node.name} is no frozen dataclass with keyword-only fields"
        yield source.found("parameters-frozen", text, node.lineno)
    own = [
        each for each in node.body
        if isinstance(each, ast.AnnAssign) and "ClassVar" not in ast.unparse(each.annotation)
    ]  # fmt: skip
    yield from _fields(source, node, own, getattr(card, "parameters", ()))
    if isinstance(card, MethodCard):
        if not node.bases:
            yield from _swept(source, card, {ast.unparse(each.target) for each in own})
        yield from _called(source, node, "prepare", 3, "contract-prepare")
    else:
        yield from _called(source, node, "samples", 2, "contract-samples")


def _frozen(decorator: ast.expr) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func) == "dataclass"
        and {"frozen=True", "kw_only=True"} <= {ast.unparse(word) for word in decorator.keywords}
    )


def _fields(
    source: Source, node: ast.ClassDef, own: Iterable[ast.AnnAssign], given: Any
) -> Iterator[Finding]:
    """Fields without a default or a description; ``given`` are those that a reference gives."""
    told = ast.get_docstring(node) or ""
    for each in own:
        name = ast.unparse(each.target)
        if each.value is None and name not in given:
            yield source.found("parameters-default", f"{name} has no default", each.lineno)
        if not re.search(rf"\b{re.escape(name)}\b.*:", told):
            text = f"{name} is not described under Attributes"
            yield source.found("parameters-default", text, each.lineno)


def _swept(source: Source, card: MethodCard, names: set[str]) -> Iterator[Finding]:
    for unknown in sorted({key for setting in card.sweep for key in setting} - names):
        text = f"the sweep names {unknown!r}, which is no field"
        yield source.found("parameters-swept", text, line_of_card(source.tree))


def _called(
    source: Source, node: ast.ClassDef, name: str, count: int, rule: str
) -> Iterator[Finding]:
    """Whether the class has what the harness calls; one that inherits may have it from above."""
    own = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == name]
    if not own and node.bases:
        return
    typed = own and own[0].returns is not None and len(own[0].args.args) == count
    if not typed or any(each.annotation is None for each in own[0].args.args[1:]):
        text = f"{node.name} has no {name} of {count} arguments with types"
        yield source.found(rule, text, node.lineno)
