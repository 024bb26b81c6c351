"""The published JSON Schemas, made from the models; kept in ``record.schema.json`` and so on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokonomy.store.record import SCHEMA_VERSION, Record
from tokonomy.store.statements import NEEDS, Statement

FOLDER = Path(__file__).parent


def _record() -> dict[str, Any]:
    title = f"Tokonomy record, version {SCHEMA_VERSION}"
    return Record.model_json_schema(mode="validation") | {"title": title}


def _statement() -> dict[str, Any]:
    told = {"not": {"type": "null"}}
    rules = [
        {
            "if": {"properties": {"says": {"const": says}}},
            "then": {"required": list(names), "properties": dict.fromkeys(names, told)},
        }
        for says, names in NEEDS.items()
        if names
    ]
    title = "Tokonomy statement, version 1"
    return Statement.model_json_schema(mode="validation") | {"title": title, "allOf": rules}


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "record.schema.json": _record,
    "statement.schema.json": _statement,
}
"""By the name of their file."""


def text(name: str) -> str:
    """A schema as the bytes of its file, in JSON Schema 2020-12."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | SCHEMAS[name]()
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
