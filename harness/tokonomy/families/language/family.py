"""Two families of one contract: faster decoding, and smaller caches of keys and values."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from tokonomy.errors import BadCheckpoint, InvalidOutput
from tokonomy.families import shared
from tokonomy.families.contract import LayerWeights, Outputs, Predict, Reading
from tokonomy.families.language import loading
from tokonomy.families.language.adapter import Adapter, Row, cut, rows
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.batching import batch, fits, text_of
from tokonomy.families.language.evaluation import evaluate
from tokonomy.families.language.model import LanguageModel, judged
from tokonomy.families.language.requests import Requests
from tokonomy.families.language.surroundings import offline, quiet, seeded
from tokonomy.store.cell import ModelRef, TaskRef


class Language:
    """What the families of causal language models share."""

    id = "language"
    title = "Causal language models"
    metric = "score"

    def open(self, task_ref: str, split: str = "test") -> Requests:
        """One split of a task."""
        return _opened(task_ref, split)

    def describe_task(self, ref: str) -> TaskRef:
        """Identity of the test split."""
        data = self.open(ref)
        return shared.task_ref(ref, len(data), data.data_hash)

    def describe_model(self, ref: str) -> ModelRef:
        """Identity of the weights."""
        return shared.model_ref(ref, loading.weights_hash(ref))

    def models_for(self, task_ref: str) -> tuple[str, ...]:
        """Embedded models of a task."""
        return shared.models_for(task_ref)

    def load(self, model_ref: str, *, device: str, precision: str) -> LanguageModel:
        """A fresh model in eval mode."""
        return loading.load(model_ref, device=device, precision=precision)

    def skeleton(self, model_ref: str) -> LanguageModel:
        """The shape of a model without its weights."""
        return loading.skeleton(model_ref)

    def check(self, model: LanguageModel, data: Requests) -> None:
        """Raise where the tokenizer knows no end, or the first or longest sample does not fit."""
        if model.tokenizer.eos_token_id is None:
            raise BadCheckpoint("the model's tokenizer has no token that ends a text")
        lengths = [len(str(each.asked[0].arguments)) for each in data.samples]
        for at in {0, lengths.index(max(lengths))}:
            for row in rows(model, data, at):
                fits(model, row)

    def batches(
        self,
        model: LanguageModel,
        data: Requests,
        size: int,
        *,
        indices: Sequence[int] | None = None,
        unreadable: list[str] | None = None,
    ) -> Iterator[Batch]:
        """Rows of samples in order, those of one kind together; none is unreadable."""
        found = [
            row
            for index in (range(len(data)) if indices is None else indices)
            for row in rows(model, data, index)
        ]
        for _, alike in groupby(found, lambda row: (bool(row.given), row.length, row.until)):
            waiting = list(alike)
            for start in range(0, len(waiting), size):
                yield batch(model, waiting[start : start + size])

    def validate(self, output: object, batch: Batch, model: LanguageModel) -> Tensor:
        """Tokens with -1 only after the end, or finite log-probabilities."""
        if type(output) is not Tensor:  # a subclass could put its work off until it is looked at
            raise InvalidOutput(f"not-a-tensor: expected a tensor; got {type(output).__name__}")
        count = len(batch)
        shape = (count, batch.given.shape[1], 2) if batch.scores else (count, batch.length)
        kind = torch.float32 if batch.scores else torch.int64
        if tuple(output.shape) != shape:
            raise InvalidOutput(f"wrong-shape: expected {shape}; got {tuple(output.shape)}")
        if output.dtype != kind:
            raise InvalidOutput(f"wrong-dtype: expected {kind}; got {output.dtype}")
        if batch.scores:
            if not bool(torch.isfinite(output).all()):
                raise InvalidOutput("not-finite: the log-probabilities hold NaN or infinity")
        elif not _wellformed(output, batch, model):
            raise InvalidOutput("wrong-tokens: ids outside the vocabulary, or an end and then more")
        return output

    def answer(self, row: Tensor) -> tuple[int, ...]:
        """The tokens, or which of those given are the likeliest."""
        return tuple(row.tolist() if row.ndim == 1 else row[:, 1].int().tolist())

    def evaluate(self, predict: Predict, model: LanguageModel, data: Requests) -> Outputs:
        """Every sample through ``predict``, one row at a time, scored by lm-eval."""
        raw: dict[int, Tensor] = {}
        fed, said = hashlib.sha256(), hashlib.sha256()

        def answer(row: Row) -> Any:
            asked = batch(model, [row])
            fed.update(repr((row.prompt, row.given, row.length, row.until)).encode())
            output = self.validate(predict(asked), asked, model)[0].cpu()
            raw[row.id] = output
            said.update(output.numpy().tobytes())
            if row.given:
                return float(output[:, 0].sum()), bool(output[:, 1].all())
            return cut(text_of(model, output), row.until)

        predictions, scores = evaluate(Adapter(model, answer, data.places), data)
        return Outputs(
            predictions=predictions,
            scores=scores,
            groups=data.groups,
            logits_hash=said.hexdigest(),
            inputs_hash=fed.hexdigest(),
            unreadable=[],
            raw=raw,
        )

    def coarse(self, model: LanguageModel) -> None:
        """No such: a quarter of a text is another text."""

    def first(self, batch: Batch) -> Batch | None:
        """The same prompts asked for one token; None where a continuation is given."""
        return None if batch.scores else replace(batch, length=1)

    @contextmanager
    def reading(self, model: LanguageModel) -> Iterator[Callable[[], list[Reading]]]:
        """What goes through the model's attention, with the cache as it was before each pass."""
        passes: list[Reading] = []
        held: list[tuple[int, int]] = []

        def begins(_: Any, __: Any, given: dict[str, Any]) -> None:
            held[:] = [_bytes(given.get("past_key_values"))]

        def ends(module: Any, _: Any, given: dict[str, Any]) -> None:
            cache, tokens = given.get("past_key_values"), given["hidden_states"]
            cached = 0 if cache is None else cache.get_seq_length(module.layer_idx)
            logical, physical = held[0]
            passes.append(
                Reading(
                    read=tokens.shape[0] * tokens.shape[1],
                    cached=tokens.shape[0] * cached,
                    logical_bytes=logical,
                    physical_bytes=physical,
                )
            )

        def given() -> list[Reading]:
            taken, passes[:] = list(passes), []
            return taken

        first, last = model.layers[0].self_attn, model.layers[-1].self_attn
        hooks = [
            first.register_forward_pre_hook(begins, with_kwargs=True),
            last.register_forward_pre_hook(ends, with_kwargs=True),
        ]
        try:
            yield given
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def heard(
        self, model: LanguageModel, batch: Batch
    ) -> Iterator[Callable[[Tensor], Tensor | None]]:
        """What the head says as given tokens are scored; None where tokens are made."""
        said: list[Tensor] = []

        def note(_: Any, __: Any, logits: Tensor) -> None:
            said.append(logits)

        def before(output: Tensor) -> Tensor | None:
            last = [each for each in said[-batch.given.shape[1] :] if each.ndim == 3]
            said.clear()
            logits = torch.cat(last, 1)[:, -batch.given.shape[1] :] if last else None
            if logits is None or logits.shape[:2] != batch.given.shape:
                return None
            follows = torch.allclose(judged(logits, batch.given), output, atol=1e-3)
            return logits if follows else None

        hook = batch.scores and model.module.get_output_embeddings().register_forward_hook(note)
        try:
            yield before
        finally:
            if hook:
                hook.remove()

    def layers(self, model: LanguageModel) -> list[LayerWeights]:
        """Query, key and first MLP weight of each block."""
        return [
            LayerWeights(
                query=block.self_attn.q_proj.weight,
                key=block.self_attn.k_proj.weight,
                mlp=block.mlp.gate_proj.weight,
            )
            for block in model.layers
        ]

    def fingerprint(self, model: LanguageModel) -> str:
        """Weights, module types, instance attributes and hooks, as one SHA-256."""
        return shared.fingerprint(model.module)


class Decoding(Language):
    """Decoding: several tokens for one pass of the model."""

    id = "decoding"
    title = "Decoding: more than one token for a pass of the model"


class Cached(Language):
    """Caches: fewer keys and values kept."""

    id = "kv"
    title = "KV cache: fewer keys and values"


@cache
def _opened(task_ref: str, split: str) -> Requests:
    """A split as it was first opened in this process; nothing changes it."""
    _, task = shared.task_of(task_ref)
    with offline(), quiet(), seeded():
        data: Requests = task.samples(split)
    return data


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested dicts, lists and tuples, counters of one or no dimension apart."""
    if isinstance(value, Tensor):
        yield from [value] if value.ndim > 1 else []
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)


def _wellformed(output: Tensor, batch: Batch, model: LanguageModel) -> bool:
    there = output >= 0
    ends = torch.isin(output, torch.tensor(batch.ends, device=output.device))
    over = (ends.cumsum(1) - ends.int()) > 0
    whole = there.all(1) | (ends & there).any(1)
    inside = (output < model.vocabulary) & (output >= -1)
    return bool(inside.all() and (there != over).all() and whole.all())


def _bytes(cache: Any) -> tuple[int, int]:
    """Bytes of what a cache holds, and of the memory that its tensors hold on to.

    Every tensor of its layers counts, whatever it is called; of a cache without layers its own.
    """
    parts = [] if cache is None else getattr(cache, "layers", None) or [cache]
    tensors = [tensor for part in parts for tensor in _tensors(vars(part))]
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage() for each in tensors}
    return (
        sum(each.numel() * each.element_size() for each in tensors),
        sum(each.nbytes() for each in storages.values()),
    )
