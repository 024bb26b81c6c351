"""A run that loads the model, answers once and ends."""

from collections.abc import Sequence
from pathlib import Path

import torch

from tokonomy.families import load_family
from tokonomy.run import worker
from tokonomy.run.job import JOB, Job, Outcome, write_outcome


def warm(references: Sequence[Sequence[str]]) -> None:
    """As in a real run."""
    worker.warm(references)


def main(folder: Path) -> None:
    """Load and answer."""
    cell = Job.model_validate_json((folder / JOB).read_bytes()).cell
    torch.set_num_threads(1)
    family = load_family(cell.family)
    data = family.open(cell.task.ref)
    model = family.load(cell.model.ref, device=cell.device, precision=cell.precision)
    with torch.inference_mode():
        model(next(family.batches(model, data, 1)))
    write_outcome(folder, Outcome(status="unsupported", reason="not-supported"))
