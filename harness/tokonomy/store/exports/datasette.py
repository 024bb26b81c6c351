"""What Datasette is told of the database: titles, units, what each column says, facets.

Made from the tables and from ``metrics``, for
``datasette tokonomy.sqlite -m datasette.json --setting suggest_facets off``. Looking by itself for
facets in so many columns would take it half a minute at 10,000 runs.
"""

from __future__ import annotations

import json
from typing import Any

from tokonomy.store.exports.columns import BOUNDARY, CURRENT, SETTING, TRUST
from tokonomy.store.metrics import METRICS, WITH_INTERVAL

DATABASE = "tokonomy"  # the file's name without its ending
FACETS = ["family", "task", "device_class"]

_UNITS = (  # as pint defines units; those that it does not know, or writes in another way
    "samples = []", "tokens = []", "passes = []", "pairs = []", "nats = []", "FLOP = []",
)  # fmt: skip
_KNOWN = {"ms", "s", "B", "J", "W", "samples/s", "tokens/s"} | {each.split()[0] for each in _UNITS}
_OWN = {
    "id": "Number of the row.",
    "run": "The run that it belongs to.",
    "line": "The whole of it, as one line of JSON.",
    "says": "verified, signed-off, disputed, resolved, withdrawn or reinstated.",
    "at": "When it was said, UTC.",
    "derivation": "Version of the rules that made its figures.",
    "name": "Which figure; its title and what it is are in the view leaderboard.",
    "value": "The figure; null where it cannot be told.",
    "low": "Lower end of the 95 % interval, where it has one.",
    "high": "Upper end.",
    "unit": "Unit of the figure; 1 for shares and ratios.",
    "n": "Independent units behind it.",
    "text": "The value of a figure that is a name, or a warning on its number.",
    "standing": "What statements alone make of it: as trust, but for superseded.",
    "trust": TRUST,
    "current": CURRENT,
    "energy_boundary": BOUNDARY,
    "peak_memory_mib": "Peak memory, in MiB.",
    "gflops": "FLOPs, in thousands of millions.",
}

_RUN = tuple(SETTING)
TABLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "leaderboard": (
        "Results",
        "Of each cell the result that stands for it, with every figure, also where it failed: of "
        "the runs of its newest code the newest, a verified one before others, a disputed one "
        "where there is no other, none that was withdrawn. Compare rows of one device class, task, "
        "model, precision, scenario and mode only.",
        (),  # all that views.FIGURES names, below
    ),
    "runs": ("Runs", "A row for each run, superseded or not, whatever it is for.", ()),
    "run": ("Runs, stored", "What each run was of; figures are in metric.",
            ("id", *_RUN, "standing", "derivation")),
    "metric": ("Figures", "A row for each figure of each run, with interval, count and reason.",
               ("run", "name", "value", "low", "high", "unit", "n", "reason", "text")),
    "statement": ("Statements", "What people said of a record later; see the levels of trust.",
                  ("id", "run", "says", "at", "line")),
    "record": ("Records", "What each run observed, raw samples included.", ("run", "line")),
}  # fmt: skip


def told(name: str) -> tuple[str, str]:
    """Unit and meaning of a column of a table or view."""
    figure, _, end = name.rpartition("_")
    if name in METRICS:
        return METRICS[name].unit, f"{METRICS[name].title}. {METRICS[name].doc}"
    if end in ("low", "high") and figure in WITH_INTERVAL:
        which = {"low": "Lower", "high": "Upper"}[end]
        return METRICS[figure].unit, f"{which} end of the 95 % interval of {figure}."
    return "", SETTING[name][1] if name in SETTING else _OWN[name]


def figures() -> list[str]:
    """Columns of the view ``leaderboard`` that are figures, in order."""
    found: list[str] = []
    for name in METRICS:
        ends = [f"{name}_low", f"{name}_high"] if name in WITH_INTERVAL else []
        found += [name, *ends, *(["energy_boundary"] if name == "energy_j" else [])]
    return found


VIEWS: dict[str, tuple[str, ...]] = {
    "leaderboard": (
        "family", "method", "params", "task", "split", "model", "embedded", "device",
        "device_class", "precision", "scenario", "batch_size", "mode", "threads", "seed",
        "protocol", *figures(), "peak_memory_mib", "gflops", "status", "reason", "flags", "suite",
        "started", "run_id", "trust",
    ),
    "runs": (
        "started", "status", "reason", "detail", "suite", "role", "flags", "family", "method",
        "params", "task", "split", "model", "embedded", "device", "device_class", "precision",
        "scenario", "batch_size", "mode", "threads", "seed", "harness_version", "harness_commit",
        "protocol", "cell_key", "run_id", "trust", "current",
    ),
}  # fmt: skip


def metadata() -> dict[str, Any]:
    """The whole document."""
    about = {
        "license": "Apache-2.0",
        "license_url": "https://www.apache.org/licenses/LICENSE-2.0",
        "source": "Tokonomy's records; each run is the source of its own figures",
    }
    return {
        "title": "Tokonomy",
        "description": "Measured costs of token-efficient transformers, next to the unmodified "
        "model. Units are those of the columns; shares and ratios have none.",
        **about,
        "custom_units": list(_UNITS),
        "databases": {
            DATABASE: {
                "description": "Begin with the view leaderboard.",
                **about,
                "tables": {name: _table(name) for name in TABLES} | {
                    "alembic_version": {"hidden": True}
                },
            }
        },
    }  # fmt: skip


def _table(name: str) -> dict[str, Any]:
    title, description, own = TABLES[name]
    shown = VIEWS.get(name, own)
    units = {each: told(each)[0] for each in shown if told(each)[0] in _KNOWN}
    made: dict[str, Any] = {
        "title": title,
        "description": description,
        "columns": {each: told(each)[1] for each in shown},
        "units": units,
    }
    if name in VIEWS or name == "run":
        made |= {"facets": FACETS, "sort_desc": "started"}
    if name == "run":
        made["label_column"] = "run_id"
    if name == "metric":
        made |= {"facets": ["name", "unit"], "label_column": "name"}
    return made


def text() -> str:
    """The document as the bytes of its file."""
    return json.dumps(metadata(), indent=1, ensure_ascii=False) + "\n"
