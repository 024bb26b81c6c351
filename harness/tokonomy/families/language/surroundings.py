"""Around lm-eval's own code: no network, no chatter, and the same draws in every process."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import numpy as np
import torch

CODE = "TOKONOMY_ALLOW_CODE"
"""The environment variable that lets tasks run code which a model wrote, where it is 1."""

#: What lm-eval says about any task, whether or not there is something to be done about it.
_NOISE = {
    "lm_eval.api.task": ("Custom kwargs can be passed", "is not. using default"),
    "lm_eval.config.task": ("No `until` specified", "No `generation_kwargs` specified"),
    "lm_eval.tasks._index": ("Duplicate task name",),
}
_one_at_a_time = RLock()


def code_allowed() -> bool:
    """Whether tasks may run code that a model wrote."""
    return os.environ.get(CODE) == "1"


def _online() -> bool:
    return os.environ.get("HF_DATASETS_OFFLINE", "1").upper() in ("0", "FALSE", "NO", "OFF")


@contextmanager
def offline() -> Iterator[None]:
    """Nothing from the network, unless ``HF_DATASETS_OFFLINE=0`` is set; one thread at a time.

    The libraries read their environment when they are imported, so it is they that are told.
    """
    import datasets.config
    import huggingface_hub.constants

    with _one_at_a_time:
        told = [
            (vars(huggingface_hub.constants), "HF_HUB_OFFLINE", True),
            (vars(datasets.config), "HF_HUB_OFFLINE", True),
            (os.environ, "HF_EVALUATE_OFFLINE", "1"),  # its library is imported late, if at all
        ]
        before = [where.get(name) for where, name, _ in told]
        for where, name, value in [] if _online() else told:
            where[name] = value
        try:
            yield
        finally:
            for (where, name, _), was in zip(told, before, strict=True):
                if was is None:
                    where.pop(name, None)
                else:
                    where[name] = was


class _Quiet(logging.Filter):
    """Lets everything through but what holds one of the phrases."""

    def __init__(self, phrases: tuple[str, ...]) -> None:
        super().__init__()
        self.phrases = phrases

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(phrase in record.getMessage() for phrase in self.phrases)


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of data sets and no warnings that lm-eval gives about any task."""
    import datasets

    filters = {logging.getLogger(name): _Quiet(phrases) for name, phrases in _NOISE.items()}
    bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    for logger, unheard in filters.items():
        logger.addFilter(unheard)
    try:
        yield
    finally:
        for logger, unheard in filters.items():
            logger.removeFilter(unheard)
        if bars:
            datasets.enable_progress_bars()


@contextmanager
def seeded() -> Iterator[None]:
    """Global generators start as in a run of lm-eval, and go on afterwards as if nothing was."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(0)
    np.random.seed(1234)
    torch.default_generator.manual_seed(1234)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
