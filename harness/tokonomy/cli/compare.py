"""``tokonomy compare``: two runs, what differs and by how much."""

from __future__ import annotations

from dataclasses import asdict

import click

from tokonomy.cli.printing import json_option, plain, print_json, print_table
from tokonomy.cli.selecting import database_option
from tokonomy.stats.estimate import Estimate
from tokonomy.store.comparison import RunComparison
from tokonomy.store.comparison import compare as compared
from tokonomy.store.database import Store, open_store
from tokonomy.store.epochs import REFERENCE, across, by_device, sentinel
from tokonomy.store.record import Record


def _said(name: str, estimate: Estimate, none: float, unit: str, scale: float = 1.0) -> str:
    """A difference with its interval, and in words whether it is one."""
    if estimate.value is None:
        return plain(f"{name}: not comparable ({estimate.reason})")
    if estimate.low is None or estimate.high is None:
        return f"{name}: {scale * estimate.value:.3f}{unit} (no interval: {estimate.reason})"
    seen = estimate.low > none or estimate.high < none
    return (
        f"{name}: {scale * estimate.value:.3f}{unit} "
        f"[{scale * estimate.low:.3f}, {scale * estimate.high:.3f}], n = {estimate.n}"
        + ("" if seen else ": no detectable difference")
    )


def _across(store: Store, first: Record, second: Record) -> str | None:
    """What to say where the reference's own latency shifted between two runs."""
    seen = map(sentinel, store.records(method=REFERENCE, status="ok"))
    return across(first, second, by_device(each for each in seen if each is not None))


def _print(found: RunComparison, shifted: str | None) -> None:
    print_table(
        ("differs", "first", "second"),
        ((name, plain(first), plain(second)) for name, first, second in found.fields),
    )
    for which, why in zip(("first", "second"), found.withheld, strict=True):
        if why is not None:
            click.echo(plain(f"the {which} run has no figures: {why}"))
    click.echo(_said("accuracy, second minus first", found.difference, 0.0, " points", 100))
    if found.test is not None:
        click.echo(
            f"  exact McNemar p = {found.test.p:.3g}; only the second right: {found.test.wins}, "
            f"only the first: {found.test.losses}"
        )
    click.echo(_said("latency, second over first", found.latency_ratio, 1.0, ""))
    if shifted:
        click.echo(plain(shifted))


@click.command()
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@database_option
@json_option
def compare(first: str, second: str, database: str, as_json: bool) -> None:
    """Compare two runs by id; the beginning of an id is enough.

    \b
    Example:
      tokonomy compare 1f3a 9c2b
    """
    with open_store(database, create=False) as store:
        runs = store.run(first), store.run(second)
        found, shifted = compared(*runs), _across(store, *runs)
    if as_json:
        print_json(asdict(found) | {"across_epochs": shifted})
    else:
        _print(found, shifted)
