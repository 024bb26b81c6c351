"""From what was changed to the cells that must be measured again, and only those.

A cell's key is a hash over the code of its method, task and family, the data, the weights, the
libraries that compute, and the version of the protocol. This tells from a diff which keys of a
suite it changes, without running or importing anything of it: a module that was changed is looked
for in what each method, task and family reaches, as the hash does (``catalog.sources``). A change
of a card alone changes no key; settings that its sweep gained are new cells.

The answer is a suite again, narrowed, so that whatever runs suites can run it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from tokonomy.catalog.cards import Card, MethodCard, TaskCard
from tokonomy.catalog.reading import parse_card, without_card
from tokonomy.catalog.sources import imported, reached
from tokonomy.catalog.suites import Selection, Suite, swept
from tokonomy.errors import BadCard
from tokonomy.submit.changes import before

PACKAGES: Mapping[str, str] = {
    "tokonomy": "harness/tokonomy",
    "tokonomy_methods": "methods/tokonomy_methods",
    "tokonomy_tasks": "tasks/tokonomy_tasks",
}
SUITES = "results/suites/tokonomy_suites"
_WEIGHTS = "tasks/tokonomy_tasks/models/weights/"
_PROTOCOL = "harness/tokonomy/measure/protocol.py"
_CALLED = re.compile(r"!function\s+([A-Za-z_]\w*)\.\w+")
_CONSTRAINTS, _COMPUTING = "constraints.txt", ("torch==", "transformers==")
FAMILIES: Mapping[str, str] = {
    "vision": "tokonomy.families.vision.family",
    "decoding": "tokonomy.families.language.family",
    "kv": "tokonomy.families.language.family",
}


class Tree:
    """A checkout's modules and cards, read and never imported.

    Args:
        root: Root of the repository.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.find = cache(self._find)
        self.names = cache(lambda module, path: tuple(_names(module, path)))

    def _find(self, module: str) -> Path | None:
        top, _, rest = module.partition(".")
        if top not in PACKAGES:
            return None
        place = self.root.joinpath(PACKAGES[top], *filter(None, rest.split(".")))
        found = (place.with_name(f"{place.name}.py"), place / "__init__.py")
        return next((path for path in found if path.is_file()), None)

    def reaches(self, module: str) -> set[str]:
        """Modules that a module's results depend on, itself included."""
        return set(reached(module, self.find, self.names))

    def called(self, module: str) -> list[str]:
        """Modules whose functions the YAML file beside a task's module calls."""
        path = self.find(module)
        beside = path.with_suffix(".yaml") if path else None
        if beside is None or not beside.is_file() or beside.is_symlink():
            return []
        package = module.rpartition(".")[0]
        names = _CALLED.findall(beside.read_text(encoding="utf-8", errors="replace"))
        return sorted({f"{package}.{name}" for name in names})

    @cached_property
    def cards(self) -> Mapping[tuple[str, str], tuple[Card, str]]:
        """Card and module by noun and id; a file whose card is broken has none."""
        found: dict[tuple[str, str], tuple[Card, str]] = {}
        for top in ("tokonomy_methods", "tokonomy_tasks"):
            for path in sorted((self.root / PACKAGES[top]).rglob("*.py")):
                if path.is_symlink() or not path.is_file():
                    continue  # told where the file is checked
                card = _card(path.name, path.read_text(encoding="utf-8", errors="replace"))
                if card is not None:
                    place = path.relative_to(self.root).as_posix()
                    found.setdefault((card.noun, card.id), (card, module_of(place) or ""))
        return found

    def of(self, noun: str) -> Iterator[tuple[str, Any, str]]:
        """Id, card and module of everything of one noun."""
        return ((name, card, module) for (kind, name), (card, module) in self.cards.items()
                if kind == noun)  # fmt: skip


def _names(module: str, path: Path) -> Iterator[str]:
    try:
        yield from imported(module, path)
    except (SyntaxError, ValueError):
        return  # told where the file is checked


def _card(name: str, text: str | None) -> Card | None:
    try:
        return None if text is None else parse_card(name, text)
    except (BadCard, RecursionError, MemoryError):
        return None


def module_of(path: str) -> str | None:
    """The module that a file of the repository is; None where it is none.

    >>> module_of("methods/tokonomy_methods/vision/tome.py")
    'tokonomy_methods.vision.tome'
    """
    for top, folder in PACKAGES.items():
        if path.startswith(f"{folder}/") and path.endswith(".py"):
            parts = PurePosixPath(path.removeprefix(f"{folder}/")).with_suffix("").parts
            return ".".join((top, *(part for part in parts if part != "__init__")))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What a change touches.

    Attributes:
        everything: Why every cell is touched; empty where that is not so.
        families: Families whose own code was changed.
        methods: Methods whose code was changed.
        settings: By method, settings that its card's sweep gained.
        tasks: Tasks whose code or data were changed.
        models: Models whose weights were changed.
        pairs: Models that a task's card gained, as task and model.
        new: Noun and id of what was not there before.
        why: What each of these reaches that was changed, in words.
    """

    everything: str = ""
    families: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    settings: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    tasks: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    pairs: frozenset[tuple[str, str]] = frozenset()
    new: frozenset[tuple[str, str]] = frozenset()
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, str]:
        """All that is touched, in words."""
        gained = {f"method {name}": "its sweep gained settings" for name in self.settings}
        gained |= {f"task {name}": f"it gained model {model}" for name, model in self.pairs}
        whole = {"everything": self.everything} if self.everything else {}
        return whole | gained | dict(self.why)


def affected(tree: Tree, base: str, paths: Iterable[str]) -> Affected:
    """What a change touches.

    Args:
        tree: The checkout as it is now.
        base: Commit to compare with.
        paths: Files that differ from it.
    """
    paths = list(paths)
    old = {path: before(tree.root, base, path) for path in paths if _matters(path)}
    code = {_module(path): path for path, text in old.items()
            if module_of(path) and _code(text) != _code(_now(tree.root, path))}  # fmt: skip
    why: dict[str, str] = {}

    def touched(label: str, module: str) -> bool:
        hit = sorted(tree.reaches(module) & set(code))
        if hit:
            why[label] = ", ".join(code[each] for each in hit)
        return bool(hit)

    methods = {name for name, _, module in tree.of("method") if touched(f"method {name}", module)}
    tasks = {name for name, _, module in tree.of("task") if touched(f"task {name}", module)}
    for name, _, module in tree.of("task"):
        for called in tree.called(module):
            if touched(f"task {name}", called):
                tasks.add(name)
    models = {name for name, _, module in tree.of("model")
              if _drawn(tree.root, name) and touched(f"model {name}", module)}  # fmt: skip
    for path in paths:
        stem = path.rpartition(".")[0]
        if path.startswith(_WEIGHTS) and not path.endswith("/figures.json"):
            models.add(path.removeprefix(_WEIGHTS).partition("/")[0])
            why[f"model {path.removeprefix(_WEIGHTS).partition('/')[0]}"] = path
        elif path.startswith(f"{PACKAGES['tokonomy_tasks']}/") and not path.endswith(".py"):
            for name, _, module in tree.of("task"):
                if _module(f"{stem}.py") == module:
                    tasks.add(name)
                    why[f"task {name}"] = path
    families = {name for name, module in FAMILIES.items() if touched(f"family {name}", module)}
    return Affected(
        everything=_everything(tree.root, old),
        families=frozenset(families),
        methods=frozenset(methods),
        settings=_gained_settings(tree, old),
        tasks=frozenset(tasks),
        models=frozenset(models),
        pairs=frozenset(_gained_models(tree, old)),
        new=frozenset(
            key
            for key, (_, module) in tree.cards.items()
            if any(text is None and module_of(path) == module for path, text in old.items())
        ),
        why=why,
    )


def _matters(path: str) -> bool:
    return path in (_PROTOCOL, _CONSTRAINTS) or module_of(path) is not None


def _module(path: str) -> str:
    return module_of(path) or ""


def _now(root: Path, path: str) -> str | None:
    file = root / path
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None


def _code(text: str | None) -> str | None:
    try:
        return None if text is None else without_card(text)
    except SyntaxError:
        return text


def _drawn(root: Path, model: str) -> bool:
    """Whether a model's weights are drawn by its code, and do not lie in the repository."""
    return not (root / _WEIGHTS / model).is_dir()


def _everything(root: Path, old: Mapping[str, str | None]) -> str:
    def lines(text: str | None, *begin: str) -> list[str]:
        return [line for line in (text or "").splitlines() if line.startswith(begin)]

    for path, begin, said in (
        (_PROTOCOL, ("PROTOCOL",), "the version of the protocol"),
        (_CONSTRAINTS, _COMPUTING, "a version of a library that computes"),
    ):
        if path in old and lines(old[path], *begin) != lines(_now(root, path), *begin):
            return f"{said} was changed"
    return ""


def _gained_settings(
    tree: Tree, old: Mapping[str, str | None]
) -> dict[str, list[Mapping[str, Any]]]:
    found = {}
    for name, card, module in tree.of("method"):
        text = next((text for path, text in old.items() if module_of(path) == module), None)
        was = _card(name, text)
        if isinstance(was, MethodCard):
            new = [each for each in card.sweep if each not in was.sweep]
            if new:
                found[name] = new
    return found


def _gained_models(tree: Tree, old: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    for name, card, module in tree.of("task"):
        text = next((text for path, text in old.items() if module_of(path) == module), None)
        was = _card(name, text)
        if isinstance(was, TaskCard):
            yield from ((name, model) for model in card.models if model not in was.models)


def narrowed(suite: Suite, found: Affected, tree: Tree, was: Suite | None) -> Suite | None:
    """The cells of a suite that a change touches, as a suite; None where there are none.

    A new method is measured wherever its family is, and a new task with the methods of the first
    selection of its family, whether the suite names them or not.

    Args:
        suite: As it is now.
        found: What was touched.
        tree: The checkout.
        was: The suite before; None where it is new.
    """
    if found.everything or was is None or _measured_otherwise(suite, was):
        return suite
    parts = [
        part for selection in suite.select for part in _parts(suite, selection, found, tree, was)
    ]
    parts += _new_tasks(suite, found, tree)
    return suite.model_copy(update={"select": parts}) if parts else None


def _measured_otherwise(suite: Suite, was: Suite) -> bool:
    """Whether all cells of a suite changed: how they are measured is part of their keys."""
    return suite.model_dump(exclude=_WORDS) != was.model_dump(exclude=_WORDS)


_WORDS = {"id", "title", "summary", "select", "limits"}


def _parts(
    suite: Suite, selection: Selection, found: Affected, tree: Tree, was: Suite
) -> Iterator[Selection]:
    family = suite.family_of(selection)
    if family in found.families or selection not in was.select:
        yield selection
        return
    cards = {name: card for name, card, _ in tree.of("task")}
    offered = {name: card for name, card, _ in tree.of("method") if family in card.families}
    every = [name for name, card in offered.items() if card.kind != "control"]
    chosen = every if selection.methods == ["all"] else selection.methods
    names = [name for name in chosen if name in found.methods]
    names += [name for name in every if ("method", name) in found.new and name not in names]
    if names:
        yield selection.model_copy(update={"methods": names})
    for name in chosen:
        new = [] if name in names else list(found.settings.get(name, ()))
        asked = swept(offered[name], selection.settings) if name in offered else ()
        new = [dict(each) for each in new if each in asked]
        if new and name not in selection.params:
            yield selection.model_copy(update={"methods": [name], "params": {name: new}})
    tasks = [ref for ref in selection.tasks if ref.partition(":")[0] in found.tasks]
    if tasks:
        yield selection.model_copy(update={"tasks": tasks})
    for ref in selection.tasks:
        card = cards.get(ref.partition(":")[0])
        models = selection.models or list(card.models if card else ())
        hit = [each for each in models if each in found.models or (ref, each) in found.pairs]
        if hit:
            yield selection.model_copy(update={"tasks": [ref], "models": hit})


def _new_tasks(suite: Suite, found: Affected, tree: Tree) -> Iterator[Selection]:
    named = {ref.partition(":")[0] for selection in suite.select for ref in selection.tasks}
    for name, card, _ in tree.of("task"):
        if ("task", name) not in found.new or name in named:
            continue
        for family in card.families:
            like = next((each for each in suite.select if suite.family_of(each) == family), None)
            if like is not None:
                yield like.model_copy(update={"tasks": [name], "models": []})


def suite_at(root: Path, base: str, name: str) -> Suite | None:
    """A shipped suite as it was at a commit; None where it was not there or was none."""
    text = before(root, base, f"{SUITES}/{name}.toml")
    try:
        return None if text is None else Suite.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError):
        return None


def written(suite: Suite) -> str:
    """A suite as the JSON that ``tokonomy run --suite FILE.json`` takes."""
    return json.dumps(suite.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"
