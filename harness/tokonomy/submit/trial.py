"""The second stage of a check: the contract's tests and the submission's own, in a limited process.

The tests of a method are those that its family has for every method, and those in ``test_NAME.py``.
What is run here was written by others: it could answer for the tests that ask it, so a pass tells
that a method works, not that it can be trusted. That takes a reader, and `ci/bench.py` a commit
that one has approved.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tokonomy.catalog.cards import MethodCard, TaskCard
from tokonomy.catalog.reading import read_card
from tokonomy.errors import BadCard, UsageError
from tokonomy.submit import limited
from tokonomy.submit.findings import Finding
from tokonomy.submit.reading import METHODS, TASKS, files

#: Where a family's contract is tested for every method, and that of tasks for every task.
CONTRACTS: Mapping[str, str] = {
    "vision": "tests/methods/test_contract.py",
    "decoding": "tests/methods/decoding/test_decoding_contract.py",
    "kv": "tests/methods/kv/test_kv_contract.py",
    "task": "tests/tasks/test_task_contract.py",
}
_MOST_REPORT = 64 << 20
_MOST_FAILURES = 20
_SAID = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the tests of a submission gave.

    Attributes:
        findings: Each failure, and each limit that was broken.
        passed: Tests that passed.
        network: ``"cut off"``, or why it was not; empty where nothing was run.
    """

    findings: tuple[Finding, ...]
    passed: int
    network: str


def trial(root: Path, paths: Iterable[Path], limits: limited.Limits) -> Trial:
    """Run the tests of every method and task among ``paths``, each with limits of its own.

    Raises:
        UsageError: There are some, and what runs tests is not installed.
    """
    findings: list[Finding] = []
    passed, network = 0, ""
    for path, card in _submitted(root, paths):
        if find_spec("pytest") is None:
            raise UsageError("tests need pytest, which `make setup` installs")
        place = path.relative_to(root).as_posix()
        ended, tests = _tested(root, path, card, limits)
        network = ended.network
        passed += sum(each.ok for each in tests)
        findings += _findings(place, ended, tests, limits)
    return Trial(findings=tuple(sorted(findings)), passed=passed, network=network)


def _submitted(root: Path, paths: Iterable[Path]) -> Iterator[tuple[Path, MethodCard | TaskCard]]:
    wanted = (f"{METHODS}/", f"{TASKS}/")
    for path in files(paths):
        if path.suffix != ".py" or not path.relative_to(root).as_posix().startswith(wanted):
            continue
        try:
            card = read_card(path)
        except BadCard as error:
            raise UsageError(f"{path.name}: the first stage did not pass; {error}") from None
        if isinstance(card, MethodCard | TaskCard):
            yield path, card


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    name: str
    ok: bool
    said: str


def _tested(
    root: Path, path: Path, card: MethodCard | TaskCard, limits: limited.Limits
) -> tuple[limited.Ended, list[_Test]]:
    kinds = card.families if isinstance(card, MethodCard) else ("task",)
    own = sorted((root / "tests").rglob(f"test_{path.stem}.py"))
    targets = [*(CONTRACTS[kind] for kind in kinds), *(str(each.relative_to(root)) for each in own)]
    with tempfile.TemporaryDirectory(prefix="tokonomy-trial-") as place:
        report = Path(place, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
                   f"--junit-xml={report}", "-k", f"{card.id} or test_{path.stem}",
                   *dict.fromkeys(targets)]  # fmt: skip
        ended = limited.run(command, root, limits)
        return ended, _read(report)


def _read(report: Path) -> list[_Test]:
    """Tests of a report; none where it is missing, too large or none of pytest's."""
    try:
        handle = os.open(report, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return []
        content = file.read(_MOST_REPORT + 1)
    try:
        tree = ElementTree.fromstring(content)
    except ElementTree.ParseError:  # also where it was cut
        return []
    return [_test(case) for case in tree.iter("testcase") if case.find("skipped") is None]


def _test(case: ElementTree.Element) -> _Test:
    bad = [each for each in case if each.tag in ("failure", "error")]
    said = bad[0].get("message", "") if bad else ""
    name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '')}"
    return _Test(name=name, ok=not bad, said=re.sub(r"\s+", " ", said)[:_SAID])


def _findings(
    place: str, ended: limited.Ended, tests: Sequence[_Test], limits: limited.Limits
) -> Iterator[Finding]:
    def found(rule: str, text: str) -> Finding:
        return Finding(path=place, line=0, rule=rule, text=text)

    if ended.broken == "time":
        yield found("contract-limits", f"its tests took more than {limits.time_s:g} s")
    elif ended.broken == "memory":
        mebibytes = limits.memory_bytes >> 20
        yield found("contract-limits", f"its tests took more than {mebibytes:,} MiB")
    failed = [each for each in tests if not each.ok]
    for each in failed[:_MOST_FAILURES]:
        yield found("contract-tests", f"{each.name} failed: {each.said}")
    if len(failed) > _MOST_FAILURES:
        yield found("contract-tests", f"{len(failed) - _MOST_FAILURES} more tests failed")
    if not failed and not ended.broken and (ended.code or not any(each.ok for each in tests)):
        last = next((line for line in reversed(ended.said.splitlines()) if line.strip()), "")
        yield found("contract-tests", f"no test passed; exit status {ended.code}: {last[:_SAID]}")
