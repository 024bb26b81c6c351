"""What was changed since a commit, and what a file was before."""

from __future__ import annotations

from pathlib import Path

from tokonomy.errors import UsageError
from tokonomy.store.git import done, resolved

_MAINS = ("upstream/main", "origin/main", "main")


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
    return done(root, ["merge-base", resolved(root, base), "HEAD"]).decode().strip()


def merged(root: Path, base: str, head: str = "HEAD") -> str:
    """A commit, of no branch, that is ``head`` merged into ``base``: what would be published.

    Raises:
        UsageError: They do not merge without somebody's help.
    """
    ours, theirs = resolved(root, base), resolved(root, head)
    try:
        tree = done(root, ["merge-tree", "--write-tree", ours, theirs]).decode().split()[0]
    except UsageError as error:
        raise UsageError(f"{theirs} does not merge into {ours}: {error}") from None
    who = ["-c", "user.name=tokonomy", "-c", "user.email=tokonomy@localhost"]
    words = [*who, "commit-tree", "-p", ours, "-p", theirs, "-m", "Merge", tree]
    return done(root, words).decode().strip()


def brought(root: Path, base: str, commit: str) -> list[str]:
    """Paths that differ between two commits."""
    words = ["diff", "--name-only", "--no-renames", "-z", resolved(root, base),
             resolved(root, commit), "--"]  # fmt: skip
    names = done(root, words).split(b"\0")
    return sorted(name.decode(errors="surrogateescape") for name in names if name)


def changed(root: Path, base: str) -> list[str]:
    """Paths that differ between a commit and the working tree, new and removed ones among them.

    Renames are a removal and a new file. Ignored files are left out.
    """
    tracked = done(root, ["diff", "--name-only", "--no-renames", "-z", base, "--"])
    new = done(root, ["ls-files", "--others", "--exclude-standard", "-z"])
    names = {name for name in (tracked + new).split(b"\0") if name}
    return sorted(name.decode(errors="surrogateescape") for name in names)


def before(root: Path, base: str, path: str) -> str | None:
    """A file's text at a commit; None where it was not there, or was no text."""
    try:
        return done(root, ["show", f"{base}:{path}"]).decode()
    except (UsageError, UnicodeDecodeError):
        return None
