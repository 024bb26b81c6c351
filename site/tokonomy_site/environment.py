"""Templates: everything escapes, a missing name is an error, nothing is marked safe."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tokonomy_site.marks import SYMBOLS

#: Control characters, all but tab and line breaks, for ``str.translate`` to drop.
CONTROL = {i: None for i in (*range(9), 11, 12, *range(14, 32), *range(127, 160))}


def clean(text: str) -> str:
    """Text without control characters, which a log may hold; line breaks and tabs stay."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(CONTROL)


def _tick(text: str) -> str:
    """A tick's number without zeros that say nothing."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _day(utc: str) -> str:
    return utc[:10]


@cache
def environment() -> Environment:
    """The one environment; templates are compiled once for all pages."""
    made = Environment(
        loader=PackageLoader("tokonomy_site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"tick": _tick, "day": _day}
    made.globals["symbols_table"] = SYMBOLS
    return made


def render(template: str, **values: Any) -> str:
    """One page."""
    return environment().get_template(template).render(**values)
