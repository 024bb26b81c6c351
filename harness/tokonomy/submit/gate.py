"""Measuring what a submission touches, and whether it passes.

The harness runs in a limited process, since what it measures was written by others; what plans,
limits and decides is the code that calls it, of the same checkout or of another. A gate that
measured nothing although there was something to measure does not pass.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tokonomy.catalog.suites import Suite, find_suite
from tokonomy.errors import BadRecord, UsageError
from tokonomy.store.database import open_store
from tokonomy.store.epochs import REFERENCE
from tokonomy.store.exchange import export, read_all
from tokonomy.store.fields import Part
from tokonomy.store.lines import looked_at, validated
from tokonomy.store.record import Record
from tokonomy.submit import limited
from tokonomy.submit.affected import SUITES, Affected, narrowed, suite_at, unnamed, written
from tokonomy.submit.findings import Finding

MOST_FINDINGS = 10_000
MAIN = "from tokonomy.cli import main; main()"
FINAL = ("ok", "unsupported")
_SOURCES = ("harness", "methods", "tasks", "site", "results/suites")


class Report(Part):
    """What a check left behind; with the records all that a comment is made of.

    Attributes:
        commit: What was checked.
        base: What it was compared with.
        findings: Rules that are broken, as path, line, rule and text.
        passed: Tests that passed.
        network: Whether the network was cut off for them.
        touched: What the change touches, and what of it was changed.
        suites: Suites with cells that it touches.
        stated: Of which runs of whom it says something; see ``stated``.
        problems: Why it does not pass, besides the findings.
    """

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    base: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    findings: Annotated[list[tuple[str, int, str, str]], Field(max_length=MOST_FINDINGS)]
    passed: Annotated[int, Field(ge=0, lt=2**31)]
    network: Annotated[str, Field(max_length=500)]
    touched: dict[str, str]
    suites: list[str]
    stated: Annotated[list[str], Field(default_factory=list)]  # earlier commits tell nothing
    problems: list[str]

    @property
    def found(self) -> list[Finding]:
        """Findings as such."""
        return [
            Finding(path=path, line=line, rule=rule, text=text)
            for path, line, rule, text in self.findings
        ]


def plans(
    root: Path, base: str, found: Affected, suites: Iterable[str], folder: Path
) -> dict[str, Path]:
    """Write the touched part of each suite into a folder; gives the files by suite.

    A suite is the checkout's where it has one of that name, else an installed one.
    """
    whole, made = {name: _suite(root, name) for name in suites}, {}
    besides = unnamed(whole.values(), found)
    for name, suite in whole.items():
        part = narrowed(suite, found, suite_at(root, base, name), besides.get(suite.id, ()))
        if part is not None:
            made[name] = folder / f"{name}.json"
            made[name].write_text(written(part), encoding="utf-8")
    return made


def _suite(root: Path, name: str) -> Suite:
    own = root / SUITES / f"{name}.toml"
    return find_suite(str(own) if own.is_file() else name)


def measure(
    root: Path,
    plan: Path,
    database: Path,
    limits: limited.Limits,
    log: Path,
    options: Sequence[str] = (),
) -> limited.Ended:
    """Run the cells of a plan in a limited process, with the code of a checkout.

    Args:
        root: The checkout whose code runs, in its own environment where it has one in ``.venv``.
        plan: A suite file.
        database: Where runs go; a file.
        limits: What all of it may take together.
        log: Where it is written what is printed.
        options: More options of ``tokonomy run``.
    """
    own = root / ".venv/bin/python"
    command = [str(own) if own.exists() else sys.executable, "-c", MAIN, "run",
               "--suite", str(plan.resolve()), "--db", str(database.resolve()),
               *options]  # fmt: skip
    path = [*(str(root / each) for each in _SOURCES), os.environ.get("PYTHONPATH", "")]
    found = os.pathsep.join(filter(None, path))  # before whatever is installed
    return limited.run(command, root, limits, log, {"PYTHONPATH": found})


def handed(database: Path, path: Path) -> list[Record]:
    """Write all records of a database to a file, and read them back as strangers would."""
    if not database.exists():
        path.write_text("", encoding="utf-8")
        return []
    with open_store(database, create=False) as store:
        export(store, path)
    return [record for _, record in read_all(path)]


def problems(
    planned: bool,
    records: Sequence[Record],
    ended: Sequence[limited.Ended],
    failures: bool = True,
) -> list[str]:
    """Why a measurement does not pass, in words.

    Args:
        planned: Whether there was anything to measure.
        records: What came of it.
        ended: How each call of the harness ended.
        failures: Whether a run that failed is a problem, or a result as any other.
    """
    said = [f"the measurement took more {each.broken} than it is given" for each in ended
            if each.broken]  # fmt: skip
    if planned and not any(
        record.status == "ok" and record.cell.method.id != REFERENCE for record in records
    ):
        said.append("no method was measured, although there was something to measure")
    bad = Counter(
        f"{record.cell.method.id} on {record.cell.task.id}: {record.status}, {record.reason}"
        for record in records
        if failures and record.status not in FINAL
    )
    said += [f"{many} of its runs failed: {text}" for text, many in sorted(bad.items())]
    codes = [each.code for each in ended if each.code]
    if not said and codes and (failures or codes[0] != 1):
        said.append(f"the harness ended with status {codes[0]}")
    return said


def of_commit(records: Iterable[Record], commit: str) -> list[Record]:
    """The records, if all were made by the code of one commit; raises ``BadRecord``."""
    kept = list(records)
    for record in kept:
        if record.harness.commit != commit or record.harness.dirty is not False:
            made = record.harness.commit or "an unknown commit"
            more = "" if record.harness.dirty is False else ", with changes that are in no commit"
            raise BadRecord(
                f"run {record.run_id}: expected to be made by {commit}; was made by {made}{more}"
            )
    if not kept:
        raise UsageError("expected records; there are none")
    return kept


_MOST_REPORT = 4 << 20


def read_report(path: Path) -> Report:
    """A report, read as a stranger's; raises ``BadRecord``."""
    try:
        with path.open("rb") as handle:
            content = handle.read(_MOST_REPORT + 1)
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read ({error.strerror})") from error
    if len(content) > _MOST_REPORT:
        raise BadRecord(f"report: expected at most {_MOST_REPORT} bytes; got more")
    text, _ = looked_at(content, "report")
    return validated(Report, text, "report")
