"""What submissions must keep: every rule of the checker, under its id."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tokonomy.submit.rules import RULES
from tokonomy_site.page import Page
from tokonomy_site.snapshot import Snapshot


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """The one page."""
    topics = groupby(RULES.values(), key=lambda rule: rule.topic)
    yield Page(
        path="submissions.html",
        title="Rules for submissions",
        template="submissions.html",
        values={"topics": [(topic, list(rules)) for topic, rules in topics]},
    )
