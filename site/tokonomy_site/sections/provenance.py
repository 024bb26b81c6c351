"""Where a run came from, and how to make it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from tokonomy.store.cell import EnergyPlan, Measuring
from tokonomy.store.record import Harness, Record
from tokonomy_site import words
from tokonomy_site.environment import clean
from tokonomy_site.figures import seconds
from tokonomy_site.snapshot import Run


def command(record: Record) -> str:
    """The command that measures the same cell again."""
    cell = record.cell
    batch = f":{cell.batch_size}" if cell.scenario == "offline" else ""
    said = ["tokonomy", "run", "--method", cell.method.id]
    for name, value in sorted(cell.method.params.items()):
        said += ["--set", f"{name}={json.dumps(value, ensure_ascii=False)}"]
    said += ["--task", cell.task.ref, "--model", cell.model.ref]
    said += ["--family", cell.family] if cell.family != "vision" else []  # tasks may be of several
    said += ["--scenario", f"{cell.scenario}{batch}", "--device", cell.device]
    said += ["--precision", cell.precision, "--seed", str(cell.seed)]
    said += ["--mode", cell.mode] if cell.mode != "eager" else []
    if cell.measuring.energy == EnergyPlan():
        said.append("--energy")
    usual = Measuring().model_dump()
    usual["energy"] = EnergyPlan().model_dump()
    for name, value in cell.measuring.model_dump().items():
        if value is not None and value != usual[name]:
            said += ["--measure", f"{name}={json.dumps(value)}"]
    return " ".join(shlex.quote(clean(word)) for word in (*said, "--fresh"))


def expectation(run: Run) -> str:
    """How long that takes, and what should come out."""
    wall = run.figure("wall_s").value
    took = f"It took {seconds(wall)} here. " if wall is not None else ""
    if run.status != "ok":
        return f"{took}It should end the same way on the same software and machine."
    timed = "; the latency ratio should come close to the interval above on the same machine"
    rest = timed if run.figure("latency_ratio").low is not None else ""
    return f"{took}Outputs should be the same on the same software, up to rounding{rest}."


def code(harness: Harness) -> str:
    """Which version of the harness, and whether it was as committed."""
    dirty = {True: "changed since", False: "as committed", None: "not known"}[harness.dirty]
    return f"{harness.version}, commit {harness.commit or 'not known'} ({dirty})"


def facts(record: Record) -> list[tuple[str, str]]:
    """What was run on what, by which code, and how the machine was."""
    cell, harness, machine = record.cell, record.harness, record.machine
    found = {
        "Run": record.run_id,
        "Started": record.started,
        "Suite": record.suite or "none",
        "Cell key": cell.key,
        "Method source": cell.method.source_hash,
        "Parameters": json.dumps(cell.method.params, sort_keys=True, ensure_ascii=False),
        "Data": f"{cell.task.ref}/{cell.task.split}, {cell.task.samples} samples, "
        f"{cell.task.data_hash}",
        "Weights": f"{cell.model.ref}, {cell.model.weights_hash}",
        "Device": f"{cell.device}, {cell.precision}, {cell.mode}, "
        f"{words.plural(cell.threads, 'thread')}",
        "Seed": str(cell.seed),
        "Harness": f"{code(harness)}, protocol {harness.protocol}",
        "Called as": " ".join(shlex.quote(word) for word in harness.argv),
        "Software": _joined(machine.software),
        "Hardware": _joined(machine.hardware),
        "State before": _joined(machine.before),
        "State after": _joined(machine.after),
    }
    return [(name, clean(text)) for name, text in found.items()]


def _joined(values: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {'not known' if value is None else value}"
        for name, value in sorted(values.items())
    )
