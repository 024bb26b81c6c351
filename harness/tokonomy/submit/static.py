"""The first stage of a check: files are read and parsed, and nothing of them is imported or run."""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tokonomy.catalog.cards import Card, MethodCard, TaskCard
from tokonomy.catalog.reading import read_card
from tokonomy.errors import BadCard, BadRecord
from tokonomy.store.record import parse
from tokonomy.submit.findings import Finding

MOST_BYTES = 200 * 1024
MOST_TEXT = 600
METHODS, TASKS, RECORDS = "methods/tokonomy_methods", "tasks/tokonomy_tasks", "results/records"

_PURE = frozenset(
    "__future__ abc bisect collections contextlib copy dataclasses enum fractions functools hashlib "
    "heapq itertools json math numbers operator random re statistics string sys types typing "
    "torch numpy transformers sklearn".split()
)
_OWN = ("tokonomy.errors", "tokonomy.catalog", "tokonomy.families", "tokonomy_methods")
_DATA = frozenset("pathlib datasets lm_eval skimage PIL sacrebleu tokenizers pydoc_data".split())
_RUNS = frozenset({"eval", "exec", "compile", "__import__"})
_NOTICE = re.compile(r"copyright|spdx-license|all rights reserved", re.IGNORECASE)
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f\u200e\u061c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A file that was read.

    Attributes:
        path: Relative to the root, with forward slashes.
        text: All of it.
        tree: Its syntax.
        card: Its card, where it has one that can be read.
    """

    path: str
    text: str
    tree: ast.Module
    card: Card | None


def check(root: Path, paths: Iterable[Path]) -> list[Finding]:
    """Everything that can be found in files without running them, in order.

    Args:
        root: Root of the checkout; other files of it are looked at for ids and tests.
        paths: Files or folders in it.
    """
    found: list[Finding] = []
    for path in _files(paths):
        place = path.relative_to(root).as_posix()
        if path.suffix == ".jsonl":
            found += _records(root, path, place)
        elif path.suffix == ".py" and place.startswith((METHODS, TASKS)):
            found += _python(root, path, place)
    return sorted(set(found))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = (each for each in sorted(path.rglob("*")) if each.is_file())
            yield from (each for each in inside if "__pycache__" not in each.parts)
        else:
            yield path


def _python(root: Path, path: Path, place: str) -> Iterator[Finding]:
    read = _read(path, place)
    if isinstance(read, Finding):
        yield read
        return
    yield from _notices(read)
    yield from _imports(read)
    yield from _calls(read)
    if path.name == "__init__.py":
        return
    try:
        card = read_card(path)
    except BadCard as error:
        yield Finding(
            path=place, line=_line_of_card(read.tree), rule="card-literal", text=str(error)
        )
        return
    if card is None:
        return  # shared code of a family
    if isinstance(card, MethodCard | TaskCard):
        whole = Submitted(path=place, text=read.text, tree=read.tree, card=card)
        yield from _layout(root, whole, card)
        yield from _card(root, whole, card)
        yield from _class(whole, card)


def _read(path: Path, place: str) -> Submitted | Finding:
    """The file as text and syntax, or why it is neither."""

    def broken(text: str, line: int = 0) -> Finding:
        return Finding(path=place, line=line, rule="layout-text", text=text)

    if path.is_symlink():
        return broken("is a link")
    if path.stat().st_size > MOST_BYTES:
        return broken(f"has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are read")
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except UnicodeDecodeError:
        return broken("is no UTF-8")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return broken(f"does not parse: {type(error).__name__}", getattr(error, "lineno", 0) or 0)
    for number, line in enumerate(text.splitlines(), 1):
        odd = next((each for each in line if _odd(each)), None)
        if odd is not None:
            return broken(f"has the character U+{ord(odd):04X}", number)
    return Submitted(path=place, text=text, tree=tree, card=None)


def _odd(character: str) -> bool:
    return character in _TURNING or (unicodedata.category(character) == "Cc" and character != "\t")


def _notices(read: Submitted) -> Iterator[Finding]:
    for number, line in enumerate(read.text.splitlines(), 1):
        if _NOTICE.search(line) and line.lstrip().startswith(("#", '"""', "*")):
            yield Finding(path=read.path, line=number, rule="licence-own",
                          text="has a notice of copyright or licence")  # fmt: skip


def _imports(read: Submitted) -> Iterator[Finding]:
    task = read.path.startswith(TASKS)
    known = _PURE | _DATA if task else _PURE
    own = (*_OWN, "tokonomy_tasks") if task else _OWN
    for node in ast.walk(read.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [] if node.level else [node.module or ""]
        else:
            continue
        for name in names:
            if name.partition(".")[0] in ("importlib", "pickle", "marshal", "shelve", "dill"):
                yield Finding(path=read.path, line=node.lineno, rule="imports-run",
                              text=f"imports {name}")  # fmt: skip
            elif not _within(name, own) and name.partition(".")[0] not in known:
                yield Finding(path=read.path, line=node.lineno, rule="imports-allowed",
                              text=f"imports {name}")  # fmt: skip


def _within(name: str, packages: Iterable[str]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def _calls(read: Submitted) -> Iterator[Finding]:
    for node in ast.walk(read.tree):
        if isinstance(node, ast.Name) and node.id in _RUNS:
            yield Finding(path=read.path, line=node.lineno, rule="imports-run",
                          text=f"names {node.id}")  # fmt: skip
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("torch.load", "torch.hub.load"):
                yield Finding(path=read.path, line=node.lineno, rule="imports-run",
                              text=f"calls {called}")  # fmt: skip
            for word in node.keywords:
                trusted = isinstance(word.value, ast.Constant) and word.value.value is False
                if word.arg == "trust_remote_code" and not trusted:
                    yield Finding(path=read.path, line=node.lineno, rule="imports-run",
                                  text="trusts remote code")  # fmt: skip


def _line_of_card(tree: ast.Module) -> int:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "CARD" for target in node.targets
        ):
            return node.lineno
    return 0


def _layout(root: Path, read: Submitted, card: MethodCard | TaskCard) -> Iterator[Finding]:
    base = METHODS if isinstance(card, MethodCard) else TASKS
    folder, _, name = read.path.removeprefix(f"{base}/").rpartition("/")
    folders = {*card.families} | ({"language"} if isinstance(card, TaskCard) else set())
    shared = len(card.families) > 1 or getattr(card, "kind", "") in ("reference", "control")
    if folder not in folders and not (shared and folder == "controls"):
        yield Finding(path=read.path, line=0, rule="layout-folder",
                      text=f"lies in {folder or base!r}, and is of {', '.join(card.families)}")  # fmt: skip
    module = card.id.replace("-", "_")
    if name != f"{module}.py":
        yield Finding(path=read.path, line=0, rule="layout-name",
                      text=f"holds {card.id!r}, so it should be {module}.py")  # fmt: skip
    tests = root / "tests"
    if not any(tests.rglob(f"test_{name}")) and not _mentioned(tests, module, card.id):
        yield Finding(path=read.path, line=0, rule="layout-test",
                      text=f"has no tests/**/test_{name}, and no test names {module}")  # fmt: skip


def _mentioned(tests: Path, *names: str) -> bool:
    """Whether any test names it, as where several are tested in one file."""
    word = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names))
    return any(word.search(path.read_text(encoding="utf-8")) for path in tests.rglob("test_*.py"))


def _card(root: Path, read: Submitted, card: MethodCard | TaskCard) -> Iterator[Finding]:
    line = _line_of_card(read.tree)

    def found(rule: str, text: str) -> Finding:
        return Finding(path=read.path, line=line, rule=rule, text=text)

    yield from (found("card-id", f"the id {card.id!r} is also in {other}")
                for other in _others(root, read.path, card))  # fmt: skip
    for name, text in _texts(card):
        if len(text) > MOST_TEXT:
            yield found("card-text", f"{name} has {len(text)} characters; at most {MOST_TEXT}")
        if re.search(r"[\x00-\x1f\x7f]|</?[a-zA-Z!]|\]\(|`{3}", text):
            yield found("card-text", f"{name} has markup, a line break or a control character")
    if isinstance(card, MethodCard):
        if card.code and not card.differences:
            yield found("card-differences", f"names {card.code}, and no difference from it")
        if card.code and not card.code_licence:
            yield found("licence-named", f"names {card.code}, and no licence")
        for claim in card.claims:
            good = isinstance(claim.value, int | float) and math.isfinite(claim.value)
            if not good or not claim.unit or not claim.source:
                yield found(
                    "claims-sourced", f"a claim on {claim.metric!r} lacks value, unit or source"
                )
        keys = [repr(sorted(setting.items(), key=repr)) for setting in card.sweep]
        if len(set(keys)) < len(keys):
            yield found("parameters-swept", "has a setting twice")


def _texts(value: Any, name: str = "the card") -> Iterator[tuple[str, str]]:
    """Every text in a card, with the field it is in."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _texts(each, name)
    elif hasattr(value, "__dataclass_fields__"):
        for field in fields(value):
            yield from _texts(getattr(value, field.name), field.name)


def _others(root: Path, place: str, card: MethodCard | TaskCard) -> Iterator[str]:
    base = METHODS if isinstance(card, MethodCard) else TASKS
    for path in sorted((root / base).rglob("*.py")):
        other = path.relative_to(root).as_posix()
        if other == place:
            continue
        try:
            same = read_card(path)
        except (BadCard, OSError, UnicodeDecodeError):
            continue  # found where that file is checked
        if same is not None and type(same) is type(card) and same.id == card.id:
            yield other


def _class(read: Submitted, card: MethodCard | TaskCard) -> Iterator[Finding]:
    marked = [
        node for node in read.tree.body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(each) == "implements(CARD)" for each in node.decorator_list)
    ]  # fmt: skip
    if len(marked) != 1:
        yield Finding(path=read.path, line=0, rule="parameters-frozen",
                      text=f"{len(marked)} classes are marked @implements(CARD); one must be")  # fmt: skip
        return
    (node,) = marked
    frozen = any(
        isinstance(each, ast.Call)
        and ast.unparse(each.func) == "dataclass"
        and {"frozen=True", "kw_only=True"} <= {ast.unparse(word) for word in each.keywords}
        for each in node.decorator_list
    )
    if not frozen:
        yield Finding(path=read.path, line=node.lineno, rule="parameters-frozen",
                      text=f"{node.name} is no frozen dataclass with keyword-only fields")  # fmt: skip
    own = [
        each for each in node.body
        if isinstance(each, ast.AnnAssign) and "ClassVar" not in ast.unparse(each.annotation)
    ]  # fmt: skip
    told = ast.get_docstring(node) or ""
    for each in own:
        name = ast.unparse(each.target)
        if each.value is None and name not in getattr(card, "parameters", ()):
            yield Finding(path=read.path, line=each.lineno, rule="parameters-default",
                          text=f"{name} has no default")  # fmt: skip
        if not re.search(rf"\b{re.escape(name)}\b.*:", told):
            yield Finding(path=read.path, line=each.lineno, rule="parameters-default",
                          text=f"{name} is not described under Attributes")  # fmt: skip
    if isinstance(card, MethodCard) and all(ast.unparse(base) == "object" for base in node.bases):
        names = {ast.unparse(each.target) for each in own}
        for unknown in sorted({key for setting in card.sweep for key in setting} - names):
            yield Finding(path=read.path, line=_line_of_card(read.tree), rule="parameters-swept",
                          text=f"the sweep names {unknown!r}, which is no field")  # fmt: skip
    yield from _method_of(read, node, card)


def _method_of(
    read: Submitted, node: ast.ClassDef, card: MethodCard | TaskCard
) -> Iterator[Finding]:
    """Whether the class has what the harness calls; one that inherits may have it from above."""
    wanted, rule = (
        (("prepare", 3), "contract-prepare")
        if isinstance(card, MethodCard)
        else (("samples", 2), "contract-samples")
    )
    name, count = wanted
    own = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == name]
    if not own and node.bases:
        return
    typed = own and own[0].returns is not None and len(own[0].args.args) == count
    if not typed or any(each.annotation is None for each in own[0].args.args[1:]):
        yield Finding(path=read.path, line=node.lineno, rule=rule,
                      text=f"{node.name} has no {name} of {count} arguments with types")  # fmt: skip


def _records(root: Path, path: Path, place: str) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    elsewhere = _ids(root, path)
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                run = parse(line).run_id
            except BadRecord as error:
                yield Finding(path=place, line=number, rule="records-valid", text=str(error)[:300])
                continue
            if run in seen or run in elsewhere:
                where = f"line {seen[run]}" if run in seen else elsewhere[run]
                yield Finding(path=place, line=number, rule="records-new",
                              text=f"run {run} is in {where} already")  # fmt: skip
            seen.setdefault(run, number)


_RUN = re.compile(r'"run_id":"([0-9a-f]{32})"')


def _ids(root: Path, but: Path) -> dict[str, str]:
    """Runs of all other files of records, by id; found by their text, which is checked elsewhere."""
    found: dict[str, str] = {}
    for path in sorted((root / RECORDS).rglob("*.jsonl")):
        if path != but:
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    match = _RUN.search(line)
                    if match:
                        found.setdefault(match[1], path.relative_to(root).as_posix())
    return found
