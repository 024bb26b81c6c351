"""``tokonomy list`` and ``tokonomy show``: what is installed, read from cards without torch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click

from tokonomy.catalog.registry import NOUNS, Broken, catalogue, unknown
from tokonomy.catalog.suites import find_suite, installed, read_suite, suite_files
from tokonomy.cli.printing import json_option, print_facts, print_json, print_table, warn
from tokonomy.errors import BadSuite, UnknownId

_COLUMNS = {
    "method": ("id", "kind", "lossless", "effect", "paper", "summary"),
    "task": ("id", "families", "licence", "summary"),
    "model": ("id", "task", "summary"),
}


def _warn(broken: Iterable[Broken]) -> None:
    for plug in broken:
        warn(f"{plug.where} is left out: {plug.reason}")


def _cards(noun: str) -> list[dict[str, Any]]:
    registry = catalogue(noun)
    _warn(registry.broken)
    return [asdict(card) for card in registry.cards.values()]


def _suites() -> list[dict[str, Any]]:
    found = []
    files, broken = installed()
    _warn(broken)
    for name, path in sorted(files.items()):
        try:
            suite = read_suite(path)
            found.append(suite.model_dump(mode="json") | {"families": list(suite.families)})
        except BadSuite as error:
            warn(f"suite {name} is left out: {error}")
    return found


def _devices() -> list[dict[str, Any]]:
    from tokonomy.measure.devices import devices

    return devices()


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        print_table(columns, ([row.get(column) for column in columns] for row in rows))


@click.group(name="list")
def list_() -> None:
    """List methods, tasks, models, suites or devices.

    \b
    Example:
      tokonomy list methods --json
    """


@list_.command()
@json_option
def methods(as_json: bool) -> None:
    """List methods.

    \b
    Example:
      tokonomy list methods
    """
    _print(_cards("method"), _COLUMNS["method"], as_json)


@list_.command()
@json_option
def tasks(as_json: bool) -> None:
    """List tasks; a folder of your own images is given as imagefolder:FOLDER.

    \b
    Example:
      tokonomy list tasks
    """
    _print(_cards("task"), _COLUMNS["task"], as_json)


@list_.command()
@json_option
def models(as_json: bool) -> None:
    """List shipped models; any checkpoint can be given as hf:<repo or folder>.

    \b
    Example:
      tokonomy list models
    """
    _print(_cards("model"), _COLUMNS["model"], as_json)


@list_.command()
@json_option
def suites(as_json: bool) -> None:
    """List suites; a path to a TOML file can be given in place of a name.

    \b
    Example:
      tokonomy list suites
    """
    _print(_suites(), ("id", "families", "title"), as_json)


@list_.command()
@json_option
def devices(as_json: bool) -> None:
    """List devices with what they are and what they can tell of time, memory and energy.

    A GPU without a device name cannot be measured on; the detail says why. Facts, and what trying
    its energy counter and power fields gave, are in the JSON.

    \b
    Example:
      tokonomy list devices
    """
    _print(_devices(), ("device", "name", "energy", "detail"), as_json)


def _facts(card: dict[str, Any]) -> list[tuple[str, object]]:
    claims = [
        f"{claim['metric']} {claim['value']:g} {claim['unit']}"
        + (f" (reference {claim['reference']:g})" if claim["reference"] is not None else "")
        + f": {claim['model']}, {claim['dataset']}, {claim['setting']}; {claim['source']}"
        for claim in card.pop("claims", ())
    ]
    sweep = [json.dumps(setting) for setting in card.pop("sweep", ())]
    return [*card.items(), ("sweep", sweep), ("claims", claims)]


def _found(name: str) -> tuple[str, dict[str, Any]]:
    for noun in NOUNS:
        if name in catalogue(noun).entries:
            return noun, asdict(catalogue(noun).card(name))
    if name in suite_files() or name.endswith(".toml"):
        return "suite", find_suite(name).model_dump(mode="json")
    known = [*suite_files(), *(name for noun in NOUNS for name in catalogue(noun).entries)]
    raise UnknownId(unknown("method, task, model or suite", name, known))


@click.command()
@click.argument("name", metavar="ID")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show the card of a method, task, model or suite.

    \b
    Example:
      tokonomy show tome
    """
    noun, card = _found(name)
    if as_json:
        print_json({"noun": noun, **card})
    elif noun == "suite":
        print_facts([("noun", noun), *((key, json.dumps(value)) for key, value in card.items())])
    else:
        print_facts([("noun", noun), *_facts(card)])
