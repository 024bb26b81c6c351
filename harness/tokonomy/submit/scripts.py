"""What scripts share: an expected error is a line on stderr and exit status 2, as of the verbs."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import click

from tokonomy.errors import TokonomyError


def script(function: Callable[..., None]) -> click.Command:
    """A function with options as a command of its own."""

    @functools.wraps(function)
    def told(**options: Any) -> None:
        try:
            function(**options)
        except TokonomyError as error:
            click.echo(f"error: {' '.join(str(error).split())}", err=True)
            sys.exit(2)

    return click.command(context_settings={"help_option_names": ["-h", "--help"]})(told)
