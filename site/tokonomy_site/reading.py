"""From a database and published records to a snapshot.

The database is never written: records are imported into a copy, and the copy is read, so that all
pages see one state whatever else goes on.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from tokonomy.catalog import strict
from tokonomy.catalog.cards import PLANTED
from tokonomy.catalog.registry import Registry, catalogue
from tokonomy.catalog.sources import located
from tokonomy.errors import StoreError, TokonomyError, UsageError
from tokonomy.store import calibration
from tokonomy.store.calibration import Calibration
from tokonomy.store.contests import Arm, arm
from tokonomy.store.database import Store, open_store
from tokonomy.store.derive import by_group
from tokonomy.store.engine import connect, file_of, on_disk
from tokonomy.store.epochs import Sentinel, by_device, device, sentinel
from tokonomy.store.exchange import import_files, import_known
from tokonomy.store.record import Record
from tokonomy.store.rows import Run as Stored
from tokonomy.store.statements import Statement, trust
from tokonomy_site.histories import histories
from tokonomy_site.links import slug
from tokonomy_site.marks import signs
from tokonomy_site.snapshot import PUBLIC, Run, Snapshot, device_name
from tokonomy_site.verdicts import verdicts


def gather(place: str, records: Path | None, statements: Path | None, target: Path) -> None:
    """Bring a database and published records together in a new SQLite file at ``target``.

    Args:
        place: Path or URL of the database; one that is missing counts as empty.
        records: File or folder of published records; a missing one counts as empty.
        statements: File or folder of statements; those about other runs than these are left out.
        target: The new file; its folder is there.
    """
    published = records if records is not None and records.exists() else None
    there = not on_disk(place) or file_of(place).exists()
    if not there and published is None:
        raise UsageError(
            f"nothing to publish: expected a database at {place} or records at {records}; "
            "`tokonomy run` makes the former"
        )
    working = target.with_name(target.name + ".working")
    if there and on_disk(place):
        open_store(place, create=False).close()
        _copy(file_of(place), working)
    with open_store(working) as store:
        if there and not on_disk(place):
            with open_store(place, create=False) as source:
                with store.transaction() as writer:
                    writer.add_all(source.records())
                    for each in source.statements():
                        writer.say(each)
        if published is not None:
            import_files(store, [published])
        if statements is not None and statements.exists():
            import_known(store, [statements])
    _copy(working, target)
    for leftover in working.parent.glob(working.name + "*"):
        leftover.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy a database page by page in one fixed order: the same content gives the same bytes."""
    engine = connect(str(source), write=False)
    try:
        with closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA query_only=OFF")  # VACUUM INTO writes, but elsewhere
            cursor.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise StoreError(
            f"{source}: cannot be copied ({error}); check the room on the disk"
        ) from error
    finally:
        engine.dispose()


def calibrations(folder: Path | None) -> dict[str, Calibration]:
    """The calibration records of a folder, by the path that the site has them at.

    A missing folder has none; a broken record raises ``BadRecord``.
    """
    if folder is None or not folder.exists():
        return {}
    if not folder.is_dir():
        raise UsageError(f"calibration must be a folder of records (*.json); {folder} is a file")
    return {
        f"calibration/{slug(path.stem)}.json": calibration.read(path)
        for path in sorted(folder.glob("*.json"))
    }


def snapshot(
    store: Store, digest: str, calibrated: Mapping[str, Calibration] | None = None
) -> Snapshot:
    """Everything the pages are made from.

    Args:
        store: An open store.
        digest: SHA-256 of its exported records.
        calibrated: Calibration records, by the path that the site has them at.
    """
    methods, tasks, models = (catalogue(noun) for noun in ("method", "task", "model"))
    extras = {record.run_id: _extra(record) for record in store.records()}
    said: dict[str, list[Statement]] = defaultdict(list)
    for each in store.statements():
        said[each.run_id].append(each)
    known = [_run(each, extras[each.run_id], said[each.run_id]) for each in store.runs()]
    found = verdicts(extras[run.id].arm for run in known if run.role == "result" and run.counts)
    runs = tuple(replace(run, verdicts=found.get(run.id, {})) for run in known)
    epochs = by_device(each.sentinel for each in extras.values() if each.sentinel)
    return Snapshot(
        runs=runs,
        digest=digest,
        methods=methods.cards,
        tasks=tasks.cards,
        models=models.cards,
        trained={name: trained(name, models) for name in models.entries},
        sources=dict(_sources(methods)),
        files={
            name: entry.module.replace(".", "/") + ".py" for name, entry in methods.entries.items()
        },
        signs=signs(
            name
            for name in {*methods.cards, *(run.method for run in runs if run.role in PUBLIC)}
            if not name.startswith(PLANTED)
        ),
        epochs=epochs,
        calibrations=calibrated or {},
        histories=histories(runs, epochs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extra:
    """What the pages need of a record besides the store's columns."""

    device: str
    machine: str
    arm: Arm | None
    sentinel: Sentinel | None
    groups: Mapping[str, tuple[float, int]]


def _extra(record: Record) -> _Extra:
    return _Extra(
        device=device_name(record.cell.device, record.machine.hardware, record.cell.device_class),
        machine=device(record).machine,
        arm=arm(record),
        sentinel=sentinel(record),
        groups={name: (each.value or 0.0, each.n) for name, each in by_group(record).items()},
    )


def _sources(methods: Registry) -> Iterator[tuple[str, str]]:
    for name in methods.entries:
        try:
            yield name, methods.source_hash(name)
        except (TokonomyError, OSError, SyntaxError):
            continue  # a plug-in that cannot be read has no hash, so nothing is called stale


def trained(name: str, models: Registry) -> dict[str, float]:
    """What a recipe left with the weights beside a model's module; empty where it left nothing.

    The module is not imported: that takes longer than all pages of a few runs.
    """
    module = located(models.entry(name).module)
    if module is None:
        return {}
    try:
        found = strict.read(module.parent / "weights" / name / "figures.json")
        read = {str(key): float(value) for key, value in found.items()}
        return read if all(map(isfinite, read.values())) else {}
    except (TokonomyError, OSError, ValueError, TypeError, AttributeError):
        return {}  # a plug-in's may hold anything


def _run(stored: Stored, extra: _Extra, said: list[Statement]) -> Run:
    return Run(
        id=stored.run_id,
        key=stored.cell_key,
        started=stored.started,
        status=stored.status,
        reason=stored.reason,
        family=stored.family,
        method=stored.method,
        params=stored.params,
        seed=stored.seed,
        source_hash=stored.method_hash,
        task=stored.task,
        task_ref=stored.task_ref,
        split=stored.split,
        samples=stored.samples,
        data_hash=stored.data_hash,
        model=stored.model,
        model_ref=stored.model_ref,
        weights_hash=stored.weights_hash,
        embedded=stored.embedded,
        device=extra.device,
        device_class=stored.device_class,
        machine=extra.machine,
        precision=stored.precision,
        scenario=stored.scenario,
        batch_size=stored.batch_size,
        mode=stored.mode,
        threads=stored.threads,
        protocol=stored.protocol,
        version=stored.harness_version,
        figures=stored.metrics,
        flags=stored.flags,
        role=stored.role,
        verdicts={},
        groups=extra.groups,
        trust=replace(trust(said), level=stored.trust),
        current=stored.current,
    )
