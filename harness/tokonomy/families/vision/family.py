"""Image classification: what is fed, what comes out, and how it is scored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from tokonomy.errors import BadData, InvalidOutput, UnreadableSample
from tokonomy.families import shared
from tokonomy.families.contract import LayerWeights, Outputs, Predict, Reading
from tokonomy.families.vision import loading
from tokonomy.families.vision.data import Image, ImageSet
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy.store.cell import ModelRef, TaskRef

#: Samples in a batch of the quality pass; a method's result must not depend on it.
EVALUATION_BATCH = 32


class Vision:
    """The vision family."""

    id = "vision"
    title = "Vision transformers: fewer image tokens"
    metric = "accuracy"

    def open(self, task_ref: str, split: str = "test") -> ImageSet:
        """One split of a task."""
        _, task = shared.task_of(task_ref)
        data: ImageSet = task.samples(split)
        return data

    def describe_task(self, ref: str) -> TaskRef:
        """Identity of the test split."""
        data = self.open(ref)
        _readable(ref, data)
        return shared.task_ref(ref, len(data), data.data_hash)

    def describe_model(self, ref: str) -> ModelRef:
        """Identity of the weights."""
        return shared.model_ref(ref, loading.weights_hash(ref))

    def models_for(self, task_ref: str) -> tuple[str, ...]:
        """Embedded models of a task."""
        return shared.models_for(task_ref)

    def load(self, model_ref: str, *, device: str, precision: str) -> VisionModel:
        """A fresh model in eval mode."""
        return loading.load(model_ref, device=device, precision=precision)

    def skeleton(self, model_ref: str) -> VisionModel:
        """The shape of a model without its weights."""
        return loading.skeleton(model_ref)

    def check(self, model: VisionModel, data: ImageSet) -> None:
        """Raise ``BadData`` where a label is none of the model's outputs."""
        classes = model.module.config.num_labels
        if max(data.labels) >= classes:
            raise BadData(
                f"the task has a label {max(data.labels)} and the model has {classes} outputs; "
                f"give a label map or another model"
            )

    def batches(
        self,
        model: VisionModel,
        data: ImageSet,
        size: int,
        *,
        indices: Sequence[int] | None = None,
        unreadable: list[str] | None = None,
    ) -> Iterator[Batch]:
        """Preprocessed batches; an unreadable sample is left out and named."""
        ids: list[int] = []
        images: list[Image] = []
        for index in range(len(data)) if indices is None else indices:
            try:
                images.append(data.read(index))
                ids.append(index)
            except UnreadableSample as error:
                if unreadable is not None:
                    unreadable.append(f"{data.ids[index]}: {error}"[:500])
            if len(ids) == size:
                yield _batch(model, ids, images)
                ids, images = [], []
        if ids:
            yield _batch(model, ids, images)

    def validate(self, output: object, batch: Batch, model: VisionModel) -> Tensor:
        """Logits of shape [B, classes], finite, of a floating type."""
        expected = (len(batch), model.module.config.num_labels)
        if type(output) is not Tensor:  # a subclass could put its work off until it is looked at
            raise InvalidOutput(f"not-a-tensor: expected logits; got {type(output).__name__}")
        if tuple(output.shape) != expected:
            raise InvalidOutput(f"wrong-shape: expected {expected}; got {tuple(output.shape)}")
        if output.dtype != batch.pixels.dtype:
            raise InvalidOutput(f"wrong-dtype: expected {batch.pixels.dtype}; got {output.dtype}")
        if not bool(torch.isfinite(output).all()):
            raise InvalidOutput("not-finite: the logits hold NaN or infinity")
        return output

    def evaluate(self, predict: Predict, model: VisionModel, data: ImageSet) -> Outputs:
        """Every sample through ``predict``; 1 where the highest logit is the label, else 0."""
        unreadable: list[str] = []
        rows: list[Tensor] = []
        indices: list[int] = []
        fed = hashlib.sha256()
        for batch in self.batches(model, data, EVALUATION_BATCH, unreadable=unreadable):
            fed.update(batch.pixels.cpu().contiguous().view(torch.uint8).numpy().tobytes())
            rows.append(self.validate(predict(batch), batch, model).float().cpu())
            indices.extend(batch.ids.tolist())
        if not rows:
            raise BadData(f"none of the {len(data)} samples can be decoded; {unreadable[0]}")
        raw = torch.cat(rows)
        said = raw.argmax(1).tolist()
        return Outputs(
            predictions=said,
            scores=[float(a == data.labels[at]) for a, at in zip(said, indices, strict=True)],
            groups=[],
            logits_hash=hashlib.sha256(raw.contiguous().numpy().tobytes()).hexdigest(),
            inputs_hash=fed.hexdigest(),
            unreadable=unreadable,
            raw=dict(zip(indices, raw, strict=True)),
        )

    def answer(self, row: Tensor) -> int:
        """The class of the highest logit."""
        return int(row.argmax())

    def first(self, batch: Batch) -> None:
        """Nothing: an image is read in one pass."""

    def reading(self, model: VisionModel) -> AbstractContextManager[Callable[[], list[Reading]]]:
        """No passes: an image is read in one."""
        return nullcontext(list[Reading])

    def heard(
        self, model: VisionModel, batch: Batch
    ) -> AbstractContextManager[Callable[[Tensor], None]]:
        """Nothing: no tokens are given."""

        def nothing(_: Tensor) -> None:
            return None

        return nullcontext(nothing)

    def coarse(self, model: VisionModel) -> AbstractContextManager[Predict]:
        """The model on images of half the side."""
        return model.coarse((max(1, model.grid[0] // 2), max(1, model.grid[1] // 2)))

    def layers(self, model: VisionModel) -> list[LayerWeights]:
        """Query, key and first MLP weight of each block."""
        return [
            LayerWeights(
                query=block.attention.q_proj.weight,
                key=block.attention.k_proj.weight,
                mlp=block.mlp.fc1.weight,
            )
            for block in model.layers
        ]

    def fingerprint(self, model: VisionModel) -> str:
        """Weights, module types, instance attributes and hooks, as one SHA-256."""
        return shared.fingerprint(model.module)


def _batch(model: VisionModel, ids: list[int], images: list[Image]) -> Batch:
    pixels = model.processor(images=images, return_tensors="pt", input_data_format="channels_last")
    weight = next(model.module.parameters())
    return Batch(
        ids=torch.tensor(ids, device=weight.device),
        pixels=pixels["pixel_values"].to(weight.device, weight.dtype),
    )


def _readable(ref: str, data: ImageSet) -> None:
    """Raise ``BadData`` where not one sample can be decoded."""
    reason = ""
    for index in range(len(data)):
        try:
            data.read(index)
        except UnreadableSample as error:
            reason = reason or str(error)
        else:
            return
    raise BadData(
        f"task {ref!r}: none of its {len(data)} samples can be decoded; the first: {reason}"
    )
