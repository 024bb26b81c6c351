"""What every decoding method owes, whoever wrote it: parametrised over the whole catalogue."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cycles import circle, saved, training, turns
from prompts import TEXTS, asked, scored, tiny, written
from tokonomy.catalog.cards import MethodCard
from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel, Predict

FAMILY = Decoding()
REGISTRY = catalogue("method")
METHODS = sorted(
    name
    for name, entry in REGISTRY.entries.items()
    if "decoding" in entry.card.families and entry.module.startswith("tokonomy_methods.")
)
OWN = [name for name in METHODS if REGISTRY.card(name).kind not in ("reference", "control")]
EXACT = [name for name in METHODS if REGISTRY.card(name).lossless == "exact"]
# Methods that guess tokens of one request and have the model check them.
DRAFTING = [
    name
    for name in EXACT
    if "order of decoding" in REGISTRY.card(name).alters and "batch 1" in REGISTRY.card(name).needs
]
SHIPPED = {
    "aded", "byte-exact", "early-exit", "hf-assisted", "hf-prompt-lookup", "in-flight-batching",
    "lade", "lookahead-trie", "prompt-lookup", "reference", "rest", "sampling", "spectr",
    "token-alignment", "token-recycling",
}  # fmt: skip
SETTINGS = [(name, setting) for name in METHODS for setting in REGISTRY.card(name).sweep]
# What no parameter of a type takes; a bool is no number.
IMPOSSIBLE: dict[type, tuple[Any, ...]] = {
    int: (-1, 1.5, True, "many", None),
    float: (-1.0, float("nan"), True, "half", None),
    str: ("", 3, None),
    bool: (2, None),
}
PROMPTS = (
    [5, 90, 311, 7, 7, 205, 64, 18, 400, 33],
    [21, 22, 23] * 5,
    [44] * 9,
    [300],
)


@pytest.fixture(scope="session")
def draft(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A drafter for all models: right for one of them, wrong for the others."""
    return saved(tiny(), tmp_path_factory.mktemp("draft"))


@pytest.fixture(scope="session")
def turning(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A drafter that is right for the circle."""
    return saved(circle(), tmp_path_factory.mktemp("turning"))


def names_of(name: str) -> list[str]:
    return [field.name for field in fields(REGISTRY.load(name))]


@contextmanager
def prepared(
    name: str, params: Mapping[str, Any], model: LanguageModel, draft: str, seed: int = 0
) -> Iterator[Predict]:
    """A method at work; where it needs a second model it gets ``draft``."""
    own = {"draft": draft} if "draft" in names_of(name) else {}
    method = REGISTRY.build(name, {**own, **params})
    calibration = training(*PROMPTS, turns(20))
    with torch.inference_mode(), Context(seed=seed, calibration=calibration) as context:
        yield method.prepare(model, context)


def middle(name: str) -> Mapping[str, Any]:
    sweep = REGISTRY.card(name).sweep
    return sweep[len(sweep) // 2]


@cache
def plain(seed: int, prompt: tuple[int, ...], length: int, ends: tuple[int, ...] = (1,)) -> Tensor:
    """The model's own answer."""
    with torch.inference_mode():
        return tiny(seed=seed)(asked([prompt], length, ends))


def test_every_method_of_the_package_is_in_the_catalogue() -> None:
    assert [broken for broken in REGISTRY.broken if "tokonomy_methods" in broken.where] == []
    assert set(METHODS) >= SHIPPED
    assert {"hf-assisted", "lookahead-trie", "prompt-lookup", "rest"} < set(DRAFTING)


@pytest.mark.parametrize("name", METHODS)
def test_the_card_is_complete(name: str) -> None:
    card: MethodCard = REGISTRY.card(name)
    for setting in card.sweep:
        REGISTRY.build(name, setting)
    assert len({repr(sorted(setting.items())) for setting in card.sweep}) == len(card.sweep)
    assert card.title
    assert card.summary.endswith(".")
    assert card.code_licence or not card.code
    assert card.effect == "none"
    if card.kind != "reference":
        assert card.differences
        assert card.alters
    for claim in card.claims:
        assert all((claim.model, claim.dataset, claim.setting, claim.metric, claim.unit))
        assert claim.source


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "setting"), [(name, setting) for name, setting in SETTINGS if name in EXACT]
)
def test_the_answer_is_the_models_own(
    name: str, setting: Mapping[str, Any], seed: int, draft: str
) -> None:
    with prepared(name, setting, tiny(seed=seed), draft) as predict:
        for prompt in PROMPTS:
            assert torch.equal(predict(asked([prompt], 18)), plain(seed, tuple(prompt), 18))


@pytest.mark.parametrize("name", EXACT)
def test_the_answer_of_a_text_is_the_models_own_up_to_every_length(name: str, draft: str) -> None:
    model = tiny()
    with prepared(name, middle(name), model, draft) as predict:
        for text in TEXTS:
            for length in (1, 2, 3, 7):
                batch = written(text, length=length)
                assert torch.equal(predict(batch), model(batch))


@pytest.mark.parametrize("name", EXACT)
def test_an_answer_stops_at_its_first_end(name: str, draft: str) -> None:
    with prepared(name, middle(name), tiny(), draft) as predict:
        for prompt in PROMPTS:
            whole = plain(0, tuple(prompt), 18)[0].tolist()
            for ends in ((whole[0],), (whole[5],), (1, whole[11], whole[8])):
                wanted = plain(0, tuple(prompt), 18, ends)
                assert torch.equal(predict(asked([prompt], 18, ends)), wanted)


@pytest.mark.parametrize(("name", "setting"), [each for each in SETTINGS if each[0] in DRAFTING])
def test_drafts_save_passes_where_the_text_repeats_itself(
    name: str, setting: Mapping[str, Any], turning: str
) -> None:
    batch = asked([turns(15)], 40)
    with prepared(name, setting, circle(), turning) as predict, FAMILY.reading(circle()) as passes:
        assert predict(batch)[0].tolist() == turns(40, start=15)
        assert len(passes()) < 40


@pytest.mark.parametrize("name", METHODS)
def test_answers_are_well_formed(name: str, draft: str) -> None:
    model = tiny()
    for setting in REGISTRY.card(name).sweep:
        with prepared(name, setting, model, draft) as predict:
            batch = written(TEXTS[1], length=9)
            FAMILY.validate(predict(batch), batch, model)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_given_is_scored_as_the_model_does(name: str, draft: str) -> None:
    model = tiny()
    batch = scored()
    one = Batch(
        ids=batch.ids[:1],
        prompt=batch.prompt[:1, -9:],
        present=batch.present[:1, -9:],
        given=batch.given[:1],
    )
    if REGISTRY.card(name).lossless == "exact":
        with prepared(name, middle(name), model, draft) as predict:
            torch.testing.assert_close(predict(one), model(one), rtol=1e-4, atol=1e-4)
    else:
        with prepared(name, middle(name), model, draft) as predict, suppress(Unsupported):
            FAMILY.validate(predict(one), one, model)


@pytest.mark.parametrize(
    ("name", "setting"), [(name, setting) for name, setting in SETTINGS if name in OWN]
)
def test_a_request_leaves_nothing_behind(
    name: str, setting: Mapping[str, Any], turning: str
) -> None:
    """The same request gets the same answer in as many passes, whatever was asked before."""
    model = circle()
    one, other = asked([turns(15)], 20, first=3), asked([turns(4, start=2)], 20, first=4)
    reads: list[list[int]] = []
    with prepared(name, setting, model, turning, seed=5) as predict:
        with FAMILY.reading(model) as passes:
            first = predict(one)
            kept = first.clone()
            reads.append([each.read for each in passes()])
            for batch in (one, other, other, one):
                again = predict(batch)
                reads.append([each.read for each in passes()])
    assert torch.equal(first, again)
    assert torch.equal(first, kept)
    assert first.data_ptr() != again.data_ptr()
    assert reads[0] == reads[1] == reads[4]
    assert reads[2] == reads[3]
    with prepared(name, setting, model, turning, seed=5) as predict:
        assert torch.equal(predict(one), first)


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_put_back(name: str, draft: str) -> None:
    model = tiny()
    before, settings = FAMILY.fingerprint(model), model.module.generation_config
    said = settings.to_dict()
    with prepared(name, middle(name), model, draft) as predict:
        predict(written(TEXTS[0], length=9))
    assert FAMILY.fingerprint(model) == before
    assert model.module.generation_config is settings
    assert settings.to_dict() == said


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_put_back_after_a_failure(name: str, draft: str) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    model = tiny()
    before, settings = FAMILY.fingerprint(model), model.module.generation_config
    batch = written(TEXTS[0], length=9)
    with prepared(name, middle(name), model, draft) as predict:
        wanted = predict(batch)
        hook = model.layers[1].mlp.register_forward_pre_hook(fail)
        with pytest.raises(RuntimeError, match="planted"):
            predict(batch)
        hook.remove()
        assert torch.equal(predict(batch), wanted)
    assert FAMILY.fingerprint(model) == before
    assert model.module.generation_config is settings


@pytest.mark.parametrize("name", METHODS)
def test_inputs_and_global_generators_are_left_alone(name: str, draft: str) -> None:
    batch = written(TEXTS[0], length=9)
    held = {key: getattr(batch, key).clone() for key in ("ids", "prompt", "present", "given")}
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    with prepared(name, middle(name), tiny(), draft) as predict:
        predict(batch)
    assert all(torch.equal(getattr(batch, key), value) for key, value in held.items())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), states[1], strict=True))
    assert random.getstate() == states[2]


@pytest.mark.parametrize("name", METHODS)
def test_two_requests_are_refused_or_answered_as_each_alone(name: str, draft: str) -> None:
    model, prompts = tiny(), [PROMPTS[0], PROMPTS[1]]
    with prepared(name, middle(name), model, draft) as predict:
        together = asked(prompts, 9)
        if "batch 1" in REGISTRY.card(name).needs:
            with pytest.raises(Unsupported, match="batch-1-only"):
                predict(together)
            return
        output = FAMILY.validate(predict(together), together, model)
        if name in EXACT:
            alone = [predict(asked([prompt], 9)) for prompt in prompts]
            assert torch.equal(output, torch.cat(alone))


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_runs(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    half = LanguageModel(module=copy.deepcopy(tiny().module).bfloat16(), tokenizer=tiny().tokenizer)
    draft = saved(half, tmp_path_factory.mktemp("half"))
    batch = written(TEXTS[2], length=9)
    with prepared(name, middle(name), half, draft) as predict:
        FAMILY.validate(predict(batch), batch, half)


@pytest.mark.parametrize("name", METHODS)
def test_a_setting_is_checked_on_a_models_shape_alone(name: str, draft: str) -> None:
    shape = LanguageModel(
        module=copy.deepcopy(tiny().module).to("meta"), tokenizer=tiny().tokenizer
    )
    own = {"draft": draft} if "draft" in names_of(name) else {}
    for setting in REGISTRY.card(name).sweep:
        with Context() as context, suppress(Unsupported):  # that there is no train split
            assert callable(REGISTRY.build(name, {**own, **setting}).prepare(shape, context))


def impossible() -> Sequence[tuple[str, str, Any]]:
    return [
        (name, field.name, value)
        for name in OWN
        for field in fields(REGISTRY.load(name))
        for value in IMPOSSIBLE[type(field.default)]
    ]


@pytest.mark.parametrize(("name", "field", "value"), impossible())
def test_impossible_parameters_are_refused(name: str, field: str, value: Any) -> None:
    with pytest.raises(BadParameter) as refusal:
        REGISTRY.build(name, {field: value})
    message = str(refusal.value)
    assert "\n" not in message
    assert field in message
