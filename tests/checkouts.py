"""Copies of this repository, and calls of what is in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("harness", "methods", "tasks", "site", "results/suites")
MAIN = "from tokonomy.cli import main; main()"


def copied(target: Path, wanted: Callable[[str], bool] = lambda name: True) -> Path:
    """Copy the tracked and new files whose name is wanted; gives the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and wanted(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def call(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Python with the packages of a copy."""
    path = os.pathsep.join(str(folder / package) for package in PACKAGES)
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, "PYTHONPATH": path, **env},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
