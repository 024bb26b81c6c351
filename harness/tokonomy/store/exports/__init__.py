"""Runs in the forms of other tools: tables, lm-eval's results, pytest-benchmark's files.

None of them can be imported again; that is what records are for. A file appears whole or not at
all, and the same runs make the same bytes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokonomy.errors import StoreReadOnly
from tokonomy.store.database import Store
from tokonomy.store.exports import benchmarks, lm_results, tables
from tokonomy.store.rows import Filter

Filters = Mapping[str, Filter | None]


def _table(form: Callable[[Any], bytes]) -> Callable[[Store, Filters], tuple[bytes, int]]:
    def made(store: Store, filters: Filters) -> tuple[bytes, int]:
        runs = store.runs(**filters)
        return form(runs), len(runs)

    return made


def _benchmarks(store: Store, filters: Filters) -> tuple[bytes, int]:
    document = benchmarks.document(store.records(**filters))
    runs = {each["extra_info"]["run_id"] for each in document["benchmarks"]}
    return _json(document), len(runs)


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


FORMS: Mapping[str, Callable[[Store, Filters], tuple[bytes, int]]] = {
    "parquet": _table(tables.as_parquet),
    "csv": _table(tables.as_csv),
    "json": _table(tables.as_json),
    "pytest-benchmark": _benchmarks,
}


def write(store: Store, path: Path, form: str, **filters: Filter | None) -> int:
    """Write the runs that pass the filters in one of ``FORMS``; gives how many are in the file."""
    content, count = FORMS[form](store, filters)
    place(path, content)
    return count


def lm_eval(store: Store, folder: Path, **filters: Filter | None) -> int:
    """Write a file of results for each run of a language task that passes; gives how many."""
    count = 0
    for name, document in lm_results.files(store.records(**filters)):
        place(folder / name, _json(document))
        count += 1
    return count


def place(path: Path, content: bytes) -> None:
    """Put a file in its place in one step; raises ``StoreReadOnly``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            part = Path(folder) / "part"
            part.write_bytes(content)
            part.replace(path)
    except OSError as error:
        raise StoreReadOnly(
            f"{path}: cannot be written ({error.strerror}); name another place"
        ) from error
