"""Generation by transformers itself, set to say what the model's own loop would say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from transformers import GenerationConfig

from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel

Settings: Any = GenerationConfig  # untyped


@contextmanager
def plain(model: LanguageModel) -> Iterator[None]:
    """Lay aside what the checkpoint says about sampling, penalties and lengths, for a while."""
    before = model.module.generation_config
    model.module.generation_config = Settings()
    try:
        yield
    finally:
        model.module.generation_config = before


def generate(
    model: LanguageModel, batch: Batch, settings: dict[str, Any], **models: Any
) -> Sequence[int]:
    """The likeliest tokens after a prompt, the one that ends them included.

    Args:
        model: The model, made ``plain``.
        batch: One request.
        settings: Generation settings beside length and ends.
        models: Passed on, e.g. ``assistant_model``.
    """
    config = Settings(
        max_new_tokens=batch.length,
        do_sample=False,
        num_beams=1,
        use_cache=True,
        eos_token_id=list(batch.ends) or None,
        pad_token_id=next(iter(batch.ends), 0),
        **settings,
    )
    tokens = model.module.generate(
        batch.prompt,
        attention_mask=batch.present.long(),
        generation_config=config,
        **models,
    )
    said: list[int] = tokens[0, batch.prompt.shape[1] :].tolist()
    return said
