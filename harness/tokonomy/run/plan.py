"""From a suite to cells: what will be run, under which key, in which order.

A cell's key is a hash over everything that could change its result. Nothing is run here; what is
impossible is refused before anything is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from typing import Any

from tokonomy.catalog.registry import catalogue
from tokonomy.catalog.sources import source_hash
from tokonomy.catalog.suites import Precision, Selection, Suite, swept
from tokonomy.errors import BadCard, BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.registry import load_family
from tokonomy.measure.devices import device_class
from tokonomy.measure.environment import software
from tokonomy.measure.protocol import PROTOCOL
from tokonomy.run.job import Job
from tokonomy.store.cell import Cell, MethodRef, ModelRef, TaskRef, cell_key
from tokonomy.store.fields import Mode, Scenario

Setting = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a method is measured."""

    family: str
    task: TaskRef
    model: ModelRef
    scenario: Scenario
    batch_size: int
    precision: Precision
    mode: Mode


def expand(suite: Suite) -> tuple[Job, ...]:
    """Every run a suite asks for, each once, the reference of each place first.

    Raises a ``UsageError`` for unknown ids and for parameters that a method refuses.
    """
    jobs: dict[str, Job] = {}
    for selection in suite.select:
        load_family(suite.family_of(selection))
        settings = list(_settings(suite, selection))
        checked: set[tuple[str, str]] = set()
        for place in _places(suite, selection):
            if (place.task.ref, place.model.ref) not in checked:
                _preflight(suite, place, selection.params)
                checked.add((place.task.ref, place.model.ref))
            for method, params in settings:
                cell = _cell(suite, place, _method(method, json.dumps(params, sort_keys=True)))
                jobs.setdefault(
                    cell.key,
                    Job(cell=cell, suite=suite.id, limits=suite.limits),
                )
    return tuple(jobs.values())


def _places(suite: Suite, selection: Selection) -> Iterator[Place]:
    name = suite.family_of(selection)
    family = load_family(name)
    for task_ref in selection.tasks:
        _fits(name, "task", task_ref.partition(":")[0])
        task = family.describe_task(task_ref)
        models = selection.models or family.models_for(task_ref)
        if not models:
            raise BadParameter(
                f"task {task_ref!r} has no embedded model; expected one of your "
                f"own, e.g. hf:<repo or folder>"
            )
        for model in map(family.describe_model, models):
            for scenario, precision, mode in product(
                selection.scenarios,
                selection.precisions or [suite.precision],
                selection.modes or [suite.mode],
            ):
                kind, _, size = scenario.partition(":")
                yield Place(
                    family=name,
                    task=task,
                    model=model,
                    batch_size=int(size or 1),
                    scenario="stream" if kind == "stream" else "offline",
                    precision=precision,
                    mode=mode,
                )


def _preflight(
    suite: Suite, place: Place, given: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    """Refuse what cannot be run: a model that cannot answer the task, a setting it cannot take.

    Settings of a card's own sweep are left to their runs.
    """
    family = load_family(place.family)
    skeleton = family.skeleton(place.model.ref)
    family.check(skeleton, family.open(place.task.ref))
    for name, settings in given.items():
        for params in settings:
            method = catalogue("method").build(name, params)
            with suppress(Unsupported), Context(seed=suite.seed) as context:
                method.prepare(skeleton, context)


def _settings(suite: Suite, selection: Selection) -> Iterator[Setting]:
    """Methods with their settings; references come first and are never left out."""
    family, cards = suite.family_of(selection), catalogue("method").cards
    offered = {name: card for name, card in cards.items() if family in card.families}
    every = [name for name, card in offered.items() if card.kind != "control"]
    chosen = every if selection.methods == ["all"] else selection.methods
    for name in chosen:
        _fits(family, "method", name)
    references = [name for name, card in offered.items() if card.kind == "reference"]
    for name in dict.fromkeys((*references, *chosen)):
        for params in selection.params.get(name) or swept(offered[name], selection.settings):
            yield name, dict(params)


def _fits(family: str, noun: str, name: str) -> None:
    """Raise where a method or task is of other families."""
    families = catalogue(noun).card(name).families
    if family not in families:
        raise BadParameter(
            f"{noun} {name!r} is of family {' and '.join(map(repr, families))}; "
            f"the selection is of {family!r}"
        )


@cache
def _method(name: str, params: str) -> MethodRef:
    """A method at a setting, with every parameter written out.

    One whose module cannot be imported keeps what was given: its run will tell.
    """
    methods, given = catalogue("method"), json.loads(params)
    try:
        full = asdict(methods.build(name, given))
    except (BadCard, SystemExit):
        full = given
    try:
        written = json.loads(json.dumps(full, allow_nan=False))
        return MethodRef(id=name, params=written, source_hash=methods.source_hash(name))
    except (TypeError, ValueError) as error:
        raise BadParameter(
            f"method {name!r}: parameters are numbers, strings, lists and tables; "
            f"got {str(full)[:100]} ({str(error).splitlines()[0]})"
        ) from None


@cache
def _family_source(name: str) -> str:
    return source_hash(type(load_family(name)).__module__)


@cache
def _libraries() -> dict[str, str | None]:
    """Versions of what computes; the rest of the software is recorded and not in the key."""
    return {name: software()[name] for name in ("torch", "transformers")}


def _cell(suite: Suite, place: Place, method: MethodRef) -> Cell:
    fields: dict[str, Any] = {
        "family": place.family,
        "family_hash": _family_source(place.family),
        "method": method,
        "task": place.task,
        "model": place.model,
        "device": suite.device,
        "device_class": _device_class(suite.device),
        "precision": place.precision,
        "scenario": place.scenario,
        "batch_size": place.batch_size,
        "mode": place.mode,
        "threads": suite.measuring.threads,
        "seed": suite.seed,
        "measuring": suite.measuring,
        "libraries": _libraries(),
        "protocol": PROTOCOL,
    }
    return Cell(key=cell_key(fields), **fields)


@cache
def _device_class(device: str) -> str:
    return device_class(device)
