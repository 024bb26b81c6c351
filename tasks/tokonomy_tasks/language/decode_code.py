"""48 tokens after an excerpt of a module, in two turns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.language.requests import Requests, collect, from_yaml

CARD = TaskCard(
    id="decode-code",
    title="Decoding: go on with code",
    families=("decoding",),
    summary="48 tokens after an excerpt of a module, in two turns.",
    metric="chrF2 against what really follows, between 0 and 1.",
    source="Modules of the standard library.",
    licence="PSF-2.0",
    split="Passages by a hash of their text, modules by one of their path, numbers by seed.",
    revision="1",
    models=("docs-lm",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCode:
    """48 tokens after an excerpt of a module, in two turns."""

    def samples(self, split: str) -> Requests:
        """One split, as the YAML file beside this one says."""
        return collect(from_yaml(Path(__file__).with_suffix(".yaml")), split, "chrf")
