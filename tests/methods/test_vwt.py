"""VWT, within an image and between images, on cases worked by hand."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn
from transformers import ViTConfig, ViTForImageClassification

from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy_methods.vision.vwt_inter import VwtInter, average, label, learn
from tokonomy_methods.vision.vwt_intra import VwtIntra

Calibration = Callable[[], Iterator[Batch]]
WORDS = torch.eye(3)


@torch.inference_mode()
def test_the_flattest_patches_go_and_the_rest_keep_their_order(model: VisionModel) -> None:
    lively = [3, 10, 11, 40, 63]
    pixels = torch.full((1, 3, 32, 32), 0.5)
    noise = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    for patch in lively:  # the later, the livelier
        row, column = divmod(patch, 8)
        pixels[0, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += (1 + patch) * noise
    seen: list[torch.Tensor] = []
    hook = model.layers[0].layernorm_before.register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0])
    )
    with Context() as context:
        method = VwtIntra(keep=0.08)  # int(0.08 * 64) = 5
        method.prepare(model, context)(Batch(ids=torch.arange(1), pixels=pixels))
    hook.remove()
    whole = model.encoder.embeddings(pixels)
    kept = [*range(model.specials), *(model.specials + i for i in lively)]
    torch.testing.assert_close(seen[0], whole[:, kept])


def test_labels_put_words_first_then_the_others_in_raster_order() -> None:
    patches = torch.tensor(
        [
            [[0.0, 0.0, 5.0], [1.0, 1.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.1], [1.0, 1.0, -1.0]],
            [[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [4.0, 0.0, 0.1]],
        ]
    )
    assert label(patches, WORDS, 0.1).tolist() == [[1, 2, 0, 1, 3], [0, 0, 0, 1, 0]]


def test_the_threshold_is_a_cosine_distance() -> None:
    patches = torch.tensor([[[4.0, 3.0, 0.0], [3.0, 4.0, 0.0], [1.0, 0.0, 0.0]]])  # cosine 0.8
    assert label(patches, WORDS, 0.19).tolist() == [[1, 2, 0]]
    assert label(patches, WORDS, 0.21).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("specials", [1, 2])
def test_patches_of_a_word_are_averaged_in_embedding_space(specials: int) -> None:
    x = torch.arange(2.0 * (specials + 3)).reshape(2, specials + 3, 1)
    state = Tokens(x=x, specials=specials, batch=Batch(ids=torch.arange(2), pixels=x))
    merged = average(state, torch.tensor([[1, 0, 1], [0, 1, 2]]))
    first, a, b, c = (x[0, i, 0].item() for i in (0, specials, specials + 1, specials + 2))
    assert merged.x[0, 0, 0] == first
    assert merged.x[0, specials : specials + 2, 0].tolist() == [b, (a + c) / 2]
    assert torch.equal(merged.x[1], x[1])
    assert merged.mask is not None
    assert merged.mask[0].tolist() == [True] * (specials + 2) + [False]
    assert merged.mask[1].all()


def test_the_vocabulary_finds_the_groups_there_are() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[5.0, 0.0], [0.0, 5.0], [-5.0, -5.0]])
    near = centres.repeat(100, 1) + 0.1 * torch.randn(300, 2, generator=generator)
    words = learn(near.split(50), 3, seed=1)
    assert torch.cdist(centres, words).amin(1).max() < 0.2
    assert torch.equal(words, learn(near.split(50), 3, seed=1))


def test_small_batches_are_gathered_until_there_are_enough() -> None:
    patches = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    assert learn(patches.split(3), 20, seed=0).shape == (20, 4)


def test_a_vocabulary_larger_than_the_train_split_is_refused(
    model: VisionModel, calibration: Calibration
) -> None:
    with (
        pytest.raises(BadParameter, match="at most the 1536 patches of the train split; got 2000"),
        Context(calibration=calibration) as context,
    ):
        VwtInter(vocabulary=2000).prepare(model, context)


def test_without_a_train_split_there_is_no_vocabulary(model: VisionModel) -> None:
    with pytest.raises(Unsupported, match="train split"), Context() as context:
        VwtInter().prepare(model, context)


@pytest.mark.parametrize("method", [VwtIntra(), VwtInter()])
def test_patches_of_one_pixel_are_unsupported(
    method: VwtIntra | VwtInter, calibration: Calibration
) -> None:
    config = ViTConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        image_size=8,
        patch_size=1,
    )
    with torch.random.fork_rng():
        module: nn.Module = ViTForImageClassification(config).eval()
    tiny = VisionModel(module=module)
    with (
        pytest.raises(Unsupported, match="more than one pixel"),
        Context(calibration=calibration) as context,
    ):
        method.prepare(tiny, context)


@pytest.mark.parametrize("vocabulary", [0, 2.5, True])
def test_a_vocabulary_is_a_count(vocabulary: int) -> None:
    with pytest.raises(BadParameter, match="vocabulary must be a count of words"):
        VwtInter(vocabulary=vocabulary)
