"""Statements: what people say of a record once it is published, and the trust that follows.

A record is never edited. Whoever reproduced it, stands by it, doubts it or takes it back says so in
a statement, one JSON line in an append-only file. A statement names the record by its content, so
that it is about exactly that record. Who said it is as trustworthy as the review through which the
line came; the words are untrusted like those of any record.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints, model_validator

from tokonomy.errors import BadRecord
from tokonomy.store.fields import Part, Sha, Utc, content_hash
from tokonomy.store.lines import check_clock, looked_at, validated
from tokonomy.store.record import Record

Said = Literal["verified", "signed-off", "disputed", "resolved", "withdrawn", "reinstated"]
Level = Literal["withdrawn", "disputed", "superseded", "verified", "self-reported"]

LEVELS: Mapping[Level, str] = {
    "withdrawn": "taken back by who published it",
    "disputed": "somebody gave a reason to doubt it, which is not settled",
    "superseded": "another run of the cell stands for it: of newer code, verified, newer, or one "
    "that went well",
    "verified": "reproduced by the project's maintainers",
    "self-reported": "as its author measured it; nobody else has reproduced it here",
}
"""What each level says; where several hold, the first counts."""

NEEDS: Mapping[Said, tuple[str, ...]] = {
    "verified": ("reason",),
    "signed-off": (),
    "disputed": ("reason", "link"),
    "resolved": ("reason",),
    "withdrawn": ("reason",),
    "reinstated": ("reason",),
}
"""What must be told with each: nobody can weigh a doubt, or its end, without it."""

MAINTAINERS: frozenset[Said] = frozenset({"verified", "resolved", "reinstated"})
"""What only maintainers may say: no submission brings it along."""

MAX_LINE = 2**14
"""Characters of one statement: several times the longest that the schema allows, escaped or not."""


def _one_line(text: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") for char in text):
        raise ValueError("expected one line without control and direction characters")
    if not text.strip():
        raise ValueError("expected some text")
    return text


def _web(link: str) -> str:
    parts = urlsplit(link)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("expected an address that begins with http:// or https://")
    return link


Name = Annotated[str, StringConstraints(max_length=100), AfterValidator(_one_line)]
Sentence = Annotated[str, StringConstraints(max_length=500), AfterValidator(_one_line)]
Link = Annotated[
    str,
    StringConstraints(max_length=500, pattern=r"^https?://[!#-;=?-\[\]_a-z~]+$"),
    AfterValidator(_web),
]


class Statement(Part):
    """What somebody says of one record.

    Attributes:
        run_id: The record's run.
        record_sha256: ``digest`` of the record.
        says: ``verified``, it was reproduced; ``signed-off``, its author stands by it;
            ``disputed``, it is doubted; ``resolved``, earlier doubts are settled;
            ``withdrawn``, it is taken back; ``reinstated``, earlier withdrawals no longer hold.
        by: Name or handle of who says so.
        at: When, UTC.
        reason: Why, in a sentence.
        link: Where it can be read up.
    """

    version: Literal[1] = 1
    run_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    record_sha256: Sha
    says: Said
    by: Name
    at: Utc
    reason: Sentence | None = None
    link: Link | None = None

    @model_validator(mode="after")
    def _told(self) -> Statement:
        lacking = [name for name in NEEDS[self.says] if getattr(self, name) is None]
        if lacking:
            raise ValueError(f"{self.says!r} needs a {' and a '.join(lacking)}")
        return self

    def line(self) -> str:
        """The statement as one canonical JSON line, without the line break."""
        return json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )

    @property
    def order(self) -> tuple[str, str]:
        """Later ones come later: as text "…00Z" would sort after "…00.5Z"."""
        whole, _, decimals = self.at.removesuffix("Z").partition(".")
        return f"{whole}.{decimals:0<6}Z", self.line()


def digest(record: Record) -> str:
    """SHA-256 of what a record says, in hex.

    Fields at their default and the schema's version are left out: a later schema that only adds
    fields reads an old record as the same one, and what was said of it still holds.
    """
    return content_hash(
        record.model_dump(mode="json", exclude_defaults=True, exclude={"schema_version"})
    )


def read_statement(line: bytes) -> Statement:
    """One untrusted line as a statement; ``BadRecord`` says what is wrong with it."""
    text, _ = looked_at(line, "statement")
    return statement(text)


def statement(text: str) -> Statement:
    """A text that was looked at as a statement."""
    if len(text) > MAX_LINE:
        raise BadRecord(f"statement: expected at most {MAX_LINE} characters; got {len(text)}")
    found = validated(Statement, text, "statement")
    check_clock(found.at, "statement: at")
    return found


def reserved(said: Statement) -> bool:
    """Whether only maintainers may say this, so that a submission must not hold it."""
    return said.says in MAINTAINERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far a run is to be believed, and who said what.

    Attributes:
        level: Of ``LEVELS``.
        said: Every statement, oldest first.
    """

    level: Level = "self-reported"
    said: tuple[Statement, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether it may stand on a front or be held against others."""
        return self.level not in ("withdrawn", "disputed")

    @property
    def why(self) -> Statement | None:
        """The statement behind the level; None where nobody had to say it."""
        says = self.level if self.level in NEEDS else None
        return next((each for each in reversed(self.said) if each.says == says), None)

    @property
    def signed(self) -> Statement | None:
        """Where its author stands by it."""
        return next((each for each in reversed(self.said) if each.says == "signed-off"), None)


def trust(said: Iterable[Statement]) -> Trust:
    """The trust in a run for itself; whether another one supersedes it, ``current`` tells.

    ``resolved`` ends what was disputed before it, ``reinstated`` what was withdrawn. Only
    maintainers say either, so that no statement on a run of others lasts against their word, and
    what its author took back stays so when a doubt is settled.

    Args:
        said: Statements about its record, in any order.
    """
    told = tuple(sorted(said, key=lambda each: each.order))
    words = [each.says for each in told]
    level: Level = "self-reported"
    if "withdrawn" in _after(words, "reinstated"):
        level = "withdrawn"
    elif "disputed" in _after(words, "resolved"):
        level = "disputed"
    elif "verified" in words:
        level = "verified"
    return Trust(level=level, said=told)


def _after(words: Sequence[Said], end: Said) -> Sequence[Said]:
    """What was said after the last of a word; all where nobody said it."""
    return words[len(words) - words[::-1].index(end) :] if end in words else words
