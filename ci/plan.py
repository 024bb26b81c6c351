"""From a diff to the cells that it touches: writes each suite's part as a suite of its own.

python ci/plan.py --base origin/main --suite quick --suite language-quick --out plans
tokonomy run --suite plans/quick.json
"""

from __future__ import annotations

from pathlib import Path

import click

from tokonomy.submit.affected import affected
from tokonomy.submit.changes import changed, fork_point
from tokonomy.submit.gate import plans
from tokonomy.submit.scaffold import checkout
from tokonomy.submit.scripts import say, script


@script
@click.option("--base", default="origin/main", show_default=True, help="Branch to compare with.")
@click.option("--suite", "suites", multiple=True, required=True, help="A suite; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the plans.")
def main(base: str, suites: tuple[str, ...], out: Path) -> None:
    """Write the part of each suite that the change since BASE touches."""
    root = checkout(Path.cwd())
    point = fork_point(root, base)
    found = affected(root, point, changed(root, point))
    out.mkdir(parents=True, exist_ok=True)
    made = plans(root, point, found, suites, out)
    for label, why in found.told.items():
        say(f"{label}: {why}", err=True)
    for name in suites:
        say(str(made[name]) if name in made else f"{name}: nothing of it is touched")


if __name__ == "__main__":
    main()
