"""48 tokens after four solved sums and a question; more sums follow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.language.requests import Requests, collect, from_yaml

CARD = TaskCard(
    id="decode-sums",
    title="Decoding: sums",
    families=("decoding",),
    summary="48 tokens after four solved sums and a question; more sums follow.",
    metric="Share of answers that begin with the number.",
    source="Generated.",
    licence="Apache-2.0",
    split="Sums by a hash of the question, so that none is in both.",
    revision="1",
    models=("docs-lm",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeSums:
    """48 tokens after four solved sums and a question; more sums follow."""

    def samples(self, split: str) -> Requests:
        """One split, as the YAML file beside this one says."""
        return collect(from_yaml(Path(__file__).with_suffix(".yaml")), split, "begins")
