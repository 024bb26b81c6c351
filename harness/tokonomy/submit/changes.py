"""What git says was changed, and what a file was before."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tokonomy.errors import UsageError

_MAINS = ("upstream/main", "origin/main", "main")


def git(root: Path, *words: str) -> bytes:
    """What a command of git prints; raises ``UsageError`` with what git says is wrong."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, check=False, timeout=120
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git {words[0]} could not be run: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise UsageError(f"git {words[0]}: {said or f'exit status {done.returncode}'}")
    return done.stdout


def commit(root: Path, revision: str) -> str:
    """The full id of a commit that a revision names."""
    if revision.startswith("-"):
        raise UsageError(f"a revision does not begin with '-'; got {revision!r}")
    found = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options",
                f"{revision}^{{commit}}")  # fmt: skip
    return found.decode().strip()


def main_branch(root: Path) -> str:
    """The commit at which this branch left the main one."""
    for name in _MAINS:
        try:
            return fork_point(root, name)
        except UsageError:
            continue
    raise UsageError(
        f"no branch to compare with among {', '.join(_MAINS)}; name the files that are meant"
    )


def fork_point(root: Path, base: str) -> str:
    """The newest commit that a branch shares with what is checked out."""
    return git(root, "merge-base", commit(root, base), "HEAD").decode().strip()


def changed(root: Path, base: str) -> list[str]:
    """Paths that differ between a commit and the working tree, new and removed ones among them.

    Renames are a removal and a new file. Ignored files are left out.
    """
    tracked = git(root, "diff", "--name-only", "--no-renames", "-z", base, "--")
    new = git(root, "ls-files", "--others", "--exclude-standard", "-z")
    names = {name for name in (tracked + new).split(b"\0") if name}
    return sorted(name.decode(errors="surrogateescape") for name in names)


def before(root: Path, base: str, path: str) -> str | None:
    """A file's text at a commit; None where it was not there, or was no text."""
    try:
        return git(root, "show", f"{base}:{path}").decode()
    except (UsageError, UnicodeDecodeError):
        return None
