"""Which of four excerpts of the language reference goes on where a passage stops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.language.requests import Requests, collect, from_yaml

CARD = TaskCard(
    id="docs-choice",
    title="How a passage goes on",
    families=("kv", "decoding"),
    summary="Which of four excerpts of the language reference goes on where a passage stops.",
    metric="Share of passages whose own end is the likeliest.",
    source="pydoc_data.topics.",
    licence="PSF-2.0",
    split="Passages by a hash of their text, modules by one of their path, numbers by seed.",
    revision="1",
    chance=0.25,
    models=("docs-lm",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DocsChoice:
    """Which of four excerpts of the language reference goes on where a passage stops."""

    def samples(self, split: str) -> Requests:
        """One split, as the YAML file beside this one says."""
        return collect(from_yaml(Path(__file__).with_suffix(".yaml")), split, "acc")
