"""``tokonomy zoo``: the shipped models and their recipes."""

from __future__ import annotations

from pathlib import Path

import click

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadParameter


@click.group()
def zoo() -> None:
    """Train the shipped models again.

    \b
    Example:
      tokonomy zoo train digits-vit --out /tmp/digits-vit
    """


@zoo.command()
@click.argument("model", metavar="MODEL")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--seed", default=0, show_default=True, help="Seed of everything random.")
@click.option("--device", default="cpu", show_default=True, help="Where to train.")
def train(model: str, out: Path, seed: int, device: str) -> None:
    """Run a model's recipe and write a checkpoint that `--model hf:<folder>` loads.

    \b
    Example:
      tokonomy zoo train digits-vit --out /tmp/digits-vit
    """
    from tokonomy.measure.devices import device_class

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadParameter(f"--out must be a new or empty folder; {str(out)!r} is neither")
    recipe = catalogue("model").build(model, {})
    if not hasattr(recipe, "train"):
        raise BadParameter(f"model {model!r} has no recipe: it is not trained")
    device_class(device)  # refuses one that is not there
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadParameter(f"--out: {str(out)!r} cannot be made: {error.strerror}") from None
    recipe.train(out, seed=seed, device=device, progress=lambda line: click.echo(line, err=True))
    click.echo(str(out))
