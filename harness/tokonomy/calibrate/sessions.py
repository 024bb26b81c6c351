"""Which runs test the ruler: the reference against itself, planted truths, and sentinels.

They are ordinary runs, measured as any method is: cells of the suite ``calibration``, each session
with a seed of its own and so with a key and an order of arms of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokonomy.catalog.registry import catalogue
from tokonomy.catalog.suites import Suite
from tokonomy.errors import BadParameter
from tokonomy.run.choice import pending
from tokonomy.run.job import Job
from tokonomy.run.plan import expand
from tokonomy.store.calibration import SUITE
from tokonomy.store.cell import Cell, cell_key

TASKS = ("digits", "textures")
"""Embedded tasks with calls of about 1.5 and 5 ms: a session on one takes about two seconds."""

EXTRAS = (0.01, 0.02, 0.05)
"""Planted slow-downs: as much as the interval's half-width is asked to be, twice and five times."""

MEBIBYTES = 64
"""Planted memory: some ten times what a call of the embedded models takes."""

SENTINEL = 1_000_000
"""Seed of sentinels; sessions count on from it. Far from what anybody gives by hand, so that the
cell of a result is never done because a calibration has made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Runs by what they are for, each in the order they are made.

    Attributes:
        sentinels: The same cells at every calibration.
        same: The reference against itself.
        slow, heavy: Planted slow-downs and planted memory.
    """

    sentinels: tuple[Job, ...]
    same: tuple[Job, ...]
    slow: tuple[Job, ...]
    heavy: tuple[Job, ...]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All of them."""
        return self.sentinels + self.same + self.slow + self.heavy


def suite(tasks: Sequence[str], models: Sequence[str], device: str) -> Suite:
    """The suite that sessions are cells of, measured as hard as any run is by default."""
    first = tasks[0].partition(":")[0]
    return Suite.model_validate({
        "id": SUITE,
        "title": "The reference against itself, and planted truths",
        "family": catalogue("task").card(first).families[0],
        "device": device,
        "select": [{
            "tasks": list(tasks), "models": list(models),
            "methods": ["planted-slow", "planted-memory"],
            "params": {
                "planted-slow": [{"extra": extra} for extra in EXTRAS],
                "planted-memory": [{"mebibytes": MEBIBYTES}],
            },
        }],
    })  # fmt: skip


def sessions(asked: Suite, count: int, planted: int) -> Sessions:
    """Spread sessions evenly over the places of a suite.

    Args:
        asked: From ``suite``.
        count: Sessions of the reference against itself, all places together.
        planted: Sessions of each planted truth, all places together.
    """
    jobs = expand(asked)
    places = {name: [job for job in jobs if job.cell.method.id == name]
              for name in ("reference", "planted-slow", "planted-memory")}  # fmt: skip
    if not places["reference"]:
        raise BadParameter(f"family {asked.family!r} has no reference to calibrate with")
    same, heavy = (places[name] for name in ("reference", "planted-memory"))
    slow = [[job for job in places["planted-slow"] if job.cell.method.params["extra"] == extra]
            for extra in EXTRAS]  # fmt: skip
    return Sessions(
        sentinels=tuple(reseeded(job, SENTINEL) for job in same),
        same=_spread(same, count),
        slow=tuple(job for turn in zip(*(_spread(each, planted) for each in slow), strict=True)
                   for job in turn),
        heavy=_spread(heavy, planted),
    )  # fmt: skip


def _spread(places: Sequence[Job], count: int) -> tuple[Job, ...]:
    """So many sessions, place after place in turn, each with its own seed."""
    return tuple(
        reseeded(places[number % len(places)], SENTINEL + 1 + number // len(places))
        for number in range(count)
    )


def reseeded(job: Job, seed: int) -> Job:
    """The same run under another seed, and so under another key."""
    fields = {name: getattr(job.cell, name) for name in Cell.model_fields} | {"seed": seed}
    cell = Cell.model_validate(fields | {"key": cell_key(fields)})
    return job.model_copy(update={"cell": cell})


def due(
    asked: Sessions, statuses: Mapping[str, tuple[str, str, str | None]], *, fresh: bool = False
) -> tuple[Job, ...]:
    """Sentinels, which are made every time, and what is not done of the rest."""
    rest = asked.jobs[len(asked.sentinels) :]
    return asked.sentinels + pending(rest, statuses, fresh=fresh)
