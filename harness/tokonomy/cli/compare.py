"""``tokonomy compare``: two runs, or two sets of them, what differs and by how much."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from typing import get_args

import click

from tokonomy.cli.comparing import Named, named, pooled
from tokonomy.cli.printing import json_option, print_json, print_table, warn
from tokonomy.cli.selecting import database_option
from tokonomy.errors import UsageError
from tokonomy.plain import plain
from tokonomy.stats.decisions import LEVEL, Outcome
from tokonomy.stats.estimate import Estimate
from tokonomy.store.comparison import RunComparison
from tokonomy.store.comparison import compare as compared
from tokonomy.store.database import Store, open_store
from tokonomy.store.epochs import REFERENCE, across, by_device, sentinel
from tokonomy.store.history import WITHIN
from tokonomy.store.record import Record
from tokonomy.store.regressions import Row, Table, table
from tokonomy.store.regressions import named as named_cell


def _said(name: str, estimate: Estimate, none: float | None, unit: str, scale: float = 1.0) -> str:
    """A difference with its interval, and in words whether it is one, if ``none`` can tell."""
    if estimate.value is None:
        return plain(f"{name}: not comparable ({estimate.reason})")
    if estimate.low is None or estimate.high is None:
        return f"{name}: {scale * estimate.value:.3f}{unit} (no interval: {estimate.reason})"
    seen = none is None or estimate.low > none or estimate.high < none
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
    click.echo(_said("latency, second over first", found.latency_ratio, None, ""))
    if found.latency_ratio.low is not None:
        click.echo("  the interval knows what is uncertain within the runs only; sittings may "
                   "differ by more: compare sets of records to decide")  # fmt: skip
    if shifted:
        click.echo(plain(shifted))


def _number(value: float | str | None) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.5g}"


def _moved(row: Row) -> str:
    """The difference with its interval, as a factor or in points."""
    if row.difference is None:
        return "-"
    ratio = row.scale == "ratio"
    by = f"x{row.difference:.4f}" if ratio else f"{100 * row.difference:+.2f}"
    if row.low is not None and row.high is not None:
        by += (f" [{row.low:.4f}, {row.high:.4f}]" if ratio else
               f" [{100 * row.low:+.2f}, {100 * row.high:+.2f}]")  # fmt: skip
    return by if ratio else f"{by} points"


def _why(row: Row) -> str:
    """Why a row is not comparable, or what its decision rests on."""
    if row.reason or row.half_width is None or row.decision != "no detectable difference":
        return row.reason or row.basis
    ratio = row.scale == "ratio"
    half = f"x{row.half_width:.4f}" if ratio else f"{100 * row.half_width:.2f} points"
    return f"{row.basis}; half the interval's width is {half}"


def _show(found: Table, everything: bool) -> None:
    told = found.rows if everything else (*found.of("regressed"), *found.of("improved"))
    if told:
        print_table(
            ("cell", "figure", ">A", ">B", ">difference", "decision", "reason"),
            ((named_cell(row.cell), row.figure or "all", _number(row.a), _number(row.b),
              _moved(row), row.decision, _why(row)) for row in told),
            elastic=("cell", "reason"),
        )  # fmt: skip
    counts = Counter(row.decision for row in found.rows)
    said = ", ".join(f"{counts[each]} {each}" for each in get_args(Outcome))
    click.echo(f"{found.compared} cells compared, figures: {said}")
    why = Counter(row.reason for row in found.rows if row.reason)
    if why:
        click.echo(plain("not comparable: " + ", ".join(f"{n} {code}" for code, n in
                                                       sorted(why.items(), key=str))))  # fmt: skip
    blind = sum(row.basis == WITHIN and row.p is not None for row in found.rows)
    if blind:
        click.echo(f"{blind} figures were compared {WITHIN}: no history tells how sittings differ")
    click.echo(f"not compared: {found.same} cells with no new run, {found.only_a} of A alone, "
               f"{found.only_b} of B alone")  # fmt: skip
    if any(row.p is not None for row in found.rows):
        click.echo(f"at most {LEVEL:.0%} of the changes that were tested are expected to be false "
                   "alarms")  # fmt: skip


def _gate(first: Named, second: Named, history: str | None, how: tuple[bool, bool]) -> int:
    """Compare two sets of records; the exit code."""
    as_json, everything = how
    more = [] if history is None else [pooled(set_of(history))]
    found = table(pooled(first), pooled(second), more)
    if as_json:
        print_json({"level": LEVEL, **asdict(found)})
    else:
        _show(found, everything)
    if not found.tested:
        warn("nothing was compared: A and B have no cell with a new run and a figure in common")
        return 1
    return 1 if found.of("regressed") else 0


def set_of(text: str) -> Named:
    """What a text names where only a set of records will do."""
    what = named(text, None)
    if what.kind == "run":
        raise UsageError(f"{text!r}: expected a database, a file or folder of records, or a "
                         "revision of git")  # fmt: skip
    return what


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@database_option
@click.option("--history", metavar="SET", help="Further records that tell how sittings differ.")
@click.option("--all", "everything", is_flag=True, help="Print every figure of every cell.")
@json_option
def compare(
    first: str,
    second: str,
    database: str,
    history: str | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Compare two runs, or two sets of records: what became better, and what worse?

    A run is named by its id or the beginning of it. A set is a database, a file or folder of
    records, or a revision of git, of which the published records count. Of sets the newest run of
    each cell is compared, with the variation between sittings taken from what else they hold; the
    exit code is 1 where anything regressed, or nothing could be compared. Where a name means
    several things, put run:, db:, file: or git: in front.

    \b
    Example:
      tokonomy compare 1f3a 9c2b
      tokonomy compare main results/tokonomy.sqlite
    """
    whats = named(first, database), named(second, database)
    runs = [what.kind == "run" for what in whats]
    if runs == [False, False]:
        sys.exit(_gate(*whats, history, (as_json, everything)))
    if runs != [True, True]:
        raise UsageError("expected two runs or two sets of records; got one of each")
    if history or everything:
        raise UsageError("--history and --all are for sets of records; these are two runs")
    with open_store(database, create=False) as store:
        pair = store.run(whats[0].name), store.run(whats[1].name)
        found, shifted = compared(*pair), _across(store, *pair)
    if as_json:
        print_json(asdict(found) | {"across_epochs": shifted})
    else:
        _print(found, shifted)
