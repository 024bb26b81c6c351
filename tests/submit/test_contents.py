"""What a folder holds against what a commit holds, whatever its own git says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tokonomy.errors import UsageError
from tokonomy.submit.contents import contents, strayed, taken


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A repository with a file, a program and a link."""
    root = tmp_path / "own"
    for path in ("a/one.py", "a/run"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    (root / "a/run").chmod(0o755)
    (root / "link").symlink_to("a/one.py")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "x")):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


@pytest.fixture
def wanted(own: Path) -> dict[str, str]:
    with taken(own, "HEAD") as folder:
        return contents(folder)


def linked(root: Path) -> None:
    shutil.move(root / "a", root.parent / "elsewhere")
    (root / "a").symlink_to(root.parent / "elsewhere")


def retargeted(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("a/run")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a/one.py": lambda root: (root / "a/one.py").write_text("a/one.py "),
    "a/run": lambda root: (root / "a/run").chmod(0o644),
    "link": retargeted,
    "a": linked,
    "a/new.py": lambda root: (root / "a/new.py").touch(),
    "a/pipe": lambda root: os.mkfifo(root / "a/pipe"),
    "a/.git": lambda root: (root / "a/.git").touch(),
}


@pytest.mark.parametrize("path", CHANGES)
def test_every_change_is_seen(own: Path, wanted: dict[str, str], path: str) -> None:
    assert sorted(wanted) == ["a/one.py", "a/run", "link"]
    shutil.rmtree(own / ".git")
    assert strayed(own, wanted) is None
    CHANGES[path](own)
    assert strayed(own, wanted) == path


def test_what_is_built_is_passed_over_unless_somebody_committed_it(
    own: Path, wanted: dict[str, str]
) -> None:
    for built in ("a/__pycache__", ".venv", "a.egg-info"):
        (own / built).mkdir()
        (own / built / "more").touch()
    assert strayed(own, wanted) is None
    here = contents(own)["a/__pycache__/more"]
    assert strayed(own, {**wanted, "a/__pycache__/more": here}) == "a/__pycache__/more"


def test_a_commit_that_is_not_there_is_told(own: Path) -> None:
    with pytest.raises(UsageError, match="no such revision"), taken(own, "0" * 40):
        pass
