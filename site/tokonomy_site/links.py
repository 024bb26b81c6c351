"""Addresses: made from validated parts only, so that nothing in a record can steer a link."""

from __future__ import annotations

import hashlib
import re

_ARXIV = re.compile(r"[0-9]{4}\.[0-9]{4,5}(v[0-9]+)?")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.+$)[A-Za-z0-9_.-]{1,100}")
_PLAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = 80
_DIGITS = 16  # of a hash: nobody finds a second name with the same
_TAKEN = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]|(.*-)?[0-9a-f]{16}")
"""Names that some system keeps for itself, and those that could be another name's with its hash."""


def paper(arxiv: str | None) -> str | None:
    """Address of a paper; None where the id is not one of arXiv."""
    return f"https://arxiv.org/abs/{arxiv}" if arxiv and _ARXIV.fullmatch(arxiv) else None


def repository(name: str | None) -> str | None:
    """Address of a repository ``owner/name``; None where it is not one."""
    return f"https://github.com/{name}" if name and _REPOSITORY.fullmatch(name) else None


def slug(name: str) -> str:
    """A file name for any text; itself where it is a plain id.

    >>> slug("top-k")
    'top-k'
    >>> slug("imagefolder:/data/My Pets")
    'imagefolder-data-my-pets-fe4a77282ae71eb1'
    """
    if _PLAIN.fullmatch(name) and len(name) <= _LONGEST and not _TAKEN.fullmatch(name):
        return name
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:_DIGITS]
    return f"{words}-{digest}" if words else digest
