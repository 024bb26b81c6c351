"""Tiny checkpoints of causal language models with tokenizers, and lm-eval tasks of one's own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.utils import logging

from tokonomy_tasks.language import text

SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
ARCHITECTURES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": 300}),
}
BEGIN, END = "<s>", "</s>"


@cache
def _learnt(size: int) -> str:
    """A byte-level BPE of so many tokens, as JSON; ids 0 and 1 begin and end a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[BEGIN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.reference("train")[:30], trainer)
    found: str = tokenizer.to_str()
    return found


def make_tokenizer(architecture: str = "llama", size: int = 512) -> PreTrainedTokenizerFast:
    """Llama's ends and begins with one token, Qwen's has none to begin, Mistral's adds one."""
    tokenizer = Tokenizer.from_str(_learnt(size))
    if architecture == "mistral":
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BEGIN} $A", pair=f"{BEGIN} $A $B", special_tokens=[(BEGIN, 0)]
        )
    begin = {"llama": END, "qwen2": None, "mistral": BEGIN}[architecture]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=begin,
        eos_token=END,
        pad_token=END if architecture != "mistral" else None,
        clean_up_tokenization_spaces=False,
    )


def make_module(
    architecture: str = "llama", *, seed: int = 0, size: int = 512, positions: int = 4096
) -> Any:
    """Random weights, larger than the initialiser's, so that answers differ."""
    config, kind, own = ARCHITECTURES[architecture]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = kind(
            config(
                vocab_size=size,
                max_position_embeddings=positions,
                bos_token_id=1 if architecture == "llama" else 0,
                eos_token_id=1,
                pad_token_id=None,
                **SHAPE,
                **own,
            )
        )
        for parameter in module.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.3)
    return module.eval()


def write_language(folder: Path, architecture: str = "llama", **options: Any) -> Path:
    """A checkpoint folder: config, safetensors and tokenizer."""
    logging.disable_progress_bar()
    make_module(architecture, **options).save_pretrained(folder)
    make_tokenizer(architecture, options.get("size", 512)).save_pretrained(folder)
    return folder


def edit_config(folder: Path, **changes: Any) -> Path:
    """The same checkpoint with another config."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def write_task(folder: Path, name: str, docs: list[dict[str, Any]], **config: Any) -> Path:
    """An lm-eval task over documents of one's own, as a YAML file with its data beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        lines = "\n".join(json.dumps({**doc, "split": split}) for doc in docs)
        (folder / f"{name}-{split}.jsonl").write_text(lines)
    files = {split: str(folder / f"{name}-{split}.jsonl") for split in ("train", "test")}
    fields = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "cache")},
        "training_split": "train",
        "test_split": "test",
        **config,
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(fields))  # JSON is YAML
    return path
