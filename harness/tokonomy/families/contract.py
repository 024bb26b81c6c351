"""What a family of methods and tasks must offer, so that runs need not know which one it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from torch import Tensor
from torch.nn import Parameter

from tokonomy.errors import UnknownId
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a whole split gave.

    Attributes:
        indices: Places of the readable samples in the split, in order.
        predictions: One output per readable sample.
        logits_hash: SHA-256 over the raw outputs.
        inputs_hash: SHA-256 over the inputs as they were fed, taken before each call.
        unreadable: Ids of the samples that could not be decoded, with the reason.
        raw: Raw outputs, float32 [samples, classes].
    """

    indices: list[int]
    predictions: list[int]
    logits_hash: str
    inputs_hash: str
    unreadable: list[str]
    raw: Tensor


class Family(Protocol):
    """The contract of one family; references to tasks and models are those of the command line.

    A batch is a frozen dataclass of tensors with ``ids``, the places of its samples in the split
    (int64 [B]), and has a length. A model has ``module``, whose ``parameters()`` are its weights,
    and is called with a batch.
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

    def evaluate(self, predict: Predict, model: Any, data: Any) -> Outputs:
        """Every sample of the split through ``predict``."""

    def score(self, outputs: Outputs, data: Any) -> list[float]:
        """Score of each readable sample, between 0 and 1."""

    def coarse(self, model: Any) -> AbstractContextManager[Predict]:
        """The unmodified model on inputs of a quarter of the tokens; undone on exit."""

    def layers(self, model: Any) -> list[LayerWeights]:
        """Weights of each block, first to last."""

    def fingerprint(self, model: Any) -> str:
        """A hash over weights and structure; differs if anything was left changed."""


_FAMILIES = {"vision": "tokonomy.families.vision.family:Vision"}


def load_family(name: str) -> Family:
    """The family of that name; raises ``UnknownId``."""
    if name not in _FAMILIES:
        raise UnknownId(f"no family {name!r}; known: {', '.join(sorted(_FAMILIES))}")
    module, _, attribute = _FAMILIES[name].partition(":")
    family: Family = getattr(import_module(module), attribute)()
    return family
