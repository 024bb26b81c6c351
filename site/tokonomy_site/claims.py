"""A source's figures beside ours, where model, data and setting are the same by name.

Names differ between papers and repositories, so the comparison is strict: every word of the stated
name must be in ours, in order and together. What does not match is said to be not measured.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tokonomy.catalog.cards import Claim, MethodCard
from tokonomy_site.figures import percent, span
from tokonomy_site.snapshot import Run, run_path, setting
from tokonomy_site.tables import Cell, Table, text_table

_SIZES = {"t": "tiny", "ti": "tiny", "s": "small", "b": "base", "l": "large", "h": "huge"}


def _words(name: str) -> list[str]:
    found = re.findall(r"[a-z0-9]+", name.lower())
    return [_SIZES.get(word, word.removeprefix("patch")) for word in found]


def named(stated: str, ref: str) -> bool:
    """Whether a reference carries the stated name.

    >>> named("DeiT-S", "hf:facebook/deit-small-patch16-224"), named("DeiT-S", "hf:deit-base")
    (True, False)
    """
    wanted, given = _words(stated), _words(ref)
    places = range(len(given) - len(wanted) + 1)
    return bool(wanted) and any(given[i : i + len(wanted)] == wanted for i in places)


def _numbers(text: str) -> set[float]:
    return {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)}


def ours(claim: Claim, runs: Sequence[Run]) -> Run | None:
    """The newest run that the claim speaks of and that counts; only of accuracies."""
    if "accuracy" not in claim.metric:
        return None
    for run in reversed(runs):
        same = named(claim.model, run.model_ref) and named(claim.dataset, run.task_ref)
        at = _numbers(claim.setting) <= _numbers(setting(run.params))
        if same and at and run.counts and run.figure("accuracy").value is not None:
            return run
    return None


def table(card: MethodCard, runs: Sequence[Run]) -> Table:
    """Every claim of a card with our figure or what it would need."""
    made: list[tuple[str | Cell, ...]] = []
    for claim in card.claims:
        stated = f"{claim.value:g} {claim.unit}"
        if claim.reference is not None:
            stated += f" (unmodified {claim.reference:g})"
        where = f"{claim.model}, {claim.dataset}, {claim.setting}"
        where += f", {claim.hardware}" if claim.hardware else ""
        made.append((where, claim.metric, stated, _cell(claim, runs), claim.source))
    heads = ("Model, data, setting", "Figure", "Stated", "Here", "Where it stands")
    return text_table("Figures that the source states", heads, made, 0, 3, 4)


def _cell(claim: Claim, runs: Sequence[Run]) -> Cell:
    run = ours(claim, runs)
    if run is None:
        return Cell(text=f"not measured here: needs {claim.model} on {claim.dataset}", kind="soft")
    accuracy = run.figure("accuracy")
    text = f"{percent(accuracy.value or 0.0)} % [{span(accuracy, percent)}]"
    return Cell(text=text, sub=setting(run.params), href=f"../{run_path(run.id)}")
