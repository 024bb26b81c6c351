"""The Atom feed of what happened (RFC 4287): the newest entries, the same bytes for the same data.

Ids are UUIDs made from what an entry is about, so they stay when the site moves or is built again.
Links are relative to the feed, as the standard allows, unless the site's address is given.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from tokonomy.errors import UsageError
from tokonomy_site.environment import clean
from tokonomy_site.news import Item
from tokonomy_site.snapshot import Snapshot

NEWEST = 60
"""Entries of the feed."""

_ATOM = "http://www.w3.org/2005/Atom"
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://tokonomy.invalid/feed")
_BEFORE_ANY = "1970-01-01T00:00:00Z"  # when nothing was ever measured; an Atom feed needs a time
_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")  # beside what ``clean`` drops


def base(address: str | None) -> str:
    """The site's address with a slash at its end; empty where none is given.

    Raises:
        UsageError: Where it is no address of the web.
    """
    if address is None:
        return ""
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", address):
        raise UsageError(
            f"--base-url: expected an address such as https://host/path; got {address}"
        )
    return address if address.endswith("/") else f"{address}/"


def feed(snapshot: Snapshot, items: Sequence[Item], address: str = "") -> str:
    """The feed as text.

    Args:
        snapshot: What is published.
        items: What happened, newest first.
        address: From ``base``.
    """
    root = Xml.Element("feed", {"xmlns": _ATOM, "xml:lang": "en"})
    _text(root, "title", "Tokonomy: what changed")
    _text(
        root,
        "subtitle",
        "Figures that changed beyond chance, doubts about runs, and results as they came in.",
    )
    _text(root, "id", _id("feed"))
    _text(root, "updated", items[0].updated if items else _BEFORE_ANY)
    Xml.SubElement(root, "link", rel="self", type="application/atom+xml", href=f"{address}feed.xml")
    Xml.SubElement(root, "link", rel="alternate", type="text/html", href=f"{address}history.html")
    _text(Xml.SubElement(root, "author"), "name", "Tokonomy")
    _text(root, "generator", f"tokonomy, snapshot {snapshot.digest[:12]}")
    for item in items[:NEWEST]:
        _entry(root, item, address)
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def _entry(root: Xml.Element, item: Item, address: str) -> None:
    entry = Xml.SubElement(root, "entry")
    _text(entry, "title", item.title)
    _text(entry, "id", _id(item.key))
    _text(entry, "updated", item.updated)
    Xml.SubElement(entry, "link", rel="alternate", type="text/html", href=address + item.href)
    Xml.SubElement(entry, "category", term=item.kind)
    _text(entry, "summary", item.text)


def _id(key: str) -> str:
    return uuid.uuid5(_SPACE, key).urn


def _text(parent: Xml.Element, name: str, text: str) -> None:
    Xml.SubElement(parent, name).text = _NOT_XML.sub("\ufffd", clean(text))
