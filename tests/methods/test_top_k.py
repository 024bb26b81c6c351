"""Top-K against a loop with full attention maps."""

from typing import Any

import torch

from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.vision.top_k import TopK


def straight(plain: Any, batch: Batch, specials: int, counts: dict[int, int]) -> torch.Tensor:
    x = plain.embed(batch.pixels)
    for index in range(8):
        x, weights, _ = plain.attend(index, x)
        if index in counts:
            scores = weights[:, :, 0].mean(1)
            kept = []
            for sample, score in zip(x, scores, strict=True):
                best = sorted(range(specials, len(sample)), key=lambda i: -float(score[i]))
                kept.append(sample[[*range(specials), *best[: counts[index]]]])
            x = torch.stack(kept)
        x = plain.mlp(index, x)
    return plain.classify(x)


@torch.inference_mode()
def test_top_k_equals_the_rule_written_out(model: VisionModel, plain: Any, batch: Batch) -> None:
    wanted = straight(plain, batch, model.specials, {2: 32, 4: 16, 6: 8})
    with Context() as context:
        logits = TopK(keep=0.5).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)
