"""The second half of the last whole line of 900 characters of a module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.language.requests import Requests, collect, from_yaml

CARD = TaskCard(
    id="code-line",
    title="Rest of a line of code",
    families=("kv", "decoding"),
    summary="The second half of the last whole line of 900 characters of a module.",
    metric="Share of answers that begin with the rest of the line.",
    source="Modules of the standard library.",
    licence="PSF-2.0",
    split="Passages by a hash of their text, modules by one of their path, numbers by seed.",
    revision="1",
    models=("docs-lm",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLine:
    """The second half of the last whole line of 900 characters of a module."""

    def samples(self, split: str) -> Requests:
        """One split, as the YAML file beside this one says."""
        return collect(from_yaml(Path(__file__).with_suffix(".yaml")), split, "begins")
