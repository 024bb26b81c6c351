"""What a family of methods and tasks must offer, so that runs need not know which one it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from torch import Tensor
from torch.nn import Parameter

from tokonomy.store.cell import ModelRef, TaskRef

Predict = Callable[[Any], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWeights:
    """One block's weights, at which the harness counts the tokens that pass.

    A weight that stands for both keys and queries is given twice.
    """

    query: Parameter
    key: Parameter
    mlp: Parameter


class Reading(NamedTuple):
    """One pass of a model that reads in several.

    Attributes:
        read: Tokens that its last block was given.
        cached: Tokens that this block's cache held before.
        logical_bytes: Of the keys and values in the caches of all blocks, before.
        physical_bytes: Of the memory that these tensors hold on to, as views do of a larger one.
    """

    read: int
    cached: int
    logical_bytes: int
    physical_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a whole split gave.

    Attributes:
        predictions: What each readable sample was answered, in order.
        scores: Score of each, between 0 and 1.
        groups: The part of its task that each belongs to; empty where a task has no parts.
        logits_hash: SHA-256 over the raw outputs.
        inputs_hash: SHA-256 over the inputs as they were fed, taken before each call.
        unreadable: Ids of the samples that could not be decoded, with the reason.
        raw: Raw outputs, a row for each of ``ids`` of the batches; one sample may take several.
    """

    predictions: list[int | str]
    scores: list[float]
    groups: list[str]
    logits_hash: str
    inputs_hash: str
    unreadable: list[str]
    raw: dict[int, Tensor]


class Family(Protocol):
    """The contract of one family; references to tasks and models are those of the command line.

    A batch is a frozen dataclass of tensors with ``ids``, the places of its rows in the split
    (int64 [B]), and has a length. A model has ``module``, whose ``parameters()`` are its weights,
    and is called with a batch. An output is a tensor with a row for each row of the batch: of a
    floating type where nearness counts, of integers where only equality does.
    """

    id: str
    title: str
    metric: str

    def describe_task(self, ref: str) -> TaskRef:
        """Identity of a task's test split."""

    def describe_model(self, ref: str) -> ModelRef:
        """Identity of a model's weights, without loading them."""

    def models_for(self, task_ref: str) -> tuple[str, ...]:
        """References of the embedded models of a task."""

    def load(self, model_ref: str, *, device: str, precision: str) -> Any:
        """A fresh model in eval mode, nothing shared with another."""

    def skeleton(self, model_ref: str) -> Any:
        """The shape of a model without its weights, to check settings against."""

    def open(self, task_ref: str, split: str = "test") -> Any:
        """The data of one split."""

    def check(self, model: Any, data: Any) -> None:
        """Raise where a model cannot answer this task."""

    def batches(
        self,
        model: Any,
        data: Any,
        size: int,
        *,
        indices: Sequence[int] | None = None,
        unreadable: list[str] | None = None,
    ) -> Iterator[Any]:
        """Preprocessed batches, in order; samples that cannot be decoded go to ``unreadable``."""

    def validate(self, output: object, batch: Any, model: Any) -> Tensor:
        """The output itself, if it is one; raises ``InvalidOutput``."""

    def answer(self, row: Tensor) -> Hashable:
        """What a row of an output says; two rows that say the same may differ in rounding."""

    def evaluate(self, predict: Predict, model: Any, data: Any) -> Outputs:
        """Every sample of the split through ``predict``, scored."""

    def coarse(self, model: Any) -> AbstractContextManager[Predict] | None:
        """The unmodified model on inputs of a quarter of the tokens; None if there is no such."""

    def first(self, batch: Any) -> Any | None:
        """The same batch asked for its first token only; None where there is nothing to follow."""

    def reading(self, model: Any) -> AbstractContextManager[Callable[[], list[Reading]]]:
        """Watch the model read: gives each pass through it since last asked; undone on exit.

        Empty where a call is one pass over the whole input.
        """

    def heard(
        self, model: Any, batch: Any
    ) -> AbstractContextManager[Callable[[Tensor], Tensor | None]]:
        """Listen while a model scores what a batch gives; undone on exit.

        From the output of a call to the model's logits before each of the rows' given tokens,
        [B, F, V]; None where the batch gives none, or where the output does not follow from what
        was heard.
        """

    def layers(self, model: Any) -> list[LayerWeights]:
        """Weights of each block, first to last."""

    def fingerprint(self, model: Any) -> str:
        """A hash over weights and structure; differs if anything was left changed."""
