"""In-flight batching: requests join and leave while others are being decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict, Reader
from tokonomy_methods.decoding.alone import can_forget, one_of
from tokonomy_methods.decoding.fusion import fused, remaining
from tokonomy_methods.decoding.parameters import whole

CARD = MethodCard(
    id="in-flight-batching",
    title="Flover (in-flight batching)",
    families=("decoding",),
    summary="Prompts are read one by one, decoding steps of all are fused, and who ends leaves.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding", "rows of a pass"),
    needs=("attention over the whole text", "batches of several, to do anything"),
    paper="2305.13484",
    differences=(
        "Written from the abstract: reading prompts apart from generating tokens, fusing the "
        "generation of all requests, and freeing the memory of those that are finished. There is "
        "no scheduler thread, no tensor parallelism and no kernel that reorders buffers.",
        "Requests of a batch come at once here; slots says how many are decoded together, and the "
        "next one starts when a slot is free. Before a fused pass as many waiting prompts are "
        "read, one by one, as there are free slots.",
        "At batch 1 there is nothing to fuse: whatever the slots, it is the model's own loop.",
        "Caches of unequal length are padded on the left and masked, as rows of one tensor; "
        "padding is never read as tokens, and is cut off when no row needs it.",
    ),
    claims=(
        Claim(
            model="GPT",
            dataset="not named in the abstract",
            setting="against FasterTransformer, at best",
            metric="speed-up",
            value=11,
            unit="x",
            source="abstract of arXiv 2305.13484",
        ),
        Claim(
            model="LLaMA",
            dataset="not named in the abstract",
            setting="against FasterTransformer, at best",
            metric="speed-up",
            value=16,
            unit="x",
            source="abstract of arXiv 2305.13484",
        ),
    ),
    atlas=("S065",),
    sweep=({"slots": 1}, {"slots": 2}, {"slots": 4}, {"slots": 8}, {"slots": 32}),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class InFlightBatching:
    """Fuse the decoding of requests that began one after the other.

    Attributes:
        slots: Requests decoded together at most.
    """

    slots: int = 8
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("slots", self.slots, 1, 4096)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model's loop over the requests that are not finished."""
        can_forget(model)

        def predict(batch: Batch) -> Tensor:
            return model(batch) if batch.scores else self._decoded(model, batch)

        return predict

    def _decoded(self, model: LanguageModel, batch: Batch) -> Tensor:
        """Tokens of all requests, int64 [B, length], -1 after the end."""
        said: list[list[int]] = [[] for _ in range(len(batch))]
        waiting, running = list(range(len(batch))), list[int]()
        readers: list[Reader] = []  # of those that run already, and one for each that has begun

        def goes_on(row: int) -> bool:
            return len(said[row]) < batch.length and said[row][-1] not in batch.ends

        while waiting or running:
            while waiting and len(running) < self.slots:
                asked = one_of(batch, row := waiting.pop(0))
                reader = model.read(asked)
                said[row].append(int(reader.prompt(asked).argmax()))
                if goes_on(row):
                    running.append(row)
                    readers.append(reader)
            if not running:
                break
            reader = fused(readers)
            last = torch.tensor([[said[row][-1]] for row in running], device=batch.prompt.device)
            new = reader.next(last)[:, 0].argmax(-1).tolist()
            for row, token in zip(running, new, strict=True):
                said[row].append(token)
            stay = [place for place, row in enumerate(running) if goes_on(row)]
            running = [running[place] for place in stay]
            readers = [remaining(reader, stay)] if stay else []
        out = [F.pad(torch.tensor(row), (0, batch.length - len(row)), value=-1) for row in said]
        return torch.stack(out).to(batch.prompt.device)
