"""What a check can find: rules, each with an id that never changes, and where one was broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Topic = Literal[
    "layout", "card", "parameters", "imports", "licence", "contract", "records", "claims"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that submissions keep.

    Attributes:
        id: Topic and name; never reused.
        topic: What it is about.
        asks: What must be so, in a sentence.
        why: What would go wrong otherwise.
        instead: How it is put right.
    """

    id: str
    topic: Topic
    asks: str
    why: str
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """A rule that is broken somewhere.

    Attributes:
        path: File, relative to the root, with forward slashes.
        line: From 1; 0 where it is about the file.
        rule: Id of the rule.
        text: What was found.
    """

    path: str
    line: int
    rule: str
    text: str
