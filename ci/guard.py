"""Whether what a change does to ``results/`` may be published.

Runs the code of the main branch on git's objects of another commit: nothing of that commit is
checked out, imported or run, so a change of the checks themselves cannot let anything through. Of
the merge of both, published files must have only grown, their new lines must be sound, and all of
them together must make a database. Whose runs new statements are about is told; whether they are
theirs to say, people decide.

    python ci/guard.py --base main --head FETCH_HEAD
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from tokonomy.cli.forms import FORMS
from tokonomy.store.database import open_store
from tokonomy.store.exchange import import_files
from tokonomy.store.git import FILE, content, tree
from tokonomy.store.sources import PLACES
from tokonomy.submit import append, static
from tokonomy.submit.changes import brought, merged
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.scripts import say, script
from tokonomy.submit.stated import stated


@script
@click.option("--base", default="HEAD", show_default=True, help="What it is merged into.")
@click.option("--head", required=True, help="The commit that is looked at.")
@click.option("--own", is_flag=True, help="Maintainers bring it, from a branch of this repository.")
def main(base: str, head: str, own: bool) -> None:
    """Look at what HEAD merged into BASE would publish."""
    root = checkout(Path.cwd())
    whole = merged(root, base, head)
    found = append.changed(root, base, whole)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for entry in tree(root, whole, PLACES):
            held = content(root, entry.blob) if entry.mode == FILE else None
            if held is not None and ".." not in Path(entry.path).parts:
                (folder / entry.path).parent.mkdir(parents=True, exist_ok=True)
                (folder / entry.path).write_bytes(held)
        new = [folder / path for path in brought(root, base, whole)]
        found += static.check(folder, [path for path in new if path.is_file()], own)
        if not found:
            _published(folder)
    for each in [*stated(root, base, whole), FORMS["text"](sorted(found))]:
        say(each)
    if found:
        sys.exit(1)


def _published(folder: Path) -> None:
    """Bring all together as publishing does; raises what publishing would."""
    shelves = [folder / each for each in PLACES if (folder / each).exists()]
    with open_store(folder / "guard.sqlite") as store:
        import_files(store, shelves)


if __name__ == "__main__":
    main()
