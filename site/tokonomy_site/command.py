"""The verb ``publish``, hung into the command line by its entry point."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--db",
    "database",
    default="results/tokonomy.sqlite",
    show_default=True,
    help="Database file or URL. It is only read; a missing one counts as empty.",
)
@click.option(
    "--records",
    type=click.Path(path_type=Path),
    default=Path("results/records"),
    show_default=True,
    help="Published records (JSON lines, a file or a folder) that are shown as well.",
)
@click.option(
    "--statements",
    type=click.Path(path_type=Path),
    default=Path("results/statements"),
    show_default=True,
    help="What was said of records (JSON lines, a file or a folder); shown with their runs.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    default=Path("results/calibration"),
    show_default=True,
    help="Folder of calibration records (*.json) that the methodology page shows.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("site/dist"),
    show_default=True,
    help="The site's folder; replaced as a whole, or not at all.",
)
@click.option(
    "--base-url",
    "address",
    help="Where the site will be on the web; makes the links of its Atom feed absolute.",
)
def publish(
    database: str,
    records: Path,
    statements: Path,
    calibration: Path,
    out: Path,
    address: str | None,
) -> None:
    """Build the static site from the database and the published records.

    It needs no server; prints the path of its first page.

    \b
    Example:
      tokonomy publish --out site/dist
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    from tokonomy_site.build import build  # heavy, and not needed to print the help

    click.echo(build(database, records, out, calibration, statements, address))
