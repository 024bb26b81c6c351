"""Published records and statements to a database, to the site, with checksums and provenance.

The same commit makes the same bytes, so anyone can build what is published and compare.

    python ci/publish.py --out site/dist
    (cd site/dist && sha256sum --check --quiet SHA256SUMS)
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import click

from tokonomy import __version__
from tokonomy.errors import UsageError
from tokonomy.store.git import done, resolved
from tokonomy.submit.reading import RECORDS, STATEMENTS, files
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.scripts import say, script
from tokonomy_site.build import build

SUMS, PROVENANCE = "SHA256SUMS", "data/provenance.json"


@script
@click.option("--out", type=click.Path(path_type=Path), default=Path("site/dist"),
              show_default=True, help="The site's folder; replaced as a whole.")  # fmt: skip
def main(out: Path) -> None:
    """Build the site from what is committed, and from nothing else."""
    root = checkout(Path.cwd())
    shelves = [root / each for each in (RECORDS, STATEMENTS)]
    dirty = done(root, ["status", "--porcelain", "-z", "--untracked-files=all"])
    if dirty:
        first = dirty.split(b"\0")[0].decode(errors="replace")
        raise UsageError(f"what is published is what is committed: {first}")
    sources = list(files(shelves))
    if not any(path.suffix == ".jsonl" and path.stat().st_size for path in sources):
        raise UsageError(f"there are no records in {RECORDS}; a site of nothing is not published")
    records, said = shelves
    build("no database", records, out, root / "results/calibration", said)
    origin = {
        "commit": resolved(root, "HEAD"),
        "committed": done(root, ["show", "-s", "--format=%cI", "HEAD"]).decode().strip(),
        "harness": __version__,
        "records": {path.relative_to(root).as_posix(): _sha256(path) for path in sources},
    }
    (out / PROVENANCE).write_text(json.dumps(origin, indent=1, sort_keys=True) + "\n")
    made = [path for path in files([out]) if path != out / SUMS]
    lines = [f"{_sha256(path)}  {path.relative_to(out).as_posix()}\n" for path in made]
    (out / SUMS).write_text("".join(lines))
    say(f"{len(made)} files in {out}, of commit {origin['commit']}")


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


if __name__ == "__main__":
    main()
