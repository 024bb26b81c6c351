"""``tokonomy run``: make the runs of a suite, or of what is asked for on the command line."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from tokonomy.catalog.registry import catalogue
from tokonomy.catalog.suites import Suite, find_suite
from tokonomy.cli.printing import json_option, print_json, print_table
from tokonomy.cli.results import setting
from tokonomy.cli.selecting import database_option, only_option
from tokonomy.errors import UsageError
from tokonomy.plain import plain
from tokonomy.store.database import Store, open_store

if TYPE_CHECKING:
    from tokonomy.run.executor import Event
    from tokonomy.run.job import Job
    from tokonomy.run.supervisor import Start
    from tokonomy.store.record import Record

_ASKED = "command-line"
_LONGEST = 100  # characters of what a run said


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _settings(given: Sequence[str], option: str = "--set") -> dict[str, Any]:
    settings = {}
    for text in given:
        name, found, value = text.partition("=")
        if not found:
            raise UsageError(f"{option} takes name=value such as r=8; got {text!r}")
        if name in settings:
            raise UsageError(f"{option} {name} is given twice; give one value")
        settings[name] = _value(value)
    return settings


def _family(methods: Sequence[str], tasks: Sequence[str]) -> str:
    """The one family that all methods and tasks are of."""
    cards = [catalogue("task").card(ref.partition(":")[0]) for ref in tasks]
    cards += [catalogue("method").card(name) for name in methods if name != "all"]
    shared = [name for name in cards[0].families if all(name in card.families for card in cards)]
    if len(shared) == 1:
        return str(shared[0])
    if shared:
        raise UsageError(f"give --family, one of {', '.join(shared)}; all that is asked is of each")
    said = "; ".join(f"{card.id} is of {' and '.join(card.families)}" for card in cards)
    raise UsageError(f"methods and tasks have no family in common: {said}")


def _asked(methods: Sequence[str], tasks: Sequence[str], given: Sequence[str],
           models: Sequence[str], scenarios: Sequence[str],
           family: str | None) -> Suite:  # fmt: skip
    """A suite made of options."""
    if not methods or not tasks:
        missing = " and ".join(
            name for name, given in (("--method", methods), ("--task", tasks)) if not given
        )
        raise UsageError(
            f"give --suite NAME, or at least one --method and one --task; no {missing}"
        )
    for scenario in scenarios:
        if not re.fullmatch(r"stream|offline:[1-9][0-9]{0,3}", scenario):
            raise UsageError(
                f"--scenario is stream or offline:BATCH such as offline:16; got {scenario!r}"
            )
    settings = _settings(given)
    if settings and len(methods) != 1:
        raise UsageError(f"--set needs exactly one --method; got {len(methods)}")
    try:
        return Suite.model_validate({
            "id": _ASKED, "title": "Asked for on the command line",
            "family": family or _family(methods, tasks),
            "select": [{
                "tasks": list(tasks), "methods": list(methods), "models": list(models),
                "scenarios": list(scenarios) or ["stream"],
                "params": {methods[0]: [settings]} if settings else {},
            }],
        })  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{first['loc'][-2]}: {first['msg']}; got {first['input']!r}") from None


def _overridden(suite: Suite, measure: dict[str, Any], **changes: Any) -> Suite:
    """The suite with what the command line says otherwise."""
    fields = suite.model_dump()
    fields |= {name: value for name, value in changes.items() if value is not None}
    for selection in fields["select"]:
        for name in ("precision", "mode"):
            if changes.get(name) is not None:
                selection[f"{name}s"] = []
    known = fields["measuring"]
    for name in measure:
        if name not in known:
            raise UsageError(f"--measure knows {', '.join(known)}; got {name!r}")
    known |= measure
    try:
        return Suite.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {first['msg']}; got {first['input']!r}") from None


def _scenario(job: Job) -> str:
    cell = job.cell
    return "stream" if cell.scenario == "stream" else f"offline:{cell.batch_size}"


def _print_plan(
    jobs: Sequence[Job], due: set[str], seconds: dict[str, float], as_json: bool
) -> None:
    rows: list[dict[str, Any]] = [
        {"method": job.cell.method.id, "params": job.cell.method.params,
         "task": job.cell.task.ref, "model": job.cell.model.ref, "scenario": _scenario(job),
         "precision": job.cell.precision, "mode": job.cell.mode,
         "key": job.cell.key, "due": job.cell.key in due,
         "expected_s": seconds.get(job.cell.key, 0.0)}
        for job in jobs
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    print_table(
        ("method", "setting", "task", "model", "scenario", "mode", "", ">about"),
        ((row["method"], setting(row["params"]), row["task"], row["model"], row["scenario"],
          f"{row['precision']} {row['mode']}",
          "to run" if row["due"] else "done",
          f"{row['expected_s']:.1f} s" if row["due"] else "") for row in rows),
    )  # fmt: skip
    minutes = f", about {sum(seconds.values()) / 60:.1f} min" if due else ": nothing to do"
    click.echo(f"{len(due)} of {len(jobs)} runs to make{minutes}")


def _words(event: Event) -> str:
    """What an event is about: method, setting and task."""
    if event.job is None:
        return "starting"
    cell = event.job.cell
    words = (cell.method.id, setting(cell.method.params), cell.task.ref, _scenario(event.job))
    return plain(" ".join(filter(None, words)))


def _left(event: Event) -> str:
    return f"{event.left_s / 60:.1f} min left"


def _line(event: Event) -> None:
    """A line for each run that has ended, where there is no terminal to move a bar on."""
    if event.kind == "done" and event.record is not None:
        ended = f"{_words(event)}: {event.record.status}"
        click.echo(f"{event.done}/{event.total} {ended}; {_left(event)}", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[Event], None]]:
    """How far it is, and the time left, on stderr: a bar, or a line a run where it is a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line
        return
    columns = (
        BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"),
        TextColumn("{task.fields[left]}"), TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        line = bar.add_task("starting", total=None, failed=0, left="")

        def show(event: Event) -> None:
            bar.update(
                line,
                total=event.total,
                completed=event.done,
                failed=event.failed,
                left=_left(event),
                description=_words(event),
            )

        yield show


def execute(
    jobs: Sequence[Job], expected: Sequence[float], store: Store, start: Start | None
) -> int:
    """Make runs, and say on stderr how far it is and how they ended; gives how many failed."""
    from tokonomy.run import executor

    reasons: Counter[str] = Counter()

    with _progress() as show:

        def heard(event: Event) -> None:
            show(event)
            if event.kind == "done" and event.record and event.record.status != "ok":
                reasons[_ending(event.record)] += 1

        tally = executor.execute(jobs, store, expected_s=expected, on_event=heard, start=start)
    click.echo(f"{tally.done} runs, {tally.failed} failed", err=True)
    for reason, count in sorted(reasons.items()):
        click.echo(f"  {count} x {plain(reason)}", err=True)
    click.echo("next: tokonomy results show; tokonomy publish", err=True)
    return tally.failed


def _ending(record: Record) -> str:
    """How a run ended, why, and the first line of what it said."""
    first, _, _ = (record.detail or "").strip().partition("\n")
    return f"{record.status}: {record.reason}" + (f": {first[:_LONGEST]}" if first else "")


@contextmanager
def _opened(database: str, dry_run: bool) -> Iterator[Store | None]:
    """The store; None for a dry run where there is none yet, which must not make one."""
    if dry_run and "://" not in database and not Path(database).exists():
        yield None
        return
    with open_store(database, create=not dry_run) as store:
        yield store


@click.command()
@click.option("--suite", metavar="NAME|PATH", help="A suite's name, or a TOML file.")
@click.option("--method", "methods", multiple=True, help="A method; may be given again.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A hyper-parameter.")
@click.option("--task", "tasks", multiple=True, help="A task, e.g. digits or imagefolder:DIR.")
@click.option("--family", help="The contract, where methods and tasks leave it open.")
@click.option("--model", "models", multiple=True, help="hf:<repo or folder>, or a shipped model.")
@click.option("--scenario", "scenarios", multiple=True, help="stream (default) or offline:BATCH.")
@click.option("--device", help="cpu or cuda:N.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="Type of the weights.")
@click.option(
    "--mode",
    type=click.Choice(["eager", "compile", "cuda-graphs"]),
    help="How both arms are executed; eager unless the suite says.",
)
@click.option("--energy", is_flag=True, help="Measure energy too: about two minutes more a run.")
@click.option("--seed", type=int, help="Seed that methods may use; 0 unless the suite says.")
@click.option(
    "--measure",
    multiple=True,
    metavar="NAME=VALUE",
    help="How hard to measure, as in a suite, e.g. threads=2 or max_s=5.",
)
@only_option
@click.option("--retry-failed", is_flag=True, help="Run cells again whose newest run failed.")
@click.option("--fresh", is_flag=True, help="Run every cell again.")
@click.option("--dry-run", is_flag=True, help="Print the plan with its estimated time.")
@click.option("--allow-code-execution", is_flag=True, help="Let tasks run code a model wrote.")
@click.option("--start", type=click.Choice(["fork", "spawn"]), help="How processes are started.")
@database_option
@json_option
def run(
    suite: str | None,
    methods: tuple[str, ...],
    given: tuple[str, ...],
    tasks: tuple[str, ...],
    family: str | None,
    models: tuple[str, ...],
    scenarios: tuple[str, ...],
    device: str | None,
    precision: str | None,
    mode: str | None,
    energy: bool,
    seed: int | None,
    measure: tuple[str, ...],
    only: tuple[str, ...],
    retry_failed: bool,
    fresh: bool,
    dry_run: bool,
    allow_code_execution: bool,
    start: Start | None,
    database: str,
    as_json: bool,
) -> None:
    """Measure methods next to the unmodified model, each run in a fresh process.

    What is done is skipped, so the same command goes on after an interruption. Exits with 1 if a
    run failed.

    \b
    Example:
      tokonomy run --suite quick
      tokonomy run --method tome --set r=4 --task digits --dry-run
    """
    if allow_code_execution:  # read by the task and, after lm-eval's own, by HF's evaluate
        os.environ |= {"TOKONOMY_ALLOW_CODE": "1", "HF_ALLOW_CODE_EVAL": "1"}
    if suite and (methods or tasks or given or models or scenarios):
        raise UsageError("--suite names its own methods and tasks; narrow it with --only")
    chosen = (
        find_suite(suite) if suite else _asked(methods, tasks, given, models, scenarios, family)
    )
    hard = _settings(measure, "--measure")
    if energy and chosen.measuring.energy is None:
        hard.setdefault("energy", {})
    chosen = _overridden(chosen, hard, device=device, precision=precision, mode=mode, seed=seed)

    from tokonomy.run import choice, plan

    jobs = choice.only(plan.expand(chosen), ",".join(only))
    with _opened(database, dry_run) as store:
        statuses = store.statuses() if store else {}
        due = choice.pending(jobs, statuses, retry_failed=retry_failed, fresh=fresh)
        expected = choice.estimates(due, store.runs() if store else ())
        if store is None or dry_run:
            seconds = dict(zip((job.cell.key for job in due), expected, strict=True))
            _print_plan(jobs, set(seconds), seconds, as_json)
            return
        failed = execute(due, expected, store, start)
    if as_json:
        print_json({"made": len(due), "skipped": len(jobs) - len(due), "failed": failed})
    sys.exit(1 if failed else 0)
