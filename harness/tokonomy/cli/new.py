"""``tokonomy new``: begin a method or a task from a template that passes every test."""

from __future__ import annotations

from pathlib import Path

import click

from tokonomy.submit.scaffold import SHAPES, begin, checkout


@click.group()
def new() -> None:
    """Begin a method or a task from a template that already passes every test.

    \b
    Example:
      tokonomy new method vision my-pruner
    """


def _add(noun: str) -> None:
    families = click.Choice(sorted({family for kind, family in SHAPES if kind == noun}))

    @new.command(name=noun, help=_HELP[noun])
    @click.argument("family", type=families)
    @click.argument("name", metavar="ID")
    def add(family: str, name: str) -> None:
        root = checkout(Path.cwd())
        for path in begin(noun, family, name, root):
            click.echo(f"written: {path.relative_to(root)}")
        click.echo(_NEXT[noun].format(name=name), err=True)


_HELP = {
    "method": "Write a method of FAMILY with its card, its sweep and its test.\n\n\b\n"
    "Example:\n  tokonomy new method vision my-pruner",
    "task": "Write a task of FAMILY with its card, its data and its test.\n\n\b\n"
    "Example:\n  tokonomy new task vision my-images",
}
_NEXT = {
    "method": "next: replace the line that says so; tokonomy check; tokonomy run --method {name}",
    "task": "next: replace the lines that say so; tokonomy check; "
    "tokonomy run --method reference --task {name}",
}
_add("method")
_add("task")
