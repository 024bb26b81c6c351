from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification

from checkpoints import write_checkpoint
from tokonomy.errors import BadParameter, InvalidOutput
from tokonomy.families import load_family
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch, Tokens

VISION = load_family("vision")


@pytest.fixture(params=["vit", "deit"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VisionModel]:
    ref = f"hf:{write_checkpoint(tmp_path, request.param)}"
    with torch.inference_mode():
        yield VISION.load(ref, device="cpu", precision="fp32")


def batch(count: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(ids=torch.arange(count), pixels=torch.randn(count, 3, 16, 16, generator=generator))


def test_a_patch_that_does_nothing_changes_nothing(model: VisionModel) -> None:
    plain = model(batch())
    with model.patched() as predict:
        assert torch.equal(predict(batch()), plain)
    with model.patched(eager=range(99)) as predict:
        torch.testing.assert_close(predict(batch()), plain)


def test_doors_open_in_order_and_close_again(model: VisionModel) -> None:
    before = VISION.fingerprint(model)
    calls: list[str] = []

    def enter(layer: int, tokens: Tokens) -> Tokens:
        calls.append(f"before {layer} {tokens.length}")
        return tokens

    def attend(layer: int, attention: Attention) -> Tokens:
        calls.append(f"attend {layer}")
        return attention.attended()

    def after(layer: int, tokens: Tokens, attention: Attention) -> Tokens:
        calls.append(f"after {layer}")
        keep = torch.arange(tokens.length - 2).expand(len(tokens.batch), -1)
        return tokens.take(keep)

    with model.patched(before=enter, attend=attend, after=after) as predict:
        assert predict(batch()).shape == (3, 3)
        assert VISION.fingerprint(model) != before
    length = 16 + model.specials
    assert calls[:4] == [f"before 0 {length}", "attend 0", "after 0", f"before 1 {length - 2}"]
    assert VISION.fingerprint(model) == before


def test_an_error_inside_leaves_the_model_as_it_was(model: VisionModel) -> None:
    before = VISION.fingerprint(model)

    def fail(layer: int, tokens: Tokens) -> Tokens:
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"), model.patched(before=fail) as predict:
        predict(batch())
    assert VISION.fingerprint(model) == before


def test_padding_changes_nothing_for_the_tokens_that_are_there(model: VisionModel) -> None:
    def pad(layer: int, tokens: Tokens) -> Tokens:
        if layer:
            return tokens
        junk = torch.full_like(tokens.x[:, :2], 7.0)
        mask = torch.cat([tokens.present(), torch.zeros_like(junk[..., 0], dtype=torch.bool)], 1)
        return tokens.but(x=torch.cat([tokens.x, junk], 1), mask=mask)

    plain = model(batch())
    with model.patched(before=pad) as predict:
        torch.testing.assert_close(predict(batch()), plain)


def test_proportional_attention_is_attention_over_copies(model: VisionModel) -> None:
    """A token of size 2 draws as much attention as two copies of it."""

    def last_twice(layer: int, tokens: Tokens) -> Tokens:
        if layer:
            return tokens
        copies = [*range(tokens.length), tokens.length - 1]
        return tokens.take(torch.tensor(copies).expand(len(tokens.batch), -1))

    def last_sized(layer: int, tokens: Tokens) -> Tokens:
        if layer:
            return tokens
        size = tokens.sizes().clone()
        size[:, -1] = 2
        return tokens.but(size=size)

    with model.patched(before=last_twice) as predict:
        copied = predict(batch())
    with model.patched(before=last_sized, proportional=True) as predict:
        torch.testing.assert_close(predict(batch()), copied)


def test_the_class_row_is_the_first_row_of_the_map(model: VisionModel) -> None:
    rows: list[tuple[torch.Tensor, torch.Tensor]] = []

    def look(layer: int, tokens: Tokens, attention: Attention) -> Tokens:
        rows.append((attention.cls_row, attention.weights[:, :, 0]))
        return tokens

    with model.patched(after=look) as predict:
        predict(batch())
    assert len(rows) == 4
    for row, first in rows:
        torch.testing.assert_close(row, first)
        torch.testing.assert_close(row.sum(-1), torch.ones_like(row[..., 0]))


def test_a_smaller_image_has_fewer_tokens(model: VisionModel) -> None:
    lengths: list[int] = []
    hook = model.layers[0].register_forward_pre_hook(
        lambda _, arguments: lengths.append(arguments[0].shape[1])
    )
    with model.coarse((2, 2)) as predict:
        assert predict(batch()).shape == (3, 3)
    with model.coarse((4, 4)) as predict:
        assert torch.isfinite(predict(batch())).all()
    hook.remove()
    assert lengths == [4 + model.specials, 16 + model.specials]
    with pytest.raises(BadParameter, match="between 1x1 and 4x4"), model.coarse((5, 4)):
        pass


@pytest.mark.parametrize("grid", [(2, 2), (3, 3), (2, 3)])
def test_position_embeddings_are_those_that_transformers_would_make(
    model: VisionModel, grid: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = torch.nn.functional.interpolate(
        batch().pixels, size=(4 * grid[0], 4 * grid[1]), mode="bicubic", antialias=True
    )
    wanted = model.module(small, interpolate_pos_encoding=True).logits
    attributes, whole = set(vars(model.encoder.embeddings)), model(batch())
    kind = type(model.encoder.embeddings)
    with model.coarse(grid) as predict:
        monkeypatch.setattr(kind, "interpolate_pos_encoding", None)  # never called again
        torch.testing.assert_close(predict(batch()), wanted)
        assert torch.equal(model(batch()), whole)
    assert set(vars(model.encoder.embeddings)) == attributes


def test_an_oblong_model_s_positions_are_not_taken_for_square() -> None:
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=(8, 32), patch_size=4,
    )  # fmt: skip
    model = VisionModel(module=ViTForImageClassification(config).eval())
    own = torch.arange(17.0)[None, :, None].expand(-1, -1, 16)
    model.encoder.embeddings.position_embeddings = torch.nn.Parameter(own.clone())
    same = model._positions((2, 8))
    torch.testing.assert_close(same, own)
    assert model._positions((2, 4)).shape == (1, 9, 16)
    rows = model._positions((1, 8))[0, 1:, 0]
    torch.testing.assert_close(rows, torch.arange(8.0) + 5)  # half-way between 1.. and 9..


def test_a_failure_leaves_the_embeddings_as_they_were(model: VisionModel) -> None:
    before = VISION.fingerprint(model)
    with (
        pytest.raises(ValueError, match="channel dimension"),
        model.coarse((2, 2)) as predict,
    ):
        predict(Batch(ids=torch.arange(1), pixels=torch.zeros(1, 5, 16, 16)))
    assert "interpolate_pos_encoding" not in vars(model.encoder.embeddings)
    assert VISION.fingerprint(model) == before


@pytest.mark.parametrize(
    ("output", "code"),
    [
        (None, "not-a-tensor"),
        (torch.zeros(2, 3), "wrong-shape"),
        (torch.zeros(3, 4), "wrong-shape"),
        (torch.zeros(3, 3, dtype=torch.long), "wrong-dtype"),
        (torch.full((3, 3), float("nan")), "not-finite"),
        (torch.full((3, 3), float("inf")), "not-finite"),
    ],
)
def test_what_is_not_an_output_is_named(tmp_path: Path, output: object, code: str) -> None:
    model = VISION.load(f"hf:{write_checkpoint(tmp_path)}", device="cpu", precision="fp32")
    with pytest.raises(InvalidOutput, match=code):
        VISION.validate(output, batch(), model)
