"""CONTRIBUTING's six steps, followed word for word in a fresh clone of the repository."""

from __future__ import annotations

import os
import re
import resource
import site
import subprocess
import sys
from pathlib import Path

import pytest

from checkouts import ROOT, copied

BLOCK = re.compile(r"^```(?P<kind>sh|diff)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.M | re.S)
MACHINE_S = 300
"""Seconds of machine time from the clone to a check that passed; installing what comes from
elsewhere apart, which here is what this environment has."""


def blocks() -> list[tuple[str, str | None, str]]:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    return [(match["kind"], match["name"], match["text"]) for match in BLOCK.finditer(text)]


def done(words: list[str], folder: Path, env: dict[str, str], given: str | None = None) -> str:
    run = subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, check=False, input=given
    )
    assert run.returncode == 0, f"{words}\n{run.stdout}\n{run.stderr}"
    return run.stdout


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """The tracked and new files of the repository, committed; only the newest records."""
    env = dict(os.environ)
    old = ("results/records/v", "results/records/c")
    root = copied(tmp_path / "upstream", lambda name: not name.startswith(old))
    who = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    done(["git", "init", "-q", "-b", "main"], root, env)
    done(["git", "add", "-A"], root, env)
    done([*who, "commit", "-q", "-m", "Begin"], root, env)
    return root


def here() -> dict[str, str]:
    """An environment in which pip finds what is installed here, and fetches nothing.

    What the new environment lacks is found on PYTHONPATH; its own packages are those of the clone.
    """
    found = site.getsitepackages()
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(found),
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads a flag that is not set as one that forbids it
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def spent() -> float:
    """Seconds of processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_six_steps_work_as_written(upstream: Path, tmp_path: Path) -> None:
    clone, env, begun = tmp_path / "clone", here(), spent()
    done(["git", "clone", "-q", str(upstream), str(clone)], tmp_path, env)
    printed, checked = "", 0.0
    for kind, _, text in blocks():
        if kind == "diff":
            done(["git", "apply", "--unidiff-zero", "-"], clone, env, text)
            continue
        printed += done(["bash", "-euo", "pipefail", "-c", text], clone, env)
        (own,) = clone.glob(".venv/lib/python*/site-packages")  # also for `python -I`, as installed
        (own / "here.pth").write_text("".join(f"{each}\n" for each in site.getsitepackages()))
        if text.strip().endswith("tokonomy check"):
            checked = spent() - begun
    assert 0 < checked < MACHINE_S
    where = done([str(clone / ".venv/bin/python"), "-c", "import tokonomy; print(tokonomy)"],
                 tmp_path, env)  # fmt: skip
    assert str(clone) in where
    assert printed.count("0 findings") == 2
    assert "Peak drop" in (clone / "site/dist/method/peak-drop.html").read_text()
    records = (clone / "results/records/peak-drop.jsonl").read_text().splitlines()
    assert len(records) == 4
    assert all('"status":"ok"' in record for record in records)


def test_the_document_has_all_six_steps() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert re.findall(r"^\*\*(\d)\.", text, re.M) == ["1", "2", "3", "4", "5", "6"]
    assert [kind for kind, _, _ in blocks()] == ["sh", "sh", "diff", "sh", "sh", "sh"]
