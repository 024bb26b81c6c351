"""What the embedded language models are good for, measured on what they were not trained on."""

from __future__ import annotations

import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from tokonomy_tasks.language import text
from tokonomy_tasks.models.language_recipe import Mixture

WINDOW = 512
"""Tokens that a text is read in; each window begins without a past."""
LENGTHS = (128, 256, 512, 1024)
"""Tokens of the texts in which codes are hidden."""
_PROMPTS = 100  # of each length
_ORDER = 5  # bytes that an n-gram holds


@torch.inference_mode()
def bits_per_byte(model: Any, tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """Mean bits that a model needs for a byte of texts, read in windows; lower is better."""
    ids = torch.tensor([token for each in texts for token in [*tokenizer.encode(each).ids, 0]])
    nats = 0.0
    for start in range(0, len(ids) - 1, WINDOW):
        window = ids[start : start + WINDOW + 1]
        logits = model(window[None, :-1]).logits[0].float()
        nats += functional.cross_entropy(logits, window[1:], reduction="sum").item()
    return nats / math.log(2) / sum(len(each.encode()) for each in texts)


def ngram_bits_per_byte(train: Sequence[str], test: Sequence[str]) -> float:
    """The same of an interpolated n-gram model over bytes, smoothed as Witten and Bell do.

    Each order adds to a count of its own as many of the order below as it has seen different
    followers; below the first order every byte is alike.
    """
    seen: list[dict[bytes, Counter[int]]] = [defaultdict(Counter) for _ in range(_ORDER)]
    for each in map(str.encode, train):
        for at, byte in enumerate(each):
            for order in range(min(_ORDER, at + 1)):
                seen[order][each[at - order : at]][byte] += 1
    bits, count = 0.0, 0
    for each in map(str.encode, test):
        for at, byte in enumerate(each):
            chance = 1 / 256
            for order in range(min(_ORDER, at + 1)):
                followers = seen[order].get(each[at - order : at])
                if not followers:
                    break
                kinds = len(followers)
                chance = (followers[byte] + kinds * chance) / (followers.total() + kinds)
            bits -= math.log2(chance)
        count += len(each)
    return bits / count


@torch.inference_mode()
def recalled(model: Any, tokenizer: Tokenizer, length: int, seed: int = 0) -> float:
    """Share of codes hidden in unseen text of ``length`` tokens that are said when asked for."""
    mixture, rng = Mixture(tokenizer, "test"), random.Random(f"recall {length} {seed}")
    right = asked = 0
    for _ in range(_PROMPTS):
        ids, answers = mixture.recall(rng, length)
        said = model(torch.tensor([ids])).logits[0].argmax(-1)
        right += sum(int(said[at - 1]) == ids[at] for at in answers)
        asked += len(answers)
    return right / asked


def figures(model: Any, tokenizer: Tokenizer) -> dict[str, float]:
    """Every figure of a model, by name."""
    passages, modules = text.reference("test"), text.sources("test")
    found = {
        "bits per byte of held-out reference text": bits_per_byte(model, tokenizer, passages),
        "bits per byte of held-out modules": bits_per_byte(model, tokenizer, modules),
        "the same of reference text by a 5-gram model of bytes": ngram_bits_per_byte(
            text.reference("train"), passages
        ),
    }
    for length in LENGTHS:
        found[f"codes recalled in {length} tokens"] = recalled(model, tokenizer, length)
    return found


def write(model: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """Leave the figures beside the weights."""
    rounded = {name: round(value, 4) for name, value in figures(model, tokenizer).items()}
    (folder / "figures.json").write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
