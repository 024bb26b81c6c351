"""The map of the field: what was published, and what of it stands here."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from tokonomy.catalog.cards import MethodCard

State = Literal["measured", "not measured yet", "not here yet"]

FAMILIES: Mapping[str, str] = {
    "backbone": "Architectures",
    "decoding": "Decoding",
    "forensics": "Detection of generated text",
    "generation": "Generation",
    "imagetok": "Image tokenizers",
    "kv": "KV cache",
    "probe": "Probing",
    "reference": "References",
    "retrieval": "Retrieval",
    "segmentation": "Segmentation",
    "signal": "Other signals",
    "t2i": "Text to image",
    "task": "Tasks",
    "tokenizer": "Text tokenizers",
    "vision": "Vision transformers",
    "vlm": "Vision-language models",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A published work.

    Attributes:
        id: Its id on the map, which cards name.
        name: What it calls itself.
        family: A key of ``FAMILIES``.
        entry: How it can enter: method, checkpoint, task, metric or reference.
        title: Of its paper.
        code: Its repository, ``owner/name``; empty where none is known.
        idea: What it does, in a line.
    """

    id: str
    name: str
    family: str
    entry: str
    title: str
    code: str
    idea: str


@cache
def works() -> tuple[Work, ...]:
    """Every work, in the order of ids."""
    text = files("tokonomy_site").joinpath("data", "atlas.csv").read_text(encoding="utf-8")
    return tuple(Work(**row) for row in csv.DictReader(io.StringIO(text)))


def here(methods: Iterable[MethodCard]) -> dict[str, list[str]]:
    """Methods of each work that any names, by the work's id."""
    found: dict[str, list[str]] = {}
    for card in methods:
        for work in card.atlas:
            found.setdefault(work, []).append(card.id)
    return {work: sorted(names) for work, names in found.items()}


def state(methods: Iterable[str], measured: Iterable[str]) -> State:
    """What stands here of a work, from its methods and from those that have a result."""
    names = set(methods)
    if not names:
        return "not here yet"
    return "measured" if names & set(measured) else "not measured yet"
