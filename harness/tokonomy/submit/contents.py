"""What a folder holds, against what a commit holds; told from the files alone.

Whose code ran in a checkout may have changed what git does there: its settings name programs, its
index and its ignores hide changes. So git is asked in a repository of one's own, into which the
commit was fetched (its id is a hash of all that it holds), and never in the folder that is
looked at.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from tokonomy.errors import UsageError
from tokonomy.store.git import done, resolved

BUILT = (".venv", "__pycache__", "*.egg-info", ".pytest_cache", ".ruff_cache", ".mypy_cache")
"""Folders that setting up and running leave; what lies in them is of no commit."""


@contextmanager
def taken(root: Path, commit: str) -> Iterator[Path]:
    """The files of a commit in a folder of their own, and git there, for as long as it is open.

    Args:
        root: A folder of a repository that has the commit, and whose settings are one's own.
        commit: Its full id.

    Raises:
        UsageError: The repository lacks it.
    """
    with tempfile.TemporaryDirectory(prefix="tokonomy-commit-") as place:
        folder = Path(place, "files")
        done(root, ["worktree", "add", "--detach", str(folder), resolved(root, commit)])
        try:
            yield folder
        finally:
            done(root, ["worktree", "remove", "--force", str(folder)])


def contents(folder: Path, leaving: tuple[str, ...] = ()) -> dict[str, str]:
    """Kind and hash of every file below a folder, by path; git's own are left out.

    Args:
        folder: Where to look; links are not followed.
        leaving: Patterns of names of folders that are left out as well.

    Raises:
        UsageError: Something cannot be read.
    """
    found = {}
    try:
        for place, folders, files in os.walk(folder, onerror=_raised):
            here = "" if Path(place) == folder else Path(place).relative_to(folder).as_posix() + "/"
            links = [name for name in folders if Path(place, name).is_symlink()]
            for name in (*files, *links):
                if here or name != ".git":
                    found[f"{here}{name}"] = _holds(Path(place, name))
            folders[:] = [name for name in folders if (here or name != ".git")
                          and not any(fnmatchcase(name, each) for each in leaving)]  # fmt: skip
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be read ({error.strerror})") from None
    return found


def strayed(folder: Path, wanted: Mapping[str, str]) -> str | None:
    """The first path, in order, at which a folder is not as wanted; None where it is.

    What is built is passed over, unless something there is wanted.
    """
    found = contents(folder, BUILT)
    every = found.keys() | wanted.keys()
    return min((path for path in every if found.get(path) != wanted.get(path)), default=None)


def _holds(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"link {os.fsencode(path.readlink()).hex()}"
    if not stat.S_ISREG(mode):
        return "neither a file nor a link"
    with path.open("rb") as file:
        held = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{'program' if mode & stat.S_IXUSR else 'file'} {held}"


def _raised(error: OSError) -> None:
    raise error
