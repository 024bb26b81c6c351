"""The published JSON Schema of a record, made from the model; kept in ``record.schema.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokonomy.store.record import SCHEMA_VERSION, Record

FILE = Path(__file__).parent / "record.schema.json"


def schema() -> dict[str, Any]:
    """The schema as JSON Schema 2020-12."""
    made = Record.model_json_schema(mode="validation")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Tokonomy record, version {SCHEMA_VERSION}",
    }
    return made | head


def text() -> str:
    """The schema as the bytes of the file."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
