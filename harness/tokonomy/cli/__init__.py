"""The command ``tokonomy``: verbs only; parse, call, print.

Exit codes: 0 done, 1 a run or a check failed, 2 what was asked for cannot be done.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points

import click

from tokonomy import __version__
from tokonomy.errors import TokonomyError
from tokonomy.plain import line

#: Verbs in workflow order; a module is imported only when its verb is used.
VERBS = {
    "list": "tokonomy.cli.catalog:list_",
    "show": "tokonomy.cli.catalog:show",
    "new": "tokonomy.cli.new:new",
    "check": "tokonomy.cli.check:check",
    "run": "tokonomy.cli.run:run",
    "calibrate": "tokonomy.cli.calibrate:calibrate",
    "results": "tokonomy.cli.results:results",
    "compare": "tokonomy.cli.compare:compare",
    "show-env": "tokonomy.cli.environment:show_env",
    "zoo": "tokonomy.cli.zoo:zoo",
}


class Verbs(click.Group):
    """A group that imports a verb when it is asked for; installed packages may add verbs."""

    def _places(self) -> dict[str, str]:
        added = {point.name: point.value for point in entry_points(group="tokonomy.commands")}
        for name in sorted(set(added) & set(VERBS)):
            click.echo(f"warning: {added[name]} offers a verb {name!r}, which is ours", err=True)
        return {**added, **VERBS}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our verbs in workflow order, then those of other packages."""
        places = self._places()
        return [*VERBS, *sorted(set(places) - set(VERBS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb; a broken one from outside is reported, ours must import."""
        place = self._places().get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        try:
            command: click.Command = getattr(import_module(module), attribute)
        except Exception as error:  # a package from outside may fail in any way
            if cmd_name in VERBS:
                raise
            click.echo(f"warning: the verb {cmd_name!r} cannot be loaded: {error}", err=True)
            return None
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tokonomy")
def cli() -> None:
    """Measure what token-efficient transformers really save, and what it costs them.

    \b
    Example:
      tokonomy run --suite quick && tokonomy publish
    """


def main() -> None:
    """Run the command line; every expected error is one line on stderr and exit code 2."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        _complain(f"{error.format_message()} (see --help)")
        sys.exit(2)
    except TokonomyError as error:
        _complain(str(error))
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _complain(text: str) -> None:
    """One line on stderr, whatever a message quotes."""
    click.echo(f"error: {line(text)}", err=True)
