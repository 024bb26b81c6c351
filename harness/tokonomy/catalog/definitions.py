"""The YAML file that defines a task of lm-eval, read as tokens: nothing is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

MOST_DEPTH = 100
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""With the parser that lm-eval takes: there are texts that Python's own reads in another way."""


def events(text: str) -> Iterator[yaml.Event]:
    """Tokens of a text in order; raises ``yaml.YAMLError`` once it is broken or nested too deep."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        yield event
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:  # the parser takes ever longer
            raise yaml.MarkedYAMLError(
                problem=f"is nested deeper than {MOST_DEPTH} levels", problem_mark=event.start_mark
            )


def called(text: str) -> tuple[str, ...]:
    """Modules of the functions that a text names, each once, in order; none if it is broken.

    >>> called("process_results: !function samples.begins")
    ('samples',)
    """
    try:
        names = [each.value for each in events(text) if getattr(each, "tag", None) == "!function"
                 and isinstance(each, yaml.ScalarEvent)]  # fmt: skip
    except yaml.YAMLError:
        return ()
    modules = (name.rpartition(".")[0] for name in names)
    return tuple(dict.fromkeys(module for module in modules if module))
