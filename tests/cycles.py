"""Language models that copy: what follows a token depends on that token alone, in a circle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import torch
from transformers import LlamaForCausalLM
from transformers.utils import logging

from languages import make_module, make_tokenizer
from prompts import asked
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel

FIRST, PERIOD = 100, 6


@cache
def circle() -> LanguageModel:
    """Token 100 + n is followed by 100 + (n + 1) modulo 6, whatever stood before; any other by 100.

    Four blocks whose attention and MLP add nothing; each token of the circle is a channel.
    """
    config = make_module().config
    config.num_hidden_layers, config.layer_types = 4, None
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        module = LlamaForCausalLM(config).eval()
        for block in module.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
        module.model.embed_tokens.weight.zero_()
        module.lm_head.weight.zero_()
        module.model.embed_tokens.weight[:, PERIOD] = 1
        module.lm_head.weight[FIRST, PERIOD] = 1
        for place in range(PERIOD):
            module.model.embed_tokens.weight[FIRST + place, PERIOD] = 0
            module.model.embed_tokens.weight[FIRST + place, place] = 1
            module.lm_head.weight[FIRST + (place + 1) % PERIOD, place] = 1
    return LanguageModel(module=module, tokenizer=make_tokenizer())


def turns(length: int, start: int = 0) -> list[int]:
    """So many tokens of the circle."""
    return [FIRST + (start + place) % PERIOD for place in range(length)]


def training(*prompts: list[int], length: int = 8) -> Callable[[], Iterator[Batch]]:
    """A train split of prompts, three to a batch."""
    parts = [list(prompts[place : place + 3]) for place in range(0, len(prompts), 3)]
    return lambda: (asked(part, length, first=900) for part in parts)


def saved(model: LanguageModel, folder: Path) -> str:
    """A reference to a model that is written down."""
    logging.disable_progress_bar()
    model.module.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return f"hf:{folder}"
