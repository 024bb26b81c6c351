"""The executor's hold on the process that starts runs."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import psutil

from tokonomy.run.ending import Exit
from tokonomy.run.job import JOB, LOG, Job

Start = Literal["fork", "spawn"]
WORKER = "tokonomy.run.worker"
_PATIENCE_S = 10.0
_READY_S = 120.0  # to import and read everything; some seconds on two cores

#: One thread for every library that has threads of its own; torch's are set in each run. Hashes of
#: strings are fixed, so that methods that walk over sets do the same in every run.
_SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONHASHSEED": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """What the server may load before the first run: references of one family."""

    family: str
    task: str
    model: str


class Supervisor:
    """Starts runs, one at a time, each in a process of its own; closing it ends everything.

    Args:
        start: ``fork`` from a preloaded process, or ``spawn`` a new interpreter.
        worker: Module whose ``main(folder)`` is a run and whose ``warm(list)`` preloads.
        warm: What to preload.
    """

    def __init__(
        self, *, start: Start = "fork", worker: str = WORKER, warm: Sequence[Warm] = ()
    ) -> None:
        self.start, self.worker, self.warm = start, worker, tuple(warm)
        self._server: subprocess.Popen[str] | None = None
        self._ready, self._root = False, Path()

    def __enter__(self) -> Supervisor:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _open(self) -> None:
        self._ready, self._root = False, Path(tempfile.mkdtemp(prefix="tokonomy-"))
        config = {
            "start": self.start,
            "worker": self.worker,
            "warm": [[each.family, each.task, each.model] for each in self.warm],
            "root": str(self._root),
        }
        with (self._root / LOG).open("wb") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-P", "-m", "tokonomy.run.server", "serve", json.dumps(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                bufsize=1,
                start_new_session=True,
                env=os.environ | _SETTINGS,
            )

    def _close(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        for pipe in (server.stdin, server.stdout):
            _shut(pipe)
        try:
            server.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(self._root, ignore_errors=True)

    def ready(self) -> bool:
        """Wait until everything is preloaded; False if the server died of it or takes too long."""
        assert self._server is not None
        assert self._server.stdout is not None
        if not self._ready:
            heard, _, _ = select.select([self._server.stdout], [], [], _READY_S)
            if not heard:
                self._server.kill()
            self._ready = bool(heard) and self._answer() == "ready"
        return self._ready

    def _answer(self) -> str:
        assert self._server is not None
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()

    def run(self, job: Job, name: str) -> tuple[Exit, Path]:
        """Make one run; gives how its process ended and the folder it wrote to.

        A server that is lost must be renewed before the next run.
        """
        if not self.ready():
            return Exit(code=None), self._root
        folder = self._root / name
        folder.mkdir()
        (folder / JOB).write_text(job.model_dump_json(), encoding="utf-8")
        memory = job.limits.memory_mib << 20
        request = {"folder": str(folder), "time_s": job.limits.time_s, "memory_bytes": memory}
        return self._ask(json.dumps(request)), folder

    def descendants(self) -> int:
        """Processes below the server; between runs there are none."""
        assert self._server is not None
        return len(psutil.Process(self._server.pid).children(recursive=True))

    def renew(self) -> None:
        """Start the server again after it was lost."""
        self._close()
        self._open()

    def _ask(self, request: str) -> Exit:
        assert self._server is not None
        assert self._server.stdin is not None
        try:
            self._server.stdin.write(request + "\n")
            answer = self._answer()
        except BrokenPipeError:
            answer = ""
        if not answer:
            return Exit(code=None)
        fields = json.loads(answer)
        return Exit(**fields | {"left": tuple(fields["left"])})


def _shut(pipe: IO[str] | None) -> None:
    if pipe is not None:
        try:
            pipe.close()
        except BrokenPipeError:
            pass
