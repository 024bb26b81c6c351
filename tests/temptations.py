"""Honest runs, and beside them every kind of run that must not be taken for one of theirs.

Each temptation has figures that would lead everywhere. What it would win is then looked for in
whatever is made of the records. Methods are made up and, but for a few, installed for as long as
that takes, so that what sets a run apart is what its name says and nothing else.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from records import UNSCORED, make_energy, make_gpu_record, make_record
from tokonomy.catalog.registry import catalogue
from tokonomy.store.record import Record

HONEST = ("honest-a", "honest-b")
BEST: dict[str, Any] = {
    "accuracy": 0.95, "latency_ratio": 0.05, "keep": 0.1,
    "energy": make_energy(0.01), "params": {"keep": 0.1},
}  # fmt: skip
MODEL = {"id": "m", "ref": "hf:m", "embedded": False, "weights_hash": "5" * 64}
TASK = make_record().cell.task.model_dump()
#: What must not be among the honest rows though it is ok: fields of its cell.
OTHER_CLASS: dict[str, dict[str, Any]] = {
    "other-device": {"device_class": "cuda: Other GPU"},
    "other-power-limit": {"device_class": "cuda: Example GPU limited to 250 W"},
    "other-precision": {"precision": "bf16"},
    "other-mode": {"mode": "cuda-graphs"},
    "other-protocol": {"protocol": 1},
    "other-threads": {"threads": 2},
    "other-checkpoint": {"model": MODEL},
    "other-scenario": {"scenario": "offline"},
    "other-batch-size": {"batch_size": 8},
    "other-data": {"task": TASK | {"data_hash": "7" * 64}},
    "other-split": {"task": TASK | {"split": "train"}},
}
#: What must not be among them for what its method is; the reference stands beside it too.
OTHER_KIND = ("is-trained", "not-installed")
#: What must be in no ranking at all. None of these methods is installed here.
NO_RESULT: dict[str, dict[str, Any]] = {
    "scripted-class": {"cell": {"device_class": "cuda: Scripted GPU"}},
    "scripted-hardware": {"machine": {"software": {}, "hardware": {"gpu_name": "scripted fast GPU"},
                                      "before": {}, "after": {}}},
    "scripted-meter": {"energy": make_energy(0.01, meter="scripted-total-energy")},
    "planted-slow": {},
    "planted-of-another": {},
    "in-calibration": {"suite": "calibration"},
}  # fmt: skip
NOT_OK = ("invalid", "oom", "timeout", "crash", "unsupported")
SESSIONS = 12  # of calibration, of the reference
#: What is in the honest rows' class, beside them and the reference, as long as it is labelled.
LABELLED = (
    *(f"ended-{status}" for status in NOT_OK), "other-boundary", "without-quality", "run-again",
    "capped", "wide", "narrow", "tight", "withheld", "doubtful", "hasty",
)  # fmt: skip

_CARD = """\
from tokonomy.catalog.cards import MethodCard

CARD = MethodCard(
    id={name!r}, title={name!r}, families=("vision",), summary="Made up.", kind={kind!r},
    lossless="lossy", effect="removed", alters=(),
    sweep=({{"keep": 0.1}}, {{"keep": 0.2}}, {{"keep": 0.3}}, {{"keep": 0.4}}),
)
"""


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Methods of the honest rows' class and of other classes are installed while this lasts."""
    package, info = folder / "tempting_methods", folder / "tempting_methods-0.1.dist-info"
    for each in (package, info):
        each.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tempting-methods\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[tokonomy.methods]\ntempting = tempting_methods\n")
    (package / "__init__.py").touch()
    for name in (*HONEST, *LABELLED, *OTHER_CLASS, OTHER_KIND[0]):
        kind = "trained" if name == "is-trained" else "training-free"
        file = package / f"{name.replace('-', '_')}.py"
        file.write_text(_CARD.format(name=name, kind=kind))
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    catalogue.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        catalogue.cache_clear()


def made(
    method: str, params: dict[str, Any] | None = None, cell: dict[str, Any] | None = None,
    **given: Any,
) -> Record:  # fmt: skip
    """A run of a method as it is today, at the newest protocol."""
    known = catalogue("method")
    source = known.source_hash(method) if method in known.entries else "0" * 64
    setting = {"id": method, "params": params or {}, "source_hash": source}
    fields = {"protocol": 2, "method": setting, **(cell or {})}
    return make_gpu_record(method=method, cell=fields, **given)


def best(method: str, **changes: Any) -> Record:
    """A run with figures that would lead everywhere."""
    return made(method, **(BEST | changes))


def ended(status: str) -> Record:
    """A run that is not ok and yet holds every part."""
    fields = best(f"ended-{status}").model_dump(mode="json")
    return Record.model_validate(fields | {"status": status, "reason": "throttled", "detail": None})


def paced(record: Record, *ratios: float) -> Record:
    """The same run with a steady reference and exactly these ratios, each as long as any other."""
    fields = record.model_dump(mode="json")
    pairs = fields["timing"]["pairs"]
    for at, pair in enumerate(pairs):
        pair["reference_ns"] = 10_000_000
        pair["method_ns"] = round(10_000_000 * ratios[at * len(ratios) // len(pairs)])
    return Record.model_validate_json(json.dumps(fields))


def capped(record: Record) -> Record:
    """The same run with its timing stopped at a cap, though no flag says so."""
    fields = record.model_dump(mode="json")
    fields["timing"]["stop"] = "pair-cap"
    return Record.model_validate_json(json.dumps(fields))


def measuring(**fields: Any) -> dict[str, Any]:
    """Fields of a cell that was measured so."""
    return {"measuring": {"threads": 1, **fields}}


def records() -> Iterator[Record]:
    """The honest runs and every temptation."""
    yield made("reference")
    for method, accuracy in zip(HONEST, (1.2, 0.97), strict=True):
        yield made(method, {"keep": 0.8}, keep=0.8, accuracy=accuracy)
        yield made(method, {"keep": 0.5}, keep=0.5)
    yield from (ended(status) for status in NOT_OK)
    yield from (best(name, cell=cell) for name, cell in OTHER_CLASS.items())
    yield from (best(name) for name in OTHER_KIND)
    yield from (best(name, **fields) for name, fields in NO_RESULT.items())
    yield best("other-boundary", energy=make_energy(0.01, boundary="module"))
    yield best("without-quality", quality=UNSCORED)
    yield best("run-again")
    yield made("run-again", {"keep": 0.1}, keep=0.6, attempt=60)
    yield make_gpu_record(method="tome", **BEST, cell={"protocol": 2})  # of another source
    yield from _unconverged()
    yield made("doubtful", flags=[{"code": "power-disagrees", "detail": None}])
    yield made("hasty", cell=measuring(energy={"trials": 5, "window_s": 0.5}))
    yield from (
        make_gpu_record(method="reference", seed=seed, suite="calibration", attempt=60,
                        cell={"protocol": 2})
        for seed in range(SESSIONS)
    )  # fmt: skip


def _unconverged() -> Iterator[Record]:
    """Intervals of the ratio that are not narrow, whatever timing says; and one that is."""
    yield capped(best("capped", cell=measuring(half_width=0.5)))
    yield made("wide", keep=0.5, latency_ratio=1.3)  # timing says that it converged
    yield made("narrow", keep=0.5, latency_ratio=1.3, cell=measuring(half_width=0.5))
    yield paced(made("tight", keep=0.5), 1.3)
    yield paced(best("withheld"), 0.039, 0.041)
