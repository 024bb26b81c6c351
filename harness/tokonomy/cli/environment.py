"""``tokonomy show-env``: the machine and the software as records describe them."""

from __future__ import annotations

import click

from tokonomy.cli.printing import json_option, print_facts, print_json


@click.command()
@json_option
def show_env(as_json: bool) -> None:
    """Show what a record would say about this machine and this software.

    \b
    Example:
      tokonomy show-env --json
    """
    from tokonomy.measure import environment

    found = {
        "device": environment.device_class("cpu"),
        "harness": environment.harness().model_dump(mode="json"),
        "software": environment.software(),
        "hardware": environment.hardware(),
        "state": environment.state(),
    }
    if as_json:
        print_json(found)
        return
    for name, values in found.items():
        click.echo(f"{name}: {values}" if isinstance(values, str) else f"{name}:")
        if isinstance(values, dict):
            print_facts((f"  {key:<24}", "-" if value is None else value)
                        for key, value in values.items())  # fmt: skip
