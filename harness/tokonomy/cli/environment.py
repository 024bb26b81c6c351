"""``tokonomy show-env``: the machine and the software as records describe them."""

from __future__ import annotations

from typing import Any

import click

from tokonomy.cli.printing import json_option, print_facts, print_json
from tokonomy.plain import plain


@click.command()
@json_option
def show_env(as_json: bool) -> None:
    """Show what a record would say about this machine and this software.

    \b
    Example:
      tokonomy show-env --json
    """
    from tokonomy.measure import environment
    from tokonomy.measure.devices import device_class, devices

    found: dict[str, Any] = {
        "device": device_class("cpu"),
        "harness": environment.harness().model_dump(mode="json"),
        "software": environment.software(),
        "hardware": environment.hardware(),
        "state": environment.state(),
        "devices": devices(),
    }
    if as_json:
        print_json(found)
        return
    for name, values in found.items():
        if name == "devices":
            _print_devices(values)
            continue
        click.echo(f"{name}: {values}" if isinstance(values, str) else f"{name}:")
        if isinstance(values, dict):
            _print_values(values)


def _print_devices(rows: list[dict[str, Any]]) -> None:
    """Each device with its probes; facts of GPUs too, those of processors are the hardware's."""
    for row in rows:
        click.echo(plain(f"device {row['device'] or '-'}: {row['name']}, {row['detail']}"))
        facts = {} if row["device"] == "cpu" else row["facts"]
        _print_values(facts | row["probes"])


def _print_values(values: dict[str, Any]) -> None:
    shown = (
        (name, f"- ({value['reason']})" if isinstance(value, dict) else value)
        for name, value in values.items()
    )
    print_facts((f"  {name:<24}", "-" if value is None else value) for name, value in shown)
