"""ATS against a loop over samples, one image at a time, without padding."""

from typing import Any

import torch

from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.vision.ats import ATS


def straight(
    plain: Any, pixels: torch.Tensor, specials: int, counts: dict[int, int]
) -> tuple[torch.Tensor, list[int]]:
    """Logits of one image, and how many tokens each stage left."""
    x, left = plain.embed(pixels), []
    for index in range(8):
        after, weights, values = plain.attend(index, x)
        x = after
        if index in counts:
            significance = (weights[0, :, 0] * values[0].norm(dim=-1)).sum(0)[specials:]
            share = significance.cumsum(0) / significance.sum()
            k = counts[index] + 1
            points = [(2 * i + 1) / (2 * k) for i in range(k - 1)]
            hit = sorted({int((share - point).abs().argmin()) for point in points})
            x = after[:, [*range(specials), *(specials + i for i in hit)]]
            left.append(x.shape[1])
        x = plain.mlp(index, x)
    return plain.classify(x), left


@torch.inference_mode()
def test_ats_equals_the_rule_written_out(model: VisionModel, plain: Any, batch: Batch) -> None:
    counts = {2: 44, 4: 31, 6: 21}  # 64 * 0.7 ** i
    wanted = [straight(plain, image[None], model.specials, counts) for image in batch.pixels]
    assert len({tuple(left) for _, left in wanted}) > 1  # lengths are ragged, so padding matters
    with Context() as context:
        logits = ATS(keep=0.7).prepare(model, context)(batch)
    one_by_one = torch.cat([logits for logits, _ in wanted])
    torch.testing.assert_close(logits, one_by_one, rtol=1e-4, atol=1e-4)
