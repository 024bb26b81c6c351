"""Rules over files of records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tokonomy.errors import BadRecord
from tokonomy.store.exchange import MAX_LINE, read_line
from tokonomy.submit.findings import Finding
from tokonomy.submit.reading import Checkout

_SAID = 300  # characters of what is wrong with a record


def check(checkout: Checkout, path: Path) -> Iterator[Finding]:
    """What a file of records may break, line by line."""
    place = checkout.place(path)

    def found(rule: str, text: str) -> Finding:
        return Finding(path=place, line=number, rule=rule, text=text)

    with path.open("rb") as lines:
        number = 0
        while line := lines.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                yield found(
                    "records-valid", f"has more than {MAX_LINE:,} bytes; the rest is unread"
                )
                return
            if not line.strip():
                continue
            try:
                run = read_line(line).run_id
            except BadRecord as error:
                yield found("records-valid", str(error)[:_SAID])
                continue
            others = [each for each in checkout.runs[run] if each != f"{place}:{number}"]
            if others:
                yield found("records-new", f"run {run} is also at {others[0]}")
