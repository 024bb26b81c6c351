"""Roles: what they let be seen, that they can be learnt, and that nothing else changes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import Unsupported
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Cached
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.kv import nats, role_training, roles
from tokonomy_methods.kv.reader import Forgetful

Asked = Callable[..., Batch]
NAMES = "gls"


def of(text: str) -> Tensor:
    """Roles of one request in one head, by letter."""
    return torch.eye(3)[[NAMES.index(each) for each in text]][None, None]


def loops(text: str, window: int) -> list[list[float]]:
    """Which rows each token sees."""
    found = []
    for query in range(len(text)):
        row = []
        for key, role in enumerate(text):
            between = "g" in text[key + 1 : query]
            sees = {"g": True, "l": not between, "s": query - key <= window}[role]
            row.append(float(key == query or (key < query and sees)))
        found.append(row)
    return found


@pytest.mark.parametrize("window", [1, 2, 4, 99])
@pytest.mark.parametrize("text", ["g", "ggg", "lllll", "sssss", "lglgl", "gllslgssl", "sslgllglsg"])
def test_rows_are_seen_as_their_role_says(text: str, window: int) -> None:
    wanted = torch.tensor(loops(text, window))
    for queries in {1, len(text) // 2 + 1, len(text)}:
        found = roles.visible(of(text), queries, window)
        assert torch.equal(found[0, 0], wanted[-queries:])


def test_a_worked_case() -> None:
    assert roles.visible(of("glsglsl"), 7, 3)[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],  # the second global row still sees the local one before it
        [1, 0, 1, 1, 1, 0, 0],
        [1, 0, 1, 1, 1, 1, 0],
        [1, 0, 0, 1, 1, 1, 1],
    ]


def test_sampled_roles_are_hard_and_have_a_gradient() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]], requires_grad=True)
    drawn = roles.sampled(logits, torch.full((2, 3), 0.5))
    assert drawn.detach().round(decimals=6).tolist() == [[1, 0, 0], [1, 0, 0]]
    (gradient,) = torch.autograd.grad(drawn[0, 1], logits)
    soft = logits.detach()[0].softmax(0)
    wanted = float(-soft[0] * soft[1])
    assert float(gradient[0, 0]) == pytest.approx(wanted)
    uniform = torch.rand(20_000, 3, generator=torch.Generator().manual_seed(0))
    often = roles.sampled(logits[:1].detach().expand(20_000, -1), uniform).mean(0)
    torch.testing.assert_close(often, soft, rtol=0, atol=0.02)


def test_attention_counts_rows_by_what_is_seen_of_them() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, keys, values = (
        torch.randn(1, heads, 6, 4, generator=generator) for heads in (4, 2, 2)
    )
    shown = roles.visible(of("glsgls"), 6, 2).expand(-1, 2, -1, -1)
    found = roles.attended(queries, keys, values, 0.5, shown)
    for head in range(4):
        logits = queries[0, head] @ keys[0, head // 2].T * 0.5
        weights = logits.masked_fill(shown[0, 0] == 0, float("-inf")).softmax(-1)
        torch.testing.assert_close(found[0, head], weights @ values[0, head // 2])


def test_a_hidden_row_has_a_gradient() -> None:
    """It is what the output would change by, were the row let in a little."""
    generator = torch.Generator().manual_seed(0)
    queries, keys, values = (
        torch.randn(1, 1, 3, 4, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    shown = torch.ones(3, 3, dtype=torch.float64).tril()
    shown[2, 0] = 0
    seen = shown[None, None].requires_grad_()
    (gradient,) = torch.autograd.grad(roles.attended(queries, keys, values, 1, seen).sum(), seen)
    more = shown.clone()
    more[2, 0] = 1e-6
    moved = roles.attended(queries, keys, values, 1, more[None, None]).sum()
    still = roles.attended(queries, keys, values, 1, shown[None, None]).sum()
    assert float(gradient[0, 0, 2, 0]) == pytest.approx(float(moved - still) / 1e-6, rel=1e-4)
    assert abs(float(gradient[0, 0, 2, 0])) > 0.01


@torch.inference_mode()
def test_decoding_sees_what_reading_at_once_sees(llama: LanguageModel, asked: Asked) -> None:
    """Random roles: the whole text under its mask, and token by token."""
    generator = torch.Generator().manual_seed(3)
    scorers = [torch.randn(6, 64, generator=generator) for _ in range(4)]
    policy = nats.Roles(scorers=scorers, window=5)
    batch = asked(2, 50, given=9)
    tokens = torch.cat([batch.prompt, batch.given], 1)
    reader: Any = Forgetful(module=llama.module, policy=policy).read(batch)
    found = [reader.prompt(batch)]
    found += [reader.next(batch.given[:, at : at + 1])[:, 0] for at in range(9)]
    masks: list[Tensor] = []

    def hide(block: Any, args: Any, given: Any) -> Any:
        logits = (scorers[block.layer_idx] @ given["hidden_states"].mT).view(2, 2, 3, -1)
        chosen = logits.argmax(2)
        chosen[:, :, 0] = 0
        each = [
            [loops("".join(NAMES[role] for role in head), 5) for head in request]
            for request in chosen.tolist()
        ]
        mask = torch.tensor(each).bool().repeat_interleave(4, 1)
        masks.append(mask)
        return args, given | {"attention_mask": mask}

    hooks = [
        layer.self_attn.register_forward_pre_hook(hide, with_kwargs=True) for layer in llama.layers
    ]
    wanted = llama.module(tokens, use_cache=False).logits[:, 49:]
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(torch.stack(found, 1), wanted, rtol=1e-3, atol=1e-3)
    assert 0.2 < torch.stack(masks).float().mean() < 0.4  # of 0.5 below the diagonal


def trained(llama: LanguageModel, texts: list[Tensor], **rule: Any) -> list[Tensor]:
    defaults = {"window": 8, "sparsity": 1.0, "rate": 2e-3, "seed": 0}
    return role_training.trained(llama, texts, **(defaults | rule))


@pytest.fixture
def texts(asked: Asked) -> list[Tensor]:
    return [asked(4, 40).prompt[at % 4, None] for at in range(24)]


def visible_share(llama: LanguageModel, scorers: list[Tensor], text: Tensor) -> float:
    shares = []
    with torch.no_grad():
        hidden = llama.module(text, output_hidden_states=True).hidden_states
        for layer, scorer, each in zip(llama.layers, scorers, hidden, strict=False):
            hard = roles.hard(roles.logits(scorer, layer.input_layernorm(each)))
            shares.append(float(roles.visible(hard, 40, 4).mean()) * 2 * 40 / 41)
    return sum(shares) / 4


def test_training_hides_the_more_the_dearer_it_is_to_see(
    llama: LanguageModel, texts: list[Tensor]
) -> None:
    shares = []
    for sparsity in (0.0, 30.0):
        scorers = trained(llama, texts, sparsity=sparsity, window=4, rate=0.02)
        shares.append(visible_share(llama, scorers, texts[0]))
    assert shares[1] < 0.6 * shares[0]


def test_training_makes_texts_likelier_under_roles(
    llama: LanguageModel, texts: list[Tensor]
) -> None:
    """From layers that make every row sliding, on texts that are the model's own continuations."""
    said = llama.module.generate(texts[0][:, :8], max_new_tokens=32, do_sample=False)
    rule = {"sparsity": 0.0, "window": 2, "rate": 0.02}
    tensors = {name: each.detach() for name, each in role_training._tensors(llama.module)}

    def loss(scorers: list[Tensor]) -> float:
        total = 0.0
        for seed in range(5):
            generator = torch.Generator().manual_seed(seed)
            learner = role_training.Learner(scorers=scorers, window=2, generator=generator)
            with torch.no_grad():
                total += float(role_training.unlikelihood(llama, tensors, said, learner)) / 5
        return total

    untrained = trained(llama, [], **rule)
    assert loss(trained(llama, [said] * 40, **rule)) < loss(untrained) - 0.05


def test_training_touches_nothing_but_its_own_layers(
    llama: LanguageModel, texts: list[Tensor]
) -> None:
    before, state = Cached().fingerprint(llama), torch.get_rng_state()
    scorers = trained(llama, texts[:3], seed=0)
    assert Cached().fingerprint(llama) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert all(each.grad is None for each in llama.module.parameters())
    assert [tuple(each.shape) for each in scorers] == [(6, 64)] * 4
    assert all(bool(each.any()) for each in scorers)
    assert not any(each.requires_grad for each in scorers)
    again = trained(llama, texts[:3], seed=0)
    other = trained(llama, texts[:3], seed=1)
    assert all(torch.equal(a, b) for a, b in zip(scorers, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(scorers, other, strict=True))


@torch.inference_mode()
def test_texts_are_prompts_without_padding_and_the_models_own_answers(
    llama: LanguageModel, calibration: Callable[[], Iterator[Batch]]
) -> None:
    context = Context(calibration=calibration)
    found = role_training.texts_of(llama, context, 4)
    assert [text.shape[1] for text in found] == [66, 66, 56, 36]
    first = next(calibration())
    assert torch.equal(found[1][0, :60], first.prompt[1])
    assert torch.equal(found[1][0, 60:], llama(first)[1])
    assert len(role_training.texts_of(llama, context, 3)) == 3
    assert role_training.texts_of(llama, context, 0) == []


def test_a_task_without_a_train_split_is_unsupported(llama: LanguageModel) -> None:
    with pytest.raises(Unsupported, match="no train split"):
        catalogue("method").build("nats", {"steps": 1}).prepare(llama, Context())
    with pytest.raises(Unsupported, match="the train split has no prompt of two tokens"):
        nats.Nats(steps=1).prepare(llama, Context(calibration=lambda: iter(())))
    assert callable(catalogue("method").build("nats", {"steps": 0}).prepare(llama, Context()))


@torch.inference_mode()
def test_weights_made_in_inference_mode_can_be_trained_on(
    asked: Asked, calibration: Callable[[], Iterator[Batch]], llama: LanguageModel
) -> None:
    """The harness loads and prepares in inference mode, where no gradient can pass."""
    inside = LanguageModel(module=copy.deepcopy(llama.module))
    for parameter in inside.module.parameters():
        parameter.data = parameter.data.clone()
    assert next(inside.module.parameters()).data.is_inference()
    method = catalogue("method").build("nats", {"steps": 2, "window": 8})
    batch = asked(1, 60)
    found = method.prepare(inside, Context(calibration=calibration))(batch)
    wanted = method.prepare(llama, Context(calibration=calibration))(batch)
    assert torch.equal(found, wanted)
