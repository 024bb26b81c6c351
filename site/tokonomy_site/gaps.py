"""What is not measured yet, seen from what is in the snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from tokonomy.store.fields import Mode
from tokonomy.store.observed import UNSCORED
from tokonomy_site.figures import known
from tokonomy_site.snapshot import Run, Snapshot

_MODES = {
    "eager": "Eager execution",
    "compile": "Compiled execution",
    "cuda-graphs": "Execution as CUDA graphs",
}


def unmeasured(snapshot: Snapshot) -> list[str]:
    """A sentence for each thing that no result has."""
    good = [run for run in snapshot.results if run.status == "ok"]
    return list(_sentences(good, bool(snapshot.calibrations)))


def _sentences(good: Sequence[Run], calibrated: bool) -> Iterator[str]:
    if not good:
        yield "Everything: the snapshot has no result yet."
        return
    if not any(known(run.figure("energy_j")) for run in good):
        yield "Energy: no run of this snapshot has it; each says why in a reason code."
    if not any(run.device.startswith("cuda") for run in good):
        yield "GPUs: the figures here come from processors only."
    for mode in get_args(Mode):
        if not any(run.mode == mode for run in good):
            yield f"{_MODES[mode]}: no run of this snapshot is of mode {mode}."
    if {run.precision for run in good} == {"fp32"}:
        yield "Lower precision: every figure is of fp32."
    scored = [run for run in good if run.figure("accuracy").reason != UNSCORED]
    if scored and all(run.embedded for run in scored):
        yield "Published checkpoints: every accuracy is of embedded weights."
    if not calibrated:
        yield "Known truths: no calibration record is in this snapshot."
    yield (
        "Published accuracies on ImageNet: a claim is shown beside ours only where the same "
        "checkpoint and data were measured."
    )
