"""Rules over files of records and of statements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tokonomy.errors import BadRecord
from tokonomy.store.exchange import MAX_LINE, read_line
from tokonomy.store.statements import MAX_LINE as LONGEST
from tokonomy.store.statements import read_statement, reserved
from tokonomy.submit.findings import Finding
from tokonomy.submit.reading import Checkout

_SAID = 300  # characters of what is wrong with a record


def check(checkout: Checkout, path: Path) -> Iterator[Finding]:
    """What a file of records may break, line by line."""
    place = checkout.place(path)
    for number, line in _lines(path, MAX_LINE):
        if len(line) > MAX_LINE:
            text = f"has over {MAX_LINE:,} bytes; the rest is unread"
            yield Finding(path=place, line=number, rule="records-valid", text=text)
            return
        try:
            run = read_line(line).run_id
        except BadRecord as error:
            text = str(error)[:_SAID]
            yield Finding(path=place, line=number, rule="records-valid", text=text)
            continue
        others = [each for each in checkout.runs[run] if each != f"{place}:{number}"]
        if others:
            text = f"run {run} is also at {others[0]}"
            yield Finding(path=place, line=number, rule="records-new", text=text)


def check_statements(checkout: Checkout, path: Path, own: bool) -> Iterator[Finding]:
    """What a file of statements may break, line by line."""
    place = checkout.place(path)
    for number, line in _lines(path, LONGEST):
        try:
            said = read_statement(line)
        except BadRecord as error:
            text = str(error)[:_SAID]
            yield Finding(path=place, line=number, rule="records-stated", text=text)
            if len(line) > LONGEST:
                return
            continue
        known = checkout.digests.get(said.run_id)
        if known is None:
            text = f"run {said.run_id} is in no file of records"
            yield Finding(path=place, line=number, rule="records-stated", text=text)
        elif known != said.record_sha256:
            text = f"is about another record of run {said.run_id} than the one that is here"
            yield Finding(path=place, line=number, rule="records-stated", text=text)
        if reserved(said) and not own:
            text = f"says {said.says!r}, which only maintainers say"
            yield Finding(path=place, line=number, rule="records-stated", text=text)


def _lines(path: Path, most: int) -> Iterator[tuple[int, bytes]]:
    """Lines with their number, from 1, blank ones left out; one that is too long is cut."""
    with path.open("rb") as lines:
        number = 0
        while line := lines.readline(most + 1):
            number += 1
            if line.strip():
                yield number, line
