"""What every vision method owes, whoever wrote it: parametrised over the whole catalogue."""

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from merging import evens_then_odds, partners
from tokonomy.catalog.cards import MethodCard
from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch, Tokens

Calibration = Callable[[], Iterator[Batch]]
REGISTRY = catalogue("method")
METHODS = sorted(
    name
    for name, entry in REGISTRY.entries.items()
    if "vision" in entry.card.families and entry.module.startswith("tokonomy_methods.")
)
EXACT = ("reference", "control")  # kinds that leave every token and every answer as it is
REDUCERS = [name for name in METHODS if REGISTRY.card(name).kind not in EXACT]
SHIPPED = {
    "atc", "ats", "diffrate", "downsample", "dpc-knn", "evit", "k-medoids", "mctf", "pitome",
    "random-drop", "reference", "tofu", "tome", "top-k", "vwt-inter", "vwt-intra", "zero-tprune",
}  # fmt: skip
# The value of each dial that compresses nothing. A new kind of dial is added here and below.
OFF: dict[str, Any] = {
    "extra": 0,
    "keep": 1.0,
    "mebibytes": 0,
    "merge": [],
    "prune": [],
    "r": 0,
    "ratio": 1.0,
    "scale": 1.0,
    "threshold": 0,
}
# Values of each dial that mean nothing for any model, or not for one with 64 patches.
IMPOSSIBLE: dict[str, tuple[Any, ...]] = {
    "extra": (-0.5, 11, float("nan"), True, "half"),
    "keep": (1.3, 0, -0.5, "half", None),
    "mebibytes": (-1, 1.5, 70_000, True, "many"),
    "merge": ([65, 0], [65, 66], [65] * 9),
    "prune": ([65, 0], [65, 66], [65] * 9),
    "r": (65, 1.5, -1, "many"),
    "ratio": (1.3, 0, -0.5, "half"),
    "scale": (1.3, 0, -0.5, "half"),
    "threshold": (1.3, -0.5, "near"),
}


def dials(name: str) -> list[str]:
    return [field.name for field in fields(REGISTRY.load(name)) if field.name in OFF]


@contextmanager
def prepared(
    name: str,
    params: Mapping[str, Any],
    model: VisionModel,
    calibration: Calibration,
    seed: int = 0,
) -> Iterator[Callable[[Batch], Tensor]]:
    method = REGISTRY.build(name, params)
    with torch.inference_mode(), Context(seed=seed, calibration=calibration) as context:
        yield method.prepare(model, context)


def middle(name: str) -> Mapping[str, Any]:
    sweep = REGISTRY.card(name).sweep
    return sweep[len(sweep) // 2]


@contextmanager
def counting(model: VisionModel) -> Iterator[list[int]]:
    """Rows that each block's MLP gets, in order."""
    rows: list[int] = []
    hooks = [
        block.mlp.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape[1]))
        for block in model.layers
    ]
    yield rows
    for hook in hooks:
        hook.remove()


def test_every_method_of_the_package_is_in_the_catalogue() -> None:
    assert [broken for broken in REGISTRY.broken if "tokonomy_methods" in broken.where] == []
    assert SHIPPED <= set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_the_card_is_complete(name: str) -> None:
    card: MethodCard = REGISTRY.card(name)
    for setting in card.sweep:
        REGISTRY.build(name, setting)
    assert len({repr(sorted(setting.items())) for setting in card.sweep}) == len(card.sweep)
    assert card.title
    assert card.summary.endswith(".")
    if card.kind != "reference":
        assert card.differences
        assert card.alters
        assert (card.effect == "none") == (card.kind == "control")
        assert card.paper or not card.code
    for claim in card.claims:
        assert all((claim.model, claim.dataset, claim.setting, claim.metric, claim.unit))
        assert claim.source


@pytest.mark.parametrize("name", METHODS)
def test_nothing_changes_at_zero_compression(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    off = {dial: OFF[dial] for dial in dials(name)}
    assert off or name == "reference"
    with torch.inference_mode():
        wanted = model(batch)
    with prepared(name, off, model, calibration) as predict, counting(model) as rows:
        logits = predict(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)
    assert rows == [64 + model.specials] * 8


@pytest.mark.parametrize("name", REDUCERS)
def test_tokens_fall_along_the_sweep(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    groups: dict[str, list[int]] = {}
    for setting in REGISTRY.card(name).sweep:
        with prepared(name, setting, model, calibration) as predict, counting(model) as rows:
            logits = predict(batch)
        assert logits.shape == (len(batch), 5)
        assert logits.isfinite().all()
        assert len(rows) == 8
        assert all(after <= before for before, after in pairwise(rows))
        dial = next(iter(setting))
        rest = repr(sorted((key, value) for key, value in setting.items() if key != dial))
        groups.setdefault(rest, []).append(sum(rows))
    whole = 8 * (64 + model.specials)
    for totals in groups.values():
        assert totals == sorted(totals, reverse=True)
        assert totals[-1] < totals[0] or len(totals) == 1
        assert totals[-1] < whole


@pytest.mark.parametrize("name", REDUCERS)
def test_compression_changes_the_output(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    with prepared(name, REGISTRY.card(name).sweep[-1], model, calibration) as predict:
        logits = predict(batch)
    with torch.inference_mode():
        wanted = model(batch)
    assert not torch.isclose(logits, wanted, atol=1e-3).all(1).any()


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_bits(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    with prepared(name, middle(name), model, calibration, seed=5) as predict:
        first, again = predict(batch), predict(batch)
    with prepared(name, middle(name), model, calibration, seed=5) as predict:
        anew = predict(batch)
    assert torch.equal(first, again)
    assert torch.equal(first, anew)


@pytest.mark.parametrize("name", METHODS)
def test_a_sample_does_not_depend_on_its_batch(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    with prepared(name, middle(name), model, calibration) as predict:
        together = predict(batch)
        alone = torch.cat(
            [
                predict(Batch(ids=batch.ids[i : i + 1], pixels=batch.pixels[i : i + 1]))
                for i in range(len(batch))
            ]
        )
        turned = predict(Batch(ids=batch.ids.flip(0), pixels=batch.pixels.flip(0)))
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(turned.flip(0), together, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_put_back(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    def attributes() -> list[tuple[str, list[str]]]:
        return [(path, sorted(vars(part))) for path, part in model.module.named_modules()]

    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    own = attributes()
    with torch.inference_mode():
        wanted = model(batch)
    with prepared(name, middle(name), model, calibration) as predict:
        predict(batch)
    assert attributes() == own
    after = model.module.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    with torch.inference_mode():
        assert torch.equal(model(batch), wanted)
    assert not any(
        part._forward_hooks or part._forward_pre_hooks for part in model.module.modules()
    )


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_put_back_after_a_failure(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    with torch.inference_mode():
        wanted = model(batch)
    hook = model.layers[5].mlp.register_forward_pre_hook(fail)
    with (
        pytest.raises(RuntimeError, match="planted"),
        prepared(name, middle(name), model, calibration) as predict,
    ):
        predict(batch)
    hook.remove()
    with torch.inference_mode():
        assert torch.equal(model(batch), wanted)
    with prepared(name, middle(name), model, calibration) as predict:
        assert predict(batch).isfinite().all()


@pytest.mark.parametrize("name", METHODS)
def test_inputs_and_global_generators_are_left_alone(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    pixels, ids = batch.pixels.clone(), batch.ids.clone()
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    with prepared(name, middle(name), model, calibration) as predict:
        predict(batch)
    assert torch.equal(batch.pixels, pixels)
    assert torch.equal(batch.ids, ids)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), states[1], strict=True))
    assert random.getstate() == states[2]


@pytest.mark.parametrize(
    ("name", "dial", "value"),
    [
        (name, dial, value)
        for name in METHODS
        for dial in dials(name)
        for value in IMPOSSIBLE[dial]
        if not (value is None and dial != "keep")
    ],
)
def test_impossible_parameters_are_refused(
    name: str, dial: str, value: Any, model: VisionModel, calibration: Calibration
) -> None:
    with (
        pytest.raises(BadParameter) as refusal,
        prepared(name, {dial: value}, model, calibration),
    ):
        pass
    message = str(refusal.value)
    assert "\n" not in message
    assert dial in message


@pytest.mark.parametrize("name", METHODS)
def test_eager_attention_gives_the_same(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    with prepared(name, middle(name), model, calibration) as predict:
        wanted = predict(batch)
    model.module.set_attn_implementation("eager")
    try:
        with prepared(name, middle(name), model, calibration) as predict:
            logits = predict(batch)
    finally:
        model.module.set_attn_implementation("sdpa")
    torch.testing.assert_close(logits, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_runs(
    name: str, model: VisionModel, batch: Batch, calibration: Calibration
) -> None:
    half = VisionModel(module=copy.deepcopy(model.module).bfloat16())
    images = Batch(ids=batch.ids, pixels=batch.pixels.bfloat16())

    def halved() -> Iterator[Batch]:
        return (Batch(ids=b.ids, pixels=b.pixels.bfloat16()) for b in calibration())

    with prepared(name, middle(name), half, halved) as predict, counting(half) as rows:
        logits = predict(images)
    assert logits.dtype == torch.bfloat16
    assert logits.isfinite().all()
    with prepared(name, middle(name), model, calibration) as predict, counting(model) as wanted:
        predict(batch)
    assert sum(rows) == pytest.approx(sum(wanted), rel=0.05)


@torch.inference_mode()
def test_half_precision_merges_what_the_same_keys_say_in_full(
    model: VisionModel, batch: Batch
) -> None:
    """ToMe's partners in bfloat16 are those of the bfloat16 keys compared in float32."""
    half = VisionModel(module=copy.deepcopy(model.module).bfloat16())
    block, seen = half.layers[0], []
    hook = block.layernorm_after.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with Context() as context:
        predict = REGISTRY.build("tome", {"r": 12}).prepare(half, context)
        predict(Batch(ids=batch.ids, pixels=batch.pixels.bfloat16()))
    hook.remove()
    x = half.encoder.embeddings(batch.pixels.bfloat16())
    attention = Attention(block=block, tokens=Tokens(x=x, specials=half.specials, batch=batch))
    whole = attention.attended().x
    for sample, metric, got in zip(whole, attention.k.float().mean(1), seen[0], strict=True):
        goes = partners(metric, 12, half.specials)
        order = evens_then_odds(len(sample), goes, half.specials)
        for place, own in enumerate(order):
            group = [own, *(even for even, odd in goes.items() if odd == own)]
            wanted = sample[group].float().mean(0)
            torch.testing.assert_close(got[place].float(), wanted, rtol=0.02, atol=0.02)
