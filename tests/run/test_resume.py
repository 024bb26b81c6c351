"""The executor as a real process that is killed at random moments and taken up again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tinyruns import light_jobs
from tokonomy.run.job import Job
from tokonomy.store.database import open_store

PLUGINS = Path(__file__).parents[1] / "plugins"
KILLS = 50
CELLS = 120
ENDINGS = ("unsupported", "invalid", "crash", "unsupported")


@dataclass(frozen=True, kw_only=True)
class Site:
    """A plan and a database on disk."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "runs.sqlite"

    def start(self) -> "subprocess.Popen[str]":
        words = [str(PLUGINS / "light_executor.py"), str(self.database), str(self.folder / "plan")]
        return subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, text=True, cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(PLUGINS), "TMPDIR": str(self.folder)},
        )  # fmt: skip

    def finish(self) -> None:
        process = self.start()
        process.communicate(timeout=300)
        assert process.returncode == 0

    def rows(self) -> list[tuple[str, str]]:
        """Every row, as cell key and status."""
        with open_store(self.database) as store:
            return sorted((record.cell.key, record.status) for record in store.records())

    def processes(self) -> list[str]:
        """Command lines of what still works for this site."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or ())
            if str(self.folder) in line and "tokonomy.run.server" in line:
                found.append(line)
        return found


def make(folder: Path, jobs: Sequence[Job]) -> Site:
    folder.mkdir()
    (folder / "plan").write_text("\n".join(job.model_dump_json() for job in jobs))
    return Site(folder=folder)


def gone(site: Site) -> bool:
    """Whether all processes of a killed executor end; waits for them generously."""
    for _ in range(300):
        if not site.processes():
            return True
        time.sleep(0.1)
    return False


def read_until(process: "subprocess.Popen[str]", kind: str, count: int) -> None:
    """Wait for so many events of a kind."""
    assert process.stdout is not None
    while count and (line := process.stdout.readline()):
        count -= line.strip() == kind


def kill(process: "subprocess.Popen[str]", number: int = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


def test_a_plan_killed_fifty_times_ends_with_the_rows_of_an_undisturbed_one(tmp_path: Path) -> None:
    jobs = light_jobs(CELLS, ENDINGS)
    calm, stormy = make(tmp_path / "calm", jobs), make(tmp_path / "stormy", jobs)
    calm.finish()
    rng = random.Random(7)
    for _ in range(KILLS):
        process = stormy.start()
        if rng.random() < 0.2:  # while it starts
            time.sleep(rng.uniform(0, 0.8))
        else:  # between or within runs
            read_until(process, rng.choice(("started", "done")), rng.randint(1, 4))
            time.sleep(rng.uniform(0, 0.05))
        kill(process)
    stormy.finish()
    assert len(calm.rows()) == CELLS
    assert stormy.rows() == calm.rows()
    assert gone(stormy)


def test_the_run_in_flight_dies_with_the_executor(tmp_path: Path) -> None:
    site = make(tmp_path / "site", light_jobs(1, ("unsupported",), seconds=600.0))
    process = site.start()
    read_until(process, "started", 1)
    kill(process)
    assert gone(site)


def test_an_interrupt_ends_everything_and_the_plan_goes_on(tmp_path: Path) -> None:
    site = make(tmp_path / "site", light_jobs(6, ENDINGS, seconds=0.2))
    process = site.start()
    read_until(process, "done", 2)
    kill(process, signal.SIGINT)
    assert process.returncode not in (0, None)
    assert gone(site)
    assert 2 <= len(site.rows()) < 6
    site.finish()
    assert len(site.rows()) == len({key for key, _ in site.rows()}) == 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_deadly_signals_leave_nothing_behind(number: int, tmp_path: Path) -> None:
    site = make(tmp_path / "site", light_jobs(1, ("unsupported",), seconds=600.0))
    process = site.start()
    read_until(process, "started", 1)
    kill(process, number)
    assert gone(site)
