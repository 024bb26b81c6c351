"""Untrusted text in a comment of GitHub: shown as it is, and never more than text.

What Markdown or HTML would read is escaped. What GitHub looks for afterwards, in the text itself
(names, numbers of issues, addresses, emoji), is parted by a space without width, so that nobody is
called and nothing is linked. Runs of hex digits stay whole, to be copied: they can at most link to
a commit of the repository itself.
"""

from __future__ import annotations

import re
import unicodedata

MOST = 300
"""Characters that are shown of a text."""

_PART = "\u200b"
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;", "$": "&#36;", "`": "&#96;"}
_MARKS = frozenset("\\!\"#%'()*+,-./:;=?@[]^_{}~")
_CALLED = re.compile(
    r"@(?=\w)"  # a person or a team
    r"|#(?=\w)"  # an issue
    r"|\b[Gg][Hh](?=-[0-9])"  # the same, written in another way
    r"|\b[A-Za-z][A-Za-z0-9+.-]*:(?=/|\w)"  # an address, or :an_emoji:
    r"|:(?=[\w+-]+:)"
    r"|\b[Ww]{3}(?=\.)"
)


def escape(text: str, most: int = MOST) -> str:
    r"""One line that a comment or a cell of its tables shows as this text.

    >>> escape("a|b <i> @me")
    'a&#124;b &lt;i&gt; \\@\u200bme'
    """
    line = " ".join("".join(map(_shown, text)).split())
    cut = line if len(line) <= most else f"{line[: most - 1]}…"
    parted = _CALLED.sub(lambda match: match[0] + _PART, cut)
    return "".join(_written(char) for char in parted)


def _shown(char: str) -> str:
    """A character without any that acts; what parts lines becomes a space."""
    kind = unicodedata.category(char)
    if kind in ("Zl", "Zp") or char in "\t\n\v\f\r\x85":
        return " "
    return "" if kind in ("Cc", "Cf", "Cs", "Co", "Cn") else char


def _written(char: str) -> str:
    return f"\\{char}" if char in _MARKS else _ENTITIES.get(char, char)
