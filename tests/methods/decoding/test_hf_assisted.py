"""transformers' assisted generation: drafters that fit, settings that stay, passes saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from cycles import circle, saved, turns
from languages import make_tokenizer, write_language
from prompts import asked, tiny
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.contract import Reading
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.decoding.hf_assisted import HfAssisted

PROMPT = [5, 90, 311, 7, 7, 205, 64]


@torch.inference_mode()
def said(
    model: LanguageModel, batch: Batch, **params: Any
) -> tuple[list[Tensor], list[list[Reading]]]:
    """Three answers to one request, and the passes of the model on the way to each."""
    outputs, reads = list[Tensor](), list[list[Reading]]()
    with Context() as context, Decoding().reading(model) as passes:
        predict = HfAssisted(**params).prepare(model, context)
        for _ in range(3):
            outputs.append(predict(batch))
            reads.append(passes())
    return outputs, reads


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The circle, as a drafter that is always right and sure of itself."""
    model = circle()
    sure = LlamaForCausalLM(model.module.config).eval()
    sure.load_state_dict(model.module.state_dict())
    with torch.no_grad():
        sure.lm_head.weight.mul_(100)
    folder = tmp_path_factory.mktemp("right")
    return saved(LanguageModel(module=sure, tokenizer=make_tokenizer()), folder)


@pytest.mark.parametrize(("tokens", "wanted"), [(2, 7), (5, 4), (20, 1)])
def test_a_right_drafter_saves_a_pass_for_each_token_it_may_draft(
    tokens: int, wanted: int, right: str
) -> None:
    """One pass says what was drafted and one token more; 21 tokens are asked for."""
    batch = asked([turns(4)], 21, ends=())
    outputs, reads = said(circle(), batch, draft=right, tokens=tokens)
    assert outputs[0][0].tolist() == turns(21, start=4)
    assert [len(each) for each in reads] == [wanted] * 3


def test_a_drafter_that_is_not_sure_drafts_one_token(tmp_path: Path) -> None:
    """Among 512 tokens that are all but alike none has a probability of 0.4."""
    unsure = saved(circle(), tmp_path)
    batch = asked([turns(4)], 20, ends=())
    passes = {
        threshold: len(said(circle(), batch, draft=unsure, threshold=threshold)[1][0])
        for threshold in (0.0, 0.4)
    }
    assert passes == {0.0: 1, 0.4: 10}


def test_a_wrong_drafter_changes_nothing_but_the_time(tmp_path: Path) -> None:
    wrong = f"hf:{write_language(tmp_path / 'wrong', seed=9)}"
    for threshold in (0.0, 0.4):
        for length in (1, 2, 15):
            batch = asked([PROMPT], length)
            outputs, reads = said(tiny(), batch, draft=wrong, threshold=threshold)
            with torch.inference_mode():
                assert torch.equal(outputs[0], tiny()(batch))
            assert torch.equal(outputs[0], outputs[2])
            assert reads[0] == reads[1] == reads[2]


def test_nothing_that_a_checkpoint_asks_for_is_done(tmp_path: Path) -> None:
    model, batch = tiny(), asked([PROMPT], 15)
    drafter = saved(model, tmp_path)
    with torch.inference_mode():
        wanted = model(batch)
    own = model.module.generation_config
    model.module.generation_config = type(own)(
        do_sample=True, repetition_penalty=9.0, assistant_confidence_threshold=0.9
    )
    try:
        outputs, reads = said(model, batch, draft=drafter, threshold=0.0)
        assert model.module.generation_config.repetition_penalty == 9.0
    finally:
        model.module.generation_config = own
    assert torch.equal(outputs[0], wanted)
    assert [len(each) for each in reads] == [1, 1, 1]


def test_a_drafter_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    folder = write_language(tmp_path / "other", size=400)
    with Context() as context, pytest.raises(Unsupported, match=r"512.*400"):
        HfAssisted(draft=f"hf:{folder}").prepare(tiny(), context)


def test_a_drafter_larger_than_the_model_is_refused(tmp_path: Path) -> None:
    larger = saved(circle(), tmp_path)
    sizes = [sum(w.numel() for w in each.module.parameters()) for each in (tiny(), circle())]
    with Context() as context, pytest.raises(Unsupported, match=rf"{sizes[0]}.*{sizes[1]}"):
        HfAssisted(draft=larger).prepare(tiny(), context)


@pytest.mark.parametrize("bad", [{"tokens": 0}, {"threshold": 1.5}, {"draft": ""}])
def test_impossible_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match=next(iter(bad))):
        HfAssisted(**bad)
