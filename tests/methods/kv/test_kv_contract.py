"""What every method of caches owes, whoever wrote it: parametrised over the catalogue."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard
from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.contract import Reading
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Cached
from tokonomy.families.language.model import LanguageModel

Asked = Callable[..., Batch]
Calibration = Callable[[], Iterator[Batch]]
FAMILY = Cached()
REGISTRY = catalogue("method")
METHODS = sorted(
    name
    for name, entry in REGISTRY.entries.items()
    if "kv" in entry.card.families and entry.module.startswith("tokonomy_methods.kv.")
)
SHIPPED = {
    "adakv", "cacheblend", "chunkkv", "criticalkv", "expected-attention", "h2o", "keydiff",
    "knorm", "lagkv", "nats", "observed-attention", "pyramidkv", "random-cache", "snapkv",
    "streaming-llm", "tova",
}  # fmt: skip
EVICTING = [name for name in METHODS if REGISTRY.card(name).dial == "keep"]
SMALLER = [name for name in EVICTING if REGISTRY.card(name).effect == "kv-only"]
# Settings that compress nothing, where it is not the dial at 1.
OFF: dict[str, Mapping[str, Any]] = {
    "cacheblend": {"ratio": 1.0, "chunk": 32},
    "nats": {"steps": 0},
}
# What makes a setting quick.
QUICK: dict[str, Mapping[str, Any]] = {"nats": {"steps": 2}}
IMPOSSIBLE: dict[str, tuple[Any, ...]] = {
    "keep": (1.3, 0, -0.5, "half", True, float("nan")),
    "budget": (0, -1, 1.5, True, "many"),
    "question": (-1, 1.5, True, "long"),
    "ratio": (1.3, -0.5, "half", True, None, float("nan")),
    "chunk": (0, -1, 1.5, True, None),
    "window": (-1, 1.5, True, None),
    "kernel": (0, 4, 1.5, None),
    "pool": ("mean", None),
    "sinks": (-1, 1.5, True, None),
    "rerotate": (1, None),
    "variant": ("both", None),
    "recent": (1.3, -0.5, "half", True),
    "beta": (0, 1.5),
    "lag": (1, 1.5, None),
    "future": (0, 1.5),
    "epsilon": (-1, 2, "some"),
    "first": (1.3, -0.5, True),
    "safeguard": (1.3, -0.5, True),
    "sparsity": (-1, "much", True, float("nan")),
    "rate": (-1, "much", True),
    "steps": (-1, 1.5, True),
}


@contextmanager
def prepared(
    name: str,
    params: Mapping[str, Any],
    model: LanguageModel,
    calibration: Calibration,
    seed: int = 0,
) -> Iterator[Callable[[Batch], Tensor]]:
    method = REGISTRY.build(name, {**QUICK.get(name, {}), **params})
    with torch.inference_mode(), Context(seed=seed, calibration=calibration) as context:
        yield method.prepare(model, context)


def names_of(name: str) -> list[str]:
    return [field.name for field in fields(REGISTRY.load(name))]


def off(name: str) -> Mapping[str, Any]:
    return OFF.get(name, {"keep": 1.0})


def middle(name: str) -> Mapping[str, Any]:
    sweep = REGISTRY.card(name).sweep
    return sweep[len(sweep) // 2]


@torch.inference_mode()
def whole(model: LanguageModel, batch: Batch) -> Tensor:
    return model(batch)


def passes(
    name: str, params: Mapping[str, Any], model: LanguageModel, calibration: Calibration, b: Batch
) -> list[Reading]:
    with prepared(name, params, model, calibration) as predict, FAMILY.reading(model) as look:
        predict(b)
        return look()


def test_every_method_of_the_package_is_in_the_catalogue() -> None:
    assert [broken for broken in REGISTRY.broken if "tokonomy_methods" in broken.where] == []
    assert set(METHODS) >= SHIPPED


@pytest.mark.parametrize("name", METHODS)
def test_the_card_is_complete(name: str) -> None:
    card: MethodCard = REGISTRY.card(name)
    for setting in card.sweep:
        REGISTRY.build(name, setting)
    assert len({repr(sorted(setting.items())) for setting in card.sweep}) == len(card.sweep)
    assert card.title
    assert card.summary.endswith(".")
    assert card.differences
    assert card.alters
    assert card.needs
    assert card.lossless == "lossy"
    assert ("simulated" in card.title) == (card.effect == "masked")
    assert card.code_licence or not card.code
    for claim in card.claims:
        assert all((claim.model, claim.dataset, claim.setting, claim.metric, claim.unit))
        assert claim.source


@pytest.mark.parametrize("name", METHODS)
def test_nothing_changes_at_zero_compression(
    name: str, each_model: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    said, scored = asked(2, 90), asked(2, 90, given=5)
    with prepared(name, off(name), each_model, calibration) as predict:
        tokens, scores = predict(said), predict(scored)
    assert torch.equal(tokens, whole(each_model, said))
    torch.testing.assert_close(scores, whole(each_model, scored), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_every_build_of_model_is_compressed(
    name: str, each_model: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    batch = asked(2, 150, given=5)
    with prepared(name, REGISTRY.card(name).sweep[2], each_model, calibration) as predict:
        found = FAMILY.validate(predict(batch), batch, each_model)
    assert not torch.isclose(found[:, 1:, 0], whole(each_model, batch)[:, 1:, 0], atol=1e-3).all()


@pytest.mark.parametrize("name", METHODS)
def test_scores_follow_from_what_the_model_s_head_says(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    for given in (1, 7):
        batch = asked(1, given=given)
        with (
            prepared(name, middle(name), llama, calibration) as predict,
            FAMILY.heard(llama, batch) as heard,
        ):
            logits = heard(predict(batch))
        assert logits is not None
        assert logits.shape == (1, given, 128)


@pytest.mark.parametrize("name", METHODS)
def test_answers_are_well_formed(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    said = asked(2, 150)
    with prepared(name, middle(name), llama, calibration) as predict:
        never = FAMILY.validate(predict(said), said, llama)
        ends = replace(said, ends=(int(never[0, 3]),))
        ended = FAMILY.validate(predict(ends), ends, llama)
    stop = never[0].tolist().index(int(never[0, 3])) + 1
    assert ended[0, :stop].tolist() == never[0, :stop].tolist()
    assert (ended[0, stop:] == -1).all()


@pytest.mark.parametrize("question", [0, 7])
@pytest.mark.parametrize("keep", [0.75, 0.5, 0.25])
@pytest.mark.parametrize("name", SMALLER)
def test_memory_is_the_share_that_is_kept(
    name: str,
    keep: float,
    question: int,
    llama: LanguageModel,
    asked: Asked,
    calibration: Calibration,
) -> None:
    """Bytes that the tensors of the cache hold on to, seen by the harness before the next pass."""
    batch = asked(2, 200)
    params = {"keep": keep, "question": question}
    if "window" in names_of(name):  # the default of 64 is more than a quarter
        params["window"] = 8
    first, second, *_ = passes(name, params, llama, calibration, batch)
    row = 2 * 2 * 2 * 8 * 4  # requests, keys and values, heads, channels, bytes
    kept = second.physical_bytes / (4 * row)  # rows in a block, on average
    assert second.logical_bytes == second.physical_bytes
    assert first.cached == 0
    wanted = keep * (200 - question)
    if name == "chunkkv":  # whole chunks of 20
        assert wanted - 20 < kept <= wanted
    else:
        assert kept == pytest.approx(wanted, abs=1)


@pytest.mark.parametrize("name", [name for name in METHODS if name not in SMALLER])
def test_what_only_hides_saves_no_memory(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    last = passes(name, middle(name), llama, calibration, asked(2, 200))[-1]
    assert last.physical_bytes == 4 * (2 * 2 * 2 * 8 * 4) * (200 + 6 - 2)


@pytest.mark.parametrize("name", SMALLER)
def test_memory_falls_along_the_sweep(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    groups: dict[str, list[int]] = {}
    for setting in REGISTRY.card(name).sweep:
        last = passes(name, setting, llama, calibration, asked(1, 200, length=2))[-1]
        rest = repr(sorted((key, value) for key, value in setting.items() if key != "keep"))
        groups.setdefault(rest, []).append(last.physical_bytes)
    assert max(len(sizes) for sizes in groups.values()) >= 4
    for sizes in groups.values():
        assert all(after < before for before, after in pairwise(sizes))


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_bits_and_requests_leave_nothing_behind(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    one, other = asked(1, 150, given=5), asked(2, 120, given=5)
    with prepared(name, middle(name), llama, calibration, seed=5) as predict:
        first = predict(one)
        kept = first.clone()
        predict(other)
        again = predict(one)
    with prepared(name, middle(name), llama, calibration, seed=5) as predict:
        anew = predict(one)
    assert torch.equal(first, kept)
    assert first.data_ptr() != again.data_ptr()
    assert torch.equal(first, again)
    assert torch.equal(first, anew)


@pytest.mark.parametrize("name", METHODS)
def test_a_request_does_not_depend_on_its_batch(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    batch = asked(3, 150, given=5)

    def part(rows: list[int]) -> Batch:
        return replace(
            batch,
            ids=batch.ids[rows],
            prompt=batch.prompt[rows],
            present=batch.present[rows],
            given=batch.given[rows],
        )

    with prepared(name, middle(name), llama, calibration) as predict:
        together = predict(batch)
        alone = torch.cat([predict(part([row])) for row in range(3)])
        turned = predict(part([2, 1, 0]))
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(turned.flip(0), together, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_put_back(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    before, wanted = FAMILY.fingerprint(llama), whole(llama, asked(2, 90))
    needs = [each.requires_grad for each in llama.module.parameters()]
    with prepared(name, middle(name), llama, calibration) as predict:
        predict(asked(2, 90))
    assert FAMILY.fingerprint(llama) == before
    assert torch.equal(whole(llama, asked(2, 90)), wanted)
    assert [each.requires_grad for each in llama.module.parameters()] == needs
    assert all(each.grad is None for each in llama.module.parameters())
    parts = list(llama.module.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in parts)


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_put_back_after_a_failure(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    before = FAMILY.fingerprint(llama)
    with prepared(name, middle(name), llama, calibration) as predict:
        hook = llama.layers[2].mlp.register_forward_pre_hook(fail)
        with pytest.raises(RuntimeError, match="planted"):
            predict(asked(1, 90))
        hook.remove()
        assert FAMILY.fingerprint(llama) == before
        batch = asked(1, 90)
        FAMILY.validate(predict(batch), batch, llama)
    assert FAMILY.fingerprint(llama) == before


@pytest.mark.parametrize("name", METHODS)
def test_inputs_and_global_generators_are_left_alone(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    batch = asked(2, 90)
    held = {key: getattr(batch, key).clone() for key in ("ids", "prompt", "present", "given")}
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    with prepared(name, middle(name), llama, calibration) as predict:
        predict(batch)
    assert all(torch.equal(getattr(batch, key), value) for key, value in held.items())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), states[1], strict=True))
    assert random.getstate() == states[2]


@pytest.mark.parametrize("name", METHODS)
def test_padded_prompts_are_refused(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    batch = asked(2, 90)
    batch.present[0, :5] = False
    with (
        prepared(name, middle(name), llama, calibration) as predict,
        pytest.raises(Unsupported, match="padded prompts: rows of a batch must have prompts of"),
    ):
        predict(batch)


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_runs(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    half = LanguageModel(module=copy.deepcopy(llama.module).bfloat16())
    batch = asked(2, 120, given=5)
    ours = passes(name, middle(name), half, calibration, batch)
    plain = passes(name, middle(name), llama, calibration, batch)
    assert [2 * each.physical_bytes for each in ours] == [each.physical_bytes for each in plain]
    with prepared(name, middle(name), half, calibration) as predict:
        FAMILY.validate(predict(batch), batch, half)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        (name, field, value)
        for name in METHODS
        for field in names_of(name)
        for value in IMPOSSIBLE.get(field, ())
    ],
)
def test_impossible_parameters_are_refused(name: str, field: str, value: Any) -> None:
    with pytest.raises(BadParameter) as refusal:
        REGISTRY.build(name, {field: value})
    message = str(refusal.value)
    assert "\n" not in message
    assert field in message


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_is_among_the_impossible_ones(name: str) -> None:
    assert set(names_of(name)) <= set(IMPOSSIBLE)


@pytest.mark.parametrize("name", EVICTING)
def test_a_share_and_a_number_exclude_each_other(name: str) -> None:
    with pytest.raises(BadParameter, match="keep and budget exclude each other"):
        REGISTRY.build(name, {"keep": 0.5, "budget": 100})


@pytest.mark.parametrize("name", EVICTING)
def test_a_number_beyond_the_prompt_keeps_it_whole(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    batch = asked(2, 90)
    with prepared(name, {"budget": 200}, llama, calibration) as predict:
        assert torch.equal(predict(batch), whole(llama, batch))


@pytest.mark.parametrize("name", [name for name in METHODS if "question" in names_of(name)])
def test_a_prompt_that_is_all_question_is_refused(
    name: str, llama: LanguageModel, asked: Asked, calibration: Calibration
) -> None:
    params = {"question": 90}
    with (
        prepared(name, params, llama, calibration) as predict,
        pytest.raises(Unsupported, match="short prompt: its last 90 tokens are the question"),
    ):
        predict(asked(1, 90))
