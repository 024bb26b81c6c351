"""``tokonomy results``: look at, export and import what the store holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tokonomy.cli.marking import mark
from tokonomy.cli.printing import json_option, print_json, print_table, warn
from tokonomy.cli.selecting import chosen, database_option, new_file, only_option
from tokonomy.errors import UsageError
from tokonomy.measure.reasons import REASONS
from tokonomy.plain import plain
from tokonomy.store.database import open_store
from tokonomy.store.exchange import export, export_statements, import_files, verify
from tokonomy.store.exports import FORMS, lm_eval, tables, write
from tokonomy.store.metrics import Metric
from tokonomy.store.rows import Run
from tokonomy.store.spent import spent
from tokonomy.store.statements import Statement

_COLUMNS = (
    "run", "method", "setting", "task", "scenario", ">quality", ">interval", ">retained",
    ">agreement", ">tokens", ">a pass", ">cache", ">latency ms", ">speed-up", ">interval ",
    "status",
)  # fmt: skip
_OPTIONAL = (
    "interval", "retained", "interval ", "latency ms", "agreement", "tokens", "scenario", "cache",
    "a pass",
)  # fmt: skip
_OF_TOKENS = (">agreement", ">a pass", ">cache")  # of language models only
_WARNING = ("ratio_autocorrelation", "latency_separation")  # figures whose text is a warning
_WHATEVER = {"role", "suite", "run_id", "cell_key"}  # filters that ask for more than results


def _number(metric: Metric | None, digits: int, scale: float = 1.0) -> str:
    if metric is None or metric.value is None:
        return "-"
    return f"{scale * metric.value:.{digits}f}"


def _interval(metric: Metric | None, digits: int, scale: float = 1.0) -> str:
    if metric is None or metric.low is None or metric.high is None:
        return "-"
    return f"{scale * metric.low:.{digits}f}..{scale * metric.high:.{digits}f}"


def setting(params: Mapping[str, Any]) -> str:
    """Parameters as they are given on the command line."""
    return " ".join(
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in params.items()
    )


def varying(runs: Iterable[Run]) -> dict[str, frozenset[str]]:
    """Parameters by method that tell its runs apart; all of them where it has only one setting."""
    settings: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        seen = settings.setdefault(run.method, [])
        if run.params not in seen:
            seen.append(run.params)
    return {method: _varying(seen) for method, seen in settings.items()}


def _varying(settings: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    names = {name for each in settings for name in each}
    if len(settings) == 1:
        return frozenset(names)
    first = settings[0]
    return frozenset(
        name for name in names if any(each.get(name) != first.get(name) for each in settings)
    )


def _standing(run: Run) -> str:
    """What a run is for unless it is a result, how it ended, what a reader must know of it."""
    said = None if run.trust == "self-reported" else run.trust
    purpose = None if run.role == "result" else run.role
    ended = run.status if run.reason is None else f"{run.status}: {run.reason}"
    warnings = (run.metrics[name].text for name in _WARNING if name in run.metrics)
    return ", ".join(word for word in (said, purpose, ended, *run.flags, *warnings) if word)


def _row(run: Run, names: frozenset[str]) -> tuple[str, ...]:
    of = run.metrics.get
    params = {name: value for name, value in run.params.items()
              if name in names and value is not None}  # fmt: skip
    scenario = run.scenario if run.batch_size == 1 else f"{run.scenario}:{run.batch_size}"
    return (
        run.run_id[:8], run.method, setting(params), run.task, scenario,
        _number(of("accuracy"), 1, 100), _interval(of("accuracy"), 1, 100),
        _number(of("retained"), 3), _number(of("agreement"), 3), _number(of("tokens_kept"), 3),
        _number(of("acceptance_length"), 2), _number(of("kv_physical_ratio"), 3),
        _number(of("latency_p50_ms"), 2), _number(of("speed_up"), 2), _interval(of("speed_up"), 2),
        _standing(run),
    )  # fmt: skip


def summary(runs: list[Run]) -> None:
    """One line per run, with the parameters that vary among the method's runs shown.

    What the reasons and flags in it mean follows on stderr.
    """
    order = sorted(runs, key=lambda run: (run.family, run.task, run.scenario, run.method,
                                          -(spent(run.family, run.metrics) or 0.0),
                                          setting(run.params)))  # fmt: skip
    names = varying(order)
    rows = [_row(run, names[run.method]) for run in order]
    left_out = _OF_TOKENS if all(run.family == "vision" for run in runs) else ()
    shown = [at for at, name in enumerate(_COLUMNS) if name not in left_out]
    print_table(
        [_COLUMNS[at] for at in shown],
        ([row[at] for at in shown] for row in rows),
        elastic=("setting", "status"),
        optional=_OPTIONAL,
    )
    codes = Counter(code for run in runs for code in (run.reason, *run.flags) if code)
    for code, many in sorted(codes.items()):
        click.echo(f"{plain(code)} ({many}): {REASONS.get(code, 'not known here')}", err=True)


def facts(run: Run, said: Iterable[Statement]) -> dict[str, Any]:
    """A run with its figures and what was said of it, for ``--json``."""
    return tables.facts(run) | {"statements": [each.model_dump(mode="json") for each in said]}


@click.group()
def results() -> None:
    """Show, export or import stored runs.

    \b
    Example:
      tokonomy results show --only task=digits
    """


@results.command()
@click.argument("run_id", required=False)
@database_option
@only_option
@click.option("--suite", help="Only runs of this suite.")
@click.option(
    "--all", "everything", is_flag=True, help="Superseded runs, too, and those that are no results."
)
@json_option
def show(
    run_id: str | None,
    database: str,
    only: tuple[str, ...],
    suite: str | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Print the result that stands for each cell as a table, or one run's record.

    Calibration, planted controls and simulated devices are no results: --all, --suite and
    --only role=... show them, too.

    \b
    Example:
      tokonomy results show --only method=tome,task=textures
    """
    if run_id is not None and (only or suite or everything):
        raise UsageError("a run's id names one run; --only, --suite and --all select many")
    with open_store(database, create=False) as store:
        if run_id is not None:
            print_json(store.run(run_id).model_dump(mode="json"))
            return
        filters: dict[str, Any] = dict(chosen(only))
        if suite is not None:
            filters["suite"] = suite
        results_only = not everything and not _WHATEVER & filters.keys()
        role = {"role": "result"} if results_only else {}
        find = store.runs if everything else store.latest
        runs = find(**filters, **role)
        more = results_only and not runs and store.latest(**filters)
        said = _by_run(store.statements(**filters, **role))
    if not runs:
        hint = "; --all shows runs that are no results, too" if more else ""
        warn(("no run matches" if filters else "the database holds no results") + hint)
    if as_json:
        print_json([facts(run, said.get(run.run_id, ())) for run in runs])
    else:
        summary(runs)


def _by_run(said: Iterable[Statement]) -> dict[str, list[Statement]]:
    """Statements by the run that they are about, oldest first."""
    found: dict[str, list[Statement]] = {}
    for each in said:
        found.setdefault(each.run_id, []).append(each)
    return found


@results.command(name="export")
@click.argument("path", type=click.Path(path_type=Path))
@database_option
@only_option
@click.option("--statements", is_flag=True, help="What was said of the runs, not their records.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", *FORMS, "lm-eval"]),
    default="jsonl",
    show_default=True,
    help="jsonl: whole records, which alone can be imported again. lm-eval: a folder with a file "
    "of results for each run of a language task.",
)
def export_(path: Path, database: str, only: tuple[str, ...], statements: bool, form: str) -> None:
    """Write runs as JSON lines, each a whole record, or in the form of another tool.

    \b
    Example:
      tokonomy results export results/records/mine.jsonl --only method=tome
      tokonomy results export runs.parquet --format parquet
    """
    if statements and form != "jsonl":
        raise UsageError(f"statements are written as jsonl alone; got --format {form}")
    noun = "statements" if statements else "records" if form == "jsonl" else "runs"
    with open_store(database, create=False) as store:
        if form == "lm-eval":
            count = lm_eval(store, path, **chosen(only))
        elif form != "jsonl":
            count = write(store, new_file(path), form, **chosen(only))
        elif statements:
            count = export_statements(store, new_file(path), **chosen(only))
        else:
            count = export(store, new_file(path), **chosen(only))
    click.echo(f"{count} {noun} in {path}", err=True)


@results.command(name="import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@database_option
def import_(paths: tuple[Path, ...], database: str) -> None:
    """Read records and statements into the database: all of them or, if one is refused, none.

    \b
    Example:
      tokonomy results import results/records results/statements
    """
    verify(paths)
    with open_store(database) as store:
        counts = import_files(store, paths)
    said = f", {counts.statements} statements added" if counts.statements else ""
    click.echo(f"{counts.added} records added{said}, {counts.skipped} were there", err=True)


results.add_command(mark)
