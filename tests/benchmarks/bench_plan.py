"""How long it takes to tell from a diff what it touches, in a history of 1,000 methods."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tokonomy.catalog.sources import imported
from tokonomy.catalog.suites import read_suite
from tokonomy.submit.affected import SUITES, affected, narrowed, suite_at
from tokonomy.submit.changes import changed
from tokonomy.submit.scaffold import begin
from tokonomy.submit.tree import read_once

ROOT = Path(__file__).parents[2]
METHODS = 1000


def git(root: Path, *words: str, given: bytes | None = None) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *who, *words], cwd=root, input=given, capture_output=True, check=True)


def commit(number: int, paths: list[Path], root: Path) -> bytes:
    """A commit of some files, as fast-import reads it."""
    parts = [f"commit refs/heads/main\ncommitter t <t@example.org> {1_700_000_000 + number} +0000\n"
             f"data 3\nAdd\n".encode()]  # fmt: skip
    if number == 0:
        parts.append(b"from refs/heads/main^0\n")
    for path in paths:
        content = path.read_bytes()
        name = path.relative_to(root).as_posix()
        parts.append(f"M 100644 inline {name}\ndata {len(content)}\n".encode() + content + b"\n")
    return b"".join(parts)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our packages, then a thousand commits with a method each."""
    root = tmp_path_factory.mktemp("history")
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for name in ("harness/tokonomy", "methods/tokonomy_methods", "tasks/tokonomy_tasks", SUITES):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Begin")
    added = [begin("method", "vision", f"method-{number:04d}", root) for number in range(METHODS)]
    stream = b"".join(commit(number, paths, root) for number, paths in enumerate(added))
    git(root, "fast-import", "--quiet", "--force", given=stream)
    git(root, "reset", "-q", "--hard")
    return root


@pytest.mark.parametrize("path", [
    "methods/tokonomy_methods/vision/method_0500.py",
    "methods/tokonomy_methods/tokens/select.py",
], ids=["one method", "a shared primitive"])  # fmt: skip
def test_plan(benchmark: Any, history: Path, path: str) -> None:
    """From the working tree to the narrowed suite, nothing kept from before."""
    file = history / path
    text = file.read_text()
    file.write_text(text.replace('"""', '"""Changed. ', 1))

    def plan() -> int:
        imported.cache_clear()
        read_once.cache_clear()
        found = affected(history, "HEAD", changed(history, "HEAD"))
        suite = read_suite(history / SUITES / "quick.toml")
        part = narrowed(suite, found, suite_at(history, "HEAD", "quick"))
        return len({name for each in part.select for name in each.methods}) if part else 0

    try:
        many = benchmark.pedantic(plan, rounds=3, warmup_rounds=1)
    finally:
        file.write_text(text)
    benchmark.extra_info["methods"] = many
    assert many == 1 if "0500" in path else many > METHODS
