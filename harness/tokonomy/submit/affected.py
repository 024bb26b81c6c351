"""From what was changed to the cells that must be measured again, and only those.

A cell's key is a hash over the code of its method and family, the data of its task, the weights,
the libraries that compute, and the version of the protocol. Here a suite is expanded twice, with
the cards as they are and as they were, and the difference is taken: a cell is measured if it was
not there before, or if a file changed that its key is made of (``catalog.sources``). Nothing is run
or imported for that, so data count as changed with the code that makes them. A change of a card's
words changes no key.

The answer is a suite again, narrowed, so that whatever runs suites can run it.
"""

from __future__ import annotations

import json
import tomllib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from tokonomy.catalog.reading import without_card
from tokonomy.catalog.suites import Selection, Suite, swept
from tokonomy.submit.changes import before
from tokonomy.submit.tree import FAMILIES, PACKAGES, WEIGHTS, Tree, module_of

SUITES = "results/suites/tokonomy_suites"
_PROTOCOL = "harness/tokonomy/measure/protocol.py"
_CONSTRAINTS, _COMPUTING = "constraints.txt", ("torch==", "transformers==")


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What a change touches.

    Attributes:
        now, was: The checkout as it is and as it was.
        everything: Why every cell is touched; empty where that is not so.
        files: By noun and id, the changed files that its results depend on.
        asks: Noun and id of cards that ask for other cells than before.
        brought: Noun and id of cards that are new or whose own files were changed.
    """

    now: Tree
    was: Tree
    everything: str = ""
    files: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    asks: Collection[tuple[str, str]] = ()
    brought: Collection[tuple[str, str]] = ()

    def ids(self, noun: str) -> set[str]:
        """What is touched of one noun: methods, tasks, models or families."""
        return {name for kind, name in self.files if kind == noun}

    @property
    def told(self) -> dict[str, str]:
        """All that is touched, in words."""
        whole = {"everything": self.everything} if self.everything else {}
        asks = {f"{noun} {name}": "its card asks for other cells" for noun, name in self.asks}
        code = {f"{noun} {name}": ", ".join(paths) for (noun, name), paths in self.files.items()}
        return whole | asks | code


def affected(root: Path, base: str, paths: Iterable[str]) -> Affected:
    """What a change touches.

    Args:
        root: Root of the repository.
        base: Commit to compare with.
        paths: Files that differ from it.
    """
    past = {path: before(root, base, path) for path in paths if _matters(path)}
    now, was = Tree(root), Tree(root, past)
    changed = {path for path in past if not module_of(path) or _code(now, path) != _code(was, path)}
    names = {("family", name) for name in FAMILIES} | now.cards.keys()
    names |= {("model", path.removeprefix(f"{WEIGHTS}/").partition("/")[0])
              for path in changed if path.startswith(f"{WEIGHTS}/")}  # fmt: skip
    hit = {key: sorted((now.files(*key) | was.files(*key)) & changed) for key in sorted(names)}
    return Affected(
        now=now,
        was=was,
        everything=_everything(now, was),
        files={key: found for key, found in hit.items() if found},
        asks={key for key in now.cards.keys() & was.cards.keys()
              if _asked(now, key) != _asked(was, key)},
        brought={key for key in now.cards if key not in was.cards or now.own(*key) & changed},
    )  # fmt: skip


def _matters(path: str) -> bool:
    return path == _CONSTRAINTS or path.startswith(tuple(f"{top}/" for top in PACKAGES.values()))


def _code(tree: Tree, path: str) -> str | None:
    """What of a module can change a result."""
    text = tree.text(path)
    return None if text is None else without_card(text)


def _asked(tree: Tree, key: tuple[str, str]) -> object:
    """What of a card tells which cells there are."""
    card = tree.cards[key][0]
    return [getattr(card, name, None) for name in ("families", "kind", "sweep", "models")]


def _everything(now: Tree, was: Tree) -> str:
    def lines(tree: Tree, path: str, *begin: str) -> list[str]:
        return [line for line in (tree.text(path) or "").splitlines() if line.startswith(begin)]

    for path, begin, said in (
        (_PROTOCOL, ("PROTOCOL",), "the version of the protocol"),
        (_CONSTRAINTS, _COMPUTING, "a version of a library that computes"),
    ):
        if lines(now, path, *begin) != lines(was, path, *begin):
            return f"{said} was changed"
    return ""


class Spot(NamedTuple):
    """A cell without the hashes in its key; ``params`` is JSON."""

    family: str
    task: str
    model: str
    scenario: str
    precision: str
    mode: str
    method: str
    params: str


def spots(suite: Suite, selection: Selection, tree: Tree) -> Iterator[Spot]:
    """The cells of a selection as ``run.plan`` expands it; of what is not there, none."""
    family = suite.family_of(selection)
    tasks, offered = dict(tree.of("task")), tree.offered(family)
    chosen = _every(offered) if selection.methods == ["all"] else selection.methods
    references = [name for name, card in offered.items() if card.kind == "reference"]
    settings = [
        (name, _params(params))
        for name in dict.fromkeys((*references, *chosen)) if name in offered
        for params in selection.params.get(name) or swept(offered[name], selection.settings)
    ]  # fmt: skip
    for task in selection.tasks:
        card = tasks.get(task.partition(":")[0])
        for place in product(
            selection.models or (card.models if card else ()),
            selection.scenarios,
            selection.precisions or [suite.precision],
            selection.modes or [suite.mode],
        ):
            yield from (Spot(family, task, *place, *setting) for setting in settings)


def _every(offered: Mapping[str, Any]) -> list[str]:
    """What ``all`` methods of a family are."""
    return [name for name, card in offered.items() if card.kind != "control"]


def _params(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True, default=repr)


def narrowed(
    suite: Suite, found: Affected, was: Suite | None, besides: Iterable[Selection] = ()
) -> Suite | None:
    """The cells of a suite that a change touches, as a suite; None where there are none.

    Args:
        suite: As it is now.
        found: What was touched.
        was: The suite before; None where it is new.
        besides: More that it is asked for.
    """
    known: set[Spot] = set()
    if not found.everything and was is not None and _measuring(suite) == _measuring(was):
        known = {spot for each in was.select for spot in spots(was, each, found.was)}
    parts: list[Selection] = []
    done: set[Spot] = set()
    for selection in (*suite.select, *besides):
        if _unknown(suite, selection, found.now) and not (
            was and selection in was.select and _unknown(was, selection, found.was)
        ):
            parts.append(selection)  # whoever runs it is told what is wrong with it
            continue
        all_of_it = list(spots(suite, selection, found.now))
        wanted = [spot for spot in all_of_it
                  if (spot not in known or _touched(spot, found)) and spot not in done]  # fmt: skip
        done.update(wanted)
        whole = len(wanted) == len(all_of_it)
        if whole and {spot.task for spot in all_of_it} == set(selection.tasks):
            parts.append(selection)
        else:
            parts += _selections(selection, all_of_it, wanted)
    return suite.model_copy(update={"select": parts}) if parts else None


def _unknown(suite: Suite, selection: Selection, tree: Tree) -> bool:
    """Whether a selection names what is not there."""
    family, tasks = suite.family_of(selection), dict(tree.of("task"))
    methods = set(selection.methods) - {"all"} - tree.offered(family).keys()
    refs = {ref.partition(":")[0] for ref in selection.tasks} - tasks.keys()
    return family not in FAMILIES or bool(methods or refs)


def _touched(spot: Spot, found: Affected) -> bool:
    task = spot.task.partition(":")[0]
    parts = (("family", spot.family), ("method", spot.method), ("task", task),
             ("model", spot.model))  # fmt: skip
    return any(part in found.files for part in parts)


def _measuring(suite: Suite) -> object:
    """How all cells of a suite are measured, which is part of their keys."""
    return suite.model_dump(exclude={"id", "title", "summary", "select", "limits"})


def _selections(
    selection: Selection, all_of_it: Iterable[Spot], wanted: Iterable[Spot]
) -> list[Selection]:
    """Some cells of a selection, as few selections."""
    whole, places = _by_place(all_of_it), _by_place(wanted)
    parts = []
    for place, settings in places.items():
        task, model, scenario, precision, mode = place
        less = {
            name: [json.loads(each) for each in params]
            for name, params in settings.items() if params != whole[place][name]
        }  # fmt: skip
        parts.append(selection.model_copy(update={
            "tasks": [task], "models": [model], "scenarios": [scenario],
            "precisions": [precision], "modes": [mode],
            "methods": list(settings), "params": selection.params | less,
        }))  # fmt: skip
    for axis in ("modes", "precisions", "scenarios", "models", "tasks"):
        parts = _merged(parts, axis)
    return parts


def _by_place(spots: Iterable[Spot]) -> dict[tuple[str, ...], dict[str, list[str]]]:
    found: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for spot in spots:
        found[spot[1:6]][spot.method].append(spot.params)
    return found


def _merged(parts: Iterable[Selection], axis: str) -> list[Selection]:
    """Join selections that differ in nothing but one axis."""
    found: dict[str, Selection] = {}
    for part in parts:
        key = part.model_dump_json(exclude={axis})
        values = [*getattr(found[key], axis), *getattr(part, axis)] if key in found else []
        found[key] = found[key].model_copy(update={axis: values}) if values else part
    return list(found.values())


def unnamed(suites: Iterable[Suite], found: Affected) -> dict[str, list[Selection]]:
    """Cells, by suite, of methods and tasks that somebody brings and none of the suites names.

    A method is measured wherever its family is, at the ends of its sweep; a task on its embedded
    models with the methods of the first selection of its family. One that only reaches what was
    changed is left to the suites that name it.
    """
    placed = [(suite, each) for suite in suites for each in suite.select]
    here = {spot for suite, each in placed for spot in spots(suite, each, found.now)}
    brought = {noun: {name for kind, name in found.brought if kind == noun}
               for noun in ("method", "task")}  # fmt: skip
    methods = brought["method"] - {spot.method for spot in here}
    tasks = brought["task"] - {spot.task.partition(":")[0] for spot in here}
    more: dict[str, list[Selection]] = defaultdict(list)
    begun: set[tuple[str, str]] = set()
    for suite, each in placed:
        family = suite.family_of(each)
        names = [name for name in _every(found.now.offered(family)) if name in methods]
        if names:
            update = {"methods": names, "params": {}, "settings": "ends"}
            more[suite.id].append(each.model_copy(update=update))
        refs = [name for name, card in found.now.of("task")
                if name in tasks and family in card.families and card.models]  # fmt: skip
        if refs and (suite.id, family) not in begun:
            more[suite.id].append(each.model_copy(update={"tasks": refs, "models": []}))
        begun.add((suite.id, family))
    return more


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
