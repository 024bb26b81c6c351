"""Text of others as it is shown in a terminal, and in a log that a machine reads."""

from __future__ import annotations

import re
import unicodedata

#: Of characters that act on a terminal or turn its writing, or that cannot be written.
ACTING = {"Cc", "Cf", "Cs"}

_COMMAND = re.compile(r"^([^\S\n]*:)(?=:)|(##)(?=\[)", re.MULTILINE)


def plain(value: object) -> str:
    """Text fit for a terminal: control and direction characters are taken out."""
    text = "" if value is None else str(value)
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in ACTING
    )


def line(value: object) -> str:
    """The same on one line, so that no text begins a line of its own."""
    return " ".join(plain(value).split())


def logged(value: object) -> str:
    """The same where GitHub reads along: what it takes for a command is parted.

    Commands are a line that begins with ``::``, and ``##[`` wherever it stands.

    >>> logged("::error::x ##[group]y")
    ': :error::x ## [group]y'
    """
    return _COMMAND.sub(lambda match: f"{match[0]} ", plain(value))
