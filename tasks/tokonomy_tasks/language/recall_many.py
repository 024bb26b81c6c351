"""One of six codes in a text is asked for at its end, over four lengths, five depths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.language.requests import Requests, collect, from_yaml

CARD = TaskCard(
    id="recall-many",
    title="Recall of one code among six",
    families=("kv", "decoding"),
    summary="One of six codes in a text is asked for at its end, over four lengths, five depths.",
    metric="Share of answers that begin with the code asked for.",
    source="Generated codes in passages of the language reference.",
    licence="PSF-2.0",
    split="Passages by a hash of their text, modules by one of their path, numbers by seed.",
    revision="1",
    chance=0.004,
    models=("docs-lm",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class RecallMany:
    """One of six codes in a text is asked for at its end, over four lengths, five depths."""

    def samples(self, split: str) -> Requests:
        """One split, as the YAML file beside this one says."""
        return collect(from_yaml(Path(__file__).with_suffix(".yaml")), split, "begins")
