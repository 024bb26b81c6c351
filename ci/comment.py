"""What `check.py` left behind as a Markdown comment, on stdout.

Report and records come from a process that ran code of a pull request, so they are read as
strangers' and every text is escaped. Run this with the code of the main branch.

    python ci/comment.py checked > comment.md
"""

from __future__ import annotations

from pathlib import Path

import click

from tokonomy.store.exchange import read
from tokonomy.submit.comment import comment
from tokonomy.submit.gate import read_report
from tokonomy.submit.scripts import script


@script
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(folder: Path) -> None:
    """Print the comment on what lies in FOLDER."""
    report = read_report(folder / "report.json")
    shelf = folder / "records.jsonl"
    records = [record for _, record in read(shelf)] if shelf.exists() else []
    click.echo(comment(report, records), nl=False)


if __name__ == "__main__":
    main()
