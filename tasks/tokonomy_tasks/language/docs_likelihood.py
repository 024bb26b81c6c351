"""How likely excerpts of the language reference and of modules are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.language.requests import Requests, collect, from_yaml

CARD = TaskCard(
    id="docs-likelihood",
    title="Likelihood of text and code",
    families=("kv",),
    summary="How likely excerpts of the language reference and of modules are.",
    metric="Mean probability of a byte: 2 to the power of minus the bits per byte.",
    source="pydoc_data.topics and modules of the standard library.",
    licence="PSF-2.0",
    split="Passages by a hash of their text, modules by one of their path, numbers by seed.",
    revision="1",
    models=("docs-lm",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DocsLikelihood:
    """How likely excerpts of the language reference and of modules are."""

    def samples(self, split: str) -> Requests:
        """One split, as the YAML file beside this one says."""
        return collect(from_yaml(Path(__file__).with_suffix(".yaml")), split, "likelihood")
