"""Help, README and CONTRIBUTING cannot drift from the command line."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tokonomy.cli import cli

ROOT = Path(__file__).parents[2]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands(cli))


def parses(line: str) -> None:
    """Parse a command line as if it were called, without calling it."""
    words = shlex.split(line)
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"{line}: no verb {words[0]}"
        command, words = found, words[1:]
    command.make_context(command.name, words)


def lines(text: str) -> list[str]:
    """Every call of tokonomy in a text, continued lines joined, comments and chains cut."""
    joined = text.replace("\\\n", " ")
    calls = re.findall(r"^\s*(?:\.venv/bin/|\$\(BIN\)/)?tokonomy (.+)$", joined, re.M)
    alone = [re.split(r"  +#| \|\| ", found)[0] for found in calls]
    return [call for found in alone for call in re.split(r" && (?:tokonomy )?", found)]


def test_the_verbs_are_those_of_the_workflow() -> None:
    assert [name for name in COMMANDS if " " not in name] == [
        "list", "show", "new", "check", "run", "calibrate", "results", "compare", "show-env", "zoo",
        "publish",
    ]  # fmt: skip
    assert {"run", "results export", "results import", "results show", "compare", "publish",
            "show", "show-env", "zoo train", "list devices"} <= set(COMMANDS)  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_that_parses(name: str) -> None:
    text = COMMANDS[name].help or ""
    _, found, example = text.partition("Example:\n")
    assert found, f"tokonomy {name} --help has no example"
    assert lines(example)
    for line in lines(example):
        parses(line)
    shown = COMMANDS[name].get_help(click.Context(COMMANDS[name], info_name=name))
    assert "\\b" not in shown
    assert "  Example:\n    tokonomy " in shown


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "results/README.md"])
def test_every_call_in_the_documents_parses(document: str) -> None:
    text = (ROOT / document).read_text()
    calls = lines(text) + re.findall(r"`tokonomy ([^`]+)`", text.replace("\n", " "))
    assert calls
    for line in calls:
        parses(line)


def test_the_makefile_calls_verbs_that_exist() -> None:
    calls = lines((ROOT / "Makefile").read_text())
    assert len(calls) == 3
    for line in calls:
        parses(line.replace("$(SUITE)", "quick"))
