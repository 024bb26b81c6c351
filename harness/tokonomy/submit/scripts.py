"""What scripts share: how they print, and how they end.

An expected error is a line on stderr and exit status 2, as of the verbs. What they print holds
words of others (reasons of records, names of files), and CI reads along.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import click

from tokonomy.errors import TokonomyError
from tokonomy.plain import line, logged


def say(text: str, err: bool = False) -> None:
    """Print for a terminal and for the log of CI: nothing in it acts on either."""
    click.echo(logged(text), err=err)


def script(function: Callable[..., None]) -> click.Command:
    """A function with options as a command of its own."""

    @functools.wraps(function)
    def told(**options: Any) -> None:
        try:
            function(**options)
        except TokonomyError as error:
            say(f"error: {line(error)}", err=True)
            sys.exit(2)

    return click.command(context_settings={"help_option_names": ["-h", "--help"]})(told)
