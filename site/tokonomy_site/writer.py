"""Putting a site in its place: built beside the old one, then swapped, so no half-built site."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tokonomy.errors import UsageError

_MARKER = "static/site.css"  # what tells a folder of ours from one that must not be replaced


def write(folder: Path, name: str, content: str | bytes) -> None:
    """Write one file of the site; ``name`` is relative, with ``/``."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _refuse_foreign(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"--out must be a folder; {out} is something else")
    if out.is_dir() and any(out.iterdir()) and not (out / _MARKER).is_file():
        raise UsageError(
            f"--out must be new, empty or an earlier site; {out} holds other files, so nothing "
            "was written"
        )


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place when the block ends well."""
    _refuse_foreign(out)
    missing = [folder for folder in out.parents if not folder.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise UsageError(f"--out: cannot write beside {out}: {error.strerror}") from None
    try:
        yield fresh
        fresh.chmod(0o755)
        _swap(fresh, out)
    except OSError as error:
        raise UsageError(
            f"--out: writing {out} failed, the site before is kept: {error.strerror or error}"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if not out.exists():
            for folder in missing:
                folder.rmdir()


def _swap(fresh: Path, out: Path) -> None:
    if not out.exists():
        fresh.rename(out)
        return
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-old-", dir=out.parent) as attic:
        old = Path(attic) / "site"
        out.rename(old)
        try:
            fresh.rename(out)
        except OSError:
            old.rename(out)
            raise
