"""A code hidden in a text is asked for at its end, over four lengths and five depths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.language.requests import Requests, collect, from_yaml

CARD = TaskCard(
    id="recall",
    title="Recall of one code",
    families=("kv", "decoding"),
    summary="A code hidden in a text is asked for at its end, over four lengths and five depths.",
    metric="Share of answers that begin with the code.",
    source="Generated codes in passages of the language reference.",
    licence="PSF-2.0",
    split="Passages by a hash of their text, modules by one of their path, numbers by seed.",
    revision="1",
    chance=0.004,
    models=("docs-lm",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """A code hidden in a text is asked for at its end, over four lengths and five depths."""

    def samples(self, split: str) -> Requests:
        """One split, as the YAML file beside this one says."""
        return collect(from_yaml(Path(__file__).with_suffix(".yaml")), split, "begins")
