"""What `check.py` left behind as a Markdown comment, on stdout.

Report and records come from a process that ran code of a pull request, so they are read as
strangers' and every text is escaped. Run this with the code of the main branch.

    python ci/comment.py checked > comment.md
"""

from __future__ import annotations

from pathlib import Path

import click

from tokonomy.errors import UsageError
from tokonomy.store.exchange import read
from tokonomy.submit.comment import comment
from tokonomy.submit.gate import read_report
from tokonomy.submit.scripts import script


@script
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--commit", "checked", help="What was checked; a report of another is refused.")
@click.option("--conclusion", default="success", show_default=True, help="How the check ended.")
def main(folder: Path, checked: str | None, conclusion: str) -> None:
    """Print the comment on what lies in FOLDER."""
    report = read_report(folder / "report.json")
    if checked not in (None, report.commit):
        raise UsageError(f"the report is of {report.commit}; {checked} was checked")
    shelf = folder / "records.jsonl"
    records = [record for _, record in read(shelf)] if shelf.exists() else []
    click.echo(comment(report, records, conclusion == "success"), nl=False)


if __name__ == "__main__":
    main()
