"""CONTRIBUTING's six steps, followed word for word in a copy of the repository."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(?P<kind>sh|python)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.M | re.S)
PACKAGES = ("harness", "methods", "tasks", "site", "results/suites")


def blocks() -> list[tuple[str, str | None, str]]:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    return [(match["kind"], match["name"], match["text"]) for match in BLOCK.finditer(text)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tracked and new files of the repository, with this environment's interpreter."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def test_the_six_steps_work_as_written(copy: Path) -> None:
    path = os.pathsep.join(str(copy / package) for package in PACKAGES)
    env = {**os.environ, "PYTHONPATH": path}
    printed = ""
    for kind, name, text in blocks():
        if kind == "python":
            assert name is not None
            assert not (copy / name).exists()
            (copy / name).write_text(text)
        elif name != "setup":  # that step is the one that runs this test
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text],
                cwd=copy, env=env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
            printed += done.stdout
    assert "Keeps the patches with the longest hidden states" in printed
    assert re.search(r"\d+ passed", printed)
    records = (copy / "results/records/norm-drop.jsonl").read_text().splitlines()
    assert len(records) == 4
    assert all('"status":"ok"' in record for record in records)
    page = copy / "site/dist/method/norm-drop.html"
    assert "Norm drop" in page.read_text()


def test_the_document_has_all_six_steps() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert re.findall(r"^\*\*(\d)\.", text, re.M) == ["1", "2", "3", "4", "5", "6"]
    assert [name for _, name, _ in blocks() if name] == [
        "setup",
        "methods/tokonomy_methods/vision/norm_drop.py",
    ]
