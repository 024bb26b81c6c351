"""The last word of 500 characters of the language reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.language.requests import Requests, collect, from_yaml

CARD = TaskCard(
    id="next-word",
    title="Next word",
    families=("kv", "decoding"),
    summary="The last word of 500 characters of the language reference.",
    metric="Share of words that are the likeliest continuation.",
    source="pydoc_data.topics.",
    licence="PSF-2.0",
    split="Passages by a hash of their text, modules by one of their path, numbers by seed.",
    revision="1",
    models=("docs-lm",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class NextWord:
    """The last word of 500 characters of the language reference."""

    def samples(self, split: str) -> Requests:
        """One split, as the YAML file beside this one says."""
        return collect(from_yaml(Path(__file__).with_suffix(".yaml")), split, "acc")
