"""Good questions: say in a sentence what is asked."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.language.requests import Requests, collect, from_yaml

CARD = TaskCard(
    id="good-questions",
    title="Good questions",
    families=("kv",),
    summary="Say a number once more.",
    metric="Share of answers that begin with the number.",
    source="Generated from a seed.",
    licence="CC0-1.0",
    split="By seed; numbers of one split have an even, of the other an odd first digit.",
    revision="1",
    models=("docs-lm",),
)


def data(count: int = 24, **_: Any) -> DatasetDict:
    """Both splits, as the YAML file beside this one asks for them."""
    return DatasetDict({split: Dataset.from_list(rows(split, count)) for split in ("train", "test")})


def rows(split: str, count: int) -> list[dict[str, str]]:
    """Prompt and target of each sample."""
    rng, firsts = random.Random(f"good-questions {split}"), "2468" if split == "test" else "1357"
    found = dict[str, dict[str, str]]()
    while len(found) < count:
        number = rng.choice(firsts) + str(rng.randrange(1000, 10_000))  # replace these lines
        found[number] = {"prompt": f"The number is {number}. The number is", "target": f" {number}"}
    return list(found.values())


def begins(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    """Whether an answer begins with what is wanted."""
    return {"begins": float(results[0].startswith(doc["target"]))}


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class GoodQuestions:
    """Numbers said once more."""

    def samples(self, split: str) -> Requests:
        """One split, as the YAML file beside this one says."""
        return collect(from_yaml(Path(__file__).with_suffix(".yaml")), split, "begins")
