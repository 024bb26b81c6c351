"""A run that takes a few milliseconds and ends as its parameters say."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from tokonomy.run.job import JOB, Outcome, write_outcome


def warm(references: Sequence[Sequence[str]]) -> None:
    """Nothing to preload."""


def main(folder: Path) -> None:
    """End with the status asked for."""
    params = json.loads((folder / JOB).read_text())["cell"]["method"]["params"]
    time.sleep(params["seconds"])
    status = params["status"]
    if status == "crash":
        os._exit(3)
    write_outcome(folder, Outcome(status=status, reason="not-supported"))
