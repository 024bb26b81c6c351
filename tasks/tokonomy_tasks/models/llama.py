"""The architecture of the embedded language models, their tokenizer, and how both are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 2048
POSITIONS = 2048
END = "<end>"
_BASE = 1e6  # of the rotary embedding: half of a head's pairs turn less than a radian in 512 tokens
_HEAD = 64  # size of a head
_SPREAD = 0.125  # of the embeddings; a logit of the token itself is then about 1


def learn_tokenizer(texts: Iterable[str], words: Sequence[str]) -> Tokenizer:
    """Train a byte-level BPE with one token for each digit.

    Args:
        texts: What it is trained on.
        words: Each becomes one token, with the space before it.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    often = [f" {word}" * 1000 for word in words]
    tokenizer.train_from_iterator([*texts, *often], trainer)
    return tokenizer


def build(*, width: int, layers: int, seed: int) -> LlamaForCausalLM:
    """Build a Llama with tied embeddings and half as many key-value heads as heads.

    Args:
        width: Size of a token's vector; the MLP is three times as wide.
        layers: Number of blocks.
        seed: Fixes the weights; the global random state is left as it was.
    """
    heads = width // 32
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        head_dim=_HEAD,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        initializer_range=0.04,
        rope_parameters={"rope_type": "default", "rope_theta": _BASE},
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


@torch.no_grad()
def start_copying(model: LlamaForCausalLM, seed: int) -> None:
    """Lay out heads that copy from context, so that training need not discover them.

    Half of the width holds a token, a quarter each the token before it and the one before that.
    Two heads of the first block fetch these two by position; heads of the second look for a token
    that followed the same token, or the same one with another in between, and fetch it. These are
    the parts of an induction head (arXiv 2209.11895). Everything is trained from there.
    """
    generator = torch.Generator().manual_seed(seed)
    width = model.config.hidden_size
    half, quarter = width // 2, width // 4
    embedding: Any = model.get_input_embeddings().weight
    embedding.normal_(0, _SPREAD, generator=generator)
    embedding[:, 0] = 3 * _SPREAD  # alike for all tokens: what looks by position reads it
    embedding[:, half:] = 0
    first, second = (model.model.layers[index].self_attn for index in (0, 1))
    group = 2 * _HEAD  # queries that share the keys and values of one head
    content = slice(1, half)
    code = torch.randn(quarter, half - 1, generator=generator) * (half - 1) ** -0.5

    pairs, angle = 12, _BASE ** (-torch.arange(_HEAD // 2) / (_HEAD // 2))
    _clear(first.k_proj, slice(0, _HEAD))[:pairs, 0] = 1.6
    _clear(first.v_proj, slice(0, _HEAD))[: half - 1, content] = torch.eye(half - 1)
    for back in (1, 2):
        rows = slice((back - 1) * _HEAD, back * _HEAD)
        query = _clear(first.q_proj, rows)
        query[:pairs, 0] = 1.6 * torch.cos(back * angle[:pairs])
        query[_HEAD // 2 : _HEAD // 2 + pairs, 0] = -1.6 * torch.sin(back * angle[:pairs])
        place = half + (back - 1) * quarter
        first.o_proj.weight[:, rows] = 0
        first.o_proj.weight[place : place + quarter, rows][:, : half - 1] = _SPREAD * code

    slow = [*range(_HEAD // 4, _HEAD // 2), *range(3 * _HEAD // 4, _HEAD)][:quarter]
    before, earlier = slice(half, half + quarter), slice(half + quarter, width)
    for head, (looked, sought) in enumerate([(code, before), (torch.eye(quarter), earlier)]):
        rows, asks = (
            slice(head * _HEAD, (head + 1) * _HEAD),
            slice(head * group, head * group + _HEAD),
        )
        reads = content if looked is code else before
        query, key = _clear(second.q_proj, asks), _clear(second.k_proj, rows)
        query[slow, reads] = 2.5 * looked
        key[slow, sought] = 2.5 * torch.eye(quarter)
        _clear(second.v_proj, rows)[: half - 1, content] = torch.eye(half - 1)
        second.o_proj.weight[:, asks] = 0
        second.o_proj.weight[content, asks][:, : half - 1] = 3 * _SPREAD * torch.eye(half - 1)


def _clear(linear: nn.Linear, rows: slice) -> Tensor:
    """Some rows of a weight, set to zero."""
    return linear.weight[rows].zero_()


def save(model: LlamaForCausalLM, tokenizer: Tokenizer, out: Path) -> None:
    """Write a checkpoint folder: config, safetensors and tokenizer."""
    model.save_pretrained(out)
    wrap: Any = PreTrainedTokenizerFast
    fast = wrap(
        tokenizer_object=tokenizer,
        eos_token=END,
        bos_token=END,
        pad_token=END,
        model_max_length=POSITIONS,
        clean_up_tokenization_spaces=False,
    )
    fast.save_pretrained(out)
