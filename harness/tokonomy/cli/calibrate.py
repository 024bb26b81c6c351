"""``tokonomy calibrate``: measure known truths, to tell how straight the ruler is."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokonomy.cli.printing import json_option, print_json, print_table
from tokonomy.cli.run import execute
from tokonomy.cli.selecting import database_option, new_file
from tokonomy.errors import StoreReadOnly, UsageError
from tokonomy.plain import plain
from tokonomy.store.calibration import Calibration, Finding, write
from tokonomy.store.database import open_store

if TYPE_CHECKING:
    from tokonomy.store.observed import Timing

FOLDER = Path("results") / "calibration"

_SESSIONS, _PLANTED, _EXPERIMENTS = 100, 20, 2000
_SEED = 2026  # none that anything was chosen on: those were 0 and 1
_MEASURED = ("sessions", "planted", "tasks", "models", "device", "fresh")
_SIMULATED = ("experiments", "seed", "records")


def _number(value: float | None, finding: Finding) -> str:
    if value is None:
        return "-"
    if finding.is_share:
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if finding.unit == "B" else f"{value:.4f}".rstrip("0").rstrip(".")


def _interval(finding: Finding) -> str:
    if finding.low is None or finding.high is None:
        return "-"
    return f"{_number(finding.low, finding)}..{_number(finding.high, finding)}"


def _target(finding: Finding) -> str:
    if finding.least is not None and finding.most is not None:
        return f"{_number(finding.least, finding)}..{_number(finding.most, finding)}"
    if finding.least is not None:
        return f"at least {_number(finding.least, finding)}"
    return "-" if finding.most is None else f"at most {_number(finding.most, finding)}"


def _row(finding: Finding) -> tuple[str, ...]:
    met = {True: "met", False: "not met", None: ""}[finding.met]
    unit = "" if finding.is_share else finding.unit
    return (finding.name, plain(finding.setting), _number(finding.value, finding),
            _interval(finding), unit, str(finding.n), _target(finding), met)  # fmt: skip


def _print(found: Calibration, as_json: bool) -> None:
    if as_json:
        whole = found.model_dump(mode="json")
        for row, finding in zip(whole["findings"], found.findings, strict=True):
            row["met"] = finding.met
        print_json(whole)
        return
    columns = ("finding", "of", ">value", ">interval", "unit", ">n", ">asked", "")
    print_table(columns, map(_row, found.findings), elastic=("of",))


def _measure(database: str, given: dict[str, Any], fresh: bool) -> Calibration:
    """Make the sessions that are due; what all of them say."""
    from tokonomy.calibrate import report
    from tokonomy.calibrate.sessions import due, sessions, suite
    from tokonomy.run.choice import estimates

    asked = suite(given["tasks"], given["models"], given["device"])
    wanted = sessions(asked, given["sessions"], given["planted"])
    with open_store(database) as store:
        jobs = due(wanted, store.statuses(), fresh=fresh)
        expected = estimates(jobs, store.runs())
        click.echo(
            f"{len(jobs)} of {len(wanted.jobs)} runs to make, about {sum(expected) / 60:.0f} min",
            err=True,
        )
        execute(jobs, expected, store, None)
        settings = given | {"measuring": asked.measuring.model_dump()}
        return report.measured(wanted, store, settings)


def _timings(database: str, records: Sequence[Path]) -> tuple[str | None, list[Timing]]:
    """Timings of the reference against itself, in the database if there is one and in files."""
    from tokonomy.calibrate.report import reference_timings

    if "://" not in database and not Path(database).exists():
        return reference_timings(None, records)
    with open_store(database, create=False) as store:
        return reference_timings(store, records)


def _simulate(
    given: dict[str, Any], device_class: str | None, timings: list[Timing]
) -> Calibration:
    """Repeat synthetic experiments."""
    from tokonomy.calibrate import report, simulate

    def tell(text: str) -> None:
        if sys.stderr.isatty():
            click.echo(text, err=True)

    found = simulate.findings(
        experiments=given["experiments"], seed=given["seed"], sessions=timings, tell=tell
    )
    return report.simulated(found, given | {"sessions": len(timings), "fitted_to": device_class})


def _refuse(context: click.Context, names: Sequence[str], why: str) -> None:
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            option = next(each.opts[0] for each in context.command.params if each.name == name)
            raise UsageError(f"{option} {why}")


def _place(out: Path) -> Path:
    """Where the record goes, looked at before anything is measured."""
    folder = next(each for each in new_file(out).absolute().parents if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise StoreReadOnly(f"{out}: cannot be written below {folder}; name another place")
    return out


def _write(out: Path, found: Calibration) -> None:
    try:
        write(out, found)
    except OSError as error:
        raise StoreReadOnly(
            f"{out}: cannot be written ({error.strerror}); name another place"
        ) from error
    click.echo(f"written: {out}", err=True)


@click.command()
@click.option(
    "--sessions",
    type=click.IntRange(1, 10_000),
    default=_SESSIONS,
    show_default=True,
    help="Sessions of the reference against itself, all tasks together.",
)
@click.option(
    "--planted",
    type=click.IntRange(0, 10_000),
    default=_PLANTED,
    show_default=True,
    help="Sessions of each planted truth, all tasks together.",
)
@click.option("--task", "tasks", multiple=True, help="A task; digits and textures if left out.")
@click.option("--model", "models", multiple=True, help="A model; the task's own if left out.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda:N.")
@click.option("--fresh", is_flag=True, help="Make every session again.")
@click.option("--simulate", is_flag=True, help="Repeat synthetic experiments; measures nothing.")
@click.option(
    "--experiments",
    type=click.IntRange(1, 1_000_000),
    default=_EXPERIMENTS,
    show_default=True,
    help="With --simulate: experiments in each setting.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=_SEED, show_default=True, help="With --simulate."
)
@click.option(
    "--records",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="With --simulate: records whose references fit the noise; a file or folder.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Where the record of it is written.")
@database_option
@json_option
@click.pass_context
def calibrate(
    context: click.Context,
    sessions: int,
    planted: int,
    tasks: tuple[str, ...],
    models: tuple[str, ...],
    device: str,
    fresh: bool,
    simulate: bool,
    experiments: int,
    seed: int,
    records: tuple[Path, ...],
    out: Path | None,
    database: str,
    as_json: bool,
) -> None:
    """Measure truths that are known, and write how well they were found.

    The reference is timed against itself, and against itself with a planted slow-down or planted
    memory; sentinels are timed every time. What is done is skipped, but for sentinels. Exits with 1
    if a target is missed, or if there is no real session for --simulate to fit noise to.

    \b
    Example:
      tokonomy calibrate
      tokonomy calibrate --simulate --experiments 200
    """
    if simulate:
        _refuse(context, _MEASURED, "is for sessions on a machine; leave it out with --simulate")
        place = _place(out or FOLDER / "simulated.json")
        timings = _timings(database, records)
        found = _simulate({"experiments": experiments, "seed": seed}, *timings)
    else:
        from tokonomy.calibrate.sessions import TASKS

        _refuse(context, _SIMULATED, "is for synthetic experiments; give --simulate too")
        place = _place(out or FOLDER / f"measured-{device.replace(':', '-')}.json")
        given = {"sessions": sessions, "planted": planted, "tasks": list(tasks or TASKS),
                 "models": list(models), "device": device}  # fmt: skip
        found = _measure(database, given, fresh)
    _write(place, found)
    _print(found, as_json)
    if simulate and not found.settings["sessions"]:
        click.echo(
            "no real session of the reference to fit noise to, so that was not tested; make some "
            "by `tokonomy calibrate` or name --records",
            err=True,
        )
        sys.exit(1)
    sys.exit(1 if any(finding.met is False for finding in found.findings) else 0)
